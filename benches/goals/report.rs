//! What was measured, beside what was wanted.

use crate::sampling::Samples;

/// What names the file that the figures go to as well, for the report of `sandgate bench`.
const FILE: &str = "SANDGATE_BENCH_GOALS";

/// Rows of a table.
#[derive(Debug)]
pub(crate) struct Report(Vec<Row>);

#[derive(Debug)]
struct Row {
    what: String,
    measured: String,
    goal: String,
    met: Option<bool>,
}

impl Row {
    fn word(&self) -> &'static str {
        match self.met {
            None => "",
            Some(true) => "yes",
            Some(false) => "no",
        }
    }
}

impl Report {
    /// A table without rows.
    pub(crate) fn new() -> Self {
        Self(Vec::new())
    }

    fn row(&mut self, what: &str, measured: String, goal: String, met: Option<bool>) {
        let row = Row {
            what: what.to_owned(),
            measured,
            goal,
            met,
        };
        // One line at once: a run takes minutes.
        println!("{what}: {} {} {}", row.measured, row.goal, row.word());
        self.0.push(row);
    }

    /// A latency; `goal` is for its median, in milliseconds.
    pub(crate) fn latency(&mut self, what: &str, samples: &Samples, goal: Option<f64>) {
        let p50 = samples.median();
        self.row(
            what,
            format!(
                "p50 {p50:.3} ms, p99 {:.3}, min {:.3}",
                samples.quantile(0.99),
                samples.quantile(0.0)
            ),
            goal.map_or_else(String::new, |goal| format!("p50 ≤ {goal} ms")),
            goal.map(|goal| p50 <= goal),
        );
    }

    /// A figure that should be at least `goal`.
    pub(crate) fn at_least(&mut self, what: &str, value: f64, goal: f64) {
        self.row(
            what,
            number(value),
            format!("≥ {goal}"),
            Some(value >= goal),
        );
    }

    /// A figure that should be at most `goal`.
    pub(crate) fn at_most(&mut self, what: &str, value: f64, goal: f64) {
        self.row(
            what,
            number(value),
            format!("≤ {goal}"),
            Some(value <= goal),
        );
    }

    /// A figure without a goal.
    pub(crate) fn figure(&mut self, what: &str, value: f64, unit: &str) {
        self.row(
            what,
            format!("{} {unit}", number(value)),
            String::new(),
            None,
        );
    }

    /// Something that failed while it was measured.
    pub(crate) fn failed(&mut self, what: &str, why: &str) {
        self.row(what, format!("failed: {why}"), String::new(), Some(false));
    }

    /// Something that could not be measured here.
    pub(crate) fn skipped(&mut self, what: &str, why: &str) {
        self.row(what, format!("skipped: {why}"), String::new(), None);
    }

    /// Prints the table in Markdown, and writes it to the file that is asked for.
    pub(crate) fn print(&self) {
        println!("\n| figure | measured | goal | met |\n|---|---|---|---|");
        for row in &self.0 {
            let (what, measured, goal) = (&row.what, &row.measured, &row.goal);
            println!("| {what} | {measured} | {goal} | {} |", row.word());
        }
        if let Some(file) = std::env::var_os(FILE) {
            let rows = self.0.iter().map(|row| {
                serde_json::json!({
                    "what": row.what, "measured": row.measured, "goal": row.goal, "met": row.met,
                })
            });
            let text = serde_json::Value::from_iter(rows);
            std::fs::write(file, format!("{text:#}\n")).unwrap();
        }
    }
}

fn number(value: f64) -> String {
    if value >= 100.0 {
        format!("{value:.0}")
    } else if value >= 1.0 {
        format!("{value:.2}")
    } else {
        format!("{value:.4}")
    }
}
