//! A picture in Mermaid's language, which GitHub and many wikis draw by themselves.

use std::fmt::Write;

use super::cut;
use super::picture::Picture;

/// The whole file.
pub(super) fn mermaid(picture: &Picture) -> String {
    let mut out = String::from("flowchart TD\n");
    for (at, node) in picture.nodes.iter().enumerate() {
        let mut label = escaped(format!("{}  {}", cut(&node.title, 60), node.count).trim_end());
        for line in &node.lines {
            label = format!("{label}<br/>{}", escaped(&cut(line, 80)));
        }
        let _ = writeln!(out, "  n{at}(\"{label}\"):::{}", node.kind.word());
    }
    for link in &picture.links {
        match link.label.is_empty() {
            true => _ = writeln!(out, "  n{} --> n{}", link.from, link.to),
            false => _ = writeln!(out, "  n{} -->|\"{}\"| n{}", link.from, escaped(&link.label), link.to),
        }
    }
    out.push_str("  classDef source fill:#eff6ff,stroke:#3b82f6,color:#0f172a\n");
    out.push_str("  classDef inner fill:#f8fafc,stroke:#94a3b8,color:#0f172a\n");
    out.push_str("  classDef wanted fill:#f0fdf4,stroke:#16a34a,color:#0f172a\n");
    out.push_str("  classDef kept fill:#fefce8,stroke:#ca8a04,color:#0f172a,stroke-dasharray:5 3\n");
    out
}

/// Everything that could mean something to Mermaid, to Markdown inside of it or to HTML, as a numbered entity: `#34;`.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            c if c.is_control() => out.push(' '),
            c if c.is_alphanumeric() || !c.is_ascii() || " _.,:=+-/()?%$".contains(c) => out.push(c),
            c => _ = write!(out, "#{};", c as u32),
        }
    }
    out
}
