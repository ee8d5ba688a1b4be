//! The report as Markdown.

use std::fmt::Write as _;

use super::measure::{Path, SnippetReport};
use super::peers::PeerOutcome;
use super::report::{Report, about_lambda, cost_of_a_million, milliseconds, recommendation};

/// The whole report.
pub(crate) fn render(report: &Report) -> String {
    let mut text = String::new();
    let machine = &report.machine;
    push(&mut text, "# sandgate benchmark\n");
    push(
        &mut text,
        &format!(
            "{} · sandgate {} · {}, {} cores, Linux {}\n",
            report.date, report.version, machine.cpu, machine.cores, machine.kernel
        ),
    );
    push(&mut text, &about_lambda(&report.lambda));
    if report.stopped {
        push(
            &mut text,
            "\n**Stopped before its end:** what follows is not complete.",
        );
    }
    push(&mut text, "\n## Latency\n");
    push(
        &mut text,
        "From the call to the answer. In brackets, the 95 % confidence interval of the median.\n",
    );
    push(
        &mut text,
        "| snippet | path | runs | median | p90 | p99 | max | memory | $ per million |\n\
         |---|---|--:|--:|--:|--:|--:|--:|--:|",
    );
    for snippet in &report.snippets {
        rows(&mut text, snippet, report);
    }
    push(&mut text, "\n## Where the time goes\n");
    push(
        &mut text,
        "| snippet | path | analysis and plan | queue | run | the rest |\n|---|---|--:|--:|--:|--:|",
    );
    for snippet in &report.snippets {
        for measured in &snippet.measured {
            let parts = measured.parts;
            let _ = writeln!(
                text,
                "| {} | {} | {} | {} | {} | {} |",
                snippet.name,
                measured.path.name(),
                milliseconds(parts.plan),
                milliseconds(parts.queue),
                milliseconds(parts.run),
                milliseconds(parts.rest)
            );
        }
    }
    throughput(&mut text, report);
    crossover(&mut text, report);
    peers(&mut text, report);
    push(&mut text, "\n## What to do\n");
    for snippet in &report.snippets {
        let _ = writeln!(
            text,
            "- **{}**: {}",
            snippet.name,
            recommendation(snippet, &report.prices)
        );
    }
    text
}

fn push(text: &mut String, line: &str) {
    text.push_str(line);
    text.push('\n');
}

fn rows(text: &mut String, snippet: &SnippetReport, report: &Report) {
    for path in Path::ALL {
        if let Some(measured) = snippet.on(path) {
            let latency = &measured.latency;
            let (low, high) = latency.median_interval;
            let _ = writeln!(
                text,
                "| {} | {} | {} | {} ({}–{}) | {} | {} | {} | {:.1} MB | {:.2} |",
                snippet.name,
                path.name(),
                latency.count,
                milliseconds(latency.median),
                milliseconds(low),
                milliseconds(high),
                milliseconds(latency.p90),
                milliseconds(latency.p99),
                milliseconds(latency.max),
                measured.memory_bytes / 1e6,
                cost_of_a_million(measured, &report.prices)
            );
        }
    }
    for skipped in &snippet.skipped {
        // A table's cell has no room for bars and line ends.
        let reason = skipped.reason.replace('|', "\\|").replace('\n', " ");
        let _ = writeln!(
            text,
            "| {} | {} | | {reason} | | | | | |",
            snippet.name,
            skipped.path.name()
        );
    }
}

fn throughput(text: &mut String, report: &Report) {
    push(text, "\n## Throughput\n");
    push(
        text,
        "Executions a second by the number of concurrent callers.\n",
    );
    push(
        text,
        "| snippet | path | callers: executions a second |\n|---|---|---|",
    );
    for snippet in &report.snippets {
        for measured in &snippet.measured {
            if measured.throughput.is_empty() {
                continue;
            }
            let points: Vec<_> = measured
                .throughput
                .iter()
                .map(|point| format!("{}: {:.0}", point.callers, point.per_second))
                .collect();
            let _ = writeln!(
                text,
                "| {} | {} | {} |",
                snippet.name,
                measured.path.name(),
                points.join(", ")
            );
        }
    }
}

fn crossover(text: &mut String, report: &Report) {
    push(text, "\n## The crossover\n");
    let Some(model) = &report.model else {
        push(
            text,
            "Too few snippets ran on both backends to say where they change places.",
        );
        return;
    };
    let _ = writeln!(
        text,
        "By {} snippets that ran on both: the sandbox takes {} and {:.2} times the native CPU time, \
         a warm call to Lambda {} and the native CPU time divided by the share of a CPU that the \
         memory buys (1769 MB are one).\n",
        model.pairs,
        milliseconds(model.wasm.fixed_ms),
        model.wasm.per_native_ms,
        milliseconds(model.lambda_fixed_ms)
    );
    push(
        text,
        "| function's memory | Lambda is faster from | Lambda is cheaper from |\n|--:|--:|--:|",
    );
    let from = |ms: Option<f64>| ms.map_or_else(|| "never".to_owned(), milliseconds);
    for point in &report.crossovers {
        let _ = writeln!(
            text,
            "| {} MB | {} | {} |",
            point.memory_mb,
            from(point.faster_from_ms),
            from(point.cheaper_from_ms)
        );
    }
    let prices = &report.prices;
    let _ = writeln!(
        text,
        "\nOf native CPU time. Prices: Lambda ${} per GB-second and ${} per request, a CPU of the \
         router's machine ${} per hour.",
        prices.lambda_gb_second, prices.lambda_request, prices.cpu_hour
    );
}

fn peers(text: &mut String, report: &Report) {
    if report.peers.is_empty() {
        return;
    }
    push(text, "\n## Other ways, in the same minutes\n");
    push(text, "| what | runs | median | p90 |\n|---|--:|--:|--:|");
    for peer in &report.peers {
        let _ = match &peer.outcome {
            PeerOutcome::Measured(latency) => writeln!(
                text,
                "| {} | {} | {} | {} |",
                peer.name,
                latency.count,
                milliseconds(latency.median),
                milliseconds(latency.p90)
            ),
            PeerOutcome::Skipped(reason) => {
                writeln!(text, "| {} | | skipped: {reason} | |", peer.name)
            }
        };
    }
}
