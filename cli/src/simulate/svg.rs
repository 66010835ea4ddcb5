//! The drawing: cost against quality, as SVG.
//!
//! By hand, since it is a few lines, circles and words, and a plotting crate would be the largest dependency of `nr`.

use std::fmt::Write as _;

use super::chance::Interval;
use super::curve::{Figure, Point};

const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 500.0;
/// Of the area within the axes.
const LEFT: f64 = 76.0;
const RIGHT: f64 = 736.0;
const TOP: f64 = 44.0;
const BOTTOM: f64 = 400.0;

/// Of A and B (Okabe and Ito 2008: told apart by everybody), and of models alone.
const COLOURS: [&str; 2] = ["#0072b2", "#d55e00"];
const GREY: &str = "#555555";

/// Width of a letter at the size of labels, about.
const LETTER: f64 = 6.6;
const LINE: f64 = 14.0;

/// Draws it.
pub(super) fn draw(figure: &Figure) -> String {
    let mut canvas = Canvas::new(figure);
    canvas.frame(figure.calls);
    for (series, colour) in figure.series.iter().zip(COLOURS) {
        canvas.line(&series.curve, colour);
    }
    for model in &figure.models {
        canvas.square(model);
    }
    for (series, colour) in figure.series.iter().zip(COLOURS) {
        canvas.whiskers(&series.control, colour);
        canvas.cross(&series.control, colour);
        canvas.whiskers(&series.own, colour);
        canvas.circle(&series.own, colour);
    }
    // Words last, when it is known where there is room.
    for (series, colour) in figure.series.iter().zip(COLOURS) {
        canvas.label(&series.own, colour, true);
        canvas.label(&series.control, colour, false);
    }
    for model in &figure.models {
        canvas.label(model, GREY, false);
    }
    for (series, colour) in figure.series.iter().zip(COLOURS) {
        for end in [series.curve.first(), series.curve.last()].into_iter().flatten() {
            canvas.label(end, colour, false);
        }
    }
    canvas.legend(figure);
    canvas.finish()
}

/// An axis: where a figure stands on it, and its marks.
struct Axis {
    low: f64,
    high: f64,
    logarithmic: bool,
    start: f64,
    end: f64,
}

/// Of the range, left free on both sides.
const MARGIN: f64 = 0.09;

impl Axis {
    /// `logarithmic` if there is something to gain by it and nothing that is free.
    fn new(figures: &[f64], logarithmic: bool, start: f64, end: f64) -> Self {
        let (low, high) = figures.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), f| (low.min(*f), high.max(*f)));
        let logarithmic = logarithmic && low > 0.0 && high / low > 4.0;
        let (low, high) = if logarithmic { (low.log10(), high.log10()) } else { (low, high) };
        let margin = if high > low { (high - low) * MARGIN } else { (low.abs() * 0.1).max(0.01) };
        Self { low: low - margin, high: high + margin, logarithmic, start, end }
    }

    fn place(&self, figure: f64) -> f64 {
        let figure = if self.logarithmic { figure.log10() } else { figure };
        self.start + (figure - self.low) / (self.high - self.low) * (self.end - self.start)
    }

    /// Round figures within the range, as text.
    fn marks(&self) -> Vec<(f64, String)> {
        let round = |exponent: i32| [1.0, 2.0, 5.0].map(|digit| digit * 10_f64.powi(exponent));
        if self.logarithmic {
            let decades = self.low.floor() as i32..=self.high.ceil() as i32;
            let marks = decades.flat_map(round).filter(|mark| (self.low..=self.high).contains(&mark.log10()));
            return marks.map(|mark| (mark, plain(mark, mark))).collect();
        }
        let range = self.high - self.low;
        let step = (-9..9).flat_map(round).find(|step| range / step <= 8.0).unwrap_or(range);
        let first = (self.low / step).ceil();
        (0..9).map(|n| (first + f64::from(n)) * step).take_while(|mark| *mark <= self.high).map(|mark| (mark, plain(mark, step))).collect()
    }
}

/// A mark with as many decimals as its step has.
fn plain(mark: f64, step: f64) -> String {
    let decimals = (-step.log10().floor()).clamp(0.0, 9.0) as usize;
    format!("{mark:.decimals$}")
}

struct Canvas {
    x: Axis,
    y: Axis,
    out: String,
    /// What words must not cover: left, top, right, bottom.
    taken: Vec<[f64; 4]>,
}

impl Canvas {
    fn new(figure: &Figure) -> Self {
        let points = || {
            let of_series = figure.series.iter().flat_map(|series| series.curve.iter().chain([&series.own, &series.control]));
            of_series.chain(&figure.models)
        };
        let both = |of: fn(&Point) -> Interval| points().map(of).flat_map(|i| [i.low, i.high]).collect::<Vec<_>>();
        let x = Axis::new(&both(|point| point.usd_per_1000), true, LEFT, RIGHT);
        let y = Axis::new(&both(|point| point.quality), false, BOTTOM, TOP);
        let mut canvas = Self { x, y, out: String::new(), taken: Vec::new() };
        for point in points() {
            let (x, y) = canvas.at(point);
            canvas.taken.push([x - 6.0, y - 6.0, x + 6.0, y + 6.0]);
        }
        canvas
    }

    fn at(&self, point: &Point) -> (f64, f64) {
        (self.x.place(point.usd_per_1000.mean), self.y.place(point.quality.mean))
    }

    fn add(&mut self, element: std::fmt::Arguments<'_>) {
        // Writing to a text does not fail.
        let _ = self.out.write_fmt(element);
        self.out.push('\n');
    }

    fn text(&mut self, x: f64, y: f64, more: &str, text: &str) {
        let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        self.add(format_args!(r#"<text x="{x:.1}" y="{y:.1}" {more}>{text}</text>"#));
    }

    fn frame(&mut self, calls: usize) {
        for (mark, text) in self.y.marks() {
            let y = self.y.place(mark);
            self.add(format_args!(r##"<line x1="{LEFT}" y1="{y:.1}" x2="{RIGHT}" y2="{y:.1}" stroke="#e4e4e4"/>"##));
            self.text(LEFT - 8.0, y + 4.0, r#"text-anchor="end""#, &text);
        }
        for (mark, text) in self.x.marks() {
            let x = self.x.place(mark);
            self.add(format_args!(r##"<line x1="{x:.1}" y1="{TOP}" x2="{x:.1}" y2="{BOTTOM}" stroke="#e4e4e4"/>"##));
            self.text(x, BOTTOM + 18.0, r#"text-anchor="middle""#, &text);
        }
        self.add(format_args!(r##"<path d="M{LEFT} {TOP}V{BOTTOM}H{RIGHT}" fill="none" stroke="#333333"/>"##));
        let title = format!("Cost and quality of {calls} call{}", if calls == 1 { "" } else { "s" });
        self.text(LEFT, 24.0, r#"font-size="15" font-weight="bold""#, &title);
        let scale = if self.x.logarithmic { ", logarithmic" } else { "" };
        self.text((LEFT + RIGHT) / 2.0, BOTTOM + 40.0, r#"text-anchor="middle""#, &format!("US dollars per 1000 calls{scale}"));
        let middle = (TOP + BOTTOM) / 2.0;
        let turned = format!(r#"text-anchor="middle" transform="rotate(-90 20 {middle})""#);
        self.text(20.0, middle, &turned, "quality, by the catalogue's figures");
    }

    fn line(&mut self, points: &[Point], colour: &str) {
        let places: Vec<(f64, f64)> = points.iter().map(|point| self.at(point)).collect();
        let line: Vec<String> = places.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        self.add(format_args!(r#"<polyline points="{}" fill="none" stroke="{colour}" stroke-opacity="0.6"/>"#, line.join(" ")));
        for (x, y) in places {
            self.add(format_args!(r#"<circle cx="{x:.1}" cy="{y:.1}" r="2" fill="{colour}"/>"#));
        }
    }

    fn square(&mut self, point: &Point) {
        let (x, y) = self.at(point);
        self.add(format_args!(
            r#"<rect x="{:.1}" y="{:.1}" width="9" height="9" fill="white" stroke="{GREY}" stroke-width="1.5"/>"#,
            x - 4.5,
            y - 4.5
        ));
    }

    fn circle(&mut self, point: &Point, colour: &str) {
        let (x, y) = self.at(point);
        self.add(format_args!(r#"<circle cx="{x:.1}" cy="{y:.1}" r="5.5" fill="{colour}"/>"#));
    }

    fn cross(&mut self, point: &Point, colour: &str) {
        let (x, y) = self.at(point);
        self.add(format_args!(r#"<path d="M{:.1} {:.1}l10 10m0 -10l-10 10" stroke="{colour}" stroke-width="2"/>"#, x - 5.0, y - 5.0));
    }

    /// The intervals of both figures.
    fn whiskers(&mut self, point: &Point, colour: &str) {
        let (x, y) = self.at(point);
        let (left, right) = (self.x.place(point.usd_per_1000.low), self.x.place(point.usd_per_1000.high));
        let (bottom, top) = (self.y.place(point.quality.low), self.y.place(point.quality.high));
        self.add(format_args!(
            r#"<path d="M{left:.1} {y:.1}H{right:.1}M{x:.1} {bottom:.1}V{top:.1}" stroke="{colour}" stroke-opacity="0.45"/>"#
        ));
    }

    /// A word beside a point, where it covers least.
    fn label(&mut self, point: &Point, colour: &str, bold: bool) {
        let (x, y) = self.at(point);
        let wide = point.label.chars().count() as f64 * LETTER;
        let places = [
            (x + 9.0, y - 5.0),
            (x + 9.0, y + LINE),
            (x - 9.0 - wide, y - 5.0),
            (x - 9.0 - wide, y + LINE),
            (x - wide / 2.0, y - LINE),
            (x - wide / 2.0, y + 2.0 * LINE),
            (x + 9.0, y - 5.0 - LINE),
            (x + 9.0, y + 2.0 * LINE),
        ];
        let area = |(left, base): (f64, f64)| [left, base - 10.0, left + wide, base + 3.0];
        let covered = |place: &(f64, f64)| {
            let own = area(*place);
            let outside = own[0] < LEFT || own[2] > RIGHT || own[1] < TOP || own[3] > BOTTOM;
            let overlap = |other: &[f64; 4]| {
                (own[2].min(other[2]) - own[0].max(other[0])).max(0.0) * (own[3].min(other[3]) - own[1].max(other[1])).max(0.0)
            };
            self.taken.iter().map(overlap).sum::<f64>() + if outside { 1e6 } else { 0.0 }
        };
        let best = places.iter().min_by(|a, b| covered(a).total_cmp(&covered(b))).copied().unwrap_or(places[0]);
        self.taken.push(area(best));
        let weight = if bold { r#" font-weight="bold""# } else { "" };
        // A rim of white keeps lines out of the letters.
        let rim = r#"stroke="white" stroke-width="3" stroke-linejoin="round" paint-order="stroke""#;
        self.text(best.0, best.1, &format!(r#"fill="{colour}" {rim}{weight}"#), &point.label);
    }

    fn legend(&mut self, figure: &Figure) {
        let own = if figure.series.len() == 1 { "the policy" } else { "the policies" };
        let entries = [
            format!("● {own}, 95 % intervals"),
            "× the control: its models at random, each as often, for the same money".to_owned(),
            "□ one model for every call it can take".to_owned(),
            "– the policy with another λ for quality per dollar".to_owned(),
        ];
        for (at, entry) in entries.iter().enumerate() {
            let (column, line) = (at % 2, at / 2);
            self.text(LEFT + column as f64 * 236.0, BOTTOM + 66.0 + line as f64 * 18.0, r##"fill="#333333""##, entry);
        }
    }

    fn finish(self) -> String {
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" width=\"{WIDTH}\" height=\"{HEIGHT}\" \
             font-family=\"sans-serif\" font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n{}</svg>\n",
            self.out
        )
    }
}
