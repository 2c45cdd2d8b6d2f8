//! Code generation: the expressions of `fail_if`, `classify` and `refused`.
//!
//! The closures infer the types of their arguments from the return type. If the function hides a part of the
//! type behind `impl Trait`, the compiler infers that part from the body.

use crate::attribute_args::AttributeArgs;
use proc_macro2::{Span, TokenStream};
use quote::quote_spanned;
use syn::spanned::Spanned;
use syn::{Expr, Type};

/// Returns an expression for the classifier of a call. `returned` is an expression of type `ReturnType<R>`.
pub(crate) fn classifier(args: &AttributeArgs, returned: &TokenStream) -> TokenStream {
    let generated = Span::mixed_site();
    let krate = &args.krate;
    if let Some(classify) = &args.classify {
        if args.fallback.is_none() {
            return quote_spanned!(generated=> #krate::__private::classify(#returned, #classify));
        }
        // Only a function with a fallback may return something other than a `Result`.
        return quote_spanned! {generated=> {
            use #krate::__private::{AsOutput as _, AsResult as _};
            let returned = #returned;
            let kind = (&returned).__breakerbox_classifier();
            #krate::__private::NewClassifier::classify(kind, returned, #classify)
        }};
    }
    match &args.fail_if {
        None => quote_spanned!(generated=> #krate::__private::default_classifier()),
        Some(failure) => {
            quote_spanned!(generated=> #krate::__private::fail_if(#returned, #failure))
        }
    }
}

/// Returns an expression for the function that converts errors of the circuit to the error type of
/// `returned`.
pub(crate) fn refused(args: &AttributeArgs, returned: &Type) -> TokenStream {
    let generated = Span::mixed_site();
    let krate = &args.krate;
    // Closures, because the compiler would report an error in a function at each use of its type.
    match &args.refused {
        None => {
            let span = generated.located_at(returned.span());
            let convert = quote_spanned!(span=> #krate::__private::convert::<#returned>);
            quote_spanned!(generated=> |error| #convert(error))
        }
        Some(Expr::Path(function)) => {
            quote_spanned!(generated=> #krate::__private::refused::<#returned, _>(|error| #function(error)))
        }
        Some(closure) => {
            quote_spanned!(generated=> #krate::__private::refused::<#returned, _>(#closure))
        }
    }
}
