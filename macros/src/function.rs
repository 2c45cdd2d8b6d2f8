//! The function with the attribute `#[circuit]`: its parser, its checks and its form.

use crate::attribute_args::AttributeArgs;
use crate::future_tail::{FutureTail, TailFuture};
use crate::return_type::{self, ReturnedFuture};
use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream};
use syn::spanned::Spanned;
use syn::visit::{Visit, visit_path, visit_signature};
use syn::{
    Attribute, Block, Error, FnArg, Item, Pat, Path, Result, ReturnType, Safety, Signature, Stmt,
    Token, Type, Visibility,
};

/// A free function or a method.
pub(crate) struct Function {
    outer_attributes: Vec<Attribute>,
    vis: Visibility,
    /// The word `default` of a specialized method.
    default: Option<Ident>,
    pub(crate) sig: Signature,
    /// Tokens rather than a syntax tree, so that a body that syn cannot parse is accepted.
    pub(crate) body: Group,
    inner_attributes: TokenStream,
}

impl Parse for Function {
    fn parse(input: ParseStream) -> Result<Self> {
        let outer_attributes = input.call(Attribute::parse_outer)?;
        let vis = input.parse()?;
        let default = parse_default(input)?;
        if !starts_function(input) {
            let what = input
                .fork()
                .parse::<Item>()
                .map_or("this item", |item| describe(&item));
            return Err(input.error(format!(
                "`#[circuit]` applies to a function or a method, not to {what}"
            )));
        }
        let sig: Signature = input.parse()?;
        if input.peek(Token![;]) {
            return Err(Error::new(
                sig.ident.span(),
                "`#[circuit]` needs a function body; add it to the implementations of this method instead",
            ));
        }
        let body =
            brace_group(input.parse()?).ok_or_else(|| input.error("expected a function body"))?;
        let (inner_attributes, body) = split_inner_attributes(&body)?;
        Ok(Self {
            outer_attributes,
            vis,
            default,
            sig,
            body,
            inner_attributes,
        })
    }
}

/// Returns the group in braces, without an invisible group around it, which a `macro_rules` may have added.
fn brace_group(tree: TokenTree) -> Option<Group> {
    match tree {
        TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => Some(group),
        TokenTree::Group(group) if group.delimiter() == Delimiter::None => {
            group.stream().into_iter().next().and_then(brace_group)
        }
        _ => None,
    }
}

/// Parses the word `default` of a specialized method. The word is not a keyword, so `default!` is a macro.
fn parse_default(input: ParseStream) -> Result<Option<Ident>> {
    let ahead = input.fork();
    let is_default = Ident::parse_any(&ahead).is_ok_and(|word| word == "default");
    (is_default && !ahead.peek(Token![!]))
        .then(|| Ident::parse_any(input))
        .transpose()
}

/// Returns whether a function begins at the next token.
fn starts_function(input: ParseStream) -> bool {
    input.peek(Token![fn])
        || input.peek(Token![async])
        || input.peek(Token![unsafe]) && !input.peek2(Token![impl]) && !input.peek2(Token![trait])
        || input.peek(Token![extern]) && !input.peek2(Token![crate])
        || input.peek(Token![const]) && {
            let ahead = input.fork();
            ahead.parse::<Signature>().is_ok()
        }
}

/// Describes an item that is not a function, for an error message.
fn describe(item: &Item) -> &'static str {
    match item {
        Item::Impl(_) => "an `impl` block; add it to the methods instead",
        Item::Trait(_) => "a trait; add it to the implementations of the methods instead",
        Item::Struct(_) | Item::Enum(_) | Item::Union(_) => "a type",
        Item::Mod(_) => "a module",
        _ => "this item",
    }
}

/// Splits a body into the inner attributes `#![..]` at its beginning and the rest.
fn split_inner_attributes(body: &Group) -> Result<(TokenStream, Group)> {
    let parse = |input: ParseStream| {
        let attributes = input.call(Attribute::parse_inner)?;
        Ok((quote!(#(#attributes)*), input.parse::<TokenStream>()?))
    };
    let (attributes, rest) = syn::parse::Parser::parse2(parse, body.stream())?;
    let mut group = Group::new(Delimiter::Brace, rest);
    group.set_span(body.span());
    Ok((attributes, group))
}

/// The form of a function, which determines the code to guard.
pub(crate) enum Form {
    /// A sync function. The body is guarded.
    Sync,
    /// An `async fn`. The body is guarded.
    Async,
    /// A function that ends in an async block, as `async_trait` generates it, or in a boxed future. The
    /// block, or the future inside the box, is guarded.
    FutureTail(Box<FutureTail>),
    /// Another function that returns a future. The returned future is guarded.
    ReturnsFuture,
}

impl Function {
    /// Rejects functions that cannot be guarded.
    pub(crate) fn check(&self) -> Result<()> {
        let sig = &self.sig;
        if let Some(token) = &sig.constness {
            let why = "a `const fn` cannot be guarded, because a circuit only exists at run time";
            return Err(Error::new(token.span, why));
        }
        if let Safety::Unsafe(token) = &sig.safety {
            return Err(Error::new(
                token.span,
                "an `unsafe fn` cannot be guarded, because its body would move into a closure, which is \
                 safe code; add `#[circuit]` to a safe function that calls it",
            ));
        }
        if let Some(abi) = &sig.abi {
            return Err(Error::new(
                abi.span(),
                "an `extern` function cannot be guarded, because foreign callers cannot be refused; \
                 add `#[circuit]` to a function that calls it",
            ));
        }
        let track_caller = self
            .outer_attributes
            .iter()
            .find(|attribute| attribute.path().is_ident("track_caller"));
        if let Some(attribute) = track_caller {
            return Err(Error::new(
                attribute.span(),
                "`#[track_caller]` would have no effect, because the body of a function with `#[circuit]` \
                 becomes a closure; add `#[track_caller]` to a function that calls this one, and pass \
                 `Location::caller()` as an argument",
            ));
        }
        if let ReturnType::Default = sig.output {
            return Err(Error::new(
                sig.ident.span(),
                "a function with `#[circuit]` must return a `Result`, but this function returns nothing",
            ));
        }
        if let Type::Never(never) = return_type::bare(self.return_type()) {
            return Err(Error::new(
                never.span(),
                "a function with `#[circuit]` must return a `Result`, but this function never returns",
            ));
        }
        if sig.asyncness.is_none() && return_type::is_stream(self.return_type()) {
            return Err(Error::new(
                self.return_type().span(),
                "a function that returns a stream cannot be guarded, because it ends before its stream \
                 does; remove `#[circuit]`, and guard the stream of each call: \
                 `function(..).with_breaker(&registry, \"name\")`",
            ));
        }
        Ok(())
    }

    /// Returns the return type as it is written.
    fn return_type(&self) -> &Type {
        match &self.sig.output {
            ReturnType::Type(_, ty) => ty,
            ReturnType::Default => unreachable!("`check` rejects functions that return nothing"),
        }
    }

    pub(crate) fn name(&self) -> String {
        self.sig.ident.unraw().to_string()
    }

    /// Returns the form of the function, and the type that is classified: the return type, or the output of
    /// the returned future.
    pub(crate) fn form(&self) -> Result<(Form, Type)> {
        let return_type = self.return_type();
        if self.sig.asyncness.is_some() {
            return Ok((Form::Async, return_type.clone()));
        }
        let Some(future) = ReturnedFuture::parse(return_type) else {
            return Ok((Form::Sync, return_type.clone()));
        };
        let tail = self.statements().and_then(FutureTail::parse);
        let form = match tail {
            Some(tail) if future.boxed || matches!(tail.future, TailFuture::Block(_)) => {
                Form::FutureTail(Box::new(tail))
            }
            None if future.boxed => {
                return Err(Error::new(
                    return_type.span(),
                    "this future cannot be guarded without a second box; write the function as an \
                     `async fn`, or end it with `Box::pin(future)` or `future.boxed()`, without an earlier \
                     `return`",
                ));
            }
            _ => Form::ReturnsFuture,
        };
        Ok((form, future.output))
    }

    /// Returns the statements of the body, or `None` if syn cannot parse them.
    fn statements(&self) -> Option<Vec<Stmt>> {
        syn::parse::Parser::parse2(Block::parse_within, self.body.stream()).ok()
    }

    /// Returns whether the function is recognisable as a method: it has a receiver, or mentions `Self`.
    ///
    /// An attribute macro does not see the `impl` around a function.
    pub(crate) fn is_method(&self) -> bool {
        struct SelfFinder(bool);
        impl Visit<'_> for SelfFinder {
            fn visit_path(&mut self, path: &Path) {
                self.0 |= path
                    .segments
                    .first()
                    .is_some_and(|first| first.ident == "Self");
                visit_path(self, path);
            }
            // Skipped, because `Self` in a nested item is another type.
            fn visit_item(&mut self, _: &Item) {}
        }
        let mut finder = SelfFinder(self.sig.receiver().is_some());
        visit_signature(&mut finder, &self.sig);
        if !finder.0 {
            let statements = self.statements().unwrap_or_default();
            for statement in &statements {
                finder.visit_stmt(statement);
            }
        }
        finder.0
    }

    /// Names every argument, so that the arguments can be passed to a fallback.
    ///
    /// Returns the arguments, and the `let` statements that bind the original patterns in the body.
    pub(crate) fn name_arguments(
        &mut self,
        args: &AttributeArgs,
    ) -> (Vec<TokenStream>, TokenStream) {
        let mut arguments = Vec::new();
        let mut patterns = TokenStream::new();
        let mut generated = Vec::new();
        for (at, argument) in self.sig.inputs.iter_mut().enumerate() {
            match argument {
                FnArg::Receiver(receiver) => {
                    let conditions = receiver.attrs.iter().filter(|attribute| is_cfg(attribute));
                    let this = receiver.self_token;
                    arguments.push(quote!(#(#conditions)* #this));
                }
                FnArg::Typed(argument) => {
                    let conditions: Vec<_> = argument
                        .attrs
                        .iter()
                        .filter(|attribute| is_cfg(attribute))
                        .cloned()
                        .collect();
                    if let Some(name) = usable_name(&argument.pat, args) {
                        arguments.push(quote!(#(#conditions)* #name));
                        continue;
                    }
                    let span = Span::mixed_site().located_at(argument.pat.span());
                    let name = shown_name(&argument.pat, span)
                        .filter(|name| !generated.contains(name))
                        .unwrap_or_else(|| format_ident!("argument_{at}", span = span));
                    generated.push(name.clone());
                    let pat = std::mem::replace(&mut *argument.pat, syn::parse_quote!(#name));
                    // Lint attributes apply to the names in the pattern.
                    let attributes = std::mem::replace(&mut argument.attrs, conditions.clone());
                    // As a tuple, because lints report a name with an underscore that is bound to a variable.
                    patterns.extend(quote_spanned!(span=> #(#attributes)* let (#pat,) = (#name,);));
                    arguments.push(quote!(#(#conditions)* #name));
                }
            }
        }
        (arguments, patterns)
    }

    /// Returns the function with another body.
    pub(crate) fn with_body(&self, body: &TokenStream) -> TokenStream {
        let Self {
            outer_attributes,
            vis,
            default,
            sig,
            inner_attributes,
            ..
        } = self;
        let span = self.body.span();
        let mut group = Group::new(Delimiter::Brace, quote!(#inner_attributes #body));
        group.set_span(span);
        quote!(#(#outer_attributes)* #vis #default #sig #group)
    }
}

/// Returns the name of an argument that the expansion can use. Lints report uses of a name that begins with
/// an underscore, so such a name is only used if the attribute does.
fn usable_name<'a>(pat: &'a Pat, args: &AttributeArgs) -> Option<&'a Ident> {
    match pat {
        Pat::Ident(pat) if pat.by_ref.is_none() && pat.subpat.is_none() => {
            let name = &pat.ident;
            (!name.to_string().starts_with('_') || args.mention(name)).then_some(name)
        }
        _ => None,
    }
}

/// Returns the name of an argument without its underscores, because documentation shows the generated name.
fn shown_name(pat: &Pat, span: Span) -> Option<Ident> {
    let Pat::Ident(pat) = pat else {
        return None;
    };
    let name = pat.ident.to_string();
    let mut name: Ident = syn::parse_str(name.trim_start_matches('_')).ok()?;
    name.set_span(span);
    Some(name)
}

/// Returns whether an attribute may remove an argument: `cfg`, or `cfg` in `cfg_attr`.
fn is_cfg(attribute: &Attribute) -> bool {
    attribute.path().is_ident("cfg")
        || attribute.path().is_ident("cfg_attr") && {
            let tokens = attribute.meta.to_token_stream();
            nested_tokens(tokens)
                .any(|token| matches!(token, TokenTree::Ident(word) if word == "cfg"))
        }
}

/// Returns the tokens of a stream, and of the groups directly in it.
fn nested_tokens(tokens: TokenStream) -> impl Iterator<Item = TokenTree> {
    tokens.into_iter().flat_map(|token| match token {
        TokenTree::Group(group) => group.stream().into_iter().collect::<Vec<_>>(),
        token => vec![token],
    })
}
