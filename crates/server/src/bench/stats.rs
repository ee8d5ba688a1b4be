//! What is said of many measured values.

use serde::{Deserialize, Serialize};

/// A distribution, in the unit of its values.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Summary {
    /// How many values.
    pub(crate) count: usize,
    /// The middle one.
    pub(crate) median: f64,
    /// A 95 % confidence interval of the median.
    pub(crate) median_interval: (f64, f64),
    /// The least.
    pub(crate) min: f64,
    /// 90 % are not above.
    pub(crate) p90: f64,
    /// 99 % are not above.
    pub(crate) p99: f64,
    /// The greatest.
    pub(crate) max: f64,
    /// The values at 0, 2, 4 … 100 % of the distribution, for plots.
    pub(crate) quantiles: Vec<f64>,
}

impl Summary {
    /// Of at least one value.
    pub(crate) fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut sorted: Vec<f64> = values.into_iter().collect();
        sorted.sort_by(f64::total_cmp);
        let (min, max) = (*sorted.first()?, *sorted.last()?);
        Some(Self {
            count: sorted.len(),
            median: quantile(&sorted, 0.5),
            median_interval: median_interval(&sorted),
            min,
            p90: quantile(&sorted, 0.9),
            p99: quantile(&sorted, 0.99),
            max,
            quantiles: (0..=50)
                .map(|step| quantile(&sorted, f64::from(step) / 50.0))
                .collect(),
        })
    }
}

/// Between the two nearest values, in proportion.
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let at = share * (sorted.len() - 1) as f64;
    let (low, high) = (sorted[at.floor() as usize], sorted[at.ceil() as usize]);
    low + (high - low) * at.fract()
}

/// By order statistics: the number of values below the median is binomial, so that ranks about
/// `n/2 ± 1.96 √n/2` enclose it in 95 % of cases, whatever the distribution.
fn median_interval(sorted: &[f64]) -> (f64, f64) {
    let n = sorted.len() as f64;
    let half = 1.96 * n.sqrt() / 2.0;
    let low = (n / 2.0 - half).floor().max(0.0) as usize;
    let high = (n / 2.0 + half).ceil().min(n - 1.0) as usize;
    (sorted[low], sorted[high])
}

/// The middle one, 0 of none.
pub(crate) fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut sorted: Vec<f64> = values.into_iter().collect();
    sorted.sort_by(f64::total_cmp);
    if sorted.is_empty() {
        0.0
    } else {
        quantile(&sorted, 0.5)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_values() {
        let summary = Summary::of((1..=101).map(f64::from)).unwrap();
        assert_eq!(
            (summary.min, summary.median, summary.p90, summary.max),
            (1.0, 51.0, 91.0, 101.0)
        );
        assert_eq!(summary.p99, 100.0);
        // Ranks 40 to 61 of 101 values.
        assert_eq!(summary.median_interval, (41.0, 62.0));
        assert_eq!(summary.quantiles.len(), 51);
    }

    #[test]
    fn one_value_is_all_of_it_and_none_is_nothing() {
        let summary = Summary::of([3.0]).unwrap();
        assert_eq!(summary.median_interval, (3.0, 3.0));
        assert_eq!((summary.p99, summary.count), (3.0, 1));
        assert_eq!(Summary::of([]), None);
        assert_eq!(median([]), 0.0);
        assert_eq!(median([1.0, 2.0]), 1.5);
    }
}
