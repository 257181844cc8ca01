//! A picture as SVG: readable in light and in dark, with tooltips, without scripts and without fonts of its own.

use std::fmt::Write;

use super::layout::{Layout, layout};
use super::picture::{Node, Picture};
use super::{cut, xml};

const MARGIN: f64 = 24.0;
const PAD: f64 = 14.0;
const TITLE_LINE: f64 = 18.0;
const STEP_LINE: f64 = 16.0;
/// Widths of a character: of the bold title, of the count and of the monospaced steps, on the safe side.
const TITLE_CHAR: f64 = 7.9;
const COUNT_CHAR: f64 = 6.9;
const STEP_CHAR: f64 = 6.7;
/// Longer lines are cut; the tooltip has them whole. In characters.
const MAX_TITLE: usize = 48;
const MAX_STEP: usize = 64;

const STYLE: &str = "\
.partita { color-scheme: light dark; font-family: system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif; }
.partita .ground { fill: #ffffff; }
.partita .link { fill: none; stroke: #94a3b8; stroke-width: 1.4; }
.partita .head { fill: #94a3b8; }
.partita .wiring { font-size: 11px; fill: #64748b; text-anchor: middle; paint-order: stroke; stroke: #ffffff; stroke-width: 5px; stroke-linejoin: round; }
.partita .box { stroke-width: 1.4; }
.partita .title { font-size: 13px; font-weight: 600; fill: #0f172a; }
.partita .count { font-size: 12px; fill: #475569; text-anchor: end; }
.partita .step { font-family: ui-monospace, 'SF Mono', Menlo, Consolas, 'DejaVu Sans Mono', monospace; font-size: 11px; fill: #334155; white-space: pre; }
.partita .rule { stroke-width: 1; opacity: 0.35; }
.partita .source .box { fill: #eff6ff; } .partita .source .box, .partita .source .rule { stroke: #3b82f6; }
.partita .inner .box { fill: #f8fafc; } .partita .inner .box, .partita .inner .rule { stroke: #94a3b8; }
.partita .wanted .box { fill: #f0fdf4; } .partita .wanted .box, .partita .wanted .rule { stroke: #16a34a; }
.partita .kept .box { fill: #fefce8; stroke-dasharray: 5 3; } .partita .kept .box, .partita .kept .rule { stroke: #ca8a04; }
@media (prefers-color-scheme: dark) {
.partita .ground { fill: #0f172a; }
.partita .link { stroke: #64748b; }
.partita .head { fill: #64748b; }
.partita .wiring { fill: #94a3b8; stroke: #0f172a; }
.partita .title { fill: #f1f5f9; }
.partita .count { fill: #94a3b8; }
.partita .step { fill: #cbd5e1; }
.partita .source .box { fill: #172554; }
.partita .inner .box { fill: #1e293b; } .partita .inner .box, .partita .inner .rule { stroke: #64748b; }
.partita .wanted .box { fill: #052e16; }
.partita .kept .box { fill: #422006; }
}
";

/// The whole file.
pub(super) fn svg(picture: &Picture) -> String {
    let sizes: Vec<(f64, f64)> = picture.nodes.iter().map(size).collect();
    let links: Vec<(usize, usize)> = picture.links.iter().map(|link| (link.from, link.to)).collect();
    let layout = layout(&sizes, &links);
    let (width, height) = (layout.width + 2.0 * MARGIN, layout.height + 2.0 * MARGIN);
    let mut out = String::new();
    let view = format!("viewBox=\"0 0 {width:.0} {height:.0}\" width=\"{width:.0}\" height=\"{height:.0}\"");
    let _ = writeln!(out, "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"partita\" role=\"img\" {view}>");
    let _ = writeln!(out, "<title>Task graph</title>\n<style>\n{STYLE}</style>");
    let _ = writeln!(out, "<rect class=\"ground\" width=\"100%\" height=\"100%\"/>");
    let _ = writeln!(out, "<g transform=\"translate({MARGIN} {MARGIN})\">");
    draw_links(picture, &layout, &mut out);
    for ((node, corner), size) in picture.nodes.iter().zip(&layout.corners).zip(&sizes) {
        draw_node(node, *corner, *size, &mut out);
    }
    draw_labels(picture, &layout, &mut out);
    out.push_str("</g>\n</svg>\n");
    out
}

/// Characters take one column, those of East Asian scripts and pictures two.
fn columns(text: &str) -> f64 {
    text.chars().map(|c| if c as u32 >= 0x1100 && !('\u{2000}'..='\u{2bff}').contains(&c) { 2.0 } else { 1.0 }).sum()
}

fn size(node: &Node) -> (f64, f64) {
    let gap = if node.count.is_empty() { 0.0 } else { 18.0 };
    let title = columns(&cut(&node.title, MAX_TITLE)) * TITLE_CHAR + gap + columns(&node.count) * COUNT_CHAR;
    let steps = node.lines.iter().map(|line| columns(&cut(line, MAX_STEP)) * STEP_CHAR).fold(0.0, f64::max);
    let below = if node.lines.is_empty() { 0.0 } else { node.lines.len() as f64 * STEP_LINE + 10.0 };
    (title.max(steps) + 2.0 * PAD, TITLE_LINE + 16.0 + below)
}

fn draw_node(node: &Node, (x, y): (f64, f64), (width, height): (f64, f64), out: &mut String) {
    let _ = writeln!(out, "<g class=\"{}\"><title>{}</title>", node.kind.word(), xml(&node.tooltip));
    let _ = writeln!(out, "<rect class=\"box\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" rx=\"8\"/>");
    let base = y + 8.0 + TITLE_LINE * 0.74;
    let title = xml(&cut(&node.title, MAX_TITLE));
    let _ = writeln!(out, "<text class=\"title\" x=\"{:.1}\" y=\"{base:.1}\">{title}</text>", x + PAD);
    if !node.count.is_empty() {
        let _ = writeln!(out, "<text class=\"count\" x=\"{:.1}\" y=\"{base:.1}\">{}</text>", x + width - PAD, xml(&node.count));
    }
    if !node.lines.is_empty() {
        let rule = y + 8.0 + TITLE_LINE + 3.0;
        let _ = writeln!(out, "<line class=\"rule\" x1=\"{x:.1}\" x2=\"{:.1}\" y1=\"{rule:.1}\" y2=\"{rule:.1}\"/>", x + width);
        for (at, line) in node.lines.iter().enumerate() {
            let base = rule + 4.0 + STEP_LINE * (at as f64 + 0.78);
            let _ = writeln!(out, "<text class=\"step\" x=\"{:.1}\" y=\"{base:.1}\">{}</text>", x + PAD, xml(&cut(line, MAX_STEP)));
        }
    }
    out.push_str("</g>\n");
}

/// Length of an arrow's head. The line ends where the head begins, so that its blunt end does not show.
const HEAD: f64 = 7.0;

fn draw_links(picture: &Picture, layout: &Layout, out: &mut String) {
    for (link, way) in picture.links.iter().zip(&layout.ways) {
        let (Some(&first), Some(&(x, y))) = (way.first(), way.last()) else { continue };
        let mut path = format!("M{:.1} {:.1}", first.0, first.1);
        let mut from = first;
        for (step, &(to_x, to_y)) in way.iter().enumerate().skip(1) {
            let to_y = if step + 1 == way.len() { to_y - HEAD } else { to_y };
            let middle = (from.1 + to_y) / 2.0;
            match (to_x - from.0).abs() < 0.05 {
                true => _ = write!(path, "V{to_y:.1}"),
                false => _ = write!(path, "C{:.1} {middle:.1} {to_x:.1} {middle:.1} {to_x:.1} {to_y:.1}", from.0),
            }
            from = (to_x, to_y);
        }
        let _ = writeln!(out, "<path class=\"link\" d=\"{path}\"><title>{}</title></path>", xml(&between(picture, link.from, link.to)));
        let _ = writeln!(out, "<path class=\"head\" d=\"M{x:.1} {y:.1}l-3.6 -{HEAD}h7.2z\"/>");
    }
}

fn between(picture: &Picture, from: usize, to: usize) -> String {
    let name = |at: usize| format!("{} {}", picture.nodes[at].title, picture.nodes[at].count);
    format!("{} → {}", name(from).trim(), name(to).trim())
}

/// Labels stand over the lines, halfway between the last two ranks of a link.
fn draw_labels(picture: &Picture, layout: &Layout, out: &mut String) {
    for (link, way) in picture.links.iter().zip(&layout.ways) {
        let [.., (x1, y1), (x2, y2)] = way[..] else { continue };
        if !link.label.is_empty() {
            let (x, y) = ((x1 + x2) / 2.0, (y1 + y2 - HEAD) / 2.0 + 4.0);
            let _ = writeln!(out, "<text class=\"wiring\" x=\"{x:.1}\" y=\"{y:.1}\">{}</text>", xml(&link.label));
        }
    }
}
