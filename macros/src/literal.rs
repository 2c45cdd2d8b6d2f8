//! Settings written as literals are checked while compiling, with the ranges of the builder.

use crate::duration;
use proc_macro2::TokenStream;
use quote::quote_spanned;
use std::ops::RangeInclusive;
use syn::spanned::Spanned;
use syn::{Error, Expr, ExprLit, ExprUnary, Lit, LitInt, Result, UnOp};

/// The longest name, in bytes.
const LONGEST_NAME: usize = 256;

/// An expression without the groups that a `macro_rules` leaves around it.
pub(crate) fn ungrouped(expr: &Expr) -> &Expr {
    match expr {
        Expr::Group(group) => ungrouped(&group.expr),
        expr => expr,
    }
}

fn literal(expr: &Expr) -> Option<&Lit> {
    match ungrouped(expr) {
        Expr::Lit(ExprLit { lit, .. }) => Some(lit),
        Expr::Unary(ExprUnary {
            op: UnOp::Neg(_),
            expr,
            ..
        }) => literal(expr),
        _ => None,
    }
}

fn is_negative(expr: &Expr) -> bool {
    matches!(ungrouped(expr), Expr::Unary(_))
}

fn refused(expr: &Expr, field: &str, allowed: &str) -> Error {
    let text = quote::quote!(#expr).to_string().replace("- ", "-");
    Error::new(
        expr.span(),
        format!("`{field}` must be {allowed}, not {text}"),
    )
}

/// The number, if it is written down; refused outside of `allowed`.
pub(crate) fn number(
    field: &str,
    expr: &Expr,
    allowed: &RangeInclusive<u32>,
) -> Result<Option<u32>> {
    let range = format!("{} to {}", allowed.start(), allowed.end());
    match literal(expr) {
        None => Ok(None),
        Some(Lit::Int(number)) if !is_negative(expr) => whole(number)
            .filter(|number| allowed.contains(number))
            .map(Some)
            .ok_or_else(|| refused(expr, field, &range)),
        Some(_) => Err(refused(expr, field, &format!("a number, {range}"))),
    }
}

fn whole(number: &LitInt) -> Option<u32> {
    number.base10_parse().ok()
}

/// A duration: `"1m 30s"`, or an expression as it is.
pub(crate) fn duration(field: &str, expr: &Expr) -> Result<TokenStream> {
    let unit = "a duration with its unit, as \"30s\" or \"1m 30s\"";
    let text = match literal(expr) {
        None => {
            let span = expr.span();
            return Ok(quote_spanned!(span=> #expr));
        }
        Some(Lit::Str(text)) if !is_negative(expr) => text,
        Some(_) => return Err(refused(expr, field, unit)),
    };
    let duration = duration::parse(&text.value()).map_err(|why| {
        Error::new(
            text.span(),
            format!("{}: {why}", refused(expr, field, unit)),
        )
    })?;
    if duration.is_zero() {
        return Err(refused(expr, field, "longer than zero"));
    }
    let (seconds, nanos) = (duration.as_secs(), duration.subsec_nanos());
    Ok(quote_spanned!(text.span()=> ::core::time::Duration::new(#seconds, #nanos)))
}

/// The name, if it is written down.
pub(crate) fn name(expr: &Expr) -> Result<Option<String>> {
    match literal(expr) {
        None => Ok(None),
        Some(Lit::Str(text)) if !is_negative(expr) => {
            let name = text.value();
            if (1..=LONGEST_NAME).contains(&name.len()) {
                return Ok(Some(name));
            }
            let bytes = name.len();
            let message = format!("`name` must be 1 to {LONGEST_NAME} bytes long, not {bytes}");
            Err(Error::new(text.span(), message))
        }
        Some(_) => Err(refused(expr, "name", "a string")),
    }
}
