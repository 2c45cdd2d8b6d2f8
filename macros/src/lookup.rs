//! The part of the expansion that finds the breaker.

use crate::function::Function;
use crate::settings::{Errors, Name, Settings, method};
use proc_macro2::{Ident, Span, TokenStream};
use quote::quote_spanned;
use syn::spanned::Spanned;
use syn::{Expr, Type};

/// An expression of the handle of this call's breaker; borrowed, where there is a variable to put one
/// that nobody else owns.
pub(crate) fn handle(
    function: &Function,
    settings: &Settings,
    returned: &Type,
    own: Option<&Ident>,
) -> TokenStream {
    let ours = Span::mixed_site();
    let krate = &settings.krate;
    let home = match &settings.registry {
        None => quote_spanned!(ours=> #krate::__private::Global),
        Some(registry) => {
            let span = ours.located_at(registry.span());
            quote_spanned!(span=> #krate::__private::In(&#registry))
        }
    };
    let by_default = settings.name.is_none();
    let given = settings.are_there();
    let name = name(function, settings);
    let builder = if given {
        let builder = builder(settings, returned);
        quote_spanned!(ours=> ::core::option::Option::Some(#builder))
    } else {
        quote_spanned!(ours=> ::core::option::Option::None)
    };
    let arguments = quote_spanned!(ours=> &__BREAKERBOX_SITE, &#home, &#name, || #builder);
    let find = match own {
        None => quote_spanned!(ours=> #krate::__private::Site::find(#arguments)),
        Some(own) => quote_spanned!(ours=> #krate::__private::Site::lend(#arguments, &mut #own)),
    };
    quote_spanned! {ours=> {
        static __BREAKERBOX_SITE: #krate::__private::Site = #krate::__private::Site::new(
            ::core::concat!(::core::file!(), ":", ::core::line!()),
            #given,
            #by_default,
        );
        #find
    }}
}

fn name(function: &Function, settings: &Settings) -> TokenStream {
    let ours = Span::mixed_site();
    let krate = &settings.krate;
    match &settings.name {
        Some(Name::Literal(name)) => quote_spanned!(ours=> #krate::__private::Named(#name)),
        Some(Name::Given(name)) => quote_spanned!(ours=> #krate::__private::Given(&#name)),
        None => {
            let name = function.name();
            if function.is_method() {
                quote_spanned! {ours=>
                    #krate::__private::OfType::new::<Self>(::core::module_path!(), #name)
                }
            } else {
                quote_spanned! {ours=> {
                    const NAME: #krate::__private::Named = #krate::__private::Named(
                        #krate::__private::default_name(
                            ::core::concat!(::core::module_path!(), "::", #name),
                        ),
                    );
                    NAME
                }}
            }
        }
    }
}

/// An expression of the builder with the settings written here.
fn builder(settings: &Settings, returned: &Type) -> TokenStream {
    let ours = Span::mixed_site();
    let krate = &settings.krate;
    let builder = Ident::new("builder", ours);
    let base = match (&settings.preset, &settings.base) {
        (Some(preset), _) => {
            let span = ours.located_at(preset.span());
            quote_spanned!(span=> <#preset as #krate::Preset>::preset())
        }
        (None, Some(base)) => quote_spanned!(ours=> #base),
        (None, None) => quote_spanned!(ours=> #krate::CircuitBreaker::builder()),
    };
    let numbers = settings.numbers.iter().map(|(key, value)| {
        let key = method(&key.to_string());
        quote_spanned!(ours=> let #builder = #krate::BreakerBuilder::#key(#builder, #value);)
    });
    let rules = settings.trip_when.iter().map(|rule| {
        quote_spanned!(ours=> let #builder = #krate::BreakerBuilder::trip_when(#builder, #rule);)
    });
    let expected = settings
        .expected
        .iter()
        .map(|errors| (errors, method("expected")));
    let ignored = settings
        .ignored
        .iter()
        .map(|errors| (errors, method("ignored")));
    let errors = expected.chain(ignored).map(|(errors, method)| {
        let predicate = predicate(errors, settings, returned);
        quote_spanned! {ours=>
            let predicate = #predicate;
            let kind = (&#krate::__private::Predicate::probe(&predicate)).__breakerbox_kind();
            let #builder = kind.#method(#builder, predicate);
        }
    });
    let adjust = settings.adjust.iter().map(|adjust| {
        quote_spanned!(ours=> let #builder = #krate::__private::adjust(#builder, #adjust);)
    });
    quote_spanned! {ours=> {
        #[allow(unused_imports)]
        use #krate::__private::{AsError as _, AsValue as _};
        let #builder: #krate::BreakerBuilder = #base;
        #(#numbers)*
        #(#rules)*
        #(#errors)*
        #(#adjust)*
        #builder
    }}
}

fn predicate(errors: &Errors, settings: &Settings, returned: &Type) -> TokenStream {
    let ours = Span::mixed_site();
    let krate = &settings.krate;
    match errors {
        Errors::Type(ty) => {
            let span = ours.located_at(ty.span());
            quote_spanned!(span=> #krate::__private::every::<#ty>())
        }
        Errors::Predicate(predicate) => {
            quote_spanned!(ours=> #krate::__private::predicate(#predicate))
        }
        Errors::OwnPredicate(predicate) => {
            quote_spanned!(ours=> #krate::__private::own_predicate::<#returned, _>(#predicate))
        }
    }
}

/// An expression of what judges the call's errors.
pub(crate) fn judge(settings: &Settings, returned: &Type) -> TokenStream {
    let ours = Span::mixed_site();
    let krate = &settings.krate;
    match &settings.fail_if {
        None => quote_spanned!(ours=> #krate::__private::judged()),
        Some(failure) => {
            quote_spanned!(ours=> #krate::__private::fail_if::<#returned, _>(#failure))
        }
    }
}

/// A call of the fallback, with these arguments.
pub(crate) fn fallback(fallback: &Expr, arguments: &[TokenStream]) -> TokenStream {
    let span = Span::mixed_site().located_at(fallback.span());
    quote_spanned!(span=> (#fallback)(#(#arguments),*))
}
