//! How a frame shows itself: `{}` is a small picture, `{:?}` one line. Neither runs anything.

use std::fmt;

use crate::frame::DFrame;

impl fmt::Display for DFrame {
    /// Partitions, columns with their types, and the step that the frame is.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let schema = match self.resolved() {
            Ok(schema) => schema,
            Err(failure) => return write!(f, "{failure}"),
        };
        let partitions = self.npartitions().map_or_else(|_| "?".into(), |n| n.to_string());
        writeln!(f, "DFrame  {partitions} partitions  {} columns", schema.len())?;
        let width = schema.iter_names().map(|name| name.chars().count()).max().unwrap_or(0);
        for (name, dtype) in schema.iter() {
            writeln!(f, "  {name:width$}  {dtype}")?;
        }
        write!(f, "from {}", self.node().step.line())
    }
}

impl fmt::Debug for DFrame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let step = self.node().step.line();
        match self.resolved() {
            Ok(schema) => write!(f, "DFrame<{}, {} columns>", step.split(' ').next().unwrap_or_default(), schema.len()),
            Err(failure) => write!(f, "DFrame<{}>", failure.code),
        }
    }
}
