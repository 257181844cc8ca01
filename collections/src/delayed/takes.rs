//! Which arguments a task takes that a method is given.

/// The arguments of a task that takes a `First`, and a `Second` behind it if it wants one: of a block and its
/// [`BlockInfo`](crate::BlockInfo), of a block and the axes that are reduced.
#[diagnostic::on_unimplemented(
    message = "the task takes other arguments than it would be given here",
    label = "it takes {Self}",
    note = "it is given a {First}, and a {Second} behind it if it takes two arguments"
)]
pub trait MayTake<First, Second> {
    /// Whether it takes both.
    #[doc(hidden)]
    const BOTH: bool;
}

impl<First, Second> MayTake<First, Second> for (First,) {
    const BOTH: bool = false;
}

impl<First, Second> MayTake<First, Second> for (First, Second) {
    const BOTH: bool = true;
}
