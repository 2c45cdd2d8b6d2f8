//! Code generation: the function with a new body that guards the original one.
//!
//! A sync function becomes
//!
//! ```text
//! fn load(id: u64) -> Result<Row, DbError> {
//!     let handle = { static __BREAKERBOX_SITE: Site = ..; /* see codegen_breaker */ };
//!     return __private::call::<Result<Row, DbError>, _, _>(
//!         breaker(&handle), &classifier, |error| convert(error), move || { /* body */ },
//!     );
//! }
//! ```
//!
//! and an async one
//!
//! ```text
//! async fn load(id: u64) -> Result<Row, DbError> {
//!     let mut owned_handle = None;
//!     let guarded = __private::guard_future::<Result<Row, DbError>, ..>(
//!         /* handle */, classifier, limit, |error| convert(error), async move { /* body */ },
//!     );
//!     let returned = guarded.await;
//!     return returned;
//! }
//! ```
//!
//! With a fallback, the new body first asks for admission. If the circuit refuses the call, the body calls
//! the fallback with the arguments.
//!
//! Generated names have the span `Span::mixed_site()`, so they never clash with names of the user. A span
//! of `located_at` moves compiler messages to the user's code.
//!
//! Lints skip code with these spans. The expansion has no `#[allow(..)]`, which would be an error in a crate
//! that forbids the lint. Where a lint looks at code of the user, the expansion is written to satisfy it:
//! `return` for `clippy::implicit_return`, and generated braces around a body for `unused_braces`.

use crate::attribute_args::AttributeArgs;
use crate::codegen_breaker;
use crate::codegen_closures;
use crate::function::{Form, Function};
use crate::future_tail::{FutureTail, TailFuture};
use crate::return_type;
use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Error, Expr, ExprAsync, Result, Token, Type};

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
    /// The expression of the function that converts errors of the circuit.
    refused: TokenStream,
    /// The return type, in a form that is valid in a body.
    returned: Type,
    /// Whether the classifier needs a type that only the body determines.
    is_hidden: bool,
    /// The span of the fallback's path, and the expression that calls the fallback.
    fallback: Option<(Span, TokenStream)>,
    /// `let` statements that bind the patterns of the arguments for the original body.
    bind_patterns: TokenStream,
}

/// Returns the function with its body guarded.
pub(crate) fn expand(mut function: Function, args: &AttributeArgs) -> Result<TokenStream> {
    function.check()?;
    let (form, returned) = function.form()?;
    check_form(&form, &returned, args)?;
    let for_errors = return_type::for_errors(&returned);
    let owned_handle = Ident::new("owned_handle", Span::mixed_site());
    let lends = match &form {
        Form::Async => true,
        Form::FutureTail(tail) => matches!(tail.future, TailFuture::Block(_)),
        Form::Sync | Form::ReturnsFuture => false,
    };
    let find_handle =
        codegen_breaker::find_handle(&function, args, &for_errors, lends.then_some(&owned_handle));
    let (arguments, bind_patterns) = match args.fallback {
        Some(_) => function.name_arguments(args),
        None => (Vec::new(), TokenStream::new()),
    };
    let has_classifier = args.fail_if.is_some() || args.classify.is_some();
    let is_hidden = has_classifier && return_type::has_impl(&returned);
    let inferred = return_type::inferred(&returned);
    let krate = &args.krate;
    let return_type = if is_hidden {
        return_type_variable().into_token_stream()
    } else {
        let generated = Span::mixed_site();
        quote_spanned!(generated=> #krate::__private::return_type::<#inferred>())
    };
    let codegen = Codegen {
        args,
        handle: Ident::new("handle", Span::mixed_site()),
        owned_handle,
        find_handle,
        classifier: codegen_closures::classifier(args, &return_type),
        refused: codegen_closures::refused(args, &for_errors),
        returned: inferred,
        is_hidden,
        fallback: args.fallback.as_ref().map(|path| {
            let span = Span::mixed_site().located_at(path.span());
            (span, call_fallback(path, &arguments))
        }),
        bind_patterns,
    };
    let body = &function.body;
    let body = match form {
        Form::Sync => codegen.sync_body(body),
        Form::Async => codegen.async_body(Some(<Token![move]>::default()), &inner_block(body)),
        Form::FutureTail(tail) => codegen.future_tail_body(&tail),
        Form::ReturnsFuture => codegen.returned_future_body(body),
    };
    Ok(function.with_body(&body))
}

/// Rejects arguments that do not fit the form of the function.
fn check_form(form: &Form, returned: &Type, args: &AttributeArgs) -> Result<()> {
    if let (Form::Sync, Some((span, _))) = (form, &args.timeout) {
        return Err(Error::new(
            *span,
            "`timeout` requires an async function, because a sync call cannot be interrupted",
        ));
    }
    let moves_arguments = match form {
        Form::ReturnsFuture => true,
        Form::FutureTail(tail) => matches!(tail.future, TailFuture::Expression(_)),
        Form::Sync | Form::Async => false,
    };
    if let (true, Some(fallback)) = (moves_arguments, &args.fallback) {
        return Err(Error::new(
            fallback.span(),
            "the fallback cannot get the arguments, because they have moved into this future before \
             a refusal; write the function as an `async fn`, or end it with `async move { .. }`",
        ));
    }
    if let (true, Some(predicate)) = (
        return_type::hides_error(returned),
        args.inferred_predicate(),
    ) {
        return Err(Error::new(
            predicate.span(),
            "the error type of this function is hidden behind `impl ..`, so this closure must name the \
             type of its argument: `|error: &MyError| ..`",
        ));
    }
    Ok(())
}

/// Returns the variable with the return type of a function that hides a part of it.
fn return_type_variable() -> Ident {
    Ident::new("return_type", Span::mixed_site())
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

    /// Returns the statements before a call of `work`, and the expression of `work` for that call.
    ///
    /// If the classifier needs a type that only `work` determines, the statements bind `work`, because the
    /// compiler infers types in the order of the code. `type_of` is the function that returns the type.
    fn bind_work(&self, work: TokenStream, type_of: &str) -> (TokenStream, TokenStream) {
        if !self.is_hidden {
            return (TokenStream::new(), work);
        }
        let generated = Span::mixed_site();
        let krate = &self.args.krate;
        let return_type = return_type_variable();
        let type_of = Ident::new(type_of, generated);
        let statements = quote_spanned! {generated=>
            let work = #work;
            let #return_type = #krate::__private::#type_of(&work);
        };
        (statements, quote_spanned!(generated=> work))
    }

    fn sync_body(&self, body: &Group) -> TokenStream {
        let generated = Span::mixed_site();
        let Self {
            args,
            classifier,
            refused,
            returned,
            bind_patterns,
            ..
        } = self;
        let krate = &args.krate;
        let (handle, let_handle) = (&self.handle, self.let_handle());
        let breaker = quote_spanned!(generated=> #krate::__private::SiteHandle::breaker(&#handle));
        let body = if bind_patterns.is_empty() {
            body.clone()
        } else {
            let body = inner_block(body);
            let mut group = Group::new(Delimiter::Brace, quote!(#bind_patterns #body));
            group.set_span(generated);
            group
        };
        let work = quote_spanned!(generated=> move || -> #returned #body);
        let (bind_work, work) = self.bind_work(work, "return_type_of");
        let Some((_, fallback)) = &self.fallback else {
            let call =
                quote_spanned!(self.at_returned()=> #krate::__private::call::<#returned, _, _>);
            return quote_spanned! {generated=>
                #let_handle
                #bind_work
                return #call(#breaker, &#classifier, #refused, #work);
            };
        };
        quote_spanned! {generated=>
            #let_handle
            let admitted = #krate::__private::admit(#breaker);
            let returned = match admitted {
                ::core::option::Option::Some(admitted) => {
                    #bind_work
                    #krate::__private::Admitted::call::<#returned, _>(admitted, &#classifier, #work)
                }
                ::core::option::Option::None => #fallback,
            };
            return returned;
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
            let (bind, guarded) = self.guard_future(work);
            // Not awaited in the same statement: temporaries from the arguments of the attribute are dropped
            // before the body runs.
            return quote_spanned! {generated=>
                #let_owned_handle
                #bind
                let guarded = #guarded;
                let returned = guarded.await;
                return returned;
            };
        };
        let (limit, timed_out) = match &args.timeout {
            None => {
                let no_timeout = quote_spanned!(generated=> #krate::__private::no_timeout());
                (no_timeout, quote_spanned!(generated=> ()))
            }
            Some((_, time)) => {
                let timeout = quote_spanned!(generated=> #krate::__private::started_timeout(#time));
                (timeout, self.refused.clone())
            }
        };
        let (bind_work, work) = self.bind_work(work, "output_type_of");
        let run = quote_spanned! {self.at_returned()=>
            #krate::__private::Admitted::run::<#returned, _, _, _, _>
        };
        let answer = quote_spanned!(*span=> #krate::__private::fallback_output::<#returned, _, _>(#fallback));
        quote_spanned! {generated=>
            #let_owned_handle
            #let_handle
            let limit = #limit;
            let admitted = #krate::__private::admit(#handle);
            let returned = match admitted {
                ::core::option::Option::Some(admitted) => {
                    #bind_work
                    #run(admitted, #classifier, limit, #timed_out, #work).await
                }
                ::core::option::Option::None => {
                    #answer.await
                }
            };
            return returned;
        }
    }

    fn future_tail_body(&self, tail: &FutureTail) -> TokenStream {
        match &tail.future {
            TailFuture::Block(block) => {
                tail.with_future(&TokenStream::new(), &self.async_block(block))
            }
            TailFuture::Expression(future) => {
                let (bind, guarded) = self.guard_future(future.to_token_stream());
                tail.with_future(&bind, &guarded)
            }
        }
    }

    fn async_block(&self, block: &ExprAsync) -> TokenStream {
        let statements = &block.block.stmts;
        let mut body = Group::new(Delimiter::Brace, quote!(#(#statements)*));
        body.set_span(block.block.span());
        let attributes = &block.attrs;
        let (capture, keyword) = (block.capture, block.async_token);
        let statements = self.async_body(capture, &inner_block(&body));
        // At the place of the original block, whose text a suggestion of a lint may copy.
        let mut guarded = Group::new(Delimiter::Brace, statements);
        guarded.set_span(Span::mixed_site().located_at(block.block.span()));
        quote!(#(#attributes)* #keyword #capture #guarded)
    }

    fn returned_future_body(&self, body: &Group) -> TokenStream {
        let generated = Span::mixed_site();
        let krate = &self.args.krate;
        let made = quote_spanned!(generated=> #krate::__private::call_maker(move || #body));
        let (bind, guarded) = self.guard_future(made);
        quote_spanned!(generated=> #bind return #guarded;)
    }

    /// Guards a future, and converts the breaker's errors to the error type of the function. Returns the
    /// statements before the guarded future, and its expression.
    fn guard_future(&self, future: TokenStream) -> (TokenStream, TokenStream) {
        let generated = Span::mixed_site();
        let Self {
            args,
            handle,
            find_handle,
            classifier,
            refused,
            returned,
            is_hidden,
            ..
        } = self;
        let krate = &args.krate;
        let limit = match &args.timeout {
            None => quote_spanned!(generated=> #krate::__private::no_timeout()),
            Some((_, time)) => quote_spanned!(generated=> #krate::__private::timeout(#time)),
        };
        let guard = quote_spanned!(self.at_returned()=> #krate::__private::guard_future::<#returned, _, _, _, _, _>);
        let (bind_work, work) = self.bind_work(future, "output_type_of");
        if !is_hidden {
            let guarded = quote_spanned!(generated=> #guard(#find_handle, #classifier, #limit, #refused, #work));
            return (bind_work, guarded);
        }
        // Before `work`, into which the arguments of the function move.
        let let_handle = self.let_handle();
        let bind = quote_spanned!(generated=> #let_handle let limit = #limit; #bind_work);
        let guarded =
            quote_spanned!(generated=> #guard(#handle, #classifier, limit, #refused, #work));
        (bind, guarded)
    }
}
