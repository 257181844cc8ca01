//! `#[worker_state]`: a function without parameters becomes a struct of its name whose `get()` gives what the function built; with
//! `teardown = function`, that function is called with it in the end.
//!
//! It refuses to know tasks and how the value is kept. The invariant: there is one cell for each such function.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::Path;
use syn::meta::ParseNestedMeta;
use syn::parse::Parser;

use crate::complaints::Complaints;
use crate::function::{self, Kind};
use crate::returned::Returned;

/// What stands in the place of the function, or all mistakes in it.
pub fn expand(options: TokenStream, item: TokenStream) -> syn::Result<TokenStream> {
    let function = function::read(Kind::WorkerState, item)?;
    let mut complaints = Complaints::default();
    let teardown = read_teardown(options, &mut complaints);
    function::refuse_kinds(Kind::WorkerState, &function.sig, &mut complaints);
    if !function.sig.inputs.is_empty() {
        complaints.about(
            &function.sig.inputs,
            "a worker state is built without arguments, once in each worker process; find what it needs in the body",
        );
    }
    let returned = Returned::read(Kind::WorkerState, &function.sig, &mut complaints);
    complaints.end()?;

    let (record, renamed) = (function::record(&function), function::renamed(&function));
    let (name, builder, value) = (&function.sig.ident, &renamed.sig.ident, &returned.value);
    let plain = function::plain_name(&function.sig);
    let outcome = returned.outcome(&quote!(#builder()));
    Ok(quote! {
        #record
        const _: () = {
            #renamed
            #[allow(deprecated)]
            impl #name {
                /// What the function built, once in this process and at the first call. It is taken down when the worker ends.
                ///
                /// # Errors
                ///
                /// Building failed. Nothing is kept of that: the next call tries again.
                pub fn get() -> ::core::result::Result<::std::sync::Arc<#value>, ::partita::Error> {
                    static CELL: ::partita::task_support::StateCell<#value> = ::partita::task_support::StateCell::new();
                    CELL.get(::core::concat!(::core::module_path!(), "::", #plain), || {
                        #outcome
                    }, #teardown)
                }
            }
        };
    })
}

/// What is called in the end: a function of a reference to the value, or nothing.
fn read_teardown(options: TokenStream, complaints: &mut Complaints) -> TokenStream {
    const FORM: &str = "`#[worker_state]` has one option; write `#[worker_state(teardown = function)]`, or `#[worker_state]` alone";
    let mut teardown: Option<Path> = None;
    let read = |meta: ParseNestedMeta<'_>| {
        if !meta.path.is_ident("teardown") || teardown.is_some() {
            return Err(meta.error(FORM));
        }
        teardown = Some(meta.value()?.call(Path::parse_mod_style)?);
        Ok(())
    };
    if syn::meta::parser(read).parse2(options.clone()).is_err() {
        complaints.about(options, FORM);
    }
    match teardown.map(Path::into_token_stream) {
        Some(function) => quote!(::core::option::Option::Some(|__value| #function(__value))),
        None => quote!(::core::option::Option::None),
    }
}
