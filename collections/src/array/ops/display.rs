//! How an array shows itself: `{}` is a small picture of its chunks, `{:?}` one line. Neither runs anything.

use std::fmt;

use bytesize::ByteSize;

use crate::array::lower::plan;
use crate::array::meta::Meta;
use crate::array::{AnyArray, DArray, Element};

/// Chunks that are drawn beside each other.
const DRAWN: usize = 3;

impl<T: Element> fmt::Display for DArray<T> {
    /// Kind, shape, chunks, bytes, tasks; and beside it how the last two axes are cut.
    ///
    /// ```
    /// use partita::prelude::*;
    /// let x = DArray::<f64>::zeros([10_000, 10_000], [1_000, 1_000]);
    /// assert_eq!(x.to_string(), "\
    /// DArray<f64>  (10000, 10000)  762.9 MiB   ┌────┬────┬────┬─…
    /// chunks       (1000, 1000)    7.6 MiB     │    │    │    │
    ///              100 chunks, 1 layer         ├────┼────┼────┼─…  10000");
    /// ```
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        draw(f, "DArray", self.untyped())
    }
}

impl fmt::Display for AnyArray {
    /// As of a typed array.
    ///
    /// ```
    /// use partita::prelude::*;
    /// let any = DArray::<u8>::zeros([4, 6], 4).to_any();
    /// assert!(any.to_string().starts_with("AnyArray<u8>  (4, 6)  24 B"), "{any}");
    /// assert_eq!(format!("{any:?}"), "AnyArray<full, shape=(4, 6), dtype=u8, chunksize=(4, 4)>");
    /// ```
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        draw(f, "AnyArray", self)
    }
}

fn draw(f: &mut fmt::Formatter<'_>, of: &str, array: &AnyArray) -> fmt::Result {
    let meta = match array.meta() {
        Ok(meta) => meta,
        Err(failure) => return write!(f, "{failure}"),
    };
    let count = |n: usize, word: &str| format!("{n} {word}{}", if n == 1 { "" } else { "s" });
    let blocks = meta.blocks().unwrap_or(0) as usize;
    let layers = plan(array).map_or(0, |graph| graph.layers.len());
    let (kind, shape, chunks) = (format!("{of}<{}>", meta.dtype), meta.show_shape(), meta.show_chunks());
    let (first, second) = (kind.chars().count().max(6), shape.len().max(chunks.len()));
    let lines = [
        format!("{kind:first$}  {shape:second$}  {}", bytes(meta.nbytes())),
        format!("{:first$}  {chunks:second$}  {}", "chunks", bytes(meta.largest_block())),
        format!("{:first$}  {}, {}", "", count(blocks, "chunk"), count(layers, "layer")),
    ];
    let width = lines.iter().map(|line| line.chars().count()).max().unwrap_or(0);
    for (at, (line, drawn)) in lines.iter().zip(picture(meta)).enumerate() {
        let text = format!("{line:width$}   {drawn}");
        write!(f, "{}{}", if at == 0 { "" } else { "\n" }, text.trim_end())?;
    }
    Ok(())
}

fn bytes(bytes: Option<u64>) -> String {
    bytes.map_or_else(|| "?".into(), |bytes| ByteSize::b(bytes).to_string())
}

/// Three lines: the upper edge of the first chunks of the last two axes, their inside, and the edge below.
fn picture(meta: &Meta) -> [String; 3] {
    let Some(columns) = meta.cuts.last() else { return [String::new(), String::new(), String::new()] };
    let rows = meta.ndim().checked_sub(2).map(|axis| &meta.cuts[axis]);
    let drawn = columns.count().min(DRAWN);
    let more = columns.count() > DRAWN;
    let edge = |left: &str, inner: &str, right: &str| {
        let cells = vec!["────"; drawn].join(inner);
        if more { format!("{left}{cells}{inner}─…") } else { format!("{left}{cells}{right}") }
    };
    let below = if rows.is_some_and(|rows| rows.count() > 1) { edge("├", "┼", "┤") } else { edge("└", "┴", "┘") };
    let height = rows.map_or_else(String::new, |rows| rows.len().map_or_else(|| "  ?".into(), |len| format!("  {len}")));
    [edge("┌", "┬", "┐"), format!("│{}", "    │".repeat(drawn)), below + &height]
}

impl<T: Element> fmt::Debug for DArray<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        line(f, "DArray", self.untyped())
    }
}

impl fmt::Debug for AnyArray {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        line(f, "AnyArray", self)
    }
}

fn line(f: &mut fmt::Formatter<'_>, of: &str, array: &AnyArray) -> fmt::Result {
    let step = array.node().step.line();
    let step = step.split(' ').next().unwrap_or_default();
    match array.meta() {
        Ok(meta) => write!(f, "{of}<{step}, shape={}, dtype={}, chunksize={}>", meta.show_shape(), meta.dtype, meta.show_chunks()),
        Err(failure) => write!(f, "{of}<{}>", failure.code),
    }
}
