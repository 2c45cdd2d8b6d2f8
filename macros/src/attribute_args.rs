//! The arguments of `#[circuit(..)]`, and their parser.
//!
//! Messages call the arguments settings.

use crate::literal;
use proc_macro2::{Ident, Span, TokenStream};
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{
    Error, Expr, ExprClosure, ExprLit, Lit, Pat, Path, Result, Token, Type, bracketed, token,
};

/// The settings of the breaker and their kinds of values. Each is a method of `BreakerBuilder` with one
/// argument.
const SETTINGS: [(&str, SettingValue); 18] = [
    ("failure_threshold", SettingValue::Number(u32::MAX)),
    ("recovery_timeout", SettingValue::Duration),
    ("half_open_calls", SettingValue::Number(1_000)),
    ("success_threshold", SettingValue::Number(1_000)),
    ("trial_timeout", SettingValue::Duration),
    ("recovery_backoff", SettingValue::Expression),
    ("reset_backoff_after", SettingValue::Duration),
    ("ramp_up", SettingValue::Duration),
    ("max_trip_for", SettingValue::Duration),
    ("unexpected_errors_as", SettingValue::Expression),
    ("cancelled_as", SettingValue::Expression),
    ("cancelled_after", SettingValue::Duration),
    ("mode", SettingValue::Expression),
    ("count_successes", SettingValue::Expression),
    ("capture_last_failure", SettingValue::Expression),
    ("redact_last_failure", SettingValue::Expression),
    ("fleet", SettingValue::Expression),
    ("trip_rules", SettingValue::Expression),
];

/// All other keys: the name and registry of the breaker, its rules, and the behaviour of the function.
const OTHER_KEYS: [&str; 13] = [
    "name",
    "registry",
    "expected",
    "ignored",
    "trip_when",
    "preset",
    "builder",
    "fail_if",
    "classify",
    "refused",
    "fallback",
    "timeout",
    "crate",
];

/// The kind of a setting's value. Literals are checked at compile time.
#[derive(Clone, Copy)]
enum SettingValue {
    /// A number from 1 to this maximum.
    Number(u32),
    Duration,
    Expression,
}

/// Returns all keys, in the order in which messages list them.
fn keys() -> impl Iterator<Item = &'static str> {
    let settings = SETTINGS.iter().map(|(key, _)| *key);
    OTHER_KEYS.iter().copied().chain(settings)
}

fn key_list() -> String {
    keys().collect::<Vec<_>>().join(", ")
}

/// Names from the Python originals and other likely guesses, each with the key that it means.
const HINTS: [(&str, &str); 12] = [
    ("expected_exception", "expected"),
    ("expected_error", "expected"),
    ("ignored_error", "ignored"),
    ("fallback_function", "fallback"),
    ("classifier", "classify"),
    ("classify_output", "classify"),
    ("on_refused", "refused"),
    ("refusal", "refused"),
    ("map_err", "refused"),
    ("cls", "preset"),
    ("threshold", "failure_threshold"),
    ("reset_timeout", "recovery_timeout"),
];

/// The parsed arguments of one `#[circuit(..)]`.
pub(crate) struct AttributeArgs {
    /// The path of breakerbox: `::breakerbox`, or the value of `crate`.
    pub(crate) krate: Path,
    pub(crate) name: Option<Name>,
    /// Builder methods to call with one value each, in source order.
    pub(crate) builder_calls: Vec<(Ident, TokenStream)>,
    /// The settings whose values are literal numbers.
    numbers: Vec<(String, u32, Expr)>,
    pub(crate) expected: Vec<ErrorRule>,
    pub(crate) ignored: Vec<ErrorRule>,
    pub(crate) fail_if: Option<Expr>,
    pub(crate) classify: Option<Expr>,
    pub(crate) refused: Option<Expr>,
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
    /// The arguments as they are written.
    source: String,
}

pub(crate) enum Name {
    Literal(String),
    /// An expression that is evaluated at each call.
    Computed(Expr),
}

/// A rule for errors that are expected or ignored.
pub(crate) enum ErrorRule {
    Type(Type),
    /// A function, or a closure whose parameter has a type.
    TypedPredicate(Expr),
    /// A closure whose parameter has no type. The parameter has the error type of the function.
    InferredPredicate(Expr),
}

impl AttributeArgs {
    /// Returns whether any argument configures the breaker.
    pub(crate) fn configure_breaker(&self) -> bool {
        !self.builder_calls.is_empty()
            || !self.expected.is_empty()
            || !self.ignored.is_empty()
            || !self.trip_when.is_empty()
            || self.preset.is_some()
            || self.builder_base.is_some()
            || self.builder_adjust.is_some()
    }

    /// Returns whether an argument may use the name, also in a format string.
    pub(crate) fn mention(&self, name: &Ident) -> bool {
        self.source.contains(&name.to_string())
    }

    /// Returns a predicate of `expected` or `ignored` that does not name its error type.
    pub(crate) fn inferred_predicate(&self) -> Option<&Expr> {
        let rules = self.expected.iter().chain(&self.ignored);
        rules.into_iter().find_map(|rule| match rule {
            ErrorRule::InferredPredicate(predicate) => Some(predicate),
            ErrorRule::Type(_) | ErrorRule::TypedPredicate(_) => None,
        })
    }

    fn add_setting(&mut self, key: &Ident, kind: SettingValue, value: Expr) -> Result<()> {
        let name = key.to_string();
        let value = match kind {
            SettingValue::Number(most) => {
                if let Some(number) = literal::check_number(&name, &value, &(1..=most))? {
                    self.numbers.push((name, number, value.clone()));
                }
                value.into_token_stream()
            }
            SettingValue::Duration => literal::check_duration(&name, &value)?,
            SettingValue::Expression => value.into_token_stream(),
        };
        self.builder_calls.push((key.clone(), value));
        Ok(())
    }

    fn number(&self, key: &str) -> Option<(u32, &Expr)> {
        let found = self.numbers.iter().find(|(name, ..)| name == key);
        found.map(|(_, number, value)| (*number, value))
    }
}

impl Parse for AttributeArgs {
    fn parse(input: ParseStream) -> Result<Self> {
        let mut args = Self {
            krate: syn::parse_quote!(::breakerbox),
            name: None,
            builder_calls: Vec::new(),
            numbers: Vec::new(),
            expected: Vec::new(),
            ignored: Vec::new(),
            fail_if: None,
            classify: None,
            refused: None,
            trip_when: Vec::new(),
            preset: None,
            builder_base: None,
            builder_adjust: None,
            registry: None,
            fallback: None,
            timeout: None,
            source: input.fork().parse::<TokenStream>()?.to_string(),
        };
        let mut seen: Vec<Ident> = Vec::new();
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
                "expected" => args.expected = parse_error_rules(input)?,
                "ignored" => args.ignored = parse_error_rules(input)?,
                "fail_if" => args.fail_if = Some(parse_function(&key, input)?),
                "classify" => args.classify = Some(parse_function(&key, input)?),
                "refused" => args.refused = Some(parse_function(&key, input)?),
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
                name => match SETTINGS.iter().find(|(setting, _)| *setting == name) {
                    Some((_, kind)) => args.add_setting(&key, *kind, input.parse()?)?,
                    None => return Err(unknown_key(&key)),
                },
            }
            seen.push(key);
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        args.check_together(&seen)?;
        Ok(args)
    }
}

impl AttributeArgs {
    /// Rejects arguments that contradict each other.
    fn check_together(&self, seen: &[Ident]) -> Result<()> {
        let key = |name: &str| seen.iter().find(|key| *key == name);
        if let (Some(_), Some(_), Some(builder)) =
            (&self.preset, &self.builder_base, key("builder"))
        {
            return Err(Error::new(
                builder.span(),
                "`preset` and `builder` both give the base settings; remove one of them, or write \
                 `builder = |builder| builder..` to adjust the preset",
            ));
        }
        if let (Some(_), Some(fail_if)) = (&self.classify, key("fail_if")) {
            return Err(Error::new(
                fail_if.span(),
                "`classify` decides alone, so `fail_if` would never be called; remove one of them",
            ));
        }
        if let (Some(_), None, Some(refused)) = (&self.fallback, &self.timeout, key("refused")) {
            return Err(Error::new(
                refused.span(),
                "`fallback` answers every refusal, so `refused` would never be called; remove one of them \
                 (with `timeout`, `refused` makes the error of a call that timed out)",
            ));
        }
        // Only two literals are compared: without a literal, another layer may set the number of trials.
        let trials = self.number("half_open_calls").map(|(trials, _)| trials);
        let successes = self.number("success_threshold").map(|(_, value)| value);
        if let (Some(trials), Some(successes)) = (trials, successes) {
            literal::check_number("success_threshold", successes, &(1..=trials)).map_err(
                |error| {
                    let message = format!("{error} (`half_open_calls` is {trials})");
                    Error::new(successes.span(), message)
                },
            )?;
        }
        Ok(())
    }
}

/// Parses a key. Returns an error for a key that is unknown, or is in `seen`.
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
        return Err(input.error(format!(
            "expected a setting; the settings are {}",
            key_list()
        )));
    }
    let key = Ident::parse_any(input)?;
    if seen.contains(&key) {
        let message = format!("`{key}` is given twice; remove one of the two values");
        return Err(Error::new(key.span(), message));
    }
    if !keys().any(|known| key == known) {
        return Err(unknown_key(&key));
    }
    Ok(key)
}

fn unknown_key(key: &Ident) -> Error {
    let name = key.to_string();
    let known = HINTS.into_iter().chain(keys().map(|key| (key, key)));
    let hint = known
        .map(|(written, key)| (edit_distance(&name, written), written, key))
        .min_by_key(|(distance, ..)| *distance)
        .filter(|(distance, written, _)| *distance <= written.len() / 3)
        .map(|(.., key)| key);
    let hint = hint.map_or_else(String::new, |key| format!(" (did you mean `{key}`?)"));
    let keys = key_list();
    Error::new(
        key.span(),
        format!("`{key}` is not a setting{hint}; the settings are {keys}"),
    )
}

/// Returns the Levenshtein distance: the number of characters to insert, remove or replace to turn `other`
/// into `one`.
fn edit_distance(one: &str, other: &str) -> usize {
    let mut row: Vec<usize> = (0..=other.chars().count()).collect();
    for (line, expected) in one.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = line + 1;
        for (at, found) in other.chars().enumerate() {
            let replaced = diagonal + usize::from(expected != found);
            diagonal = row[at + 1];
            row[at + 1] = replaced.min(diagonal + 1).min(row[at] + 1);
        }
    }
    row[other.chars().count()]
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

/// Parses a closure or the path of a function.
fn parse_function(key: &Ident, input: ParseStream) -> Result<Expr> {
    let value: Expr = input.parse()?;
    let example = match key.to_string().as_str() {
        "classify" => "|result| match result { .. }",
        "refused" => "|error| ..",
        _ => "|error| error.is_timeout()",
    };
    match literal::ungrouped(&value) {
        Expr::Lit(_) | Expr::Array(_) | Expr::Tuple(_) => Err(Error::new(
            value.span(),
            format!("`{key}` must be a closure, or the path of a function: `{key} = {example}`"),
        )),
        _ => Ok(value),
    }
}

/// Parses `[rule, ..]`, or a single rule.
fn parse_trip_rules(input: ParseStream) -> Result<Vec<Expr>> {
    let value: Expr = input.parse()?;
    match literal::ungrouped(&value) {
        Expr::Array(rules) if rules.elems.is_empty() => Err(Error::new(
            rules.span(),
            "`trip_when` must contain at least one rule",
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
                "expected at least one error type",
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
                let message = "expected an error type, a list of error types, or a predicate";
                return Err(Error::new(value.span(), message));
            }
            _ => {}
        }
    }
    Ok(vec![ErrorRule::Type(input.parse()?)])
}

/// Returns whether a path names a function rather than a type. Decides by the case of the first letter,
/// because the tokens of both are the same.
fn names_function(path: &Path) -> bool {
    let last = path.segments.last();
    last.is_some_and(|last| {
        let name = last.ident.unraw().to_string();
        name.starts_with(|first: char| first.is_lowercase() || first == '_')
    })
}
