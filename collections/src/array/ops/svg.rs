//! `to_svg` and `to_html`: a picture of an array and of how it is cut. Neither runs anything.

use std::fmt::Write;

use bytesize::ByteSize;
use partita_graph::Failure;

use crate::array::lower::plan;
use crate::array::meta::{Cuts, Meta, bounds, tuple};
use crate::array::{DArray, Element};

impl<T: Element> DArray<T> {
    /// A picture of the last three axes and of their chunks, as SVG. Lengths that are not known are drawn as dashes.
    ///
    /// ```
    /// use partita::prelude::*;
    /// let picture = DArray::<f64>::zeros([300, 200], [100, 50]).to_svg()?;
    /// assert!(picture.starts_with("<svg") && picture.contains(">300</text>"));
    /// // Four edges of the whole, and two and three lines between chunks.
    /// assert_eq!(picture.matches("<line").count(), 4 + 2 + 3);
    /// # Ok::<(), partita::Error>(())
    /// ```
    ///
    /// # Errors
    /// The failure of the first step that does not fit.
    pub fn to_svg(&self) -> Result<String, Failure> {
        Ok(Drawing::of(self.untyped().meta()?).svg(&format!("{self:?}")))
    }

    /// What there is to say of an array, as a table of HTML with its picture beside it: for pages and notebooks.
    ///
    /// ```
    /// use partita::prelude::*;
    /// let table = DArray::<f64>::zeros([300, 200], [100, 50]).to_html()?;
    /// assert!(table.contains("<td>(300, 200)</td>") && table.contains("12 chunks"));
    /// # Ok::<(), partita::Error>(())
    /// ```
    ///
    /// # Errors
    /// The failure of the first step that does not fit.
    #[doc(alias = "_repr_html_")]
    pub fn to_html(&self) -> Result<String, Failure> {
        let meta = self.untyped().meta()?;
        let bytes = |bytes: Option<u64>| bytes.map_or_else(|| "?".into(), |bytes| ByteSize::b(bytes).to_string());
        let layers = plan(self.untyped())?.layers.len();
        let rows = [
            ["bytes".to_string(), bytes(meta.nbytes()), bytes(meta.largest_block())],
            ["shape".to_string(), meta.show_shape(), meta.show_chunks()],
            ["count".to_string(), counted(meta.blocks()?.into(), "chunk"), counted(layers as u64, "layer")],
            ["type".to_string(), meta.dtype.to_string(), format!("grid {}", tuple(meta.grid()))],
        ];
        let mut table = "<table>\n<tr><th></th><th>array</th><th>chunk</th></tr>\n".to_string();
        for [name, whole, chunk] in rows {
            writeln!(table, "<tr><th>{name}</th><td>{}</td><td>{}</td></tr>", escaped(&whole), escaped(&chunk))
                .expect("text takes everything");
        }
        table += "</table>";
        Ok(format!("<div style=\"display: flex; gap: 24px; align-items: center\">\n{table}\n{}</div>\n", self.to_svg()?))
    }
}

fn counted(n: u64, word: &str) -> String {
    format!("{n} {word}{}", if n == 1 { "" } else { "s" })
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// The longest side, and the shortest, in pixels.
const LONGEST: f64 = 200.0;
const SHORTEST: f64 = 24.0;
/// Around the picture, where lengths are written.
const MARGIN: f64 = 64.0;
/// The axis that goes into the picture is drawn shorter, to the right and upwards.
const BACK: (f64, f64) = (0.5, 0.35);
/// Of more lines along an axis only so many are drawn.
const MOST_LINES: usize = 48;

const STYLE: &str = "\
.partita-array line { stroke: #3b82f6; stroke-width: 1; }
.partita-array .edge { stroke-width: 2; }
.partita-array .unknown { stroke-dasharray: 4 3; }
.partita-array polygon { fill: #dbeafe; stroke: none; }
.partita-array .top { fill: #eff6ff; } .partita-array .side { fill: #bfdbfe; }
.partita-array text { font: 12px system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif; fill: #334155; text-anchor: middle; }
@media (prefers-color-scheme: dark) {
.partita-array polygon { fill: #1e3a8a; } .partita-array .top { fill: #1d4ed8; } .partita-array .side { fill: #172554; }
.partita-array line { stroke: #93c5fd; }
.partita-array text { fill: #cbd5e1; }
}
";

/// One axis: how long it is drawn, where lines between its chunks are, and what is written beside it.
struct Side {
    length: f64,
    lines: Vec<f64>,
    label: String,
    known: bool,
}

impl Side {
    fn of(cuts: &Cuts, longest: usize) -> Self {
        let share = cuts.len().map_or(0.6, |len| len as f64 / longest.max(1) as f64);
        let length = (share * LONGEST).clamp(SHORTEST, LONGEST);
        let ends: Vec<f64> = match cuts.sizes() {
            Some(sizes) => {
                let ends = bounds(sizes);
                let whole = ends[ends.len() - 1].max(1) as f64;
                ends[1..ends.len() - 1].iter().map(|end| *end as f64 / whole).collect()
            }
            None => (1..cuts.count()).map(|at| at as f64 / cuts.count() as f64).collect(),
        };
        let step = ends.len().div_ceil(MOST_LINES).max(1);
        let lines = ends.into_iter().step_by(step).map(|share| share * length).collect();
        Self { length, lines, label: cuts.len().map_or_else(|| "?".into(), |len| len.to_string()), known: cuts.len().is_some() }
    }

    /// An axis that the array does not have.
    fn none(length: f64) -> Self {
        Self { length, lines: Vec::new(), label: String::new(), known: true }
    }
}

/// The last three axes of an array.
struct Drawing {
    columns: Side,
    rows: Side,
    depth: Option<Side>,
    /// What is said of the axes before them.
    ahead: String,
}

impl Drawing {
    fn of(meta: &Meta) -> Self {
        let from = meta.ndim().saturating_sub(3);
        let longest = meta.cuts[from..].iter().filter_map(Cuts::len).max().unwrap_or(1);
        let mut sides = meta.cuts[from..].iter().rev().map(|cuts| Side::of(cuts, longest));
        let columns = sides.next().unwrap_or_else(|| Side::none(SHORTEST));
        let rows = sides.next().unwrap_or_else(|| Side::none(SHORTEST));
        let depth = sides.next();
        let lens = meta.lens()[..from].iter().map(|len| len.map_or_else(|| "?".into(), |len| len.to_string())).collect::<Vec<String>>();
        let ahead = if from == 0 { String::new() } else { format!("{} of these", lens.join(" × ")) };
        Self { columns, rows, depth, ahead }
    }

    fn svg(&self, title: &str) -> String {
        let back = self.depth.as_ref().map_or((0.0, 0.0), |depth| (depth.length * BACK.0, depth.length * BACK.1));
        let (width, height) = (self.columns.length + back.0 + 2.0 * MARGIN, self.rows.length + back.1 + MARGIN);
        let (left, top) = (MARGIN, MARGIN / 2.0 + back.1);
        let mut out = String::new();
        let view = format!("viewBox=\"0 0 {width:.0} {height:.0}\" width=\"{width:.0}\" height=\"{height:.0}\"");
        out += &format!("<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"partita-array\" role=\"img\" {view}>\n");
        out += &format!("<title>{}</title>\n<style>\n{STYLE}</style>\n", escaped(title));
        let (right, bottom) = (left + self.columns.length, top + self.rows.length);
        let mut pen = Pen { out };
        pen.face("front", (left, top), (self.columns.length, 0.0), (0.0, self.rows.length), [&self.columns, &self.rows]);
        if let Some(depth) = &self.depth {
            // Both faces begin where the depth axis does: at the front.
            pen.face("top", (left, top), (self.columns.length, 0.0), (back.0, -back.1), [&self.columns, depth]);
            pen.face("side", (right, top), (back.0, -back.1), (0.0, self.rows.length), [depth, &self.rows]);
            pen.text((left + back.0 / 2.0 - 20.0, top - back.1 / 2.0), &depth.label);
        }
        pen.text(((left + right) / 2.0, bottom + 18.0), &self.columns.label);
        pen.text((left - 26.0, (top + bottom) / 2.0 + 4.0), &self.rows.label);
        pen.text((width / 2.0, 14.0), &self.ahead);
        pen.out + "</svg>\n"
    }
}

/// Draws into text.
struct Pen {
    out: String,
}

type Point = (f64, f64);

impl Pen {
    fn line(&mut self, from: Point, along: Point, class: &str) {
        let to = (from.0 + along.0, from.1 + along.1);
        let ends = format!("x1=\"{:.1}\" y1=\"{:.1}\" x2=\"{:.1}\" y2=\"{:.1}\"", from.0, from.1, to.0, to.1);
        writeln!(self.out, "<line{class} {ends}/>").expect("text takes everything");
    }

    fn text(&mut self, at: Point, text: &str) {
        if !text.is_empty() {
            writeln!(self.out, "<text x=\"{:.1}\" y=\"{:.1}\">{}</text>", at.0, at.1, escaped(text)).expect("text takes everything");
        }
    }

    /// A parallelogram, its edges, and across it the lines between the chunks of both axes.
    fn face(&mut self, class: &str, start: Point, first: Point, second: Point, sides: [&Side; 2]) {
        let corner = |a: f64, b: f64| (start.0 + a * first.0 + b * second.0, start.1 + a * first.1 + b * second.1);
        let corners = [corner(0.0, 0.0), corner(1.0, 0.0), corner(1.0, 1.0), corner(0.0, 1.0)];
        let points: Vec<String> = corners.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        writeln!(self.out, "<polygon class=\"{class}\" points=\"{}\"/>", points.join(" ")).expect("text takes everything");
        for (side, from, across, along) in [(sides[0], 0, second, first), (sides[1], 1, first, second)] {
            let class = if side.known { "" } else { " class=\"unknown\"" };
            for at in &side.lines {
                let share = at / side.length;
                let from = (start.0 + share * along.0, start.1 + share * along.1);
                self.line(from, across, class);
            }
            let other = sides[1 - from];
            let class = if other.known { " class=\"edge\"" } else { " class=\"edge unknown\"" };
            self.line(start, across, class);
            self.line((start.0 + along.0, start.1 + along.1), across, class);
        }
    }
}
