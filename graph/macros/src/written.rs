//! A look into types as they are written.
//!
//! It refuses to know what a name means: a macro sees text. So a type is judged by its last name and by the marks in it.

use proc_macro2::{Ident, TokenStream, TokenTree};
use quote::ToTokens;
use syn::{PathSegment, Type};

/// The type without parentheses, and without the invisible brackets around a type that a `macro_rules` macro passed on.
pub fn peeled(written: &Type) -> &Type {
    match written {
        Type::Group(group) => peeled(&group.elem),
        Type::Paren(paren) => peeled(&paren.elem),
        _ => written,
    }
}

/// `Result<T, E>` of `std::result::Result<T, E>`.
pub fn last_segment(written: &Type) -> Option<&PathSegment> {
    match peeled(written) {
        Type::Path(path) => path.path.segments.last(),
        _ => None,
    }
}

/// Whether `impl Trait` stands anywhere in the type.
pub fn has_impl(written: &Type) -> bool {
    flat(written).iter().any(|token| matches!(token, TokenTree::Ident(word) if word == "impl"))
}

/// Whether a value of the type may borrow from its surroundings: it holds a reference, or a lifetime other than `'static`.
pub fn borrows(written: &Type) -> bool {
    let tokens = flat(written);
    tokens.iter().any(|token| is_mark(token, '&')) || lifetimes(&tokens).any(|name| name != "static")
}

/// Whether `'static` stands anywhere in the type.
pub fn is_static(written: &Type) -> bool {
    lifetimes(&flat(written)).any(|name| name == "static")
}

/// The names of all lifetimes, in order and without the tick.
fn lifetimes(tokens: &[TokenTree]) -> impl Iterator<Item = &Ident> {
    tokens.windows(2).filter_map(|pair| match pair {
        [tick, TokenTree::Ident(name)] if is_mark(tick, '\'') => Some(name),
        _ => None,
    })
}

fn is_mark(token: &TokenTree, mark: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == mark)
}

/// All tokens of the type, those inside brackets too.
fn flat(written: &Type) -> Vec<TokenTree> {
    fn add(tokens: TokenStream, all: &mut Vec<TokenTree>) {
        for token in tokens {
            match token {
                TokenTree::Group(group) => add(group.stream(), all),
                token => all.push(token),
            }
        }
    }
    let mut all = Vec::new();
    add(written.to_token_stream(), &mut all);
    all
}
