//! What a report says in words, and its figures as people read them.

use super::measured::{Path, SnippetReport};
use super::model::{Model, Prices, QUIRK_MB, quirk};
use super::report::{Lambda, Report, cost_of_a_million};

/// The lines that both backends follow, in words.
pub(crate) fn about_model(model: &Model) -> String {
    format!(
        "By {} snippets that ran on both: the sandbox takes {} and up to {:.2} times the native CPU \
         time, which is that of the snippet it slows most (for others Lambda pays later, or never); \
         a warm call to Lambda takes {}, of which {} are the function's own (a fork, and cleaning up \
         after it), and the native CPU time. What the function does is divided by the share of a CPU \
         that its memory buys (1769 MB are one).",
        model.pairs,
        milliseconds(model.wasm.fixed_ms),
        model.wasm.per_native_ms,
        milliseconds(model.lambda_fixed_ms),
        milliseconds(model.lambda_billed_fixed_ms),
    )
}

/// What memory does to the bill, in words.
pub(crate) fn about_memory(model: &Model, prices: &Prices) -> String {
    let rule = "Up to one CPU (1769 MB), twice the memory takes half the time for the same money; \
                beyond it, memory only costs. But whole milliseconds are billed, so that the curve \
                has steps.";
    let quirk = quirk(prices).map_or_else(String::new, |quirk| {
        format!(
            " {QUIRK_MB} MB can be the cheaper choice: a million invocations that each take {} of \
             one CPU cost ${:.2} there, and ${:.2} at {} MB.",
            milliseconds(quirk.cpu_ms),
            quirk.usd * 1e6,
            quirk.smaller_usd * 1e6,
            quirk.smaller_mb,
        )
    });
    format!(
        "{rule}{quirk} The function that was measured takes {} itself, and the snippet's time.",
        milliseconds(model.lambda_billed_fixed_ms)
    )
}

/// How far the figures can be trusted, in words.
pub(crate) fn about_intervals(report: &Report) -> String {
    let intervals = "In brackets, the 95 % confidence interval of the median: by the medians of \
                     twelve parts of the run, so that it holds how the machine wandered, or by rank \
                     where there are fewer than 36 runs.";
    if report.quick {
        format!(
            "{intervals} This was a quick run: below six runs it is the least and the greatest."
        )
    } else {
        intervals.to_owned()
    }
}

/// What costs are computed from, in words.
pub(crate) fn about_prices(prices: &Prices) -> String {
    format!(
        "Of native CPU time. Prices: Lambda ${} per GB-second and ${} per request, a CPU of the \
         router's machine ${} per hour.",
        prices.lambda_gb_second, prices.lambda_request, prices.cpu_hour
    )
}

/// From how much work on, in words.
pub(crate) fn from(ms: Option<f64>) -> String {
    ms.map_or_else(|| "never".to_owned(), milliseconds)
}

/// Where a snippet should run, in words.
pub(crate) fn recommendation(snippet: &SnippetReport, prices: &Prices) -> String {
    let wasm = snippet.on(Path::WasmFresh);
    let lambda = snippet.on(Path::LambdaWarm);
    let cached = match snippet.on(Path::WasmCached) {
        Some(cached) => format!(
            " Repeated, it comes from the cache in {}.",
            milliseconds(cached.latency.median)
        ),
        None => String::new(),
    };
    match (wasm, lambda) {
        (Some(wasm), Some(lambda)) => {
            let (w, l) = (wasm.latency.median, lambda.latency.median);
            let (cheap_w, cheap_l) = (
                cost_of_a_million(wasm, prices),
                cost_of_a_million(lambda, prices),
            );
            let (place, times) = if w <= l {
                ("in the sandbox", l / w)
            } else {
                ("on Lambda", w / l)
            };
            let cost = if (w <= l) == (cheap_w <= cheap_l) {
                "and costs less".to_owned()
            } else {
                format!(
                    "but costs more (${:.2} against ${:.2} for a million)",
                    cheap_w.max(cheap_l),
                    cheap_w.min(cheap_l)
                )
            };
            format!("Run it {place}: it is {times:.1} times as fast there {cost}.{cached}")
        }
        (Some(_), None) => match why_not(snippet, Path::LambdaWarm) {
            Some(why) => format!("Run it in the sandbox; not on Lambda: {why}.{cached}"),
            None => format!("Run it in the sandbox: Lambda was not measured.{cached}"),
        },
        (None, Some(_)) => {
            let why = why_not(snippet, Path::WasmFresh).unwrap_or("it was not measured there");
            format!("Run it on Lambda; not in the sandbox: {why}.")
        }
        (None, None) => "Nothing here can run it.".to_owned(),
    }
}

/// Why `snippet` was not measured on `path`.
fn why_not(snippet: &SnippetReport, path: Path) -> Option<&str> {
    let skipped = snippet
        .skipped
        .iter()
        .find(|skipped| skipped.path == path)?;
    Some(&skipped.reason)
}

/// A time for people: three digits, and the unit that fits.
pub(crate) fn milliseconds(ms: f64) -> String {
    if ms >= 1_000.0 {
        format!("{:.2} s", ms / 1e3)
    } else if ms >= 100.0 {
        format!("{ms:.0} ms")
    } else if ms >= 10.0 {
        format!("{ms:.1} ms")
    } else if ms >= 1.0 {
        format!("{ms:.2} ms")
    } else {
        format!("{:.0} µs", ms * 1e3)
    }
}

/// What stands for Lambda, in words.
pub(crate) fn about_lambda(lambda: &Lambda) -> String {
    match lambda {
        Lambda::Function(name) => format!("Lambda figures are of the function {name} on AWS."),
        Lambda::Emulator(memory) => format!(
            "Lambda figures are of the EMULATOR on this machine ({memory} MB): the same runner and \
             packages, but no network between, this machine's processor whatever the memory, and \
             start-up without fetching an image. Measure your own function with --function."
        ),
        Lambda::Absent => {
            "Lambda was not measured: it was left out, or there is no function and no local \
             environment (`cargo xtask lambda` makes one)."
                .to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::report::tests::sample;
    use super::*;

    #[test]
    fn a_snippet_is_sent_where_it_is_faster_or_runs_at_all() {
        let report = sample();
        let words = |n: usize| recommendation(&report.snippets[n], &report.prices);
        assert!(
            words(0).starts_with("Run it in the sandbox"),
            "{}",
            words(0)
        );
        assert!(words(2).starts_with("Run it on Lambda"), "{}", words(2));
        assert!(words(3).starts_with("Run it on Lambda"), "{}", words(3));
    }

    #[test]
    fn times_have_the_unit_that_fits() {
        let shown = [0.0123, 1.234, 12.34, 123.4, 1_234.0].map(milliseconds);
        assert_eq!(shown, ["12 µs", "1.23 ms", "12.3 ms", "123 ms", "1.23 s"]);
    }
}
