//! The function, with its body behind the breaker.

use crate::function::{Form, Function};
use crate::lookup;
use crate::returns;
use crate::settings::Settings;
use crate::tail::AsyncTail;
use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Error, Result, Token, Type};

/// What all forms need.
struct Parts<'a> {
    settings: &'a Settings,
    handle: Ident,
    /// Where an async function keeps a handle that its site has no place for.
    own: Ident,
    find: TokenStream,
    judge: TokenStream,
    /// The type that is returned, as it can be written in a body.
    returned: Type,
    /// Calls the fallback; with where it was written.
    fallback: Option<(Span, TokenStream)>,
    /// What the body needs to find its arguments.
    patterns: TokenStream,
}

pub(crate) fn expand(mut function: Function, settings: &Settings) -> Result<TokenStream> {
    function.check()?;
    let (form, returned) = function.form()?;
    if let (Form::Sync, Some((span, _))) = (&form, &settings.timeout) {
        return Err(Error::new(
            *span,
            "`timeout` is for async functions: nothing can end a sync one before it returns",
        ));
    }
    if let (Form::Maker, Some(fallback)) = (&form, &settings.fallback) {
        return Err(Error::new(
            fallback.span(),
            "a fallback gets the arguments, which have gone into this future before it is refused: \
             write the function as an `async fn`, or end it in `async move { .. }`",
        ));
    }
    let for_errors = returns::for_errors(&returned);
    let own = Ident::new("own", Span::mixed_site());
    let keeps = matches!(form, Form::Async | Form::Block(_));
    let find = lookup::handle(&function, settings, &for_errors, keeps.then_some(&own));
    let (arguments, patterns) = match settings.fallback {
        Some(_) => function.name_arguments(),
        None => (Vec::new(), TokenStream::new()),
    };
    let parts = Parts {
        settings,
        handle: Ident::new("handle", Span::mixed_site()),
        own,
        find,
        judge: lookup::judge(settings, &for_errors),
        returned: returns::inferred(&returned),
        fallback: settings.fallback.as_ref().map(|path| {
            let span = Span::mixed_site().located_at(path.span());
            (span, lookup::fallback(path, &arguments))
        }),
        patterns,
    };
    let body = &function.body;
    let body = match form {
        Form::Sync => parts.sync(&quote!(#body)),
        Form::Async => parts.run(Some(<Token![move]>::default()), &inner_block(body)),
        Form::Block(tail) => parts.tail(&tail),
        Form::Maker => parts.make(&quote!(#body)),
    };
    Ok(function.with_body(&body))
}

/// A body as a block within a block, with braces that are ours: those of the user would be called
/// unnecessary.
fn inner_block(body: &Group) -> Group {
    let mut block = Group::new(Delimiter::Brace, body.stream());
    block.set_span(Span::mixed_site().located_at(body.span()));
    block
}

impl Parts<'_> {
    /// Where the compiler has to say what is wrong with the type that is returned.
    fn at_returned(&self) -> Span {
        Span::mixed_site().located_at(self.returned.span())
    }

    fn found(&self) -> TokenStream {
        let ours = Span::mixed_site();
        let Self { handle, find, .. } = self;
        quote_spanned!(ours=> let #handle = #find;)
    }

    fn sync(&self, body: &TokenStream) -> TokenStream {
        let ours = Span::mixed_site();
        let Self {
            settings,
            judge,
            returned,
            patterns,
            ..
        } = self;
        let krate = &settings.krate;
        let (handle, found) = (&self.handle, self.found());
        let breaker = quote_spanned!(ours=> #krate::__private::SiteHandle::breaker(&#handle));
        let body = if patterns.is_empty() {
            quote!(#body)
        } else {
            quote!({ #patterns #body })
        };
        let work = quote_spanned!(ours=> move || -> #returned #body);
        let Some((_, fallback)) = &self.fallback else {
            let call = quote_spanned!(self.at_returned()=> #krate::__private::call::<#returned, _>);
            return quote_spanned!(ours=> #found #call(#breaker, &#judge, #work));
        };
        quote_spanned! {ours=>
            #found
            let admitted = #krate::__private::admit(#breaker);
            let returned = match admitted {
                ::core::option::Option::Some(admitted) => {
                    #krate::__private::Admitted::call::<#returned, _>(admitted, &#judge, #work)
                }
                #[allow(clippy::used_underscore_binding)]
                ::core::option::Option::None => #fallback,
            };
            returned
        }
    }

    /// The statements of an async function or block.
    fn run(&self, capture: Option<Token![move]>, body: &Group) -> TokenStream {
        let ours = Span::mixed_site();
        let Self {
            settings,
            judge,
            returned,
            patterns,
            ..
        } = self;
        let krate = &settings.krate;
        let (handle, found) = (&self.handle, self.found());
        let own = &self.own;
        let own = quote_spanned!(ours=> let mut #own = ::core::option::Option::None;);
        // An async block has no place to write its type; this one never runs.
        let typed = quote_spanned! {ours=>
            if let ::core::option::Option::Some(returned) = ::core::option::Option::None::<#returned> {
                return returned;
            }
        };
        let work = quote_spanned!(ours=> async #capture { #typed #patterns #body });
        let Some((span, fallback)) = &self.fallback else {
            let guarded = self.wrap(&work);
            // In a statement of its own, so that what the settings borrowed is given back before the body runs.
            return quote_spanned! {ours=>
                #own
                let guarded = #guarded;
                let returned = guarded.await;
                returned
            };
        };
        let limit = match &settings.timeout {
            None => quote_spanned!(ours=> #krate::__private::unlimited()),
            Some((_, time)) => quote_spanned!(ours=> #krate::__private::limit(#time)),
        };
        let run = quote_spanned! {self.at_returned()=>
            #krate::__private::Admitted::run::<#returned, _, _, _>
        };
        let run = quote_spanned!(ours=> #run(admitted, #judge, limit, #work).await);
        let answer =
            quote_spanned!(*span=> #krate::__private::answer::<#returned, _, _>(#fallback));
        quote_spanned! {ours=>
            #own
            #found
            let limit = #limit;
            let admitted = #krate::__private::admit(#handle);
            let returned = match admitted {
                ::core::option::Option::Some(admitted) => #run,
                #[allow(clippy::used_underscore_binding)]
                ::core::option::Option::None => {
                    #answer.await
                }
            };
            returned
        }
    }

    fn tail(&self, tail: &AsyncTail) -> TokenStream {
        let AsyncTail {
            before,
            block,
            boxed,
        } = tail;
        let statements = &block.block.stmts;
        let mut body = Group::new(Delimiter::Brace, quote!(#(#statements)*));
        body.set_span(block.block.span());
        let attributes = &block.attrs;
        let (capture, keyword) = (block.capture, block.async_token);
        let statements = self.run(capture, &inner_block(&body));
        let guarded = quote!(#(#attributes)* #keyword #capture { #statements });
        match boxed {
            None => quote!(#(#before)* #guarded),
            Some(boxed) => quote!(#(#before)* #boxed(#guarded)),
        }
    }

    fn make(&self, body: &TokenStream) -> TokenStream {
        let ours = Span::mixed_site();
        let krate = &self.settings.krate;
        let made = quote_spanned!(ours=> #krate::__private::make(move || #body));
        self.wrap(&made)
    }

    /// A future that guards another; the circuit's errors are turned into the function's.
    fn wrap(&self, future: &TokenStream) -> TokenStream {
        let ours = Span::mixed_site();
        let Self {
            settings,
            find,
            judge,
            returned,
            ..
        } = self;
        let krate = &settings.krate;
        let limit = match &settings.timeout {
            None => quote_spanned!(ours=> #krate::__private::unlimited()),
            Some((_, time)) => quote_spanned!(ours=> #krate::__private::limit_of(#time)),
        };
        let wrap =
            quote_spanned!(self.at_returned()=> #krate::__private::wrap::<#returned, _, _, _, _>);
        quote_spanned!(ours=> #wrap(#find, #judge, #limit, #future))
    }
}
