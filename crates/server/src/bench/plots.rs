//! The report's plots, as SVG.

use plotters::coord::Shift;
use plotters::prelude::*;

use super::measure::{Measured, Path, SnippetReport};
use super::model::{MB_PER_CPU, Model, Prices};
use super::report::MEMORY_SIZES;

const WIDTH: u32 = 960;
const FONT: &str = "sans-serif";

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Drawn = Result<(), Box<dyn std::error::Error>>;

fn svg(height: u32, draw: impl FnOnce(&Area<'_>) -> Drawn) -> Result<String, PlotError> {
    let mut text = String::new();
    {
        let area = SVGBackend::with_string(&mut text, (WIDTH, height)).into_drawing_area();
        area.fill(&WHITE).map_err(PlotError::of)?;
        draw(&area).map_err(|error| PlotError(error.to_string()))?;
        area.present().map_err(PlotError::of)?;
    }
    Ok(text)
}

/// A plot cannot be drawn.
#[derive(Debug, thiserror::Error)]
#[error("cannot draw a plot: {0}")]
pub(crate) struct PlotError(String);

impl PlotError {
    fn of(error: impl std::fmt::Display) -> Self {
        Self(error.to_string())
    }
}

const fn colour(path: Path) -> RGBColor {
    match path {
        Path::WasmFresh => RGBColor(26, 115, 90),
        Path::WasmCached => RGBColor(140, 196, 120),
        Path::LambdaCold => RGBColor(120, 120, 150),
        Path::LambdaWarm => RGBColor(200, 92, 30),
    }
}

/// Decades that enclose all values, for logarithmic axes.
fn decades(values: impl IntoIterator<Item = f64>) -> std::ops::Range<f64> {
    let (mut low, mut high) = (f64::MAX, f64::MIN_POSITIVE);
    for value in values.into_iter().filter(|v| v.is_finite() && *v > 0.0) {
        low = low.min(value);
        high = high.max(value);
    }
    if low > high {
        return 0.1..10.0;
    }
    let (low, high) = (low.log10().floor(), high.log10().ceil());
    10_f64.powf(low)..10_f64.powf(if high > low { high } else { low + 1.0 })
}

fn measured(snippets: &[SnippetReport]) -> impl Iterator<Item = &Measured> {
    snippets.iter().flat_map(|snippet| &snippet.measured)
}

/// Latency of every snippet on every path: least to 99 %, the middle half, the median.
pub(crate) fn latency(snippets: &[SnippetReport]) -> Result<String, PlotError> {
    let shown: Vec<_> = snippets.iter().filter(|s| !s.measured.is_empty()).collect();
    let rows = shown.len().max(1);
    let range = decades(measured(snippets).flat_map(|m| [m.latency.min, m.latency.p99]));
    svg(rows as u32 * 44 + 90, |area| {
        let mut chart = ChartBuilder::on(area)
            .margin(10)
            .x_label_area_size(40)
            .y_label_area_size(150)
            .build_cartesian_2d(range.log_scale(), 0.0..rows as f64)?;
        chart
            .configure_mesh()
            .disable_y_mesh()
            .y_labels(0)
            .x_desc("milliseconds from the call to the answer")
            .label_style((FONT, 13))
            .draw()?;
        for (row, snippet) in shown.iter().enumerate() {
            let top = (rows - row) as f64;
            for (lane, path) in Path::ALL.into_iter().enumerate() {
                let Some(measured) = snippet.on(path) else {
                    continue;
                };
                let y = top - 0.2 - 0.2 * lane as f64;
                let latency = &measured.latency;
                let quantile = |percent: usize| latency.quantiles[percent / 2];
                let colour = colour(path);
                chart.draw_series([
                    PathElement::new(
                        vec![(latency.min, y), (latency.p99, y)],
                        colour.stroke_width(1),
                    ),
                    PathElement::new(
                        vec![(quantile(24), y), (quantile(76), y)],
                        colour.stroke_width(6),
                    ),
                ])?;
                chart.draw_series([Circle::new((latency.median, y), 4, colour.filled())])?;
            }
            let at = chart.plotting_area().map_coordinate(&(1e-9, top - 0.5));
            area.draw(&Text::new(
                snippet.name.clone(),
                (12, at.1 - 6),
                (FONT, 14).into_font(),
            ))?;
        }
        legend(area)
    })
}

fn legend(area: &Area<'_>) -> Drawn {
    for (n, path) in Path::ALL.into_iter().enumerate() {
        let x = 170 + 130 * n as i32;
        area.draw(&Rectangle::new(
            [(x, 2), (x + 12, 10)],
            colour(path).filled(),
        ))?;
        area.draw(&Text::new(path.name(), (x + 18, 0), (FONT, 13).into_font()))?;
    }
    Ok(())
}

/// What shares of a fresh run's time go where, for the sandbox and for a warm Lambda.
pub(crate) fn parts(snippets: &[SnippetReport]) -> Result<String, PlotError> {
    const PARTS: [(&str, RGBColor); 4] = [
        ("analysis and plan", RGBColor(90, 90, 160)),
        ("queue", RGBColor(190, 190, 190)),
        ("run", RGBColor(26, 115, 90)),
        ("the way, and storing", RGBColor(200, 92, 30)),
    ];
    let bars: Vec<_> = snippets
        .iter()
        .flat_map(|snippet| {
            [Path::WasmFresh, Path::LambdaWarm]
                .into_iter()
                .filter_map(move |path| Some((snippet, snippet.on(path)?)))
        })
        .collect();
    let rows = bars.len().max(1);
    svg(rows as u32 * 20 + 90, |area| {
        let mut chart = ChartBuilder::on(area)
            .margin(10)
            .x_label_area_size(40)
            .y_label_area_size(240)
            .build_cartesian_2d(0.0..100.0, 0.0..rows as f64)?;
        chart
            .configure_mesh()
            .disable_y_mesh()
            .y_labels(0)
            .x_desc("per cent of the median")
            .label_style((FONT, 13))
            .draw()?;
        for (row, (snippet, measured)) in bars.iter().enumerate() {
            let top = (rows - row) as f64;
            let parts = measured.parts;
            let all = [parts.plan, parts.queue, parts.run, parts.rest];
            let sum = all.iter().sum::<f64>().max(f64::MIN_POSITIVE);
            let mut from = 0.0;
            for (value, (_, colour)) in all.into_iter().zip(PARTS) {
                let to = from + value / sum * 100.0;
                chart.draw_series([Rectangle::new(
                    [(from, top - 0.85), (to, top - 0.15)],
                    colour.filled(),
                )])?;
                from = to;
            }
            let at = chart.plotting_area().map_coordinate(&(0.0, top - 0.5));
            area.draw(&Text::new(
                format!("{}, {}", snippet.name, measured.path.name()),
                (12, at.1 - 6),
                (FONT, 13).into_font(),
            ))?;
        }
        for (n, (name, colour)) in PARTS.into_iter().enumerate() {
            let x = 250 + 170 * n as i32;
            area.draw(&Rectangle::new([(x, 2), (x + 12, 10)], colour.filled()))?;
            area.draw(&Text::new(name, (x + 18, 0), (FONT, 13).into_font()))?;
        }
        Ok(())
    })
}

/// Executions a second against concurrent callers.
pub(crate) fn throughput(snippets: &[SnippetReport]) -> Result<String, PlotError> {
    let points = || measured(snippets).flat_map(|m| &m.throughput);
    let callers = points().map(|p| p.callers).max().unwrap_or(1).max(2);
    let rates = decades(points().map(|p| p.per_second));
    svg(460, |area| {
        let mut chart = ChartBuilder::on(area)
            .margin(10)
            .margin_top(24)
            .x_label_area_size(40)
            .y_label_area_size(80)
            .build_cartesian_2d(
                (1.0..f64::from(callers)).log_scale().base(2.0),
                rates.log_scale(),
            )?;
        chart
            .configure_mesh()
            .x_desc("concurrent callers")
            .y_desc("executions a second")
            .label_style((FONT, 13))
            .draw()?;
        for measured in measured(snippets) {
            let line = measured
                .throughput
                .iter()
                .map(|p| (f64::from(p.callers), p.per_second));
            chart.draw_series(LineSeries::new(line, colour(measured.path).mix(0.8)))?;
        }
        legend(area)
    })
}

const MEMORY_COLOURS: [RGBColor; 4] = [
    RGBColor(240, 180, 120),
    RGBColor(225, 140, 70),
    RGBColor(200, 92, 30),
    RGBColor(120, 50, 20),
];

/// Time against work, for the sandbox and for Lambda of several sizes.
pub(crate) fn crossover(model: &Model) -> Result<String, PlotError> {
    const SIZES: [u32; 4] = [512, 1_024, 1_769, 4_096];
    let work: Vec<f64> = (0..=120)
        .map(|n| 10_f64.powf(f64::from(n) / 20.0 - 2.0))
        .collect();
    let times = decades(
        work.iter()
            .flat_map(|t| [model.wasm_ms(*t), model.lambda_ms(*t, 512)]),
    );
    svg(460, |area| {
        let mut chart = ChartBuilder::on(area)
            .margin(10)
            .x_label_area_size(40)
            .y_label_area_size(80)
            .build_cartesian_2d((0.01..10_000.0).log_scale(), times.log_scale())?;
        chart
            .configure_mesh()
            .x_desc("native CPU time of the snippet, milliseconds")
            .y_desc("milliseconds to the answer")
            .label_style((FONT, 13))
            .draw()?;
        let wasm = colour(Path::WasmFresh);
        chart
            .draw_series(LineSeries::new(
                work.iter().map(|t| (*t, model.wasm_ms(*t))),
                wasm.stroke_width(3),
            ))?
            .label("the sandbox")
            .legend(move |at| key(at, wasm));
        for (size, colour) in SIZES.into_iter().zip(MEMORY_COLOURS) {
            chart
                .draw_series(LineSeries::new(
                    work.iter().map(|t| (*t, model.lambda_ms(*t, size))),
                    colour.stroke_width(2),
                ))?
                .label(format!("Lambda, {size} MB"))
                .legend(move |at| key(at, colour));
        }
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::UpperLeft)
            .background_style(WHITE.mix(0.8))
            .label_font((FONT, 13))
            .draw()?;
        Ok(())
    })
}

fn key(at: (i32, i32), colour: RGBColor) -> PathElement<(i32, i32)> {
    PathElement::new(vec![at, (at.0 + 18, at.1)], colour.stroke_width(3))
}

/// What a million runs cost on Lambda against its memory. A single thread's time falls only up to
/// one whole CPU, and is billed in whole milliseconds, so that the curve is no straight line: more
/// memory can cost less.
pub(crate) fn cost(model: &Model, prices: &Prices) -> Result<String, PlotError> {
    const WORK: [f64; 4] = [1.2, 5.0, 20.0, 100.0];
    let sizes: Vec<u32> = (512..=4_096).step_by(16).collect();
    let of = |work: f64, size: u32| model.lambda_cost(work, size, prices) * 1e6;
    let costs = decades(
        WORK.iter()
            .flat_map(|work| MEMORY_SIZES.iter().map(|size| of(*work, *size))),
    );
    svg(460, |area| {
        let mut chart = ChartBuilder::on(area)
            .margin(10)
            .x_label_area_size(40)
            .y_label_area_size(80)
            .build_cartesian_2d(512_f64..4_096_f64, costs.clone().log_scale())?;
        chart
            .configure_mesh()
            .x_desc("the function's memory, MB")
            .y_desc("US dollars for a million runs")
            .label_style((FONT, 13))
            .draw()?;
        for (work, colour) in WORK.into_iter().zip(MEMORY_COLOURS) {
            chart
                .draw_series(LineSeries::new(
                    sizes.iter().map(|size| (f64::from(*size), of(work, *size))),
                    colour.stroke_width(2),
                ))?
                .label(format!("{work} ms of native CPU time"))
                .legend(move |at| key(at, colour));
        }
        for memory in [MB_PER_CPU, 2_048.0] {
            chart.draw_series([PathElement::new(
                vec![(memory, costs.start), (memory, costs.end)],
                BLACK.mix(0.3),
            )])?;
        }
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::UpperRight)
            .background_style(WHITE.mix(0.8))
            .label_font((FONT, 13))
            .draw()?;
        Ok(())
    })
}
