//! The tables of a report, as text in rows and columns: how they are drawn is each form's own.

use super::measured::Path;
use super::peers::PeerOutcome;
use super::report::{Report, cost_of_a_million};
use super::words::milliseconds;

/// What the columns of a table of latencies are.
pub(crate) const LATENCY_COLUMNS: [&str; 9] = [
    "snippet",
    "path",
    "runs",
    "median (95 %)",
    "p90",
    "p99",
    "max",
    "memory",
    "$ per million",
];

/// A line of that table.
pub(crate) enum LatencyRow<'a> {
    /// A text for each column.
    Measured([String; 9]),
    /// What was not measured, and why.
    Skipped {
        snippet: &'a str,
        path: &'static str,
        reason: &'a str,
    },
}

/// The lines of that table.
pub(crate) fn latency_rows(report: &Report) -> Vec<LatencyRow<'_>> {
    let mut rows = Vec::new();
    for snippet in &report.snippets {
        rows.extend(snippet.measured.iter().map(|measured| {
            let latency = &measured.latency;
            let (low, high) = latency.median_interval;
            LatencyRow::Measured([
                snippet.name.clone(),
                measured.path.name().to_owned(),
                latency.count.to_string(),
                format!(
                    "{} ({}–{})",
                    milliseconds(latency.median),
                    milliseconds(low),
                    milliseconds(high)
                ),
                milliseconds(latency.p90),
                milliseconds(latency.p99),
                milliseconds(latency.max),
                format!("{:.1} MB", measured.memory_bytes / 1e6),
                format!("{:.2}", cost_of_a_million(measured, &report.prices)),
            ])
        }));
        rows.extend(snippet.skipped.iter().map(|skipped| LatencyRow::Skipped {
            snippet: &snippet.name,
            path: skipped.path.name(),
            reason: &skipped.reason,
        }));
    }
    rows
}

/// What the columns of the table of others are, and a line for each snippet that others ran. The
/// last cell says what could not be measured.
pub(crate) fn peer_table(report: &Report) -> Option<(Vec<String>, Vec<Vec<String>>)> {
    let mut names: Vec<&str> = Vec::new();
    for peer in report.snippets.iter().flat_map(|snippet| &snippet.peers) {
        if !names.contains(&peer.name.as_str()) {
            names.push(&peer.name);
        }
    }
    if names.is_empty() {
        return None;
    }
    let mut columns = vec!["snippet".to_owned(), "sandgate, fresh".to_owned()];
    columns.extend(names.iter().copied().map(str::to_owned));
    let rows = report
        .snippets
        .iter()
        .filter(|snippet| !snippet.peers.is_empty())
        .map(|snippet| {
            let ours = snippet.on(Path::WasmFresh).map(|ours| ours.latency.median);
            let cells = names.iter().map(|name| {
                let found = snippet.peers.iter().find(|peer| peer.name == *name);
                match (found.map(|peer| &peer.outcome), ours) {
                    (Some(PeerOutcome::Measured(theirs)), Some(ours)) => format!(
                        "{} (×{:.1})",
                        milliseconds(theirs.median),
                        theirs.median / ours
                    ),
                    (Some(PeerOutcome::Measured(theirs)), None) => milliseconds(theirs.median),
                    (Some(PeerOutcome::Skipped(_)), _) => "–".to_owned(),
                    (None, _) => String::new(),
                }
            });
            let ours = ours.map_or_else(|| "–".to_owned(), milliseconds);
            [snippet.name.clone(), ours]
                .into_iter()
                .chain(cells)
                .collect()
        })
        .collect();
    Some((columns, rows))
}

/// Why others did not run a snippet: a line for each reason, with the snippets that it holds for.
pub(crate) fn peer_problems(report: &Report) -> Vec<String> {
    let mut problems: Vec<(String, Vec<&str>)> = Vec::new();
    for snippet in &report.snippets {
        for peer in &snippet.peers {
            if let PeerOutcome::Skipped(reason) = &peer.outcome {
                let problem = format!("{}: {reason}", peer.name);
                match problems.iter_mut().find(|(known, _)| *known == problem) {
                    Some((_, snippets)) => snippets.push(&snippet.name),
                    None => problems.push((problem, vec![&snippet.name])),
                }
            }
        }
    }
    problems
        .into_iter()
        .map(|(problem, snippets)| format!("{problem} ({})", snippets.join(", ")))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::report::tests::sample;
    use super::*;

    #[test]
    fn others_are_shown_beside_ours_with_what_they_cannot_do() {
        let report = sample();
        let (columns, rows) = peer_table(&report).unwrap();
        assert_eq!(columns, ["snippet", "sandgate, fresh", "a peer", "another"]);
        // 2 ms against the sandbox's 2.2.
        assert_eq!(rows[0], ["work_1.py", "2.20 ms", "2.00 ms (×0.9)", "–"]);
        assert_eq!(rows.len(), 3);
        let problems = peer_problems(&report);
        assert_eq!(
            problems,
            ["another: not there (work_1.py, work_10.py, work_50.py)"]
        );
    }
}
