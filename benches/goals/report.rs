//! What was measured, beside what was wanted.

use crate::sampling::Samples;

/// Rows of a table in Markdown.
#[derive(Debug)]
pub(crate) struct Report(Vec<[String; 4]>);

impl Report {
    /// A table without rows.
    pub(crate) fn new() -> Self {
        Self(Vec::new())
    }

    fn row(&mut self, what: &str, measured: String, goal: String, met: Option<bool>) {
        let met = match met {
            None => "",
            Some(true) => "yes",
            Some(false) => "no",
        };
        // One line at once: a run takes minutes.
        println!("{what}: {measured} {goal} {met}");
        self.0
            .push([what.to_owned(), measured, goal, met.to_owned()]);
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

    /// Prints the table.
    pub(crate) fn print(&self) {
        println!("\n| figure | measured | goal | met |\n|---|---|---|---|");
        for [what, measured, goal, met] in &self.0 {
            println!("| {what} | {measured} | {goal} | {met} |");
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
