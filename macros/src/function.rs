//! The function that `#[circuit]` stands on.

use crate::returns;
use crate::tail::AsyncTail;
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
    outer: Vec<Attribute>,
    vis: Visibility,
    default: Option<Ident>,
    pub(crate) sig: Signature,
    /// As it was written: it need not be understood to be guarded.
    pub(crate) body: Group,
    inner: TokenStream,
}

impl Parse for Function {
    fn parse(input: ParseStream) -> Result<Self> {
        let outer = input.call(Attribute::parse_outer)?;
        let vis = input.parse()?;
        let default = default(input)?;
        if !is_function(input) {
            let what = input
                .fork()
                .parse::<Item>()
                .map_or("this", |item| kind(&item));
            return Err(input.error(format!(
                "`#[circuit]` stands on a function or a method, not on {what}"
            )));
        }
        let sig: Signature = input.parse()?;
        if input.peek(Token![;]) {
            return Err(Error::new(
                sig.ident.span(),
                "`#[circuit]` needs a body to guard: write it at the implementations of this method",
            ));
        }
        let body = braces(input.parse()?).ok_or_else(|| input.error("expected the body"))?;
        let (inner, body) = split_attributes(&body)?;
        Ok(Self {
            outer,
            vis,
            default,
            sig,
            body,
            inner,
        })
    }
}

/// The body, which a `macro_rules` may have put in a group of its own.
fn braces(tree: TokenTree) -> Option<Group> {
    match tree {
        TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => Some(group),
        TokenTree::Group(group) if group.delimiter() == Delimiter::None => {
            group.stream().into_iter().next().and_then(braces)
        }
        _ => None,
    }
}

/// `default` of a specialized method, which is no keyword.
fn default(input: ParseStream) -> Result<Option<Ident>> {
    let ahead = input.fork();
    let is_default = Ident::parse_any(&ahead).is_ok_and(|word| word == "default");
    (is_default && !ahead.peek(Token![!]))
        .then(|| Ident::parse_any(input))
        .transpose()
}

fn is_function(input: ParseStream) -> bool {
    input.peek(Token![fn])
        || input.peek(Token![async])
        || input.peek(Token![unsafe]) && !input.peek2(Token![impl]) && !input.peek2(Token![trait])
        || input.peek(Token![extern]) && !input.peek2(Token![crate])
        || input.peek(Token![const]) && {
            let ahead = input.fork();
            ahead.parse::<Signature>().is_ok()
        }
}

fn kind(item: &Item) -> &'static str {
    match item {
        Item::Impl(_) => "an `impl` block: write it at its methods",
        Item::Trait(_) => "a trait: write it at the implementations of its methods",
        Item::Struct(_) | Item::Enum(_) | Item::Union(_) => "a type",
        Item::Mod(_) => "a module",
        _ => "this",
    }
}

/// The `#![..]` at the beginning of a body, and the rest of it.
fn split_attributes(body: &Group) -> Result<(TokenStream, Group)> {
    let parse = |input: ParseStream| {
        let attributes = input.call(Attribute::parse_inner)?;
        Ok((quote!(#(#attributes)*), input.parse::<TokenStream>()?))
    };
    let (attributes, rest) = syn::parse::Parser::parse2(parse, body.stream())?;
    let mut group = Group::new(Delimiter::Brace, rest);
    group.set_span(body.span());
    Ok((attributes, group))
}

/// What has to be guarded.
pub(crate) enum Form {
    Sync,
    Async,
    /// A function that ends in an async block, as those that `async_trait` makes: that is guarded.
    Block(Box<AsyncTail>),
    /// A function that makes a future in some other way.
    Maker,
}

impl Function {
    /// Refuses what cannot be guarded.
    pub(crate) fn check(&self) -> Result<()> {
        let sig = &self.sig;
        if let Some(token) = &sig.constness {
            let why = "a circuit counts while the program runs: a `const fn` cannot";
            return Err(Error::new(token.span, why));
        }
        if let Safety::Unsafe(token) = &sig.safety {
            return Err(Error::new(
                token.span,
                "an `unsafe fn` is not guarded, since its body would move into a closure, where \
                 other rules hold: put `#[circuit]` on a safe function that calls it",
            ));
        }
        if let Some(abi) = &sig.abi {
            return Err(Error::new(
                abi.span(),
                "an `extern` function is not guarded, since nothing can refuse its foreign callers: \
                 put `#[circuit]` on a function that calls it",
            ));
        }
        if let ReturnType::Default = sig.output {
            return Err(Error::new(
                sig.ident.span(),
                "a function with `#[circuit]` must return a `Result`, and this one returns nothing",
            ));
        }
        if let Type::Never(never) = returns::bare(self.output()) {
            return Err(Error::new(
                never.span(),
                "a function with `#[circuit]` must return a `Result`, and this one never returns",
            ));
        }
        Ok(())
    }

    /// What it returns, as it was written.
    pub(crate) fn output(&self) -> &Type {
        match &self.sig.output {
            ReturnType::Type(_, ty) => ty,
            // Refused before anybody asks.
            ReturnType::Default => unreachable!("`check` refuses functions that return nothing"),
        }
    }

    pub(crate) fn name(&self) -> String {
        self.sig.ident.unraw().to_string()
    }

    pub(crate) fn form(&self) -> Result<(Form, Type)> {
        let output = self.output();
        if self.sig.asyncness.is_some() {
            return Ok((Form::Async, output.clone()));
        }
        let Some(future) = returns::Returned::of(output) else {
            return Ok((Form::Sync, output.clone()));
        };
        let tail = self.statements().and_then(AsyncTail::of);
        let form = match tail {
            Some(tail) => Form::Block(Box::new(tail)),
            None if future.boxed => {
                return Err(Error::new(
                    output.span(),
                    "this future would have to be boxed once more to be guarded: write the function \
                     as an `async fn`, or end it in `Box::pin(async move { .. })`, with no `return` \
                     before",
                ));
            }
            None => Form::Maker,
        };
        Ok((form, future.output))
    }

    /// Where they can be understood.
    fn statements(&self) -> Option<Vec<Stmt>> {
        syn::parse::Parser::parse2(Block::parse_within, self.body.stream()).ok()
    }

    /// Whether it can be seen to be a method, and may say `Self`.
    pub(crate) fn is_method(&self) -> bool {
        struct Finds(bool);
        impl Visit<'_> for Finds {
            fn visit_path(&mut self, path: &Path) {
                self.0 |= path
                    .segments
                    .first()
                    .is_some_and(|first| first.ident == "Self");
                visit_path(self, path);
            }
            // Has a `Self` of its own.
            fn visit_item(&mut self, _: &Item) {}
        }
        let mut finds = Finds(self.sig.receiver().is_some());
        visit_signature(&mut finds, &self.sig);
        if !finds.0 {
            let statements = self.statements().unwrap_or_default();
            for statement in &statements {
                finds.visit_stmt(statement);
            }
        }
        finds.0
    }

    /// Gives every argument a name, for a fallback to get them by; and what the body needs to find
    /// them as it knows them.
    pub(crate) fn name_arguments(&mut self) -> (Vec<TokenStream>, TokenStream) {
        let mut names = Vec::new();
        let mut patterns = TokenStream::new();
        for (at, argument) in self.sig.inputs.iter_mut().enumerate() {
            match argument {
                FnArg::Receiver(receiver) => {
                    let this = receiver.self_token;
                    names.push(quote!(#this));
                }
                FnArg::Typed(argument) => {
                    if let Pat::Ident(pat) = &*argument.pat {
                        if pat.by_ref.is_none() && pat.subpat.is_none() {
                            names.push(pat.ident.to_token_stream());
                            continue;
                        }
                    }
                    let span = Span::mixed_site().located_at(argument.pat.span());
                    let name = format_ident!("argument_{at}", span = span);
                    let pat = std::mem::replace(&mut *argument.pat, syn::parse_quote!(#name));
                    patterns.extend(quote_spanned!(span=> let #pat = #name;));
                    names.push(name.to_token_stream());
                }
            }
        }
        (names, patterns)
    }

    /// The function with another body.
    pub(crate) fn with_body(&self, body: &TokenStream) -> TokenStream {
        let Self {
            outer,
            vis,
            default,
            sig,
            inner,
            ..
        } = self;
        let span = self.body.span();
        let mut group = Group::new(Delimiter::Brace, quote!(#inner #body));
        group.set_span(span);
        quote!(#(#outer)* #vis #default #sig #group)
    }
}
