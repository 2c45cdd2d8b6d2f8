//! Code generation: the function with a new body that guards the original one.
//!
//! A sync function becomes
//!
//! ```text
//! fn load(id: u64) -> Result<Row, DbError> {
//!     let handle = { static __BREAKERBOX_SITE: Site = ..; /* see codegen_breaker */ };
//!     __private::call::<Result<Row, DbError>, _>(breaker(&handle), &classifier, move || { /* body */ })
//! }
//! ```
//!
//! and an async one
//!
//! ```text
//! async fn load(id: u64) -> Result<Row, DbError> {
//!     let mut owned_handle = None;
//!     let guarded = __private::guard_future::<Result<Row, DbError>, ..>(
//!         /* handle */, classifier, limit, async move { /* body */ },
//!     );
//!     let returned = guarded.await;
//!     returned
//! }
//! ```
//!
//! With a fallback, the new body first asks for admission. If the circuit refuses the call, the body calls
//! the fallback with the arguments.
//!
//! Generated names have the span `Span::mixed_site()`, so they never clash with names of the user. A span
//! of `located_at` moves compiler messages to the user's code.

use crate::async_tail::AsyncTail;
use crate::attribute_args::AttributeArgs;
use crate::codegen_breaker;
use crate::function::{Form, Function};
use crate::return_type;
use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Error, Expr, Result, Token, Type};

/// Expressions and names that occur in the bodies of all forms.
struct Codegen<'a> {
    args: &'a AttributeArgs,
    /// The variable with the handle of the breaker.
    handle: Ident,
    /// The variable of an async function that owns a handle for which the call site has no free slot.
    owned_handle: Ident,
    /// The expression that finds the handle.
    find_handle: TokenStream,
    /// The expression of the classifier.
    classifier: TokenStream,
    /// The return type, in a form that is valid in a body.
    returned: Type,
    /// The span of the fallback's path, and the expression that calls the fallback.
    fallback: Option<(Span, TokenStream)>,
    /// `let` statements that bind the patterns of the arguments for the original body.
    bind_patterns: TokenStream,
}

/// Returns the function with its body guarded.
pub(crate) fn expand(mut function: Function, args: &AttributeArgs) -> Result<TokenStream> {
    function.check()?;
    let (form, returned) = function.form()?;
    if let (Form::Sync, Some((span, _))) = (&form, &args.timeout) {
        return Err(Error::new(
            *span,
            "`timeout` requires an async function, because a sync call cannot be interrupted",
        ));
    }
    if let (Form::ReturnsFuture, Some(fallback)) = (&form, &args.fallback) {
        return Err(Error::new(
            fallback.span(),
            "the fallback cannot get the arguments, because they have moved into this future before \
             a refusal; write the function as an `async fn`, or end it with `async move { .. }`",
        ));
    }
    let for_errors = return_type::for_errors(&returned);
    let owned_handle = Ident::new("owned_handle", Span::mixed_site());
    let lends = matches!(form, Form::Async | Form::AsyncTail(_));
    let find_handle =
        codegen_breaker::find_handle(&function, args, &for_errors, lends.then_some(&owned_handle));
    let (arguments, bind_patterns) = match args.fallback {
        Some(_) => function.name_arguments(),
        None => (Vec::new(), TokenStream::new()),
    };
    let codegen = Codegen {
        args,
        handle: Ident::new("handle", Span::mixed_site()),
        owned_handle,
        find_handle,
        classifier: codegen_breaker::classifier(args, &for_errors),
        returned: return_type::inferred(&returned),
        fallback: args.fallback.as_ref().map(|path| {
            let span = Span::mixed_site().located_at(path.span());
            (span, call_fallback(path, &arguments))
        }),
        bind_patterns,
    };
    let body = &function.body;
    let body = match form {
        Form::Sync => codegen.sync_body(&quote!(#body)),
        Form::Async => codegen.async_body(Some(<Token![move]>::default()), &inner_block(body)),
        Form::AsyncTail(tail) => codegen.async_tail_body(&tail),
        Form::ReturnsFuture => codegen.returned_future_body(&quote!(#body)),
    };
    Ok(function.with_body(&body))
}

/// Returns an expression that calls the fallback with these arguments.
fn call_fallback(fallback: &Expr, arguments: &[TokenStream]) -> TokenStream {
    let span = Span::mixed_site().located_at(fallback.span());
    quote_spanned!(span=> (#fallback)(#(#arguments),*))
}

/// Returns a body as a block inside another block. Its braces have a generated span, because the lint for
/// unused braces would warn about braces of the user.
fn inner_block(body: &Group) -> Group {
    let mut block = Group::new(Delimiter::Brace, body.stream());
    block.set_span(Span::mixed_site().located_at(body.span()));
    block
}

impl Codegen<'_> {
    /// Returns the span for messages about the return type.
    fn at_returned(&self) -> Span {
        Span::mixed_site().located_at(self.returned.span())
    }

    fn let_handle(&self) -> TokenStream {
        let generated = Span::mixed_site();
        let Self {
            handle,
            find_handle,
            ..
        } = self;
        quote_spanned!(generated=> let #handle = #find_handle;)
    }

    fn sync_body(&self, body: &TokenStream) -> TokenStream {
        let generated = Span::mixed_site();
        let Self {
            args,
            classifier,
            returned,
            bind_patterns,
            ..
        } = self;
        let krate = &args.krate;
        let (handle, let_handle) = (&self.handle, self.let_handle());
        let breaker = quote_spanned!(generated=> #krate::__private::SiteHandle::breaker(&#handle));
        let body = if bind_patterns.is_empty() {
            quote!(#body)
        } else {
            quote!({ #bind_patterns #body })
        };
        let work = quote_spanned!(generated=> move || -> #returned #body);
        let Some((_, fallback)) = &self.fallback else {
            let call = quote_spanned!(self.at_returned()=> #krate::__private::call::<#returned, _>);
            return quote_spanned!(generated=> #let_handle #call(#breaker, &#classifier, #work));
        };
        quote_spanned! {generated=>
            #let_handle
            let admitted = #krate::__private::admit(#breaker);
            let returned = match admitted {
                ::core::option::Option::Some(admitted) => {
                    #krate::__private::Admitted::call::<#returned, _>(admitted, &#classifier, #work)
                }
                #[allow(clippy::used_underscore_binding)]
                ::core::option::Option::None => #fallback,
            };
            returned
        }
    }

    /// Returns the statements of an async function or block.
    fn async_body(&self, capture: Option<Token![move]>, body: &Group) -> TokenStream {
        let generated = Span::mixed_site();
        let Self {
            args,
            classifier,
            returned,
            bind_patterns,
            ..
        } = self;
        let krate = &args.krate;
        let (handle, let_handle) = (&self.handle, self.let_handle());
        let owned_handle = &self.owned_handle;
        let let_owned_handle =
            quote_spanned!(generated=> let mut #owned_handle = ::core::option::Option::None;);
        // The output type of an async block cannot be annotated, so a `return` that never runs determines it.
        let set_output = quote_spanned! {generated=>
            if let ::core::option::Option::Some(returned) = ::core::option::Option::None::<#returned> {
                return returned;
            }
        };
        let work = quote_spanned!(generated=> async #capture { #set_output #bind_patterns #body });
        let Some((span, fallback)) = &self.fallback else {
            let guarded = self.wrap_future(&work);
            // Not awaited in the same statement: temporaries from the arguments of the attribute are dropped
            // before the body runs.
            return quote_spanned! {generated=>
                #let_owned_handle
                let guarded = #guarded;
                let returned = guarded.await;
                returned
            };
        };
        let limit = match &args.timeout {
            None => quote_spanned!(generated=> #krate::__private::no_timeout()),
            Some((_, time)) => {
                quote_spanned!(generated=> #krate::__private::started_timeout(#time))
            }
        };
        let run = quote_spanned! {self.at_returned()=>
            #krate::__private::Admitted::run::<#returned, _, _, _>
        };
        let run = quote_spanned!(generated=> #run(admitted, #classifier, limit, #work).await);
        let answer = quote_spanned!(*span=> #krate::__private::fallback_output::<#returned, _, _>(#fallback));
        quote_spanned! {generated=>
            #let_owned_handle
            #let_handle
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

    fn async_tail_body(&self, tail: &AsyncTail) -> TokenStream {
        let AsyncTail {
            before,
            block,
            box_pin,
        } = tail;
        let statements = &block.block.stmts;
        let mut body = Group::new(Delimiter::Brace, quote!(#(#statements)*));
        body.set_span(block.block.span());
        let attributes = &block.attrs;
        let (capture, keyword) = (block.capture, block.async_token);
        let statements = self.async_body(capture, &inner_block(&body));
        let guarded = quote!(#(#attributes)* #keyword #capture { #statements });
        match box_pin {
            None => quote!(#(#before)* #guarded),
            Some(box_pin) => quote!(#(#before)* #box_pin(#guarded)),
        }
    }

    fn returned_future_body(&self, body: &TokenStream) -> TokenStream {
        let generated = Span::mixed_site();
        let krate = &self.args.krate;
        let made = quote_spanned!(generated=> #krate::__private::call_maker(move || #body));
        self.wrap_future(&made)
    }

    /// Guards a future, and converts the breaker's errors to the error type of the function.
    fn wrap_future(&self, future: &TokenStream) -> TokenStream {
        let generated = Span::mixed_site();
        let Self {
            args,
            find_handle,
            classifier,
            returned,
            ..
        } = self;
        let krate = &args.krate;
        let limit = match &args.timeout {
            None => quote_spanned!(generated=> #krate::__private::no_timeout()),
            Some((_, time)) => quote_spanned!(generated=> #krate::__private::timeout(#time)),
        };
        let wrap = quote_spanned!(self.at_returned()=> #krate::__private::guard_future::<#returned, _, _, _, _>);
        quote_spanned!(generated=> #wrap(#find_handle, #classifier, #limit, #future))
    }
}
