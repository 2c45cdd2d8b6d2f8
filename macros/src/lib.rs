//! The attribute `#[circuit]` of [breakerbox](https://docs.rs/breakerbox), which exports it: depend on
//! that crate, not on this one.
//!
//! * `attribute_args`: parses what stands in `#[circuit(..)]`, with `literal` and `duration`
//! * `function`: parses the function, with `return_type` and `async_tail`
//! * `expand`: generates the new body, with `codegen_breaker` for the lookup of the breaker

mod async_tail;
mod attribute_args;
mod codegen_breaker;
mod duration;
mod expand;
mod function;
mod literal;
mod return_type;

use attribute_args::AttributeArgs;
use function::Function;
use proc_macro::TokenStream;

/// Puts a function or method behind a circuit breaker.
#[proc_macro_attribute]
pub fn circuit(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let original = proc_macro2::TokenStream::from(item.clone());
    let expanded = syn::parse::<Function>(item).and_then(|function| {
        let args = syn::parse::<AttributeArgs>(arguments)?;
        expand::expand(function, &args)
    });
    // The function is kept next to an error. Without it, each of its callers would get an error, too.
    let expanded = expanded.unwrap_or_else(|error| {
        let error = error.into_compile_error();
        quote::quote!(#original #error)
    });
    expanded.into()
}
