//! Code generation: the expressions that find the breaker and classify errors.
//!
//! Each function has a static `Site`, which keeps handles of its breakers. Each call passes the registry
//! and the name to the site. The builder is a closure, which the site calls only to create a breaker or to
//! add the settings to it:
//!
//! ```text
//! {
//!     static __BREAKERBOX_SITE: Site = Site::new("src/users.rs:12", configures, default_name);
//!     Site::find(&__BREAKERBOX_SITE, &Global, &Named("users-api"), || Some({
//!         let builder: BreakerBuilder = CircuitBreaker::builder();
//!         let builder = BreakerBuilder::failure_threshold(builder, 3);
//!         builder
//!     }))
//! }
//! ```

use crate::attribute_args::{AttributeArgs, ErrorRule, Name};
use crate::function::Function;
use proc_macro2::{Ident, Span, TokenStream};
use quote::{format_ident, quote_spanned};
use syn::Type;
use syn::spanned::Spanned;

/// Returns an expression for the handle, which is owned or borrowed.
///
/// With `owned_handle`, the handle is borrowed: from the site, or from this variable if the site has no
/// free slot.
pub(crate) fn find_handle(
    function: &Function,
    args: &AttributeArgs,
    returned: &Type,
    owned_handle: Option<&Ident>,
) -> TokenStream {
    let generated = Span::mixed_site();
    let krate = &args.krate;
    let registry = match &args.registry {
        None => quote_spanned!(generated=> #krate::__private::Global),
        Some(registry) => {
            let span = generated.located_at(registry.span());
            quote_spanned!(span=> #krate::__private::In(&#registry))
        }
    };
    let has_default_name = args.name.is_none();
    let configures = args.configure_breaker();
    let name = name(function, args);
    let builder = if configures {
        let builder = builder(args, returned);
        quote_spanned!(generated=> ::core::option::Option::Some(#builder))
    } else {
        quote_spanned!(generated=> ::core::option::Option::None)
    };
    let arguments = quote_spanned!(generated=> &__BREAKERBOX_SITE, &#registry, &#name, || #builder);
    let find = match owned_handle {
        None => quote_spanned!(generated=> #krate::__private::Site::find(#arguments)),
        Some(owned) => {
            quote_spanned!(generated=> #krate::__private::Site::lend(#arguments, &mut #owned))
        }
    };
    quote_spanned! {generated=> {
        static __BREAKERBOX_SITE: #krate::__private::Site = #krate::__private::Site::new(
            ::core::concat!(::core::file!(), ":", ::core::line!()),
            #configures,
            #has_default_name,
        );
        #find
    }}
}

/// Returns an expression for the name of the breaker.
fn name(function: &Function, args: &AttributeArgs) -> TokenStream {
    let generated = Span::mixed_site();
    let krate = &args.krate;
    match &args.name {
        Some(Name::Literal(name)) => quote_spanned!(generated=> #krate::__private::Named(#name)),
        Some(Name::Computed(name)) => quote_spanned!(generated=> #krate::__private::Given(&#name)),
        None => {
            let name = function.name();
            if function.is_method() {
                quote_spanned! {generated=>
                    #krate::__private::OfType::new::<Self>(::core::module_path!(), #name)
                }
            } else {
                quote_spanned! {generated=>
                    #krate::__private::DefaultName(
                        ::core::concat!(::core::module_path!(), "::", #name),
                    )
                }
            }
        }
    }
}

/// Returns an expression for the builder with the settings in the attribute.
fn builder(args: &AttributeArgs, returned: &Type) -> TokenStream {
    let generated = Span::mixed_site();
    let krate = &args.krate;
    let builder = Ident::new("builder", generated);
    let base = match (&args.preset, &args.builder_base) {
        (Some(preset), _) => {
            let span = generated.located_at(preset.span());
            quote_spanned!(span=> <#preset as #krate::Preset>::preset())
        }
        (None, Some(base)) => quote_spanned!(generated=> #base),
        (None, None) => quote_spanned!(generated=> #krate::CircuitBreaker::builder()),
    };
    let calls = args.builder_calls.iter().map(|(key, value)| {
        let method = mixed_site(&key.to_string());
        quote_spanned!(generated=> let #builder = #krate::BreakerBuilder::#method(#builder, #value);)
    });
    let trip_rules = args.trip_when.iter().map(|rule| {
        quote_spanned!(generated=> let #builder = #krate::BreakerBuilder::trip_when(#builder, #rule);)
    });
    let expected = args
        .expected
        .iter()
        .map(|rule| (rule, mixed_site("expected")));
    let ignored = args
        .ignored
        .iter()
        .map(|rule| (rule, mixed_site("ignored")));
    let error_rules = expected.chain(ignored).map(|(rule, method)| {
        let predicate = predicate(rule, args, returned);
        quote_spanned! {generated=>
            let predicate = #predicate;
            let kind = (&#krate::__private::Predicate::probe(&predicate)).__breakerbox_kind();
            let #builder = kind.#method(#builder, predicate);
        }
    });
    let adjust = args.builder_adjust.iter().map(|adjust| {
        quote_spanned!(generated=> let #builder = #krate::__private::apply_settings(#builder, #adjust);)
    });
    // Both traits are in scope, and a rule uses one of them.
    let import = (!args.expected.is_empty() || !args.ignored.is_empty())
        .then(|| quote_spanned!(generated=> use #krate::__private::{AsError as _, AsValue as _};));
    quote_spanned! {generated=> {
        #import
        let #builder: #krate::BreakerBuilder = #base;
        #(#calls)*
        #(#trip_rules)*
        #(#error_rules)*
        #(#adjust)*
        #builder
    }}
}

/// Returns an expression for the predicate of an error rule.
fn predicate(rule: &ErrorRule, args: &AttributeArgs, returned: &Type) -> TokenStream {
    let generated = Span::mixed_site();
    let krate = &args.krate;
    match rule {
        ErrorRule::Type(ty) => {
            let span = generated.located_at(ty.span());
            quote_spanned!(span=> #krate::__private::any_error::<#ty>())
        }
        ErrorRule::TypedPredicate(predicate) => {
            quote_spanned!(generated=> #krate::__private::predicate(#predicate))
        }
        ErrorRule::InferredPredicate(predicate) => {
            quote_spanned!(generated=> #krate::__private::own_predicate::<#returned, _>(#predicate))
        }
    }
}

/// Returns an identifier with the span `Span::mixed_site()`, in place of the span of the key.
fn mixed_site(name: &str) -> Ident {
    format_ident!("{name}", span = Span::mixed_site())
}
