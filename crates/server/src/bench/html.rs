//! The report as one HTML page that needs nothing else.

use std::fmt::Write as _;

use super::measured::Parts;
use super::plots::{self, PlotError};
use super::report::Report;
use super::tables::{LATENCY_COLUMNS, LatencyRow, latency_rows, peer_problems, peer_table};
use super::words::{
    about_intervals, about_lambda, about_memory, about_model, about_prices, from, milliseconds,
    recommendation,
};

/// Plots are as wide as they are drawn, and tables as their cells: a narrow screen scrolls them
/// instead of making them too small to read.
const STYLE: &str = "
:root { color-scheme: light dark; --ink: #1d2321; --ground: #fff; --dim: #5c6662; --line: #dfe4e2;
        --note: #fdf3e7; --mark: #c85c1e; --good: #1a735a; --bad: #b3261e; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e4e8e6; --ground: #161a19; --dim: #9aa5a1; --line: #2e3533; --note: #2a2119;
          --mark: #e08a52; --good: #6cc5a5; --bad: #f2887f; } }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--ground);
       max-width: 1000px; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.7rem; } h2 { font-size: 1.25rem; margin-top: 2.5rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .85rem; }
th, td { padding: .25rem .5rem; border-bottom: 1px solid var(--line); text-align: left; }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
td.s { white-space: nowrap; }
tr.first > * { border-top: 2px solid var(--line); }
.note { background: var(--note); border-left: 4px solid var(--mark); padding: .6rem 1rem; }
.dim { color: var(--dim); } .yes { color: var(--good); } .no { color: var(--bad); }
svg { display: block; min-width: 860px; width: 100%; height: auto; }
";

/// The whole page.
pub(crate) fn render(report: &Report) -> Result<String, PlotError> {
    let machine = &report.machine;
    let mut page = String::from(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n",
    );
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
    goals(&mut page, report);
    figure(
        &mut page,
        "Latency",
        "Least to 99 % as a thin line, the middle half as a thick one, the median as a dot.",
        &plots::latency(&report.snippets)?,
    );
    let _ = writeln!(page, "<p>{}</p>", about_intervals(report));
    latency_table(&mut page, report);
    figure(
        &mut page,
        "Where the time goes",
        "Of the median. To instantiate is what an empty program takes there. The upload goes on \
         after the answer, unless a request asks for <code>stored</code>.",
        &plots::parts(&report.snippets)?,
    );
    parts_table(&mut page, report);
    figure(
        &mut page,
        "Throughput",
        "Every snippet, until more callers gave no more.",
        &plots::throughput(&report.snippets)?,
    );
    crossover(&mut page, report)?;
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

fn goals(page: &mut String, report: &Report) {
    if report.goals.is_empty() {
        return;
    }
    page.push_str("<h2>Goals</h2>\n<div class=\"wide\"><table>\n<tr><th>figure<th>measured<th>goal<th>met</tr>\n");
    for goal in &report.goals {
        let word = goal.word();
        let _ = writeln!(
            page,
            "<tr><td>{}<td>{}<td class=\"s\">{}<td class=\"{word}\">{word}</tr>",
            escape(&goal.what),
            escape(&goal.measured),
            escape(&goal.goal),
        );
    }
    page.push_str("</table></div>\n");
}

fn crossover(page: &mut String, report: &Report) -> Result<(), PlotError> {
    page.push_str("<h2>The crossover</h2>\n");
    let Some(model) = &report.model else {
        page.push_str(
            "<p>Too few snippets that can be told apart ran on both backends to say where they change places.</p>\n",
        );
        return Ok(());
    };
    let _ = writeln!(page, "<p>{}</p>", escape(&about_model(model)));
    let _ = writeln!(
        page,
        "<div class=\"wide\">{}</div>",
        plots::crossover(model)?
    );
    page.push_str("<p>From how much native CPU time on Lambda is the better choice:</p>\n");
    if let Some(places) = plots::change_of_places(model, &report.prices)? {
        let _ = writeln!(page, "<div class=\"wide\">{places}</div>");
    }
    crossover_table(page, report);
    figure(
        page,
        "Memory and money",
        &escape(&about_memory(model, &report.prices)),
        &plots::cost(&report.prices)?,
    );
    Ok(())
}

fn figure(page: &mut String, title: &str, about: &str, svg: &str) {
    let _ = writeln!(
        page,
        "<h2>{title}</h2>\n<p>{about}</p>\n<div class=\"wide\">{svg}</div>"
    );
}

fn latency_table(page: &mut String, report: &Report) {
    page.push_str("<div class=\"wide\"><table>\n<tr>");
    for (n, column) in LATENCY_COLUMNS.into_iter().enumerate() {
        let _ = write!(page, "<th{}>{column}", numeric(n));
    }
    page.push_str("</tr>\n");
    let mut last = String::new();
    for row in latency_rows(report) {
        match row {
            LatencyRow::Measured(cells) => {
                let _ = write!(page, "<tr{}>", first(&mut last, &cells[0]));
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
                    "<tr{}><td class=\"s\">{}<td class=\"s\">{path}<td class=\"dim\" \
                     colspan=\"7\">{}</tr>",
                    first(&mut last, snippet),
                    escape(snippet),
                    escape(reason)
                );
            }
        }
    }
    page.push_str("</table></div>\n");
}

/// A line between snippets.
fn first(last: &mut String, snippet: &str) -> &'static str {
    if last == snippet {
        return "";
    }
    snippet.clone_into(last);
    " class=\"first\""
}

fn parts_table(page: &mut String, report: &Report) {
    page.push_str(
        "<details><summary>The figures</summary>\n<div class=\"wide\"><table>\n\
         <tr><th>snippet<th>path",
    );
    for name in Parts::NAMES.into_iter().chain(["upload"]) {
        let _ = write!(page, "<th class=\"n\">{name}");
    }
    page.push_str("</tr>\n");
    let mut last = String::new();
    for snippet in &report.snippets {
        let upload = snippet.upload_ms.map_or_else(String::new, milliseconds);
        for measured in &snippet.measured {
            let _ = write!(
                page,
                "<tr{}><td class=\"s\">{}<td class=\"s\">{}",
                first(&mut last, &snippet.name),
                escape(&snippet.name),
                measured.path.name()
            );
            for value in measured.parts.values() {
                let _ = write!(page, "<td class=\"n\">{}", milliseconds(value));
            }
            let _ = writeln!(page, "<td class=\"n\">{upload}</tr>");
        }
    }
    page.push_str("</table></div></details>\n");
}

/// The first two columns are words.
fn numeric(column: usize) -> &'static str {
    if column < 2 {
        " class=\"s\""
    } else {
        " class=\"n\""
    }
}

fn crossover_table(page: &mut String, report: &Report) {
    page.push_str(
        "<div class=\"wide\"><table>\n<tr><th class=\"n\">function's memory<th class=\"n\">Lambda is faster from\
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
        "</table></div>\n<p class=\"dim\">{}</p>",
        about_prices(&report.prices)
    );
}

fn peers(page: &mut String, report: &Report) {
    let Some((columns, rows)) = peer_table(report) else {
        return;
    };
    page.push_str(
        "<h2>Other ways, in the same minutes</h2>\n<p>Medians, and how many times the sandbox's that \
         is. All printed the same.</p>\n<div class=\"wide\"><table>\n<tr>",
    );
    let class = |n: usize| if n == 0 { "s" } else { "n" };
    for (n, column) in columns.iter().enumerate() {
        let _ = write!(page, "<th class=\"{}\">{}", class(n), escape(column));
    }
    page.push_str("</tr>\n");
    for row in rows {
        page.push_str("<tr>");
        for (n, cell) in row.iter().enumerate() {
            let _ = write!(page, "<td class=\"{}\">{}", class(n), escape(cell));
        }
        page.push_str("</tr>\n");
    }
    page.push_str("</table></div>\n<ul class=\"dim\">\n");
    for problem in peer_problems(report) {
        let _ = writeln!(page, "<li>{}</li>", escape(&problem));
    }
    page.push_str("</ul>\n");
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
        assert_eq!(page.matches("<svg").count(), 6);
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
