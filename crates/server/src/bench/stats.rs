//! What is said of many measured values.

use serde::{Deserialize, Serialize};

/// The fewest values whose least and greatest enclose the median in 95 % of cases.
pub(crate) const FEWEST: u32 = 6;

/// Parts of a run that are looked at separately, and how many of their medians are left out at
/// either end: two of twelve are the greatest number with which the rest still encloses the
/// median in 95 % of cases (96.1).
const BLOCKS: usize = 12;
const LEFT_OUT: usize = 2;

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
    /// Of at least one value; they come in the order in which they were measured.
    pub(crate) fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let in_time: Vec<f64> = values.into_iter().collect();
        let sorted = sorted(in_time.iter().copied());
        let (min, max) = (*sorted.first()?, *sorted.last()?);
        Some(Self {
            count: sorted.len(),
            median: quantile(&sorted, 0.5),
            median_interval: median_interval(&in_time),
            min,
            p90: quantile(&sorted, 0.9),
            p99: quantile(&sorted, 0.99),
            max,
            quantiles: (0..=50)
                .map(|step| quantile(&sorted, f64::from(step) / 50.0))
                .collect(),
        })
    }

    /// The value that `percent` are not above.
    pub(crate) fn percentile(&self, percent: usize) -> f64 {
        let at = (percent / 2).min(self.quantiles.len().saturating_sub(1));
        self.quantiles.get(at).copied().unwrap_or(self.median)
    }
}

fn sorted(values: impl IntoIterator<Item = f64>) -> Vec<f64> {
    let mut sorted: Vec<f64> = values.into_iter().collect();
    sorted.sort_by(f64::total_cmp);
    sorted
}

/// Between the two nearest values, in proportion.
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let at = share * (sorted.len() - 1) as f64;
    let (low, high) = (sorted[at.floor() as usize], sorted[at.ceil() as usize]);
    low + (high - low) * at.fract()
}

/// Where the median lies, with 95 % confidence and whatever the distribution. `in_time` is not
/// empty.
///
/// Values of one machine are not independent: it is slower for some seconds and faster for others.
/// Their number alone would make the interval far too narrow for a second run to fall into it. So
/// the run is cut into blocks of time, and what differs between the blocks' medians decides. Where
/// there are too few values for that, their ranks decide: how many are below the median is
/// binomial.
fn median_interval(in_time: &[f64]) -> (f64, f64) {
    let n = in_time.len();
    let all = sorted(in_time.iter().copied());
    let middle = quantile(&all, 0.5);
    let (low, high) = if n >= 3 * BLOCKS {
        let medians = (0..BLOCKS).map(|block| {
            let part = &in_time[block * n / BLOCKS..(block + 1) * n / BLOCKS];
            median(part.iter().copied())
        });
        let medians = sorted(medians);
        (medians[LEFT_OUT], medians[BLOCKS - 1 - LEFT_OUT])
    } else {
        let half = 1.96 * (n as f64).sqrt() / 2.0;
        let low = (n as f64 / 2.0 - half).floor().max(0.0) as usize;
        let high = ((n as f64 / 2.0 + half).ceil() as usize).min(n - 1);
        (all[low], all[high])
    };
    (low.min(middle), high.max(middle))
}

/// The middle one, 0 of none.
pub(crate) fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let sorted = sorted(values);
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
        assert_eq!(summary.quantiles.len(), 51);
        assert_eq!(summary.percentile(90), 91.0);
    }

    #[test]
    fn few_values_are_judged_by_their_ranks() {
        let interval = |n: u32| median_interval(&(1..=n).map(f64::from).collect::<Vec<_>>());
        // With six values, the median is beyond them once in 32 times.
        assert_eq!(interval(FEWEST), (1.0, 6.0));
        // Ranks 7 to 20 of 25 values.
        assert_eq!(interval(25), (8.0, 19.0));
    }

    /// Uniform noise around 100, without a generator of random numbers.
    fn noise(n: u32) -> f64 {
        90.0 + f64::from(n.wrapping_mul(2_654_435_761) >> 16) / 65_536.0 * 20.0
    }

    #[test]
    fn a_wandering_machine_widens_the_interval() {
        let steady: Vec<_> = (0..600).map(noise).collect();
        let (low, high) = median_interval(&steady);
        assert!(low > 95.0 && high < 105.0, "{low} to {high}");
        // The same noise on a machine that is a fifth slower in half of the time.
        let wandering: Vec<_> = (0..600)
            .map(|n| noise(n) * if n / 100 % 2 == 0 { 1.0 } else { 1.2 })
            .collect();
        let (low, high) = median_interval(&wandering);
        assert!(low < 103.0 && high > 117.0, "{low} to {high}");
    }

    #[test]
    fn the_interval_holds_the_median_of_another_run() {
        // A hundred pairs of runs of the same thing: the second median is in the first interval
        // nearly always. Both wander, so nine tenths of the time is what is asked for.
        let run = |seed: u32| -> Vec<f64> {
            (0..240)
                .map(|n| {
                    let slow = noise(seed * 97 + n / 12) - 100.0;
                    noise(seed * 7_919 + n * 31) + slow
                })
                .collect()
        };
        let held = (0..100)
            .filter(|seed| {
                let (first, second) = (run(*seed), run(seed + 1_000));
                let (low, high) = median_interval(&first);
                (low..=high).contains(&median(second))
            })
            .count();
        assert!(held >= 80, "{held} of 100");
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
