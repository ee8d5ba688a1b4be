//! The project's goals beside what was reached: those that `cargo xtask bench` measured, and those
//! that this benchmark measures itself.

use serde::{Deserialize, Serialize};

use super::measured::Path;
use super::measured::SnippetReport;
use super::words::milliseconds;

/// A goal, or a figure without one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Goal {
    /// What is measured.
    pub(crate) what: String,
    /// What it came to.
    pub(crate) measured: String,
    /// What it should come to; empty where nothing was wanted.
    pub(crate) goal: String,
    /// Whether it does.
    pub(crate) met: Option<bool>,
}

impl Goal {
    /// Whether it is met, in a word.
    pub(crate) const fn word(&self) -> &'static str {
        match self.met {
            None => "",
            Some(true) => "yes",
            Some(false) => "no",
        }
    }
}

/// What the file that the goals' benchmark writes holds.
pub(crate) fn read(text: &str) -> Result<Vec<Goal>, serde_json::Error> {
    serde_json::from_str(text)
}

/// Lambda's goals: this benchmark alone runs snippets there.
pub(crate) fn of_lambda(snippets: &[SnippetReport]) -> Vec<Goal> {
    const PANDAS: &str = "pandas_groupby.py";
    const MOST_MS: f64 = 20.0;
    let warm = |snippet: &SnippetReport| Some(snippet.on(Path::LambdaWarm)?.latency.clone());
    let pandas = snippets
        .iter()
        .filter(|snippet| snippet.name == PANDAS)
        .find_map(warm);
    let mut goals = Vec::new();
    if let Some(latency) = pandas {
        goals.push(Goal {
            what: "a warm pandas snippet on Lambda, from the call to the answer".to_owned(),
            measured: format!(
                "p50 {}, p99 {}",
                milliseconds(latency.median),
                milliseconds(latency.p99)
            ),
            goal: format!("p50 < {MOST_MS} ms"),
            met: Some(latency.median < MOST_MS),
        });
    }
    goals
}

#[cfg(test)]
mod tests {
    use super::super::report::tests::sample;
    use super::*;

    #[test]
    fn the_goal_of_lambda_is_that_of_its_pandas_snippet() {
        let mut snippets = sample().snippets;
        assert_eq!(of_lambda(&snippets), []);
        snippets[3].name = "pandas_groupby.py".to_owned();
        // It takes 20 ms, which is not less.
        let goals = of_lambda(&snippets);
        assert_eq!(goals[0].met, Some(false), "{goals:?}");
        assert_eq!(goals[0].word(), "no");
    }

    #[test]
    fn the_file_of_the_goals_is_read() {
        let text = r#"[{"what": "a", "measured": "1", "goal": "≤ 2", "met": true},
                       {"what": "b", "measured": "1", "goal": "", "met": null}]"#;
        let goals = read(text).unwrap();
        assert_eq!((goals[0].word(), goals[1].word()), ("yes", ""));
        assert!(read("{}").is_err());
    }
}
