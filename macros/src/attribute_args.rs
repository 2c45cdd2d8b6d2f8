//! Parser of the arguments of `#[circuit(..)]`.
//!
//! Documentation and messages call them args.

use crate::literal;
use proc_macro2::{Ident, Span, TokenStream};
use quote::ToTokens;
use std::ops::RangeInclusive;
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{
    Error, Expr, ExprClosure, ExprLit, Lit, Pat, Path, Result, Token, Type, bracketed, token,
};

/// All keys, in the order of the messages that list them.
const KEYS: &str = "name, failure_threshold, recovery_timeout, half_open_calls, success_threshold, \
                    trial_timeout, expected, ignored, fail_if, trip_when, preset, builder, registry, \
                    fallback, timeout, crate";

/// Names from the Python originals and other likely guesses, with the key that each stands for.
const HINTS: [(&str, &str); 7] = [
    ("expected_exception", "expected"),
    ("expected_error", "expected"),
    ("ignored_error", "ignored"),
    ("fallback_function", "fallback"),
    ("cls", "preset"),
    ("threshold", "failure_threshold"),
    ("reset_timeout", "recovery_timeout"),
];

/// The parsed arguments of one `#[circuit(..)]`.
pub(crate) struct AttributeArgs {
    /// The path of breakerbox, which `crate` changes.
    pub(crate) krate: Path,
    pub(crate) name: Option<Name>,
    /// Builder methods to call with one value each: all numbers and durations, in the order in which
    /// they were written.
    pub(crate) builder_calls: Vec<(Ident, TokenStream)>,
    pub(crate) expected: Vec<ErrorRule>,
    pub(crate) ignored: Vec<ErrorRule>,
    pub(crate) fail_if: Option<Expr>,
    pub(crate) trip_when: Vec<Expr>,
    pub(crate) preset: Option<Type>,
    /// `builder = expression`: the builder to start from.
    pub(crate) builder_base: Option<Expr>,
    /// `builder = |builder| ..`: applied last.
    pub(crate) builder_adjust: Option<ExprClosure>,
    pub(crate) registry: Option<Expr>,
    pub(crate) fallback: Option<Expr>,
    /// The duration, with the span of its key.
    pub(crate) timeout: Option<(Span, TokenStream)>,
}

pub(crate) enum Name {
    Literal(String),
    /// An expression that is evaluated at each call.
    Computed(Expr),
}

/// Errors that are expected or ignored.
pub(crate) enum ErrorRule {
    Type(Type),
    /// A function, or a closure whose parameter has a type.
    TypedPredicate(Expr),
    /// A closure whose parameter has no type: it takes the error type of the function.
    InferredPredicate(Expr),
}

impl AttributeArgs {
    /// Returns whether any argument configures the breaker. Such arguments are without effect if the
    /// breaker exists already.
    pub(crate) fn configure_breaker(&self) -> bool {
        !self.builder_calls.is_empty()
            || !self.expected.is_empty()
            || !self.ignored.is_empty()
            || !self.trip_when.is_empty()
            || self.preset.is_some()
            || self.builder_base.is_some()
            || self.builder_adjust.is_some()
    }

    fn add_number(
        &mut self,
        key: &Ident,
        value: Expr,
        allowed: &RangeInclusive<u32>,
    ) -> Result<Option<u32>> {
        let number = literal::check_number(&key.to_string(), &value, allowed)?;
        self.builder_calls
            .push((key.clone(), value.into_token_stream()));
        Ok(number)
    }

    fn add_duration(&mut self, key: &Ident, value: &Expr) -> Result<()> {
        let duration = literal::check_duration(&key.to_string(), value)?;
        self.builder_calls.push((key.clone(), duration));
        Ok(())
    }
}

impl Parse for AttributeArgs {
    fn parse(input: ParseStream) -> Result<Self> {
        let mut args = Self {
            krate: syn::parse_quote!(::breakerbox),
            name: None,
            builder_calls: Vec::new(),
            expected: Vec::new(),
            ignored: Vec::new(),
            fail_if: None,
            trip_when: Vec::new(),
            preset: None,
            builder_base: None,
            builder_adjust: None,
            registry: None,
            fallback: None,
            timeout: None,
        };
        let mut seen: Vec<Ident> = Vec::new();
        let mut trials = None;
        let mut successes = None;
        while !input.is_empty() {
            let key = parse_key(input, &seen)?;
            input.parse::<Token![=]>()?;
            match key.to_string().as_str() {
                "crate" => args.krate = parse_crate(input)?,
                "name" => {
                    let value = input.parse()?;
                    args.name = Some(match literal::check_name(&value)? {
                        Some(name) => Name::Literal(name),
                        None => Name::Computed(value),
                    });
                }
                "failure_threshold" => {
                    args.add_number(&key, input.parse()?, &(1..=u32::MAX))?;
                }
                "half_open_calls" => {
                    trials = args.add_number(&key, input.parse()?, &(1..=1_000))?;
                }
                "success_threshold" => {
                    let value: Expr = input.parse()?;
                    let number = args.add_number(&key, value.clone(), &(1..=1_000))?;
                    successes = number.map(|_| value);
                }
                "recovery_timeout" | "trial_timeout" => args.add_duration(&key, &input.parse()?)?,
                "expected" => args.expected = parse_error_rules(input)?,
                "ignored" => args.ignored = parse_error_rules(input)?,
                "fail_if" => args.fail_if = Some(input.parse()?),
                "trip_when" => args.trip_when = parse_trip_rules(input)?,
                "preset" => args.preset = Some(input.parse()?),
                "builder" => match input.parse()? {
                    Expr::Closure(adjust) => args.builder_adjust = Some(adjust),
                    base => args.builder_base = Some(base),
                },
                "registry" => args.registry = Some(input.parse()?),
                "fallback" => args.fallback = Some(input.parse()?),
                "timeout" => {
                    let value: Expr = input.parse()?;
                    let duration = literal::check_duration("timeout", &value)?;
                    args.timeout = Some((key.span(), duration));
                }
                _ => return Err(unknown_key(&key)),
            }
            seen.push(key);
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        args.check_together(trials, successes.as_ref(), &seen)?;
        Ok(args)
    }
}

impl AttributeArgs {
    /// Rejects arguments that contradict each other.
    fn check_together(
        &self,
        trials: Option<u32>,
        successes: Option<&Expr>,
        seen: &[Ident],
    ) -> Result<()> {
        let key = |name: &str| seen.iter().find(|key| *key == name);
        if let (Some(_), Some(_), Some(builder)) =
            (&self.preset, &self.builder_base, key("builder"))
        {
            return Err(Error::new(
                builder.span(),
                "`preset` and `builder` both say where to begin: leave one out, or write \
                 `builder = |builder| builder..`, which adjusts what the preset gave",
            ));
        }
        // The default of one trial is known only if no other expression can set the number.
        let set_here = key("half_open_calls").is_some();
        let set_elsewhere =
            self.preset.is_some() || self.builder_base.is_some() || self.builder_adjust.is_some();
        let trials = trials.or((!set_here && !set_elsewhere).then_some(1));
        if let (Some(trials), Some(successes)) = (trials, successes) {
            literal::check_number("success_threshold", successes, &(1..=trials)).map_err(
                |error| {
                    let message = format!("{error} (there are {trials} `half_open_calls`)");
                    Error::new(successes.span(), message)
                },
            )?;
        }
        Ok(())
    }
}

/// Parses a known key that is not in `seen`.
fn parse_key(input: ParseStream, seen: &[Ident]) -> Result<Ident> {
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
        return Err(unknown_key(&key));
    }
    Ok(key)
}

fn unknown_key(key: &Ident) -> Error {
    let hint = closest(&key.unraw().to_string());
    let hint = hint.map_or_else(String::new, |key| format!(" (did you mean `{key}`?)"));
    Error::new(
        key.span(),
        format!("`{key}` is no setting{hint}; the settings are {KEYS}"),
    )
}

/// Returns the key that `word` may be a misspelling of.
fn closest(word: &str) -> Option<&'static str> {
    let keys = KEYS.split(", ").map(|key| (key, key));
    let words = keys
        .chain(HINTS)
        .map(|(known, key)| (strsim::osa_distance(word, known), known, key));
    let (distance, known, key) = words.min()?;
    (distance * 3 <= word.len().min(known.len())).then_some(key)
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

/// Parses `[rule, ..]`, or one rule.
fn parse_trip_rules(input: ParseStream) -> Result<Vec<Expr>> {
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

/// Parses `[Type, ..]`, a type, a closure, or the path of a function.
fn parse_error_rules(input: ParseStream) -> Result<Vec<ErrorRule>> {
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
        return Ok(types.into_iter().map(ErrorRule::Type).collect());
    }
    let fork = input.fork();
    if let Ok(value) = fork.parse::<Expr>() {
        match literal::ungrouped(&value) {
            Expr::Closure(closure) => {
                let typed = matches!(closure.inputs.first(), Some(Pat::Type(_)));
                input.parse::<Expr>()?;
                return Ok(vec![if typed {
                    ErrorRule::TypedPredicate(value)
                } else {
                    ErrorRule::InferredPredicate(value)
                }]);
            }
            Expr::Path(path) if names_function(&path.path) => {
                input.parse::<Expr>()?;
                return Ok(vec![ErrorRule::TypedPredicate(value)]);
            }
            Expr::Lit(_) => {
                let message = "expected a type of error, a list of them, or a predicate";
                return Err(Error::new(value.span(), message));
            }
            _ => {}
        }
    }
    Ok(vec![ErrorRule::Type(input.parse()?)])
}

/// Returns whether a path names a function rather than a type. The case of the first letter decides:
/// a type and a function cannot be told apart otherwise.
fn names_function(path: &Path) -> bool {
    let last = path.segments.last();
    last.is_some_and(|last| {
        let name = last.ident.unraw().to_string();
        name.starts_with(|first: char| first.is_lowercase() || first == '_')
    })
}
