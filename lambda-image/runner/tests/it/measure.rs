//! What is measured, on demand:
//!
//! ```text
//! cargo test --release -p sandgate-runner --test it -- --ignored --nocapture measure
//! ```

use std::process::Command;
use std::time::{Duration, Instant};

use sandgate_core::{Language, Outcome, RunnerCall, RunnerReply, Status};

use crate::harness::{Environment, home, shown, task};

const RUNS: usize = 100;

/// Snippets as users send them.
const SNIPPETS: &[(&str, Language, &str)] = &[
    ("python: print", Language::Python, "print(1 + 1)"),
    (
        "python: pandas group and sum",
        Language::Python,
        "import pandas as pd\n\
         frame = pd.DataFrame({'k': ['a', 'b'] * 500, 'v': range(1000)})\n\
         frame.groupby('k').v.sum().to_frame()",
    ),
    (
        "python: matplotlib line",
        Language::Python,
        "import matplotlib.pyplot as plt\nplt.plot([1, 2, 3])",
    ),
    ("r: print", Language::R, "print(1 + 1)"),
    (
        "r: ggplot2 points",
        Language::R,
        "library(ggplot2)\nggplot(mtcars, aes(wt, mpg)) + geom_point()",
    ),
    (
        "r: dplyr group and sum",
        Language::R,
        "library(dplyr)\nmtcars |> group_by(cyl) |> summarise(mpg = mean(mpg))",
    ),
];

#[test]
#[ignore = "takes a minute and checks nothing: run it alone"]
fn measure() {
    let started = Instant::now();
    let environment = Environment::start();
    // The first answer comes when the interpreters are ready, or the start has given up waiting.
    let described = environment.invoke(RunnerCall::Describe);
    println!(
        "start until the first answer: {} ms",
        started.elapsed().as_millis()
    );
    let RunnerReply::Described(described) = described else {
        panic!("{described:?}");
    };
    println!(
        "catalogue: {} bytes",
        serde_json::to_vec(&described).unwrap().len()
    );
    println!(
        "a new python that imports pandas: {} ms",
        fresh_import().as_millis()
    );
    for (name, language, code) in SNIPPETS {
        let run = || {
            let started = Instant::now();
            let reply = environment.try_execute(task(*language, code));
            reply.map(|outcome| (started.elapsed(), outcome))
        };
        let Ok((first, outcome)) = run() else {
            println!("{name}: not there");
            continue;
        };
        assert_eq!(outcome.status, Status::Ok, "{}", shown(&outcome));
        let mut all: Vec<(Duration, Outcome)> = (0..RUNS).map(|_| run().unwrap()).collect();
        all.sort_by_key(|(elapsed, _)| *elapsed);
        let at = |share: usize| all[all.len() * share / 100].0.as_secs_f64() * 1e3;
        let inside = all[all.len() / 2].1.usage.wall_ms;
        let peak = all
            .iter()
            .map(|(_, outcome)| outcome.usage.peak_memory_bytes)
            .max();
        println!(
            "{name}: first {:.1} ms, p50 {:.1} ms, p99 {:.1} ms; in the child {inside:.1} ms, {} MiB",
            first.as_secs_f64() * 1e3,
            at(50),
            at(99),
            peak.unwrap_or(0) >> 20,
        );
    }
    println!(
        "memory (proportional set size): {} MiB",
        environment.memory_bytes() >> 20
    );
}

/// What a snippet would wait for without a zygote: the middle of seven tries.
fn fresh_import() -> Duration {
    let mut tries: Vec<Duration> = (0..7)
        .map(|_| {
            let started = Instant::now();
            let status = Command::new(home().join("venv/bin/python"))
                .args(["-c", "import pandas"])
                .status();
            assert!(status.unwrap().success());
            started.elapsed()
        })
        .collect();
    tries.sort();
    tries[tries.len() / 2]
}
