//! Two runs of the benchmark, figure by figure: what repeats, and what changed.

use std::fmt::Write as _;

use super::measured::Throughput;
use super::peers::PeerOutcome;
use super::report::Report;
use super::stats::{FEWEST, Summary, median};
use super::words::milliseconds;

/// A figure with its interval.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Value {
    middle: f64,
    low: f64,
    high: f64,
}

/// What a figure is of, and which way is better.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Name {
    snippet: String,
    way: String,
    quantity: Quantity,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Quantity {
    /// Milliseconds, the less the better.
    Latency,
    /// Runs a second, the more the better.
    Throughput,
}

/// How a figure differs between two runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Verdict {
    /// The intervals do not touch, and it is worse.
    Worse,
    /// The intervals do not touch, and it is better.
    Better,
    /// The new value is outside of the old interval, but the intervals have values in common: the
    /// runs do not tell them apart.
    Overlaps,
    /// The new value lies within the old interval.
    Within,
}

impl Verdict {
    const fn word(self) -> &'static str {
        match self {
            Self::Worse => "**worse**",
            Self::Better => "better",
            Self::Overlaps => "intervals overlap",
            Self::Within => "within",
        }
    }
}

impl Quantity {
    fn verdict(self, old: Value, new: Value) -> Verdict {
        if (old.low..=old.high).contains(&new.middle) {
            Verdict::Within
        } else if new.low <= old.high && old.low <= new.high {
            Verdict::Overlaps
        } else if (new.middle < old.middle) == (self == Self::Latency) {
            Verdict::Better
        } else {
            Verdict::Worse
        }
    }

    /// How many times as long it takes.
    fn slower(self, old: Value, new: Value) -> f64 {
        match self {
            Self::Latency => new.middle / old.middle,
            Self::Throughput => old.middle / new.middle,
        }
    }

    /// What `value` would be on a machine that is not slower by `drift`.
    fn corrected(self, value: Value, drift: f64) -> Value {
        let factor = match self {
            Self::Latency => 1.0 / drift,
            Self::Throughput => drift,
        };
        Value {
            middle: value.middle * factor,
            low: value.low * factor,
            high: value.high * factor,
        }
    }

    fn show(self, value: f64) -> String {
        match self {
            Self::Latency => milliseconds(value),
            Self::Throughput => format!("{value:.0}/s"),
        }
    }
}

impl Value {
    /// None of so few values that their interval says nothing.
    fn of_latency(latency: &Summary) -> Option<Self> {
        let (low, high) = latency.median_interval;
        (latency.count >= FEWEST as usize).then_some(Self {
            middle: latency.median,
            low,
            high,
        })
    }

    /// The most that any number of callers got.
    fn of_throughput(points: &[Throughput]) -> Option<Self> {
        let best = points
            .iter()
            .max_by(|a, b| a.per_second.total_cmp(&b.per_second))?;
        Some(Self {
            middle: best.per_second,
            low: best.interval.0,
            high: best.interval.1,
        })
    }
}

/// All figures of a run that have an interval.
fn figures(report: &Report) -> Vec<(Name, Value)> {
    let mut figures = Vec::new();
    for snippet in &report.snippets {
        let name = |way: &str, quantity| Name {
            snippet: snippet.name.clone(),
            way: way.to_owned(),
            quantity,
        };
        for measured in &snippet.measured {
            let path = measured.path.name();
            if let Some(latency) = Value::of_latency(&measured.latency) {
                figures.push((name(path, Quantity::Latency), latency));
            }
            if let Some(most) = Value::of_throughput(&measured.throughput) {
                figures.push((name(path, Quantity::Throughput), most));
            }
        }
        for peer in &snippet.peers {
            if let PeerOutcome::Measured(latency) = &peer.outcome
                && let Some(latency) = Value::of_latency(latency)
            {
                figures.push((name(&peer.name, Quantity::Latency), latency));
            }
        }
    }
    figures
}

/// What `new` says beside `old`, in Markdown: what changed first, then what repeats.
pub(crate) fn render(old: &Report, new: &Report) -> String {
    let before = figures(old);
    let after = figures(new);
    let find = |name: &Name| before.iter().find(|(known, _)| known == name);
    let mut rows: Vec<_> = after
        .iter()
        .filter_map(|(name, new)| {
            let (_, old) = find(name)?;
            Some((name.quantity.verdict(*old, *new), name, *old, *new))
        })
        .collect();
    rows.sort_by(|a, b| (a.0, a.1).cmp(&(b.0, b.1)));
    let drift = median(rows.iter().map(|row| row.1.quantity.slower(row.2, row.3)));
    let without_drift = |row: &(Verdict, &Name, Value, Value)| {
        let quantity = row.1.quantity;
        quantity.verdict(row.2, quantity.corrected(row.3, drift))
    };

    let count = |verdicts: &[Verdict]| {
        let of = |wanted| {
            verdicts
                .iter()
                .filter(|verdict| **verdict == wanted)
                .count()
        };
        format!(
            "{} of {} figures lie within the old interval, {} more have overlapping intervals; {} \
             are better, {} worse",
            of(Verdict::Within),
            verdicts.len(),
            of(Verdict::Overlaps),
            of(Verdict::Better),
            of(Verdict::Worse),
        )
    };
    let as_measured: Vec<_> = rows.iter().map(|row| row.0).collect();
    let corrected: Vec<_> = rows.iter().map(without_drift).collect();
    let mut text = format!(
        "## Beside the run of {}\n\n{}.\n\nIn the middle, all took {drift:.2} times as long: that is the \
         machine. Without it, {}.",
        old.date,
        count(&as_measured),
        count(&corrected),
    );
    if old.machine != new.machine {
        text.push_str(" **The machines are not the same.**");
    }
    let _ = writeln!(
        text,
        "\n\n| snippet | way | before (95 %) | now (95 %) | now / before | as measured | without the \
         machine |\n|---|---|--:|--:|--:|---|---|"
    );
    for ((verdict, name, old, new), corrected) in rows.iter().zip(&corrected) {
        let show = |value: &Value| {
            let shown = [value.middle, value.low, value.high].map(|v| name.quantity.show(v));
            format!("{} ({}–{})", shown[0], shown[1], shown[2])
        };
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {:.2} | {} | {} |",
            name.snippet,
            name.way,
            show(old),
            show(new),
            new.middle / old.middle,
            verdict.word(),
            corrected.word()
        );
    }
    let gone = before
        .iter()
        .filter(|(name, _)| !after.iter().any(|(known, _)| known == name));
    let added = after.iter().filter(|(name, _)| find(name).is_none());
    let (gone, added) = (gone.count(), added.count());
    if gone + added > 0 {
        let _ = writeln!(
            text,
            "\nNot compared: {gone} figures are only in the old run, {added} only in this one. What \
             ran fewer than {FEWEST} times is not looked at."
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::measured::Path;
    use super::super::report::tests::sample;
    use super::*;

    fn value(low: f64, middle: f64, high: f64) -> Value {
        Value { middle, low, high }
    }

    #[test]
    fn intervals_decide() {
        let old = value(9.0, 10.0, 11.0);
        let of = |new| Quantity::Latency.verdict(old, new);
        assert_eq!(of(value(10.4, 10.9, 12.0)), Verdict::Within);
        assert_eq!(of(value(10.9, 11.5, 12.0)), Verdict::Overlaps);
        assert_eq!(of(value(11.1, 11.5, 12.0)), Verdict::Worse);
        assert_eq!(of(value(7.0, 8.0, 8.9)), Verdict::Better);
        let more = Quantity::Throughput.verdict(old, value(11.1, 11.5, 12.0));
        assert_eq!(more, Verdict::Better);
    }

    #[test]
    fn a_slower_machine_is_told_from_a_slower_path() {
        let (old, mut new) = (sample(), sample());
        for measured in new.snippets.iter_mut().flat_map(|s| &mut s.measured) {
            let latency = &mut measured.latency;
            latency.median *= 1.5;
            latency.median_interval.0 *= 1.5;
            latency.median_interval.1 *= 1.5;
            for point in &mut measured.throughput {
                point.per_second /= 1.5;
                point.interval = (point.interval.0 / 1.5, point.interval.1 / 1.5);
            }
        }
        let text = render(&old, &new);
        let all = figures(&old).len();
        assert!(
            text.contains(&format!("0 are better, {all} worse")),
            "{text}"
        );
        assert!(text.contains("1.50 times as long"), "{text}");
        assert!(text.contains(&format!("Without it, {all} of {all} figures lie within")));
    }

    #[test]
    fn a_run_beside_itself_repeats() {
        let text = render(&sample(), &sample());
        let all = figures(&sample()).len();
        // The peers of the sample ran twice only.
        assert_eq!(all, 20);
        assert!(
            text.contains(&format!("{all} of {all} figures lie within")),
            "{text}"
        );
        assert!(text.contains("0 are better, 0 worse") && !text.contains("Not compared"));
    }

    #[test]
    fn what_got_worse_comes_first_and_what_is_missing_is_said() {
        let (old, mut new) = (sample(), sample());
        let slow = &mut new.snippets[2].measured[0].latency;
        slow.median *= 3.0;
        slow.median_interval = (slow.median * 0.9, slow.median * 1.1);
        new.snippets[0]
            .measured
            .retain(|m| m.path != Path::WasmCached);
        new.machine.cores += 1;
        let text = render(&old, &new);
        let first = text.lines().find(|line| line.contains(".py")).unwrap();
        assert!(
            first.contains("work_50.py") && first.contains("3.00"),
            "{first}"
        );
        assert!(first.ends_with("**worse** | **worse** |"), "{first}");
        assert!(
            text.contains("1 worse") && text.contains("not the same"),
            "{text}"
        );
        assert!(text.contains("2 figures are only in the old run"), "{text}");
    }
}
