//! `#[worker_state]`: a function without parameters becomes a struct of its name whose `get()` gives what the function built.
//!
//! It refuses to know tasks and how the value is kept. The invariant: there is one cell for each such function.

use proc_macro2::TokenStream;
use quote::quote;

use crate::complaints::Complaints;
use crate::function::{self, Kind};
use crate::returned::Returned;

/// What stands in the place of the function, or all mistakes in it.
pub fn expand(options: TokenStream, item: TokenStream) -> syn::Result<TokenStream> {
    let function = function::read(Kind::WorkerState, item)?;
    let mut complaints = Complaints::default();
    if !options.is_empty() {
        complaints.about(options, "`#[worker_state]` has no options; write `#[worker_state]` alone");
    }
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
                /// What the function built, once in this process and at the first call.
                ///
                /// # Errors
                ///
                /// Building failed. Nothing is kept of that: the next call tries again.
                pub fn get() -> ::core::result::Result<&'static #value, ::partita::Error> {
                    static CELL: ::partita::task_support::StateCell<#value> = ::partita::task_support::StateCell::new();
                    CELL.get(::core::concat!(::core::module_path!(), "::", #plain), || {
                        #outcome
                    })
                }
            }
        };
    })
}
