//! The attribute `#[circuit]` of [breakerbox](https://docs.rs/breakerbox), which exports it: depend on
//! that crate, not on this one.

mod duration;
mod expand;
mod function;
mod literal;
mod lookup;
mod returns;
mod settings;
mod tail;

use function::Function;
use proc_macro::TokenStream;
use settings::Settings;

/// Puts a function or method behind a circuit breaker.
#[proc_macro_attribute]
pub fn circuit(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let original = proc_macro2::TokenStream::from(item.clone());
    let expanded = syn::parse::<Function>(item).and_then(|function| {
        let settings = syn::parse::<Settings>(arguments)?;
        expand::expand(function, &settings)
    });
    // With the function as it was, its callers are not told that there is none.
    let expanded = expanded.unwrap_or_else(|error| {
        let error = error.into_compile_error();
        quote::quote!(#original #error)
    });
    expanded.into()
}
