//! What is written between the parentheses of `#[circuit(..)]`.

use crate::literal;
use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, format_ident};
use std::ops::RangeInclusive;
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{
    Error, Expr, ExprClosure, ExprLit, Lit, Pat, Path, Result, Token, Type, bracketed, token,
};

/// The settings, in the order in which people are told of them.
const KEYS: &str = "name, failure_threshold, recovery_timeout, half_open_calls, success_threshold, \
                    trial_timeout, expected, ignored, fail_if, trip_when, preset, builder, registry, \
                    fallback, timeout, crate";

/// What they are called in the Python originals, and what people may try.
const HINTS: [(&str, &str); 7] = [
    ("expected_exception", "expected"),
    ("expected_error", "expected"),
    ("ignored_error", "ignored"),
    ("fallback_function", "fallback"),
    ("cls", "preset"),
    ("threshold", "failure_threshold"),
    ("reset_timeout", "recovery_timeout"),
];

/// The settings of one function.
pub(crate) struct Settings {
    pub(crate) krate: Path,
    pub(crate) name: Option<Name>,
    /// Calls of the builder, in the order in which they were written.
    pub(crate) numbers: Vec<(Ident, TokenStream)>,
    pub(crate) expected: Vec<Errors>,
    pub(crate) ignored: Vec<Errors>,
    pub(crate) fail_if: Option<Expr>,
    pub(crate) trip_when: Vec<Expr>,
    pub(crate) preset: Option<Type>,
    /// A builder to begin with.
    pub(crate) base: Option<Expr>,
    /// What the builder has to be told at last.
    pub(crate) adjust: Option<ExprClosure>,
    pub(crate) registry: Option<Expr>,
    pub(crate) fallback: Option<Expr>,
    /// With where it was written.
    pub(crate) timeout: Option<(Span, TokenStream)>,
}

pub(crate) enum Name {
    Literal(String),
    Given(Expr),
}

/// Errors that are expected or ignored.
pub(crate) enum Errors {
    Type(Type),
    /// It says itself which errors it is about.
    Predicate(Expr),
    /// It is about those of the function.
    OwnPredicate(Expr),
}

impl Settings {
    /// Whether any of them is about the breaker, and so may lose.
    pub(crate) fn are_there(&self) -> bool {
        !self.numbers.is_empty()
            || !self.expected.is_empty()
            || !self.ignored.is_empty()
            || !self.trip_when.is_empty()
            || self.preset.is_some()
            || self.base.is_some()
            || self.adjust.is_some()
    }

    fn number(
        &mut self,
        key: &Ident,
        value: Expr,
        allowed: &RangeInclusive<u32>,
    ) -> Result<Option<u32>> {
        let number = literal::number(&key.to_string(), &value, allowed)?;
        self.numbers.push((key.clone(), value.into_token_stream()));
        Ok(number)
    }

    fn duration(&mut self, key: &Ident, value: &Expr) -> Result<()> {
        let duration = literal::duration(&key.to_string(), value)?;
        self.numbers.push((key.clone(), duration));
        Ok(())
    }
}

impl Parse for Settings {
    fn parse(input: ParseStream) -> Result<Self> {
        let mut settings = Self {
            krate: syn::parse_quote!(::breakerbox),
            name: None,
            numbers: Vec::new(),
            expected: Vec::new(),
            ignored: Vec::new(),
            fail_if: None,
            trip_when: Vec::new(),
            preset: None,
            base: None,
            adjust: None,
            registry: None,
            fallback: None,
            timeout: None,
        };
        let mut seen: Vec<Ident> = Vec::new();
        let mut trials = None;
        let mut successes = None;
        while !input.is_empty() {
            let key = key(input, &seen)?;
            input.parse::<Token![=]>()?;
            match key.to_string().as_str() {
                "crate" => settings.krate = parse_crate(input)?,
                "name" => {
                    let value = input.parse()?;
                    settings.name = Some(match literal::name(&value)? {
                        Some(name) => Name::Literal(name),
                        None => Name::Given(value),
                    });
                }
                "failure_threshold" => {
                    settings.number(&key, input.parse()?, &(1..=u32::MAX))?;
                }
                "half_open_calls" => {
                    trials = settings.number(&key, input.parse()?, &(1..=1_000))?;
                }
                "success_threshold" => {
                    let value: Expr = input.parse()?;
                    let number = settings.number(&key, value.clone(), &(1..=1_000))?;
                    successes = number.map(|_| value);
                }
                "recovery_timeout" | "trial_timeout" => settings.duration(&key, &input.parse()?)?,
                "expected" => settings.expected = parse_errors(input)?,
                "ignored" => settings.ignored = parse_errors(input)?,
                "fail_if" => settings.fail_if = Some(input.parse()?),
                "trip_when" => settings.trip_when = parse_rules(input)?,
                "preset" => settings.preset = Some(input.parse()?),
                "builder" => match input.parse()? {
                    Expr::Closure(adjust) => settings.adjust = Some(adjust),
                    base => settings.base = Some(base),
                },
                "registry" => settings.registry = Some(input.parse()?),
                "fallback" => settings.fallback = Some(input.parse()?),
                "timeout" => {
                    let value: Expr = input.parse()?;
                    let duration = literal::duration("timeout", &value)?;
                    settings.timeout = Some((key.span(), duration));
                }
                _ => return Err(unknown(&key)),
            }
            seen.push(key);
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        settings.check(trials, successes.as_ref(), &seen)?;
        Ok(settings)
    }
}

impl Settings {
    /// What only all of them together tell.
    fn check(&self, trials: Option<u32>, successes: Option<&Expr>, seen: &[Ident]) -> Result<()> {
        let key = |name: &str| seen.iter().find(|key| *key == name);
        if let (Some(_), Some(_), Some(builder)) = (&self.preset, &self.base, key("builder")) {
            return Err(Error::new(
                builder.span(),
                "`preset` and `builder` both say where to begin: leave one out, or write \
                 `builder = |builder| builder..`, which adjusts what the preset gave",
            ));
        }
        // One, unless somebody said otherwise where it cannot be seen from here.
        let said = key("half_open_calls").is_some();
        let elsewhere = self.preset.is_some() || self.base.is_some() || self.adjust.is_some();
        let trials = trials.or((!said && !elsewhere).then_some(1));
        if let (Some(trials), Some(successes)) = (trials, successes) {
            literal::number("success_threshold", successes, &(1..=trials)).map_err(|error| {
                let message = format!("{error} (there are {trials} `half_open_calls`)");
                Error::new(successes.span(), message)
            })?;
        }
        Ok(())
    }
}

fn key(input: ParseStream, seen: &[Ident]) -> Result<Ident> {
    if let Ok(ExprLit {
        lit: Lit::Str(text),
        ..
    }) = input.fork().parse()
    {
        let message = format!("to name the circuit, write `name = {}`", text.token());
        return Err(Error::new(text.span(), message));
    }
    if !input.peek(Ident::peek_any) {
        return Err(input.error(format!("expected a setting; the settings are {KEYS}")));
    }
    let key = Ident::parse_any(input)?;
    if seen.contains(&key) {
        let message =
            format!("`{key}` is given twice; the settings, each at most once, are {KEYS}");
        return Err(Error::new(key.span(), message));
    }
    if !KEYS.split(", ").any(|known| key == known) {
        return Err(unknown(&key));
    }
    Ok(key)
}

fn unknown(key: &Ident) -> Error {
    let hint = HINTS.iter().find(|(other, _)| key == other);
    let hint = hint.map_or_else(String::new, |(_, key)| format!(" (did you mean `{key}`?)"));
    Error::new(
        key.span(),
        format!("`{key}` is no setting{hint}; the settings are {KEYS}"),
    )
}

fn parse_crate(input: ParseStream) -> Result<Path> {
    if let Ok(ExprLit {
        lit: Lit::Str(text),
        ..
    }) = input.fork().parse()
    {
        return Err(Error::new(
            text.span(),
            "write the path of the crate without quotes",
        ));
    }
    Path::parse_mod_style(input)
}

/// `[rule, ..]`, or one rule.
fn parse_rules(input: ParseStream) -> Result<Vec<Expr>> {
    let value: Expr = input.parse()?;
    match literal::ungrouped(&value) {
        Expr::Array(rules) if rules.elems.is_empty() => Err(Error::new(
            rules.span(),
            "`trip_when` must name at least one rule",
        )),
        Expr::Array(rules) => Ok(rules.elems.iter().cloned().collect()),
        _ => Ok(vec![value]),
    }
}

/// `[Type, ..]`, a type, a closure, or the path of a function.
fn parse_errors(input: ParseStream) -> Result<Vec<Errors>> {
    if input.peek(token::Bracket) {
        let list;
        let brackets = bracketed!(list in input);
        let types = Punctuated::<Type, Token![,]>::parse_terminated(&list)?;
        if types.is_empty() {
            return Err(Error::new(
                brackets.span.join(),
                "name at least one type of error",
            ));
        }
        return Ok(types.into_iter().map(Errors::Type).collect());
    }
    let fork = input.fork();
    if let Ok(value) = fork.parse::<Expr>() {
        match literal::ungrouped(&value) {
            Expr::Closure(closure) => {
                let typed = matches!(closure.inputs.first(), Some(Pat::Type(_)));
                input.parse::<Expr>()?;
                return Ok(vec![if typed {
                    Errors::Predicate(value)
                } else {
                    Errors::OwnPredicate(value)
                }]);
            }
            Expr::Path(path) if is_function(&path.path) => {
                input.parse::<Expr>()?;
                return Ok(vec![Errors::Predicate(value)]);
            }
            Expr::Lit(_) => {
                let message = "expected a type of error, a list of them, or a predicate";
                return Err(Error::new(value.span(), message));
            }
            _ => {}
        }
    }
    Ok(vec![Errors::Type(input.parse()?)])
}

/// By the convention of the language: functions are lower case, types are not.
fn is_function(path: &Path) -> bool {
    let last = path.segments.last();
    last.is_some_and(|last| {
        let name = last.ident.unraw().to_string();
        name.starts_with(|first: char| first.is_lowercase() || first == '_')
    })
}

/// The name of the method of a breaker's builder that takes such errors.
pub(crate) fn method(name: &str) -> Ident {
    format_ident!("{name}", span = Span::mixed_site())
}
