//! Decoders of others on bytes of strangers: what they refuse, and what makes them panic, becomes one kind of error.
//!
//! It refuses to judge what was wrong. Invariant: no panic of the called decoder leaves; the error names the file.

use std::any::Any;
use std::fmt::Display;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::error::{Error, ErrorKind, Place, Result};

/// A file that does not hold what its format says, at a byte if that is known.
pub(crate) fn damaged(name: &str, byte: Option<u64>, what: impl Into<String>) -> Error {
    Error::at(ErrorKind::Damaged { what: what.into() }, Place { file: name.to_owned(), byte, ..Place::default() })
}

/// Calls a decoder on the bytes at `byte` of a file.
pub(crate) fn guarded<T, E: Display>(name: &str, byte: Option<u64>, decode: impl FnOnce() -> std::result::Result<T, E>) -> Result<T> {
    let what = match catch_unwind(AssertUnwindSafe(decode)) {
        Ok(Ok(value)) => return Ok(value),
        Ok(Err(error)) => error.to_string(),
        Err(panic) => words(&*panic),
    };
    Err(damaged(name, byte, what))
}

fn words(panic: &(dyn Any + Send)) -> String {
    match (panic.downcast_ref::<&str>(), panic.downcast_ref::<String>()) {
        (Some(text), _) => (*text).to_owned(),
        (None, Some(text)) => text.clone(),
        (None, None) => "the decoder gave up".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_and_panics_become_errors_with_their_words() {
        let good = guarded("f", None, || Ok::<_, String>(1));
        assert_eq!(good, Ok(1));
        let refused = guarded("f", Some(7), || Err::<(), _>("no footer")).unwrap_err();
        assert_eq!((refused.kind(), refused.place().byte), (&ErrorKind::Damaged { what: "no footer".into() }, Some(7)));
        let index = std::hint::black_box(3);
        let panicked = guarded("f", None, || Ok::<_, String>([1, 2][index % 4])).unwrap_err();
        assert!(matches!(panicked.kind(), ErrorKind::Damaged { what } if what.contains("index")), "{panicked:?}");
    }
}
