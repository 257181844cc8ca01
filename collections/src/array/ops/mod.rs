//! Operations on arrays, one a file: user doc, the method, the shape rule, the lowering, the operator.

pub(crate) mod arithmetic;
pub(crate) mod cast;
pub(crate) mod compare;
pub(crate) mod compress;
pub(crate) mod compute;
pub(crate) mod diag;
pub(crate) mod display;
pub(crate) mod elementwise;
pub(crate) mod explain;
pub(crate) mod from_array;
pub(crate) mod from_fn;
pub(crate) mod functions;
pub(crate) mod look;
pub(crate) mod make;
pub(crate) mod mapv;
pub(crate) mod persist;
pub(crate) mod rechunk;
pub(crate) mod sizes;
pub(crate) mod transpose;
pub(crate) mod where_;
