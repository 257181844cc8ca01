//! A picture in Graphviz' language.

use std::fmt::Write;

use super::cut;
use super::picture::{Kind, Picture};

/// The whole file.
pub(super) fn dot(picture: &Picture) -> String {
    let mut out = String::from("digraph partita {\n  rankdir=TB;\n");
    out.push_str("  node [shape=box, style=\"rounded,filled\", fontname=\"Helvetica\", fontsize=11];\n");
    out.push_str("  edge [color=\"#94a3b8\", fontname=\"Helvetica\", fontsize=10];\n");
    for (at, node) in picture.nodes.iter().enumerate() {
        let mut label = escaped(format!("{}  {}", cut(&node.title, 60), node.count).trim_end());
        for line in &node.lines {
            // `\l` ends a line and puts it to the left.
            label = format!("{label}\\l{}", escaped(&cut(line, 80)));
        }
        if !node.lines.is_empty() {
            label.push_str("\\l");
        }
        let (fill, line) = match node.kind {
            Kind::Source => ("#eff6ff", "#3b82f6"),
            Kind::Inner => ("#f8fafc", "#94a3b8"),
            Kind::Wanted => ("#f0fdf4", "#16a34a"),
            Kind::Kept => ("#fefce8", "#ca8a04"),
        };
        let tooltip = escaped(&node.tooltip);
        let _ = writeln!(out, "  n{at} [label=\"{label}\", tooltip=\"{tooltip}\", fillcolor=\"{fill}\", color=\"{line}\"];");
    }
    for link in &picture.links {
        match link.label.is_empty() {
            true => _ = writeln!(out, "  n{} -> n{};", link.from, link.to),
            false => _ = writeln!(out, "  n{} -> n{} [label=\"{}\"];", link.from, link.to, escaped(&link.label)),
        }
    }
    out.push_str("}\n");
    out
}

/// Text inside a quoted string, where a backslash begins an escape of Graphviz' own and `&` an HTML entity.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '&' => out.push_str("&amp;"),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}
