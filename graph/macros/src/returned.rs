//! What a function gives back: the type of its value, whether it can fail, and how to get the value from a call.
//!
//! It refuses to know who waits for the value. The invariant: the value owns all that it holds.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{GenericArgument, PathArguments, PathSegment, ReturnType, Signature, Type};

use crate::complaints::Complaints;
use crate::function::Kind;
use crate::written::{borrows, has_impl, last_segment, peeled};

pub struct Returned {
    /// The type of the value: `T` of a `Result<T, E>`.
    pub value: TokenStream,
    /// How many values it is, where it is a tuple of several.
    pub several: Option<usize>,
    fallible: bool,
    asynchronous: bool,
    /// Where the compiler should point when the error does not convert.
    span: Span,
}

impl Returned {
    /// The result of this function; a unit in its place when there was a mistake.
    pub fn read(kind: Kind, signature: &Signature, complaints: &mut Complaints) -> Self {
        let mut returned = Self {
            value: quote!(()),
            several: None,
            fallible: false,
            asynchronous: signature.asyncness.is_some(),
            span: Span::call_site(),
        };
        if let ReturnType::Type(_, written) = &signature.output {
            match judge(written) {
                Ok((value, fallible)) => {
                    (returned.value, returned.fallible) = (value.to_token_stream(), fallible);
                    returned.several = match peeled(value) {
                        Type::Tuple(tuple) => Some(tuple.elems.len()).filter(|values| *values > 1),
                        _ => None,
                    };
                }
                Err(sentence) => complaints.about(written, format!("the result of {} {sentence}", kind.noun())),
            }
            returned.span = written.span().resolved_at(Span::call_site());
        }
        returned
    }

    /// An expression of type `Result<value, ::partita::Error>` from one that calls the function.
    pub fn outcome(&self, call: &TokenStream) -> TokenStream {
        let awaited = if self.asynchronous { quote!(::partita::task_support::block_on(#call)) } else { call.clone() };
        if !self.fallible {
            return quote!(::core::result::Result::Ok(#awaited));
        }
        // The compiler blames the argument for an error that does not convert, so the argument stands at the user's type.
        let outcome = quote_spanned!(self.span=> ::partita::task_support::outcome_of(__returned));
        quote! {
            let __returned = #awaited;
            #outcome
        }
    }
}

/// The type of the value and whether it comes in a `Result`; or why it cannot be, as the end of a sentence.
fn judge(written: &Type) -> Result<(&Type, bool), &'static str> {
    if has_impl(written) {
        return Err("has a type that is written out, since others know it by that type; write a type in place of `impl`");
    }
    let result = last_segment(written).filter(|segment| segment.ident == "Result");
    let value = match result {
        Some(segment) => first_type(segment).ok_or("names its value, which the alias hides; write `Result<T, E>` with both types")?,
        None => written,
    };
    if matches!(peeled(value), Type::Never(_)) {
        return Err("is a value, and `!` has none; leave the arrow away where there is nothing to give");
    }
    if borrows(value) {
        return Err("owns all that it holds, since it outlives the call; write `String` for `&str`, `Vec<T>` for `&[T]`");
    }
    Ok((value, result.is_some()))
}

fn first_type(segment: &PathSegment) -> Option<&Type> {
    let PathArguments::AngleBracketed(arguments) = &segment.arguments else {
        return None;
    };
    arguments.args.iter().find_map(|argument| match argument {
        GenericArgument::Type(first) => Some(first),
        _ => None,
    })
}
