//! Draws error and memory of distinct counters against the true number of elements: `docs/images/sketches.svg`.
//!
//! `cargo run --release -p flowscout-benches --bin accuracy_plot`, from the root of the repository.

#![expect(clippy::unwrap_used, reason = "without its picture the program has no use")]

use flowscout_benches::counters::{self, Subject};
use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged};
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

const PATH: &str = "docs/images/sketches.svg";
const SIZE: (u32, u32) = (900, 940);
const SEEDS: u64 = 100;
const DISTINCT_MAX: f64 = 1e6;
const PER_DECADE: i32 = 12;
/// Errors below, nothing included, are drawn here.
const ERROR_MIN: f64 = 0.02;
const ERROR_MAX: f64 = 40.0;
const FONT: &str = "sans-serif";

/// Name in `counters`, text in the legend, colour (of the palette of Okabe & Ito 2008, which all can tell apart), width: where two
/// curves are one, both are seen.
const CURVES: [(&str, &str, RGBColor, u32); 5] = [
    ("`Distinct`, 4 %", "Distinct, 4 KiB, sliding window", RGBColor(0, 114, 178), 4),
    ("`Distinct`, 2 %", "Distinct, 16 KiB, sliding window", RGBColor(0, 158, 115), 2),
    ("`HyperLogLog`, p 12", "HyperLogLog, p 12, no window", RGBColor(150, 150, 150), 4),
    ("`hyperloglog` 1.0, p 8", "hyperloglog crate, 2 % asked, no window", RGBColor(213, 94, 0), 2),
    (
        "`hyperloglog` 1.0, p 12",
        "hyperloglog crate, 0.3 % asked, no window",
        RGBColor(204, 121, 167),
        2,
    ),
];

/// What was measured of one counter, by number of elements.
struct Curve {
    label: &'static str,
    style: ShapeStyle,
    /// Root mean square of the relative error in percent.
    error: Vec<(f64, f64)>,
    /// Percent that 95 of 100 errors stay below.
    error_95: Vec<(f64, f64)>,
    bytes: Vec<(f64, f64)>,
}

fn main() {
    let sizes = sizes();
    let subjects = counters::all();
    let measured = CURVES.map(|(name, label, color, width)| {
        let subject = subjects.iter().find(|subject| subject.name == name).unwrap();
        measure(subject, label, color.stroke_width(width), &sizes)
    });
    let root = SVGBackend::new(PATH, SIZE).into_drawing_area();
    root.fill(&WHITE).unwrap();
    let (errors, memory) = root.split_vertically(560);
    draw_errors(&errors, &measured);
    draw_bytes(&memory, &measured);
    root.present().unwrap();
}

/// 1 to a million, evenly on a logarithmic axis.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "rounded, at most a million"
)]
fn sizes() -> Vec<usize> {
    let steps = 0..=6 * PER_DECADE;
    let mut sizes: Vec<usize> = steps
        .map(|step| 10_f64.powf(f64::from(step) / f64::from(PER_DECADE)).round() as usize)
        .collect();
    sizes.dedup();
    sizes
}

fn measure(subject: &Subject, label: &'static str, style: ShapeStyle, sizes: &[usize]) -> Curve {
    let mut errors = vec![Vec::new(); sizes.len()];
    for seed in 0..SEEDS {
        let hashes = counters::hashes(seed, 0, sizes[sizes.len() - 1] as u64);
        let estimates = (subject.estimates)(&hashes, sizes);
        for ((errors, estimate), &size) in errors.iter_mut().zip(estimates).zip(sizes) {
            errors.push(100.0 * (estimate / size as f64 - 1.0).abs());
        }
    }
    errors.iter_mut().for_each(|errors| errors.sort_by(f64::total_cmp));
    let by_size = |of: &dyn Fn(&Vec<f64>) -> f64| {
        let value = |(errors, &size): (&Vec<f64>, &usize)| (size as f64, of(errors).max(ERROR_MIN));
        errors.iter().zip(sizes).map(value).collect()
    };
    let bytes = |&size: &usize| {
        let hashes = counters::hashes(1, 0, size as u64);
        let mut counter = None;
        let measured = allocation_counter::measure(|| counter = Some((subject.hold)(&hashes)));
        (size as f64, measured.bytes_current as f64)
    };
    Curve {
        label,
        style,
        error: by_size(&|errors| {
            (errors.iter().map(|error| error * error).sum::<f64>() / errors.len() as f64).sqrt()
        }),
        error_95: by_size(&|errors| errors[errors.len() * 95 / 100]),
        bytes: sizes.iter().map(bytes).collect(),
    }
}

type Area<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;

fn draw_errors(area: &Area<'_>, curves: &[Curve]) {
    let mut chart = ChartBuilder::on(area)
        .caption("Error of a distinct count", (FONT, 20))
        .margin(14)
        .margin_right(34)
        .x_label_area_size(46)
        .y_label_area_size(74)
        .build_cartesian_2d(Log::of(1.0, DISTINCT_MAX), Log::of(ERROR_MIN, ERROR_MAX))
        .unwrap();
    let mut mesh = chart.configure_mesh();
    mesh.x_desc("distinct elements").y_desc("relative error, %").axis_desc_style((FONT, 16));
    mesh.label_style((FONT, 14)).light_line_style(TRANSPARENT).bold_line_style(BLACK.mix(0.12));
    mesh.x_label_formatter(&|value| short(*value)).y_label_formatter(&|value| short(*value));
    mesh.draw().unwrap();
    for curve in curves {
        let style = curve.style;
        let line = LineSeries::new(curve.error.iter().copied(), style);
        let legend = move |(x, y)| PathElement::new([(x, y), (x + 24, y)], style);
        chart.draw_series(line).unwrap().label(curve.label).legend(legend);
        let points = curve.error_95.iter().copied();
        chart
            .draw_series(DashedLineSeries::new(points, 3, 4, curve.style.stroke_width(1)))
            .unwrap();
    }
    let note =
        format!("lines: root mean square of {SEEDS} streams; dashed: 95 of 100 errors are below");
    let centered = TextStyle::from((FONT, 14)).pos(Pos::new(HPos::Left, VPos::Center));
    chart.draw_series([Text::new(note, (1.4, 0.71 * ERROR_MAX), centered.clone())]).unwrap();
    let exact = "exact up to 128";
    chart.draw_series([Text::new(exact, (9.0, 1.35 * ERROR_MIN), centered)]).unwrap();
    let mut labels = chart.configure_series_labels();
    labels.position(SeriesLabelPosition::Coordinate(330, 300)).legend_area_size(30);
    labels.label_font((FONT, 14)).background_style(WHITE).margin(6).draw().unwrap();
}

fn draw_bytes(area: &Area<'_>, curves: &[Curve]) {
    let mut chart = ChartBuilder::on(area)
        .caption("Memory of one counter", (FONT, 20))
        .margin(14)
        .margin_right(34)
        .x_label_area_size(46)
        .y_label_area_size(74)
        .build_cartesian_2d(Log::of(1.0, DISTINCT_MAX), Log::of(32.0, 32_768.0))
        .unwrap();
    let mut mesh = chart.configure_mesh();
    mesh.x_desc("distinct elements").y_desc("bytes").axis_desc_style((FONT, 16));
    mesh.label_style((FONT, 14)).light_line_style(TRANSPARENT).bold_line_style(BLACK.mix(0.12));
    mesh.x_label_formatter(&|value| short(*value)).y_label_formatter(&|value| short(*value));
    mesh.draw().unwrap();
    for curve in curves {
        let line = LineSeries::new(curve.bytes.iter().copied(), curve.style);
        chart.draw_series(line).unwrap();
    }
}

/// 0.1, 10, 1,000 or 1 M.
fn short(value: f64) -> String {
    match value {
        1e6.. => format!("{} M", value / 1e6),
        1e3.. => format!("{},{:03}", (value / 1e3).floor(), value % 1e3),
        _ => value.to_string(),
    }
}

/// A logarithmic axis with a mark at each power of ten.
struct Log {
    first: f64,
    last: f64,
    axis: RangedCoordf64,
}

impl Log {
    fn of(first: f64, last: f64) -> Self {
        Self { first, last, axis: (first.log10()..last.log10()).into() }
    }
}

impl Ranged for Log {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        self.axis.map(&value.log10(), limit)
    }

    fn key_points<Hint: KeyPointHint>(&self, _hint: Hint) -> Vec<f64> {
        let powers = (-3..=6).map(|power| 10_f64.powi(power));
        powers.filter(|&value| self.first <= value && value <= self.last).collect()
    }

    fn range(&self) -> std::ops::Range<f64> {
        self.first..self.last
    }
}

impl plotters::coord::ranged1d::ValueFormatter<f64> for Log {
    fn format(value: &f64) -> String {
        short(*value)
    }
}
