//! From measured snippets to the question where the next one should run.
//!
//! Two lines are fitted, one for each backend: how long a snippet takes there that takes `t`
//! milliseconds of one whole CPU natively. In the sandbox that is a small fixed part and `t` times
//! the slowdown of wasm, of the snippet that it slows most: others gain less from Lambda, and those
//! that print much or import what only the sandbox has warm, nothing. On Lambda it is the way there and back, which takes what it takes, and what
//! the function itself does (the fork, `t`, the cleaning up), divided by the share of a CPU that
//! its memory buys. Where they cross, the backends change places.

use serde::{Deserialize, Serialize};

/// Memory in MB that buys one whole CPU on Lambda (AWS Lambda developer guide, "Configure Lambda
/// function memory").
pub(crate) const MB_PER_CPU: f64 = 1_769.0;

/// What things cost.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Prices {
    /// A GB-second of Lambda, in US dollars.
    pub(crate) lambda_gb_second: f64,
    /// An invocation of Lambda, in US dollars.
    pub(crate) lambda_request: f64,
    /// An hour of one CPU of the machine the router runs on, in US dollars.
    pub(crate) cpu_hour: f64,
}

/// A backend's times as a line: `fixed_ms + per_native_ms * t`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Line {
    /// What every snippet takes, in milliseconds.
    pub(crate) fixed_ms: f64,
    /// For each millisecond of native CPU time.
    pub(crate) per_native_ms: f64,
}

/// One snippet that ran on both backends. All in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Pair {
    /// The sandbox's own time: no queue, no storing.
    pub(crate) wasm_run: f64,
    /// The whole of a call to the sandbox.
    pub(crate) wasm_total: f64,
    /// The runner's own time on Lambda: a forked interpreter, from its start to its end.
    pub(crate) native_run: f64,
    /// The whole of a warm call to Lambda.
    pub(crate) lambda_total: f64,
    /// What of it is billed.
    pub(crate) lambda_billed: f64,
    /// How far its median on Lambda may be off: half of its interval.
    pub(crate) noise: f64,
}

/// So many times the noise of both must a snippet take beyond the least.
const CLEAR: f64 = 2.0;
/// And so many milliseconds.
const SHORTEST_MS: f64 = 1.0;

/// What the measured pairs say about all snippets.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Model {
    /// The sandbox.
    pub(crate) wasm: Line,
    /// What a warm call to Lambda takes besides the snippet's own time, in milliseconds.
    pub(crate) lambda_fixed_ms: f64,
    /// What of it is billed, in milliseconds.
    pub(crate) lambda_billed_fixed_ms: f64,
    /// How many pairs it stands on.
    pub(crate) pairs: usize,
}

/// Where the backends change places for one memory size.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Crossover {
    /// The function's memory in MB.
    pub(crate) memory_mb: u32,
    /// Native CPU time in milliseconds from which Lambda answers sooner; none if it never does.
    pub(crate) faster_from_ms: Option<f64>,
    /// Native CPU time in milliseconds from which Lambda costs less; none if it never does.
    pub(crate) cheaper_from_ms: Option<f64>,
}

/// The share of a CPU that a single thread gets at `memory_mb`.
pub(crate) fn cpu_share(memory_mb: u32) -> f64 {
    (f64::from(memory_mb) / MB_PER_CPU).min(1.0)
}

impl Model {
    /// Fits the lines to what ran on both backends.
    ///
    /// The snippet that takes least on Lambda stands for one that does nothing: what another takes
    /// beyond it is its own work. The slowdown is the greatest that any snippet shows whose own work
    /// stands out of the noise.
    pub(crate) fn fit(pairs: &[Pair]) -> Option<Self> {
        let least = pairs
            .iter()
            .min_by(|a, b| a.native_run.total_cmp(&b.native_run))?;
        let work = |pair: &Pair| pair.native_run - least.native_run;
        let slowdown = pairs
            .iter()
            .filter(|pair| work(pair) >= (CLEAR * (pair.noise + least.noise)).max(SHORTEST_MS))
            .map(|pair| (pair.wasm_run - least.wasm_run) / work(pair))
            .fold(0.0, f64::max);
        if slowdown <= 0.0 {
            return None;
        }
        let middle = |part: &dyn Fn(&Pair) -> f64| super::stats::median(pairs.iter().map(part));
        Some(Self {
            wasm: Line {
                fixed_ms: least.wasm_run + middle(&|pair| pair.wasm_total - pair.wasm_run),
                per_native_ms: slowdown,
            },
            lambda_fixed_ms: middle(&|pair| pair.lambda_total - work(pair)).max(0.0),
            lambda_billed_fixed_ms: middle(&|pair| pair.lambda_billed - work(pair)).max(0.0),
            pairs: pairs.len(),
        })
    }

    /// How long the sandbox takes for `native_ms`.
    pub(crate) fn wasm_ms(&self, native_ms: f64) -> f64 {
        self.wasm.fixed_ms + self.wasm.per_native_ms * native_ms
    }

    /// What the function itself is busy for with `native_ms`.
    fn busy_ms(&self, native_ms: f64, memory_mb: u32) -> f64 {
        (self.lambda_billed_fixed_ms + native_ms) / cpu_share(memory_mb)
    }

    /// How long a warm call to Lambda takes for `native_ms`.
    pub(crate) fn lambda_ms(&self, native_ms: f64, memory_mb: u32) -> f64 {
        let way = (self.lambda_fixed_ms - self.lambda_billed_fixed_ms).max(0.0);
        way + self.busy_ms(native_ms, memory_mb)
    }

    /// What the sandbox costs in US dollars: the CPU is in use all the while.
    pub(crate) fn wasm_cost(&self, native_ms: f64, prices: &Prices) -> f64 {
        self.wasm_ms(native_ms) * prices.cpu_hour / 3.6e6
    }

    /// What Lambda costs in US dollars: whole milliseconds, times memory, and the request. The
    /// router's own CPU time for the call is left out.
    pub(crate) fn lambda_cost(&self, native_ms: f64, memory_mb: u32, prices: &Prices) -> f64 {
        bill(self.lambda_billed_fixed_ms + native_ms, memory_mb, prices)
    }

    /// Where the backends change places at `memory_mb`.
    pub(crate) fn crossover(&self, memory_mb: u32, prices: &Prices) -> Crossover {
        Crossover {
            memory_mb,
            faster_from_ms: first(|t| self.lambda_ms(t, memory_mb) < self.wasm_ms(t)),
            cheaper_from_ms: first(|t| {
                self.lambda_cost(t, memory_mb, prices) < self.wasm_cost(t, prices)
            }),
        }
    }
}

/// What an invocation costs in US dollars that keeps one whole CPU busy for `cpu_ms`.
pub(crate) fn bill(cpu_ms: f64, memory_mb: u32, prices: &Prices) -> f64 {
    let billed = (cpu_ms / cpu_share(memory_mb)).ceil();
    billed / 1e3 * f64::from(memory_mb) / 1_024.0 * prices.lambda_gb_second + prices.lambda_request
}

/// Work for which 2,048 MB cost less than a smaller size.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Quirk {
    /// What the function does in all, in milliseconds of one whole CPU.
    pub(crate) cpu_ms: f64,
    /// The smaller size.
    pub(crate) smaller_mb: u32,
    /// What a run costs there, in US dollars.
    pub(crate) smaller_usd: f64,
    /// What it costs at 2,048 MB.
    pub(crate) usd: f64,
}

/// The size that can cost less than smaller ones.
pub(crate) const QUIRK_MB: u32 = 2_048;

/// Where more memory saves most. Up to one CPU, memory and time cancel out but for the rounding up to
/// whole milliseconds.
pub(crate) fn quirk(prices: &Prices) -> Option<Quirk> {
    const SMALLER: [u32; 4] = [512, 768, 1_024, 1_536];
    let work = (1..=1_000).map(|n| f64::from(n) / 10.0);
    let quirks = work.flat_map(|cpu_ms| {
        SMALLER.map(|smaller_mb| Quirk {
            cpu_ms,
            smaller_mb,
            smaller_usd: bill(cpu_ms, smaller_mb, prices),
            usd: bill(cpu_ms, QUIRK_MB, prices),
        })
    });
    let saves = |quirk: &Quirk| quirk.smaller_usd / quirk.usd;
    quirks
        .filter(|quirk| saves(quirk) > 1.0)
        .max_by(|a, b| saves(a).total_cmp(&saves(b)))
}

/// The longest work that is looked at: the longest a function may run.
const LONGEST_MS: f64 = 900_000.0;

/// The least `t` in milliseconds from which `holds` stays true, to within a thousandth. Billing in
/// whole milliseconds makes costs jump, so the last change counts, not the first.
fn first(holds: impl Fn(f64) -> bool) -> Option<f64> {
    if !holds(LONGEST_MS) {
        return None;
    }
    let mut low = 0.0;
    let mut t = 0.01;
    while t < LONGEST_MS {
        if !holds(t) {
            low = t;
        }
        t *= 1.01;
    }
    let mut high = (low * 1.01).max(0.01);
    if low == 0.0 && holds(0.0) {
        return Some(0.0);
    }
    for _ in 0..20 {
        let middle = f64::midpoint(low, high);
        if holds(middle) {
            high = middle;
        } else {
            low = middle;
        }
    }
    Some(high)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRICES: Prices = Prices {
        lambda_gb_second: 0.000_016_666_7,
        lambda_request: 0.000_000_2,
        cpu_hour: 0.04,
    };

    fn model() -> Model {
        Model::fit(&pairs(2.0)).unwrap()
    }

    /// A sandbox that takes `slowdown` times as long as native code and 0.04 ms to start, and a call
    /// to Lambda that takes 10 ms, of which 3 are for the fork.
    fn pairs(slowdown: f64) -> Vec<Pair> {
        let pair = |t: f64| Pair {
            wasm_run: 0.04 + slowdown * t,
            wasm_total: 0.1 + slowdown * t,
            native_run: 3.0 + t,
            lambda_total: 10.0 + t,
            lambda_billed: 1.0 + t,
            noise: 0.1,
        };
        [0.0, 1.0, 5.0, 20.0, 100.0].map(pair).into()
    }

    #[test]
    fn lines_are_found_again() {
        let model = model();
        assert!((model.wasm.per_native_ms - 2.0).abs() < 1e-9);
        assert!((model.wasm.fixed_ms - 0.1).abs() < 1e-9);
        assert!((model.lambda_fixed_ms - 10.0).abs() < 1e-9);
        assert!((model.lambda_billed_fixed_ms - 1.0).abs() < 1e-9);
        assert_eq!(Model::fit(&[]), None);
    }

    #[test]
    fn the_snippet_that_is_slowed_most_decides() {
        // What prints much is no slower in the sandbox.
        let mut mixed = pairs(0.7);
        mixed.extend(&pairs(2.0)[3..4]);
        let model = Model::fit(&mixed).unwrap();
        assert!((model.wasm.per_native_ms - 2.0).abs() < 1e-9);
        assert!((model.wasm.fixed_ms - 0.1).abs() < 1e-9);
        assert!((model.lambda_fixed_ms - 10.0).abs() < 1e-9);
    }

    #[test]
    fn what_noise_hides_says_nothing() {
        let pair = |native_run, noise| Pair {
            wasm_run: 1.0,
            wasm_total: 1.1,
            native_run,
            lambda_total: 10.0 + native_run,
            lambda_billed: 1.0 + native_run,
            noise,
        };
        assert_eq!(Model::fit(&[pair(1.0, 2.0), pair(4.0, 2.0)]), None);
        assert_eq!(Model::fit(&[pair(1.0, 0.0), pair(1.5, 0.0)]), None);
    }

    #[test]
    fn lambda_is_faster_where_the_lines_cross() {
        // 0.1 + 2t = 10 + t
        let at = model().crossover(1_769, &PRICES).faster_from_ms.unwrap();
        assert!((at - 9.9).abs() < 0.02, "{at}");
        // At half a CPU it is as slow as the sandbox, and never catches up.
        assert_eq!(model().crossover(884, &PRICES).faster_from_ms, None);
        // More memory than one CPU's does not help a single thread.
        let more = model().crossover(4_096, &PRICES).faster_from_ms.unwrap();
        assert!((more - at).abs() < 0.02, "{more}");
    }

    #[test]
    fn more_memory_can_cost_less() {
        let quirk = quirk(&PRICES).unwrap();
        let cost = |mb| bill(quirk.cpu_ms, mb, &PRICES);
        assert!(cost(QUIRK_MB) < cost(quirk.smaller_mb), "{quirk:?}");
        assert_eq!(
            (cost(QUIRK_MB), cost(quirk.smaller_mb)),
            (quirk.usd, quirk.smaller_usd)
        );
        // A millisecond of one CPU is two billed ones at 1,536 MB.
        assert!(bill(1.0, 2_048, &PRICES) < bill(1.0, 1_536, &PRICES));
    }

    #[test]
    fn cost_follows_the_bill() {
        let model = model();
        // 1 ms of its own and 1 ms of work at one CPU: 2 ms of 1.7275 GB.
        let cost = model.lambda_cost(1.0, 1_769, &PRICES);
        let expected = 0.002 * 1_769.0 / 1_024.0 * PRICES.lambda_gb_second + PRICES.lambda_request;
        assert!((cost - expected).abs() < 1e-15);
        // Whole milliseconds: a little more work can cost nothing more.
        assert_eq!(
            model.lambda_cost(0.2, 1_769, &PRICES),
            model.lambda_cost(0.9, 1_769, &PRICES)
        );
        // A machine's CPU is cheaper than Lambda's, even at half the speed.
        assert_eq!(model.crossover(1_769, &PRICES).cheaper_from_ms, None);
        let dear = Prices {
            cpu_hour: 1.0,
            ..PRICES
        };
        let from = model.crossover(1_769, &dear).cheaper_from_ms.unwrap();
        assert!(model.lambda_cost(from + 1.0, 1_769, &dear) < model.wasm_cost(from + 1.0, &dear));
        assert!(from > 0.0);
    }
}
