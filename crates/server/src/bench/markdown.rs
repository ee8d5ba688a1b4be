//! The report as Markdown.

use std::fmt::Write as _;

use super::peers::PeerOutcome;
use super::report::{
    LATENCY_COLUMNS, LatencyRow, Report, about_lambda, about_model, about_prices, from,
    latency_rows, milliseconds, recommendation,
};

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
    latency(&mut text, report);
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

fn latency(text: &mut String, report: &Report) {
    let aligned: Vec<_> = LATENCY_COLUMNS
        .iter()
        .enumerate()
        .map(|(n, _)| if n < 2 { "---" } else { "--:" })
        .collect();
    push(text, &format!("| {} |", LATENCY_COLUMNS.join(" | ")));
    push(text, &format!("|{}|", aligned.join("|")));
    for row in latency_rows(report) {
        let _ = match row {
            LatencyRow::Measured(cells) => writeln!(text, "| {} |", cells.join(" | ")),
            LatencyRow::Skipped {
                snippet,
                path,
                reason,
            } => {
                // A table's cell has no room for bars and line ends.
                let reason = reason.replace('|', "\\|").replace('\n', " ");
                writeln!(text, "| {snippet} | {path} | | {reason} | | | | | |")
            }
        };
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
    let _ = writeln!(text, "{}\n", about_model(model));
    push(
        text,
        "| function's memory | Lambda is faster from | Lambda is cheaper from |\n|--:|--:|--:|",
    );
    for point in &report.crossovers {
        let _ = writeln!(
            text,
            "| {} MB | {} | {} |",
            point.memory_mb,
            from(point.faster_from_ms),
            from(point.cheaper_from_ms)
        );
    }
    let _ = writeln!(text, "\n{}", about_prices(&report.prices));
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

#[cfg(test)]
mod tests {
    use super::super::report::tests::sample;
    use super::*;

    #[test]
    fn every_row_has_as_many_cells_as_its_table() {
        let text = render(&sample());
        let mut columns = 0;
        for line in text.lines() {
            let cells = line.replace("\\|", "").matches('|').count();
            if cells == 0 {
                columns = 0;
            } else if columns == 0 {
                columns = cells;
            }
            assert_eq!(cells, columns, "{line}");
        }
        assert!(text.contains("EMULATOR") && text.contains("skipped: not there"));
    }
}
