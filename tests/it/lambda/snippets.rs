//! What people run there: data frames and plots.

use serde_json::json;

use super::{eventually, on_lambda, run, service};

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n";

/// A table, a plot of it in a file, and one left open.
const PANDAS: &str = r#"
import pathlib
import matplotlib.pyplot as plt
import pandas as pd

sales = pd.DataFrame({"city": ["Basel", "Lyon"], "n": [3, 4]})
sales.plot.bar(x="city", y="n")
pathlib.Path("plots").mkdir()
plt.savefig("plots/sales.png")
print("rows", len(sales))
sales
"#;

#[test]
fn a_data_frame_and_its_plot() {
    let service = service(&[]);
    let answer = run(&service, "python", PANDAS);
    assert_eq!(answer["stdout"], "rows 2\n");
    assert_eq!(answer["stderr"], "");
    let results = answer["results"].as_array().unwrap();
    let table = results.iter().find(|r| r.get("text/html").is_some());
    let table = table.unwrap_or_else(|| panic!("no table: {answer:#}"));
    assert!(table["text/html"].as_str().unwrap().contains("<table"));
    assert!(table["text/plain"].as_str().unwrap().contains("Basel"));
    assert!(
        results.iter().any(|r| r.get("image/png").is_some()),
        "the figure that was left open is shown: {answer:#}"
    );

    let artifact = &answer["artifacts"][0];
    assert_eq!(artifact["path"], "plots/sales.png");
    assert_eq!(artifact["media_type"], "image/png");
    let url = artifact["url"].as_str().unwrap();
    let file = service.get(url);
    assert_eq!(file.header("content-type"), "image/png");
    assert_eq!(json!(file.body.len()), artifact["bytes"]);
    assert!(file.body.starts_with(PNG));

    // What it took, and what that would cost.
    let usage = &answer["usage"];
    assert!(usage["billed_ms"].as_u64().unwrap() > 0, "{usage}");
    assert!(usage["cost_usd"].as_f64().unwrap() > 0.0, "{usage}");
    assert!(usage["peak_memory_bytes"].as_u64().unwrap() > 0, "{usage}");

    // All of it is in the bucket.
    let uri = answer["outputs"]["uri"].as_str().unwrap();
    let folder = uri.strip_prefix("s3://sandgate/").unwrap();
    let bucket = service.data().join("s3/sandgate");
    let result = bucket.join(folder).join("result.json");
    eventually("the bucket has it", &service, || result.is_file());
    let stored = std::fs::read(bucket.join(folder).join("files/plots/sales.png")).unwrap();
    assert_eq!(stored, file.body);
    let id = answer["id"].as_str().unwrap();
    eventually("it counts as stored", &service, || {
        service.get(&format!("/v1/executions/{id}")).json()["outputs"]["state"] == "stored"
    });
    assert_eq!(service.get(url).body, file.body, "from the bucket now");
}

#[test]
fn files_are_served_by_the_bucket_itself_where_that_is_wanted() {
    let service = service(&[("SANDGATE_OUTPUTS_REDIRECT_FILES", "true")]);
    let answer = service.execute(json!({
        "language": "python", "code": "open('page.html', 'w').write('<p>')",
        "durability": "stored"
    }));
    let url = answer["artifacts"][0]["url"].as_str().unwrap();
    let redirect = service.get_once(url);
    assert_eq!(redirect.status, 307);
    assert_eq!(redirect.header("cache-control"), "no-store");
    let place = redirect.header("location");
    assert!(place.contains("X-Amz-Signature="), "{place}");
    let file = service.get_at(place);
    assert_eq!((file.status, file.body.as_slice()), (200, &b"<p>"[..]));
    assert_eq!(file.header("content-type"), "text/html");
    assert!(
        file.header("content-disposition")
            .starts_with("attachment;")
    );
}

#[test]
fn what_a_message_cannot_carry_goes_through_the_bucket() {
    let service = service(&[]);
    let code = "import numpy as np, sys\n\
                data = np.frombuffer(open('in.bin', 'rb').read(), dtype=np.uint8)\n\
                open('out.bin', 'wb').write((data + 1).tobytes())\n\
                print(len(data))";
    let bytes = 7 << 20;
    let answer = service.execute(json!({
        "language": "python", "code": code,
        "files": [{"path": "in.bin", "content": "AAAA".repeat(bytes / 3), "encoding": "base64"}],
        "limits": {"timeout_ms": 60_000}
    }));
    assert_eq!(answer["status"], "ok", "{answer:#}");
    assert_eq!(answer["route"]["backend"], "lambda");
    let length = bytes / 3 * 3;
    assert_eq!(answer["stdout"], format!("{length}\n"));
    let url = answer["artifacts"][0]["url"].as_str().unwrap();
    let file = service.get(url);
    assert!(file.body.len() == length && file.body.iter().all(|byte| *byte == 1));
}

#[test]
fn the_day_is_what_the_request_says_on_both_backends() {
    let service = service(&[]);
    for backend in ["wasm", "lambda"] {
        let answer = service.execute(json!({
            "language": "python", "backend": backend, "now": "2031-02-03T04:05:06Z",
            "code": "import datetime; print(datetime.date.today())",
            "limits": {"timeout_ms": 60_000}
        }));
        assert_eq!(answer["stdout"], "2031-02-03\n", "{answer:#}");
        assert_eq!(answer["route"]["backend"], backend, "{answer:#}");
    }
}

#[test]
fn a_plot_of_r() {
    let service = service(&[]);
    if on_lambda(&service, "r").is_none() {
        let installed = std::process::Command::new("Rscript")
            .arg("--version")
            .output();
        assert!(
            installed.is_err(),
            "R is installed, but Lambda does not have it"
        );
        return;
    }
    let answer = run(
        &service,
        "r",
        "library(ggplot2)\ndata <- data.frame(x = 1:3, y = c(2, 4, 8))\n\
         plot <- ggplot(data, aes(x, y)) + geom_point()\n\
         ggsave('plot.png', plot, width = 3, height = 3)\nsummary(data$y)",
    );
    let artifacts = answer["artifacts"].as_array().unwrap();
    let plot = artifacts.iter().find(|a| a["path"] == "plot.png");
    let url = plot.unwrap_or_else(|| panic!("{answer:#}"))["url"]
        .as_str()
        .unwrap();
    assert!(service.get(url).body.starts_with(PNG));
}
