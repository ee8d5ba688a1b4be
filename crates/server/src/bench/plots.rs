//! The report's plots, as SVG.

use plotters::chart::ChartContext;
use plotters::coord::Shift;
use plotters::coord::combinators::LogCoord;
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;

use super::measured::{Measured, Parts, Path, SnippetReport, Throughput};
use super::model::{Crossover, MB_PER_CPU, Model, Prices, QUIRK_MB, bill, quirk};
use super::report::MEMORY_SIZES;
use super::words::milliseconds;

const WIDTH: u32 = 960;
const FONT: &str = "sans-serif";

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Drawn = Result<(), Box<dyn std::error::Error>>;

fn svg(height: u32, draw: impl FnOnce(&Area<'_>) -> Drawn) -> Result<String, PlotError> {
    let mut text = String::new();
    {
        let area = SVGBackend::with_string(&mut text, (WIDTH, height)).into_drawing_area();
        draw(&area).map_err(|error| PlotError(error.to_string()))?;
        area.present().map_err(PlotError::of)?;
    }
    // What is black is the page's ink, so that it can be read on a dark ground as well.
    Ok(text.replace("#000000", "currentColor"))
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
        Path::WasmFresh => RGBColor(30, 140, 110),
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

/// A number on an axis, with as many digits as it needs.
fn plain(value: &f64) -> String {
    if *value >= 1.0 {
        format!("{value:.0}")
    } else {
        format!("{value}")
    }
}

/// A number of callers, where it is one that was tried.
fn power_of_two(value: &f64) -> String {
    let power = value.log2();
    if (power - power.round()).abs() < 1e-6 {
        format!("{value:.0}")
    } else {
        String::new()
    }
}

fn measured(snippets: &[SnippetReport]) -> impl Iterator<Item = &Measured> {
    snippets.iter().flat_map(|snippet| &snippet.measured)
}

/// Latency of every snippet on every path: least to 99 %, the middle half, the median.
pub(crate) fn latency(snippets: &[SnippetReport]) -> Result<String, PlotError> {
    let shown: Vec<_> = snippets.iter().filter(|s| !s.measured.is_empty()).collect();
    let rows = shown.len().max(1);
    let span = decades(measured(snippets).flat_map(|m| [m.latency.min, m.latency.p99]));
    svg(rows as u32 * 44 + 90, |area| {
        let mut chart = ChartBuilder::on(area)
            .margin(10)
            .margin_top(26)
            .margin_right(30)
            .x_label_area_size(40)
            .y_label_area_size(150)
            .build_cartesian_2d(span.clone().log_scale(), 0.0..rows as f64)?;
        chart
            .configure_mesh()
            .disable_y_mesh()
            .y_labels(0)
            .x_desc("milliseconds from the call to the answer")
            .x_label_formatter(&plain)
            .label_style((FONT, 13))
            .draw()?;
        let ends = (span.start, span.end);
        for (row, snippet) in shown.iter().enumerate() {
            let top = (rows - row) as f64;
            chart.draw_series([PathElement::new(
                vec![(ends.0, top), (ends.1, top)],
                BLACK.mix(0.15),
            )])?;
            for (lane, path) in Path::ALL.into_iter().enumerate() {
                let Some(measured) = snippet.on(path) else {
                    continue;
                };
                let y = top - 0.2 - 0.2 * lane as f64;
                let latency = &measured.latency;
                let quarter = |percent| (latency.percentile(percent), y);
                let colour = colour(path);
                chart.draw_series([
                    PathElement::new(
                        vec![(latency.min, y), (latency.p99, y)],
                        colour.stroke_width(1),
                    ),
                    PathElement::new(vec![quarter(24), quarter(76)], colour.stroke_width(6)),
                ])?;
                chart.draw_series([Circle::new((latency.median, y), 4, colour.filled())])?;
            }
            let at = chart.plotting_area().map_coordinate(&(1e-9, top - 0.5));
            word(area, &snippet.name, (12, at.1 - 7))?;
        }
        legend(area, 160, Path::ALL.map(|path| (path.name(), colour(path))))
    })
}

fn word(area: &Area<'_>, text: &str, at: (i32, i32)) -> Drawn {
    area.draw(&Text::new(text.to_owned(), at, (FONT, 13).into_font()))?;
    Ok(())
}

/// A row of squares with their meaning, at the top.
fn legend<'a>(
    area: &Area<'_>,
    mut x: i32,
    entries: impl IntoIterator<Item = (&'a str, RGBColor)>,
) -> Drawn {
    for (name, colour) in entries {
        area.draw(&Rectangle::new([(x, 4), (x + 12, 14)], colour.filled()))?;
        word(area, name, (x + 18, 2))?;
        x += 34 + 7 * name.chars().count() as i32;
    }
    Ok(())
}

/// What shares of a run's time go where, on every path but the cache.
pub(crate) fn parts(snippets: &[SnippetReport]) -> Result<String, PlotError> {
    const COLOURS: [RGBColor; 7] = [
        RGBColor(110, 110, 190),
        RGBColor(170, 175, 180),
        RGBColor(120, 120, 150),
        RGBColor(140, 196, 120),
        RGBColor(26, 135, 105),
        RGBColor(225, 180, 60),
        RGBColor(200, 92, 30),
    ];
    let bars: Vec<_> = snippets
        .iter()
        .flat_map(|snippet| {
            [Path::WasmFresh, Path::LambdaWarm, Path::LambdaCold]
                .into_iter()
                .filter_map(move |path| Some((snippet, snippet.on(path)?)))
        })
        .collect();
    let rows = bars.len().max(1);
    svg(rows as u32 * 18 + 90, |area| {
        let mut chart = ChartBuilder::on(area)
            .margin(10)
            .margin_top(26)
            .margin_right(20)
            .x_label_area_size(40)
            .y_label_area_size(230)
            .build_cartesian_2d(0.0..100.0, 0.0..rows as f64)?;
        chart
            .configure_mesh()
            .disable_y_mesh()
            .y_labels(0)
            .x_desc("per cent of the median")
            .x_label_formatter(&plain)
            .label_style((FONT, 13))
            .draw()?;
        for (row, (snippet, measured)) in bars.iter().enumerate() {
            let top = (rows - row) as f64;
            let all = measured.parts.values();
            let sum = all.iter().sum::<f64>().max(f64::MIN_POSITIVE);
            let mut from = 0.0;
            for (value, colour) in all.into_iter().zip(COLOURS) {
                let to = from + value / sum * 100.0;
                chart.draw_series([Rectangle::new(
                    [(from, top - 0.85), (to, top - 0.15)],
                    colour.filled(),
                )])?;
                from = to;
            }
            let at = chart.plotting_area().map_coordinate(&(0.0, top - 0.5));
            let name = format!("{}, {}", snippet.name, measured.path.name());
            word(area, &name, (12, at.1 - 7))?;
        }
        legend(area, 90, Parts::NAMES.into_iter().zip(COLOURS))
    })
}

/// Executions a second against concurrent callers, a panel for each path.
pub(crate) fn throughput(snippets: &[SnippetReport]) -> Result<String, PlotError> {
    const HEIGHT: u32 = 330;
    const PATHS: [Path; 3] = [Path::WasmFresh, Path::WasmCached, Path::LambdaWarm];
    let lines = |path| {
        snippets
            .iter()
            .filter_map(move |snippet| Some((snippet, &snippet.on(path)?.throughput)))
            .filter(|(_, points)| !points.is_empty())
    };
    let shown: Vec<_> = PATHS
        .into_iter()
        .filter(|path| lines(*path).next().is_some())
        .collect();
    svg(HEIGHT * shown.len().max(1) as u32, |area| {
        for (panel, path) in area
            .split_evenly((shown.len().max(1), 1))
            .iter()
            .zip(&shown)
        {
            let points = || lines(*path).flat_map(|(_, points)| points);
            let callers = points().map(|p| p.callers).max().unwrap_or(1).max(2);
            let rates = decades(points().map(|p| p.per_second));
            let mut chart = ChartBuilder::on(panel)
                .margin(10)
                .margin_right(170)
                .caption(path.name(), (FONT, 15))
                .x_label_area_size(40)
                .y_label_area_size(70)
                .build_cartesian_2d(
                    (1.0..f64::from(callers)).log_scale().base(2.0),
                    rates.log_scale(),
                )?;
            chart
                .configure_mesh()
                .x_desc("concurrent callers")
                .x_label_formatter(&power_of_two)
                .y_label_formatter(&plain)
                .y_desc("executions a second")
                .label_style((FONT, 13))
                .draw()?;
            let mut ends = Vec::new();
            for (snippet, points) in lines(*path) {
                let at = |p: &Throughput| (f64::from(p.callers), p.per_second);
                let style = colour(*path).mix(0.7).stroke_width(2);
                chart.draw_series(LineSeries::new(points.iter().map(at), style))?;
                if let Some(last) = points.last() {
                    let at = chart.plotting_area().map_coordinate(&at(last));
                    ends.push((at.1, at, snippet.name.as_str()));
                }
            }
            let (_, heights) = chart.plotting_area().get_pixel_range();
            label_ends(area, ends, heights.end)?;
        }
        Ok(())
    })
}

/// Names at the ends of lines, moved apart where they would cover each other.
fn label_ends(area: &Area<'_>, mut ends: Vec<(i32, (i32, i32), &str)>, bottom: i32) -> Drawn {
    const LINE: i32 = 13;
    const RIGHT: i32 = WIDTH as i32 - 160;
    ends.sort_by_key(|end| end.0);
    for n in 1..ends.len() {
        ends[n].0 = ends[n].0.max(ends[n - 1].0 + LINE);
    }
    let mut lowest = bottom;
    for end in ends.iter_mut().rev() {
        end.0 = end.0.min(lowest);
        lowest = end.0 - LINE;
    }
    for (y, at, name) in ends {
        area.draw(&PathElement::new(
            vec![at, (RIGHT - 6, y)],
            BLACK.mix(0.25).stroke_width(1),
        ))?;
        area.draw(&Text::new(
            name.to_owned(),
            (RIGHT, y - 6),
            (FONT, 12).into_font(),
        ))?;
    }
    Ok(())
}

const MEMORY_COLOURS: [RGBColor; 4] = [
    RGBColor(240, 180, 120),
    RGBColor(225, 140, 70),
    RGBColor(200, 92, 30),
    RGBColor(150, 75, 130),
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
            .margin_right(30)
            .x_label_area_size(40)
            .y_label_area_size(80)
            .build_cartesian_2d((0.01..10_000.0).log_scale(), times.log_scale())?;
        chart
            .configure_mesh()
            .x_desc("native CPU time of the snippet, milliseconds")
            .x_label_formatter(&plain)
            .y_label_formatter(&plain)
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
            .label_font((FONT, 13))
            .draw()?;
        Ok(())
    })
}

fn key(at: (i32, i32), colour: RGBColor) -> PathElement<(i32, i32)> {
    PathElement::new(vec![at, (at.0 + 18, at.1)], colour.stroke_width(3))
}

type MemoryChart<'a, 'b> =
    ChartContext<'a, SVGBackend<'b>, Cartesian2d<RangedCoordf64, LogCoord<f64>>>;

/// A plot of `what`, which lies within `heights`, against the function's memory.
fn against_memory(
    height: u32,
    heights: std::ops::Range<f64>,
    what: &str,
    lines: impl FnOnce(&mut MemoryChart<'_, '_>) -> Drawn,
) -> Result<String, PlotError> {
    svg(height, |area| {
        let mut chart = ChartBuilder::on(area)
            .margin(10)
            .margin_right(30)
            .x_label_area_size(40)
            .y_label_area_size(80)
            .build_cartesian_2d(512_f64..4_096_f64, heights.clone().log_scale())?;
        chart
            .configure_mesh()
            .x_desc("the function's memory, MB")
            .x_label_formatter(&plain)
            .y_label_formatter(&plain)
            .y_desc(what)
            .label_style((FONT, 13))
            .draw()?;
        lines(&mut chart)?;
        mark_sizes(area, &mut chart, heights)?;
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::UpperRight)
            .label_font((FONT, 13))
            .draw()?;
        Ok(())
    })
}

/// Lines at the sizes that matter: one CPU, and the one that can cost less than smaller ones.
fn mark_sizes(
    area: &Area<'_>,
    chart: &mut MemoryChart<'_, '_>,
    heights: std::ops::Range<f64>,
) -> Drawn {
    for (memory, to_the_left) in [(MB_PER_CPU, true), (f64::from(QUIRK_MB), false)] {
        chart.draw_series([PathElement::new(
            vec![(memory, heights.start), (memory, heights.end)],
            BLACK.mix(0.4),
        )])?;
        let at = chart
            .plotting_area()
            .map_coordinate(&(memory, heights.start));
        let x = if to_the_left { at.0 - 62 } else { at.0 + 6 };
        word(area, &format!("{memory:.0} MB"), (x, at.1 - 18))?;
    }
    Ok(())
}

/// From how much work on Lambda is faster, and cheaper, against its memory.
/// None where it never is.
pub(crate) fn change_of_places(
    model: &Model,
    prices: &Prices,
) -> Result<Option<String>, PlotError> {
    let sizes = (512..=4_096).step_by(64);
    let points: Vec<_> = sizes.map(|size| model.crossover(size, prices)).collect();
    let lines = [
        (
            "Lambda is faster from",
            colour(Path::LambdaWarm),
            of(&points, |p| p.faster_from_ms),
        ),
        (
            "Lambda is cheaper from",
            colour(Path::WasmFresh),
            of(&points, |p| p.cheaper_from_ms),
        ),
    ];
    if lines.iter().all(|(_, _, line)| line.is_empty()) {
        return Ok(None);
    }
    let work = decades(
        lines
            .iter()
            .flat_map(|(_, _, line)| line.iter().map(|(_, y)| *y)),
    );
    against_memory(400, work, "native CPU time, milliseconds", |chart| {
        for (name, colour, line) in lines {
            // A line that is not there needs an explanation most.
            let name = match line.first() {
                None => format!("{name}: never"),
                Some((size, _)) if *size > 512.0 => format!("{name} (below {size:.0} MB: never)"),
                Some(_) => name.to_owned(),
            };
            chart
                .draw_series(LineSeries::new(line, colour.stroke_width(3)))?
                .label(name)
                .legend(move |at| key(at, colour));
        }
        Ok(())
    })
    .map(Some)
}

/// The sizes for which there is such a time.
fn of(points: &[Crossover], time: fn(&Crossover) -> Option<f64>) -> Vec<(f64, f64)> {
    points
        .iter()
        .filter_map(|point| Some((f64::from(point.memory_mb), time(point)?.max(0.01))))
        .collect()
}

/// What a million runs cost on Lambda against its memory. A single thread's time falls only up to
/// one whole CPU, and is billed in whole milliseconds, so that the curve is no straight line: more
/// memory can cost less.
pub(crate) fn cost(prices: &Prices) -> Result<String, PlotError> {
    // The least is the work that shows best what rounding does.
    let least = quirk(prices).map_or(1.0, |quirk| quirk.cpu_ms);
    let works = [least, 5.0, 20.0, 100.0];
    let sizes: Vec<u32> = (512..=4_096).step_by(16).collect();
    let of = |work: f64, size: u32| bill(work, size, prices) * 1e6;
    let costs = decades(
        works
            .iter()
            .flat_map(|work| MEMORY_SIZES.iter().map(|size| of(*work, *size))),
    );
    against_memory(460, costs, "US dollars for a million runs", |chart| {
        for (work, colour) in works.into_iter().zip(MEMORY_COLOURS) {
            chart
                .draw_series(LineSeries::new(
                    sizes.iter().map(|size| (f64::from(*size), of(work, *size))),
                    colour.stroke_width(2),
                ))?
                .label(format!("{} of one CPU", milliseconds(work)))
                .legend(move |at| key(at, colour));
        }
        Ok(())
    })
}
