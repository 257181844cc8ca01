//! The parameters of a task: which take arguments, of which types as values, and which is the context.
//!
//! It refuses to know how arguments travel. The invariant: what is accepted can be decoded into a value of its own, and lent
//! to the function where it asks for a reference.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{FnArg, Pat, PatIdent, Signature, Type};

use crate::complaints::Complaints;
use crate::written::{borrows, has_impl, is_static, last_segment, peeled};

/// What one call of a task can take. Tuples of arguments end here.
pub const MOST_ARGUMENTS: usize = 12;

pub struct Parameter {
    pub name: Ident,
    /// The type as the user wrote it.
    pub written: Type,
    pub role: Role,
}

pub enum Role {
    /// What the task may know of its run; takes no argument.
    Context,
    /// Takes an argument that arrives as an `owned` value, and is lent to the function or given to it.
    Argument { owned: TokenStream, lent: bool },
}

/// All parameters, those with mistakes left out.
pub fn read(signature: &Signature, complaints: &mut Complaints) -> Vec<Parameter> {
    let inputs = signature.inputs.iter();
    let parameters: Vec<_> = inputs.filter_map(|input| read_one(input, &signature.ident, complaints)).collect();
    let (contexts, arguments): (Vec<_>, Vec<_>) = parameters.iter().partition(|parameter| matches!(parameter.role, Role::Context));
    for surplus in contexts.iter().skip(1) {
        complaints.about(&surplus.written, "the context is given once, and a parameter before takes it; take this one away");
    }
    if let Some(Parameter { name, written, .. }) = arguments.get(MOST_ARGUMENTS) {
        let count = arguments.len();
        complaints.about(
            quote!(#name: #written),
            format!("a task takes at most {MOST_ARGUMENTS} arguments, and this one has {count}; put some of them into one struct"),
        );
    }
    parameters
}

fn read_one(input: &FnArg, task: &Ident, complaints: &mut Complaints) -> Option<Parameter> {
    let typed = match input {
        FnArg::Typed(typed) => typed,
        FnArg::Receiver(receiver) => {
            complaints.about(
                receiver,
                "a task has no `self`, since it runs where the object is not; move it out of the `impl`, and take what it needs by name",
            );
            return None;
        }
    };
    let conditional = |name: &str| typed.attrs.iter().find(|attribute| attribute.path().is_ident(name));
    if let Some(attribute) = conditional("cfg").or_else(|| conditional("cfg_attr")) {
        complaints.about(attribute, "each build of a task has the same parameters; write two functions with `#[cfg]` above them");
    }
    let name = read_name(&typed.pat, task, complaints);
    let role = read_role(&typed.ty, complaints);
    Some(Parameter { name: name?, written: (*typed.ty).clone(), role: role? })
}

fn read_name(pattern: &Pat, task: &Ident, complaints: &mut Complaints) -> Option<Ident> {
    match pattern {
        Pat::Ident(PatIdent { ident, .. }) if ident == task => {
            complaints.about(ident, "a parameter cannot have the name of the task, which is a struct now; give one of them another name");
            None
        }
        Pat::Ident(PatIdent { by_ref: None, subpat: None, ident, .. }) => Some(ident.clone()),
        Pat::Wild(_) => {
            complaints
                .about(pattern, "a parameter has a name, by which messages call its argument; write `_unused` for one that is not read");
            None
        }
        _ => {
            complaints.about(
                pattern,
                "a parameter has a name, by which messages call its argument; write a name here, and take the value apart in the body",
            );
            None
        }
    }
}

fn read_role(written: &Type, complaints: &mut Complaints) -> Option<Role> {
    match judge(written) {
        Ok(role) => Some(role),
        Err(sentence) => {
            complaints.about(written, sentence);
            None
        }
    }
}

/// What a parameter of this type is, or why there is none.
fn judge(written: &Type) -> Result<Role, &'static str> {
    if has_impl(written) {
        return Err(
            "the type of an argument is written out, since it is decoded into a value of that type; write a type in place of `impl`",
        );
    }
    let Type::Reference(reference) = peeled(written) else {
        return judge_owned(written);
    };
    let referent = peeled(&reference.elem);
    if reference.mutability.is_some() {
        return Err(if is_context(referent) {
            "the context is only looked at; write `&TaskContext<'_>`"
        } else {
            "an argument is not changed in place, since other tasks may read it; take it by value and return what it becomes"
        });
    }
    if reference.lifetime.as_ref().is_some_and(|lifetime| lifetime.ident == "static") || is_context(referent) && is_static(referent) {
        return Err("what a task borrows is there for the call only; take `'static` away");
    }
    if is_context(referent) {
        return Ok(Role::Context);
    }
    if borrows(referent) {
        return Err(BORROWS);
    }
    let span = referent.span().resolved_at(Span::call_site());
    let owned = match referent {
        Type::TraitObject(_) => return Err("an argument has one known type into which it is decoded; write that type in place of `dyn`"),
        Type::Path(path) if path.qself.is_none() && path.path.is_ident("str") => quote_spanned!(span=> ::std::string::String),
        Type::Slice(slice) => {
            let element = &slice.elem;
            quote_spanned!(span=> ::std::vec::Vec<#element>)
        }
        _ => referent.to_token_stream(),
    };
    Ok(Role::Argument { owned, lent: true })
}

fn judge_owned(written: &Type) -> Result<Role, &'static str> {
    if is_context(written) {
        return Err("the context is lent to the task; write `&TaskContext<'_>`");
    }
    if borrows(written) {
        return Err(BORROWS);
    }
    Ok(Role::Argument { owned: written.to_token_stream(), lent: false })
}

const BORROWS: &str = "an argument owns all that it holds, since it may come from another process; only the whole of it may stand behind \
                       `&`, so write `&[String]` or `Vec<String>` for `Vec<&str>`";

/// A macro knows names only, so any type of this name is taken for the context; the compiler refuses wrong ones.
fn is_context(written: &Type) -> bool {
    last_segment(written).is_some_and(|segment| segment.ident == "TaskContext")
}
