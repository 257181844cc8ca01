//! `#[task]`: a function becomes a struct of its name, which the graph can hold, a worker can find, and a caller can still call.
//!
//! It refuses to know how a task is run; all that it needs of the runtime stands behind `::partita::task_support`. The invariant:
//! what it writes names everything by its full path, so that nothing in the user's module can stand in the way.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::ItemFn;
use syn::ext::IdentExt;
use syn::spanned::Spanned;

use crate::complaints::Complaints;
use crate::function::{self, Kind};
use crate::options::Options;
use crate::parameters::{self, Parameter, Role};
use crate::returned::Returned;

/// What stands in the place of the function, or all mistakes in it.
pub fn expand(options: TokenStream, item: TokenStream) -> syn::Result<TokenStream> {
    let function = function::read(Kind::Task, item)?;
    let mut complaints = Complaints::default();
    let options: Options = complaints.keep(syn::parse2(options));
    function::refuse_kinds(Kind::Task, &function.sig, &mut complaints);
    let parameters = parameters::read(&function.sig, &mut complaints);
    let returned = Returned::read(Kind::Task, &function.sig, &mut complaints);
    complaints.end()?;

    let task = Task { renamed: function::renamed(&function), function, options, parameters, returned };
    let (record, renamed) = (function::record(&task.function), &task.renamed);
    let (plain_call, task_impl, task_of_impl, submission) = (task.plain_call(), task.task_impl(), task.task_of_impl(), task.submission());
    Ok(quote! {
        #record
        const _: () = {
            #renamed
            #plain_call
            #task_impl
            #task_of_impl
        };
        #submission
    })
}

struct Task {
    function: ItemFn,
    /// The same function under the name by which the code around it calls it.
    renamed: ItemFn,
    options: Options,
    parameters: Vec<Parameter>,
    returned: Returned,
}

/// An argument as the code that handles it calls it.
struct Argument<'a> {
    variable: Ident,
    /// The type parameter for what the caller passes.
    generic: Ident,
    /// The type that it arrives as.
    owned: &'a TokenStream,
}

/// The variable of an argument. All variables of generated code begin with underscores: a struct of the user's, and so a task, whose
/// name a variable has is what the compiler would take it for.
fn variable(at: usize) -> Ident {
    format_ident!("__argument{}", at)
}

/// How a tuple of so many values is taken apart.
fn parts(values: usize) -> TokenStream {
    let parts: Vec<Ident> = (0..values).map(|at| format_ident!("__part{}", at)).collect();
    quote! {
        fn parts(__output: Self::Output) -> ::std::vec::Vec<::partita::task_support::Part> {
            let (#(#parts),*) = __output;
            ::std::vec![#(::partita::task_support::part(#parts)),*]
        }
    }
}

impl Task {
    fn name(&self) -> &Ident {
        &self.function.sig.ident
    }

    fn arguments(&self) -> Vec<Argument<'_>> {
        let owned = self.parameters.iter().filter_map(|parameter| match &parameter.role {
            Role::Context => None,
            Role::Argument { owned, .. } => Some(owned),
        });
        let numbered = owned.enumerate();
        numbered.map(|(at, owned)| Argument { variable: variable(at), generic: format_ident!("__Argument{}", at), owned }).collect()
    }

    /// Calling the struct calls the function: directly, without a graph.
    ///
    /// A struct can lend itself as a function pointer, and calls look through that. The type of an async function's future has no
    /// name, so there is no pointer to lend: those are called by `name::call(…)`.
    fn plain_call(&self) -> TokenStream {
        let (name, renamed) = (self.name(), &self.renamed.sig.ident);
        let output = &self.function.sig.output;
        let types = self.parameters.iter().map(|parameter| &parameter.written);
        if self.function.sig.asyncness.is_none() {
            return quote! {
                #[automatically_derived]
                #[allow(deprecated)]
                impl ::core::ops::Deref for #name {
                    type Target = fn(#(#types),*) #output;
                    fn deref(&self) -> &Self::Target {
                        &(#renamed as Self::Target)
                    }
                }
            };
        }
        let visibility = &self.function.vis;
        let names: Vec<_> = self.parameters.iter().map(|parameter| &parameter.name).collect();
        quote! {
            #[allow(deprecated, clippy::too_many_arguments)]
            impl #name {
                /// Calls the function itself: now, and without a graph.
                #visibility async fn call(#(#names: #types),*) #output {
                    #renamed(#(#names),*).await
                }
            }
        }
    }

    /// How a worker runs it.
    fn task_impl(&self) -> TokenStream {
        let name = self.name();
        let called_by = match &self.options.name {
            Some(given) => given.to_token_stream(),
            None => {
                let plain = function::plain_name(&self.function.sig);
                quote!(::core::concat!(::core::module_path!(), "::", #plain))
            }
        };
        let parameters = self.parameters.iter().filter(|parameter| matches!(parameter.role, Role::Argument { .. }));
        let parameters = parameters.map(|parameter| parameter.name.unraw().to_string());
        let pure = self.options.pure.unwrap_or(true);
        let value = &self.returned.value;
        let (takes, call) = self.call_with_inputs();
        let outcome = self.returned.outcome(&call);
        let parts = self.returned.several.map(parts);
        quote! {
            #[automatically_derived]
            #[allow(deprecated)]
            impl ::partita::task_support::Task for #name {
                const NAME: &'static str = #called_by;
                const PARAMETERS: &'static [&'static str] = &[#(#parameters),*];
                const PURE: bool = #pure;
                type Output = #value;
                fn call(
                    __context: &::partita::graph::TaskContext<'_>,
                    __inputs: &mut ::partita::task_support::Inputs<'_>,
                ) -> ::core::result::Result<Self::Output, ::partita::Error> {
                    #(#takes)*
                    #outcome
                }
                #parts
            }
        }
    }

    /// Statements that take the arguments in order, and the call with all of them.
    fn call_with_inputs(&self) -> (Vec<TokenStream>, TokenStream) {
        let (name, renamed) = (self.name(), &self.renamed.sig.ident);
        let mut takes = Vec::new();
        let mut passed = Vec::new();
        for parameter in &self.parameters {
            let Role::Argument { owned, lent } = &parameter.role else {
                passed.push(quote!(__context));
                continue;
            };
            let variable = variable(takes.len());
            let method = if *lent { quote!(lend) } else { quote!(take) };
            takes.push(quote!(let #variable = __inputs.#method::<#owned>()?;));
            passed.push(if *lent { quote!(&#variable) } else { quote!(#variable) });
        }
        let called = if self.function.sig.asyncness.is_some() { quote!(#name::call) } else { quote!(#renamed) };
        (takes, quote!(#called(#(#passed),*)))
    }

    /// How a graph holds a call of it.
    fn task_of_impl(&self) -> TokenStream {
        let (name, value) = (self.name(), &self.returned.value);
        let arguments = self.arguments();
        let variables: Vec<_> = arguments.iter().map(|argument| &argument.variable).collect();
        let generics: Vec<_> = arguments.iter().map(|argument| &argument.generic).collect();
        let owned: Vec<_> = arguments.iter().map(|argument| argument.owned).collect();
        // At the user's type, so that a wrong argument is explained there.
        let bounds = arguments.iter().map(|Argument { generic, owned, .. }| {
            let span = owned.span().resolved_at(Span::call_site());
            quote_spanned!(span=> #generic: ::partita::task_support::IntoArgument<#owned>)
        });
        quote! {
            #[automatically_derived]
            #[allow(deprecated)]
            impl<#(#generics),*> ::partita::task_support::TaskOf<(#(#generics,)*)> for #name
            where
                #(#bounds,)*
            {
                type Call = ::std::boxed::Box<dyn ::core::ops::Fn(#(#generics),*) -> ::partita::Delayed<#value>>;
                fn deferred(self, __origin: &'static ::core::panic::Location<'static>) -> Self::Call {
                    ::std::boxed::Box::new(move |#(#variables: #generics),*| {
                        let __arguments = <Self as ::partita::task_support::TaskOf<(#(#generics,)*)>>::arguments((#(#variables,)*));
                        ::partita::task_support::deferred(self, __arguments, __origin)
                    })
                }
                fn arguments(__arguments: (#(#generics,)*)) -> ::std::vec::Vec<::partita::task_support::Argument> {
                    let (#(#variables,)*) = __arguments;
                    ::std::vec![#(::partita::task_support::IntoArgument::<#owned>::into_argument(#variables)),*]
                }
            }
        }
    }

    /// Every program that contains the task knows it from its start.
    fn submission(&self) -> TokenStream {
        let name = self.name();
        quote! {
            #[allow(deprecated)]
            const _: () = {
                ::partita::task_support::inventory::submit! { ::partita::task_support::TaskEntry::of::<#name>() }
            };
        }
    }
}
