//! The report as one HTML page that needs nothing else.

use std::fmt::Write as _;

use super::peers::PeerOutcome;
use super::plots::{self, PlotError};
use super::report::{
    LATENCY_COLUMNS, LatencyRow, Report, about_lambda, about_model, about_prices, from,
    latency_rows, milliseconds, recommendation,
};

const STYLE: &str = "
body { font: 16px/1.5 system-ui, sans-serif; color: #1d2321; background: #fff;
       max-width: 1000px; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.7rem; } h2 { font-size: 1.25rem; margin-top: 2.5rem; }
table { border-collapse: collapse; width: 100%; font-size: .85rem; }
th, td { padding: .25rem .5rem; border-bottom: 1px solid #e2e6e4; text-align: left; }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.note { background: #fdf3e7; border-left: 4px solid #c85c1e; padding: .6rem 1rem; }
.dim { color: #66706c; } svg { max-width: 100%; height: auto; }
";

/// The whole page.
pub(crate) fn render(report: &Report) -> Result<String, PlotError> {
    let machine = &report.machine;
    let mut page = String::from("<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n");
    let _ = write!(
        page,
        "<title>sandgate benchmark, {}</title>\n<style>{STYLE}</style>\n<h1>sandgate benchmark</h1>\n\
         <p class=\"dim\">{} · sandgate {} · {}, {} cores, Linux {}</p>\n<p class=\"note\">{}</p>\n",
        escape(&report.date),
        escape(&report.date),
        escape(&report.version),
        escape(&machine.cpu),
        machine.cores,
        escape(&machine.kernel),
        escape(&about_lambda(&report.lambda)),
    );
    if report.stopped {
        page.push_str("<p class=\"note\">Stopped before its end: not complete.</p>\n");
    }
    figure(
        &mut page,
        "Latency",
        "Least to 99 % as a thin line, the middle half as a thick one, the median as a dot.",
        &plots::latency(&report.snippets)?,
    );
    latency_table(&mut page, report);
    figure(
        &mut page,
        "Where the time goes",
        "Of the median of a fresh run in the sandbox, and of a warm run on Lambda.",
        &plots::parts(&report.snippets)?,
    );
    figure(
        &mut page,
        "Throughput",
        "Every snippet, until more callers gave no more.",
        &plots::throughput(&report.snippets)?,
    );
    page.push_str("<h2>The crossover</h2>\n");
    match &report.model {
        Some(model) => {
            let _ = writeln!(page, "<p>{}</p>", about_model(model));
            page.push_str(&plots::crossover(model)?);
            crossover_table(&mut page, report);
            figure(
                &mut page,
                "Memory and money",
                "Lines at 1769 MB (one CPU) and 2048 MB. Up to one CPU, twice the memory takes half \
                 the time; whole milliseconds are billed, so that more memory can cost less.",
                &plots::cost(model, &report.prices)?,
            );
        }
        None => page.push_str(
            "<p>Too few snippets ran on both backends to say where they change places.</p>\n",
        ),
    }
    peers(&mut page, report);
    page.push_str("<h2>What to do</h2>\n<ul>\n");
    for snippet in &report.snippets {
        let _ = writeln!(
            page,
            "<li><b>{}</b>: {}</li>",
            escape(&snippet.name),
            escape(&recommendation(snippet, &report.prices))
        );
    }
    page.push_str("</ul>\n");
    Ok(page)
}

fn figure(page: &mut String, title: &str, about: &str, svg: &str) {
    let _ = writeln!(page, "<h2>{title}</h2>\n<p>{about}</p>\n{svg}");
}

fn latency_table(page: &mut String, report: &Report) {
    page.push_str("<table>\n<tr>");
    for (n, column) in LATENCY_COLUMNS.into_iter().enumerate() {
        let _ = write!(page, "<th{}>{column}", numeric(n));
    }
    page.push_str("</tr>\n");
    for row in latency_rows(report) {
        match row {
            LatencyRow::Measured(cells) => {
                page.push_str("<tr>");
                for (n, cell) in cells.iter().enumerate() {
                    let _ = write!(page, "<td{}>{}", numeric(n), escape(cell));
                }
                page.push_str("</tr>\n");
            }
            LatencyRow::Skipped {
                snippet,
                path,
                reason,
            } => {
                let _ = writeln!(
                    page,
                    "<tr class=\"dim\"><td>{}<td>{path}<td colspan=\"7\">{}</tr>",
                    escape(snippet),
                    escape(reason)
                );
            }
        }
    }
    page.push_str("</table>\n");
}

/// The first two columns are words.
fn numeric(column: usize) -> &'static str {
    if column < 2 { "" } else { " class=\"n\"" }
}

fn crossover_table(page: &mut String, report: &Report) {
    page.push_str(
        "<table>\n<tr><th class=\"n\">function's memory<th class=\"n\">Lambda is faster from\
         <th class=\"n\">Lambda is cheaper from</tr>\n",
    );
    for point in &report.crossovers {
        let _ = writeln!(
            page,
            "<tr><td class=\"n\">{} MB<td class=\"n\">{}<td class=\"n\">{}</tr>",
            point.memory_mb,
            from(point.faster_from_ms),
            from(point.cheaper_from_ms)
        );
    }
    let _ = writeln!(
        page,
        "</table>\n<p class=\"dim\">{}</p>",
        about_prices(&report.prices)
    );
}

fn peers(page: &mut String, report: &Report) {
    if report.peers.is_empty() {
        return;
    }
    page.push_str(
        "<h2>Other ways, in the same minutes</h2>\n<table>\n<tr><th>what<th class=\"n\">runs\
         <th class=\"n\">median<th class=\"n\">p90</tr>\n",
    );
    for peer in &report.peers {
        let name = escape(&peer.name);
        let _ = match &peer.outcome {
            PeerOutcome::Measured(latency) => writeln!(
                page,
                "<tr><td>{name}<td class=\"n\">{}<td class=\"n\">{}<td class=\"n\">{}</tr>",
                latency.count,
                milliseconds(latency.median),
                milliseconds(latency.p90)
            ),
            PeerOutcome::Skipped(reason) => writeln!(
                page,
                "<tr class=\"dim\"><td>{name}<td colspan=\"3\">skipped: {}</tr>",
                escape(reason)
            ),
        };
    }
    page.push_str("</table>\n");
}

/// Names and reasons come from files and from snippets.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::super::report::tests::sample;
    use super::*;

    #[test]
    fn the_page_needs_nothing_else_and_trusts_no_name() {
        let page = render(&sample()).unwrap();
        assert_eq!(page.matches("<svg").count(), 5);
        assert!(page.contains("EMULATOR"));
        assert!(page.contains("&lt;pandas&gt;.py") && !page.contains("<pandas>"));
        for fetched in ["<script", "<link", "<img", "url(", "@import"] {
            assert!(!page.contains(fetched), "{fetched}");
        }
    }

    #[test]
    fn a_run_that_was_stopped_says_so() {
        let mut report = sample();
        (report.stopped, report.snippets, report.model) = (true, Vec::new(), None);
        let page = render(&report).unwrap();
        assert!(page.contains("not complete") && page.contains("Too few snippets"));
    }
}
