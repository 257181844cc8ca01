//! The function below the attribute: that it is one, of a kind that can be called by an engine, and its parts with new names.
//!
//! It refuses to know what becomes of it. The invariant: tokens of the user keep their places, so that the compiler goes on to
//! speak of the user's lines.

use proc_macro2::{Ident, Span, TokenStream};
use quote::quote;
use syn::ext::IdentExt;
use syn::{AttrStyle, Attribute, Error, GenericParam, Item, ItemFn, Signature, Visibility};

use crate::complaints::Complaints;

/// What a function becomes.
#[derive(Clone, Copy)]
pub enum Kind {
    Task,
    WorkerState,
}

impl Kind {
    /// As it is written above the function.
    pub fn attribute(self) -> &'static str {
        match self {
            Kind::Task => "#[task]",
            Kind::WorkerState => "#[worker_state]",
        }
    }

    /// As it is called in a sentence.
    pub fn noun(self) -> &'static str {
        match self {
            Kind::Task => "a task",
            Kind::WorkerState => "a worker state",
        }
    }
}

/// The function, or a mistake at the attribute when it stands above something else.
pub fn read(kind: Kind, item: TokenStream) -> syn::Result<ItemFn> {
    let found = match syn::parse2::<Item>(item)? {
        Item::Fn(function) => return Ok(function),
        Item::Struct(_) => "a struct",
        Item::Enum(_) => "an enum",
        Item::Impl(_) => "an `impl` block",
        Item::Trait(_) => "a trait",
        Item::Mod(_) => "a module",
        Item::Const(_) => "a constant",
        Item::Static(_) => "a static",
        Item::Verbatim(_) => "a declaration without a body",
        _ => "no function",
    };
    let attribute = kind.attribute();
    Err(Error::new(
        Span::call_site(),
        format!("`{attribute}` stands above a function with a body, and this is {found}; move it to a function"),
    ))
}

/// Kinds of functions that nobody but the program's own code can call.
pub fn refuse_kinds(kind: Kind, signature: &Signature, complaints: &mut Complaints) {
    let noun = kind.noun();
    if let Some(constness) = &signature.constness {
        complaints.about(constness, format!("{noun} runs while the program runs, never before; take `const` away"));
    }
    if let Some(unsafety) = &signature.unsafety {
        complaints.about(
            unsafety,
            format!("{noun} is called by an engine, which cannot keep the promises that an `unsafe` function asks for; make it safe"),
        );
    }
    if let Some(abi) = &signature.abi {
        complaints.about(abi, format!("{noun} is called from Rust only; take `extern` away"));
    }
    if let Some(variadic) = &signature.variadic {
        complaints.about(variadic, format!("{noun} has a fixed list of parameters; take a `Vec` in place of `...`"));
    }
    let generics = &signature.generics;
    if !generics.params.is_empty() {
        let lifetimes = generics.params.iter().all(|parameter| matches!(parameter, GenericParam::Lifetime(_)));
        let sentence = if lifetimes {
            format!("{noun} has no lifetimes of its own, since what it borrows is there for the call only; write `&T` without a lifetime")
        } else {
            format!(
                "{noun} has no generic parameters, since its name stands for one function; write the types out, and call a generic \
                 function in the body"
            )
        };
        complaints.about(&generics.params, sentence);
    } else if let Some(clause) = &generics.where_clause {
        complaints.about(clause, format!("{noun} has no `where` clause, since all of its types are known; take it away"));
    }
}

/// The user's name for it, without the mark of a raw name.
pub fn plain_name(signature: &Signature) -> String {
    signature.ident.unraw().to_string()
}

/// The struct that stands where the function stood, with its documentation and visibility.
pub fn record(function: &ItemFn) -> TokenStream {
    let attributes = function.attrs.iter().filter(|attribute| describes(attribute) || sets_lints(attribute));
    let (visibility, name) = (&function.vis, &function.sig.ident);
    quote! {
        #(#attributes)*
        #[allow(non_camel_case_types)]
        #[derive(::core::clone::Clone, ::core::marker::Copy, ::core::fmt::Debug)]
        #visibility struct #name;
    }
}

/// The function itself under another name, for code beside it to call.
///
/// Attributes that say how to compile it (`#[inline]`, lints, other macros) stay on it, since they mean nothing on a struct.
pub fn renamed(function: &ItemFn) -> ItemFn {
    let mut renamed = function.clone();
    renamed.attrs.retain(|attribute| !describes(attribute));
    renamed.vis = Visibility::Inherited;
    // It stands where the user's name stands and is none of the user's words, so that no lint complains of its form.
    let span = function.sig.ident.span().resolved_at(Span::call_site());
    renamed.sig.ident = Ident::new(&format!("__partita_{}", plain_name(&function.sig)), span);
    renamed
}

/// Whether the attribute says something about the name to people who use it.
fn describes(attribute: &Attribute) -> bool {
    is_outer(attribute) && ["doc", "deprecated"].iter().any(|name| attribute.path().is_ident(name))
}

fn sets_lints(attribute: &Attribute) -> bool {
    is_outer(attribute) && ["allow", "warn", "deny", "forbid"].iter().any(|name| attribute.path().is_ident(name))
}

/// An inner attribute stands in the body and belongs to it.
fn is_outer(attribute: &Attribute) -> bool {
    matches!(attribute.style, AttrStyle::Outer)
}
