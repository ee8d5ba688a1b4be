//! The report as Markdown.

use std::fmt::Write as _;

use super::measured::Parts;
use super::report::Report;
use super::tables::{LATENCY_COLUMNS, LatencyRow, latency_rows, peer_problems, peer_table};
use super::words::{
    about_intervals, about_lambda, about_memory, about_model, about_prices, from, milliseconds,
    recommendation,
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
    goals(&mut text, report);
    push(&mut text, "\n## Latency\n");
    let _ = writeln!(
        text,
        "From the call to the answer. {}\n",
        about_intervals(report)
    );
    latency(&mut text, report);
    parts(&mut text, report);
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

fn goals(text: &mut String, report: &Report) {
    if report.goals.is_empty() {
        return;
    }
    push(text, "\n## Goals\n");
    push(
        text,
        "| figure | measured | goal | met |\n|---|---|---|---|",
    );
    for goal in &report.goals {
        let cells = [&goal.what, &goal.measured, &goal.goal].map(|cell| escape(cell));
        let _ = writeln!(text, "| {} | {} |", cells.join(" | "), goal.word());
    }
}

fn parts(text: &mut String, report: &Report) {
    push(text, "\n## Where the time goes\n");
    push(
        text,
        "Medians. To instantiate is what an empty program takes there. The upload goes on after the \
         answer, unless a request asks for `stored`.\n",
    );
    let aligned = "--:|".repeat(Parts::NAMES.len() + 1);
    let _ = writeln!(
        text,
        "| snippet | path | {} | upload |\n|---|---|{aligned}",
        Parts::NAMES.join(" | ")
    );
    for snippet in &report.snippets {
        let upload = snippet.upload_ms.map_or_else(String::new, milliseconds);
        for measured in &snippet.measured {
            let cells = measured.parts.values().map(milliseconds);
            let _ = writeln!(
                text,
                "| {} | {} | {} | {upload} |",
                snippet.name,
                measured.path.name(),
                cells.join(" | ")
            );
        }
    }
}

/// A table's cell has no room for bars and line ends.
fn escape(cell: &str) -> String {
    cell.replace('|', "\\|").replace('\n', " ")
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
            } => writeln!(
                text,
                "| {snippet} | {path} | | {} | | | | | |",
                escape(reason)
            ),
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
            "Too few snippets that can be told apart ran on both backends to say where they change places.",
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
    let _ = writeln!(
        text,
        "\n{}\n\n{}",
        about_prices(&report.prices),
        about_memory(model, &report.prices)
    );
}

fn peers(text: &mut String, report: &Report) {
    let Some((columns, rows)) = peer_table(report) else {
        return;
    };
    push(text, "\n## Other ways, in the same minutes\n");
    push(
        text,
        "Medians, and how many times the sandbox's that is. All printed the same.\n",
    );
    push(text, &format!("| {} |", columns.join(" | ")));
    push(text, &format!("|---|{}", "--:|".repeat(columns.len() - 1)));
    for row in rows {
        push(text, &format!("| {} |", row.join(" | ")));
    }
    push(text, "");
    for problem in peer_problems(report) {
        push(text, &format!("- {}", problem.replace('\n', " ")));
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
        assert!(text.contains("EMULATOR") && text.contains("another: not there"));
    }
}
