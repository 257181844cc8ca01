//! A graph as a picture, in a file: SVG, HTML, Graphviz' dot or Mermaid.
//!
//! It refuses to know operators, and needs no other program: the layout is its own. All four formats draw the same
//! [`Picture`], so they agree on what is shown: single tasks while there are few, else one box for each layer.

mod dot;
mod html;
mod layout;
mod mermaid;
mod picture;
mod svg;

use std::path::Path;

use crate::{Code, Failure, Graph};
use picture::Picture;

impl Graph {
    /// Draws the graph into a file. The extension says how: `.svg`, `.html` (the picture with the plan's text, in one
    /// page that needs no network), `.dot` (for Graphviz) or `.mmd` (for Mermaid).
    ///
    /// Up to 200 tasks are drawn one by one, more than that as one box for each layer.
    ///
    /// # Errors
    ///
    /// [`Code::InvalidOption`] for another extension, [`Code::Unreadable`] when the file cannot be written.
    ///
    /// ```
    /// use partita_graph::{Chunk, Code, Graph, Layer, OpRef, Plain};
    ///
    /// let number = OpRef::closure("number", 1, |ctx, _| Ok(Chunk::new(Plain(i64::from(ctx.key.index)))));
    /// let mut graph = Graph::default();
    /// let numbers = graph.add(Layer::single("numbers", 3, number, vec![]));
    /// graph.want_all(numbers);
    /// let path = std::env::temp_dir().join(format!("numbers-{}.svg", std::process::id()));
    /// graph.visualize(&path)?;
    /// assert!(std::fs::read_to_string(&path).is_ok_and(|text| text.starts_with("<svg")));
    /// assert_eq!(graph.visualize("numbers.bmp").unwrap_err().code, Code::InvalidOption);
    /// # std::fs::remove_file(path).ok();
    /// # Ok::<(), partita_graph::Failure>(())
    /// ```
    pub fn visualize(&self, path: impl AsRef<Path>) -> Result<(), Failure> {
        let path = path.as_ref();
        let extension = path.extension().and_then(|e| e.to_str()).unwrap_or("").to_ascii_lowercase();
        let text = match extension.as_str() {
            "svg" => svg::svg(&Picture::of(self)),
            "html" => html::html(&Picture::of(self), &self.explain()),
            "dot" => dot::dot(&Picture::of(self)),
            "mmd" => mermaid::mermaid(&Picture::of(self)),
            _ => {
                let what = format!("a graph cannot be drawn as `{}`", path.display());
                return Err(Failure::new(Code::InvalidOption, what)
                    .detail("formats", "`.svg`, `.html`, `.dot`, `.mmd`")
                    .help("give the file one of these extensions, for example `plan.svg`"));
            }
        };
        std::fs::write(path, text).map_err(|e| {
            Failure::new(Code::Unreadable, format!("the picture could not be written to `{}`", path.display()))
                .detail("reason", e.to_string())
        })
    }
}

/// `text` cut to `limit` characters, with an ellipsis where something is missing.
fn cut(text: &str, limit: usize) -> String {
    match text.chars().count() <= limit {
        true => text.to_string(),
        false => text.chars().take(limit.saturating_sub(1)).chain(['…']).collect(),
    }
}

/// Text as it stands in XML, in content and in attributes. Characters that XML does not allow become U+FFFD.
fn xml(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\n' | '\t' => out.push(c),
            c if c.is_control() || c == '\u{fffe}' || c == '\u{ffff}' => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}
