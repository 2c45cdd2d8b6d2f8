//! The attribute macro `#[circuit]` of [breakerbox](https://docs.rs/breakerbox).
//!
//! Depend on breakerbox, which re-exports the macro, and not on this crate.
//!
//! * `attribute_args`: parses the arguments of `#[circuit(..)]`, with `literal` and `duration`
//! * `function`: parses the function, with `return_type` and `future_tail`
//! * `expand`: generates the new body, with `codegen_breaker` for the lookup of the breaker and
//!   `codegen_closures` for the closures of the attribute

mod attribute_args;
mod codegen_breaker;
mod codegen_closures;
mod duration;
mod expand;
mod function;
mod future_tail;
mod literal;
mod return_type;

use attribute_args::AttributeArgs;
use function::Function;
use proc_macro::TokenStream;

/// Guards a function or method with a circuit breaker.
///
/// See the documentation of [breakerbox](https://docs.rs/breakerbox), which re-exports this macro.
#[proc_macro_attribute]
pub fn circuit(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let original = proc_macro2::TokenStream::from(item.clone());
    let expanded = syn::parse::<Function>(item).and_then(|function| {
        let args = syn::parse::<AttributeArgs>(arguments)?;
        expand::expand(function, &args)
    });
    // An error keeps the original function, because each of its callers would otherwise be an error, too.
    let expanded = expanded.unwrap_or_else(|error| {
        let error = error.into_compile_error();
        quote::quote!(#original #error)
    });
    expanded.into()
}
