//! Only the columns that somebody needs are made, and only those are read.

use partita_graph::Failure;

use crate::frame::DFrame;
use crate::frame::expr::Names;

/// Narrows every step to what is wanted of it. The last step keeps all its columns.
pub(super) fn push(frame: &DFrame) -> Result<DFrame, Failure> {
    let wanted = frame.resolved()?.iter_names().cloned().collect();
    narrow(frame, &wanted)
}

fn narrow(frame: &DFrame, wanted: &Names) -> Result<DFrame, Failure> {
    let node = frame.node();
    let step = node.step.narrow(wanted).unwrap_or_else(|| node.step.clone());
    let inputs = node.inputs.iter().enumerate().map(|(at, input)| {
        let needed = step.needs_of(at, wanted, input.resolved()?);
        narrow(input, &needed)
    });
    let inputs = inputs.collect::<Result<Vec<_>, Failure>>()?;
    Ok(frame.rebuilt(step, inputs))
}
