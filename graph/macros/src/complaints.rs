//! Mistakes, collected, so that one compilation tells all of them.
//!
//! It refuses to know what a mistake is. The invariant: each keeps the place where it was found.

use std::fmt::Display;

use quote::ToTokens;
use syn::Error;

#[derive(Default)]
pub struct Complaints(Option<Error>);

impl Complaints {
    /// A sentence about these tokens, which the compiler underlines.
    pub fn about(&mut self, tokens: impl ToTokens, sentence: impl Display) {
        self.add(Error::new_spanned(tokens, sentence));
    }

    /// What was read, or the default in its place when there was a mistake.
    pub fn keep<T: Default>(&mut self, read: syn::Result<T>) -> T {
        read.unwrap_or_else(|error| {
            self.add(error);
            T::default()
        })
    }

    /// All mistakes as one error, when there are any.
    pub fn end(self) -> syn::Result<()> {
        self.0.map_or(Ok(()), Err)
    }

    fn add(&mut self, error: Error) {
        match &mut self.0 {
            Some(first) => first.combine(error),
            None => self.0 = Some(error),
        }
    }
}
