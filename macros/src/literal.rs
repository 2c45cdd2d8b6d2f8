//! Compile-time checks of literal values.
//!
//! Literals must be in the ranges that the builder allows. Other expressions are not checked.

use crate::duration;
use proc_macro2::TokenStream;
use quote::quote_spanned;
use std::ops::RangeInclusive;
use syn::spanned::Spanned;
use syn::{Error, Expr, ExprLit, ExprUnary, Lit, Result, UnOp};

/// The maximum length of a name, in bytes. Equal to `names::LONGEST` of breakerbox.
const MAX_NAME_LEN: usize = 256;

/// Returns the expression without invisible groups around it, which a `macro_rules` may have added.
pub(crate) fn ungrouped(expr: &Expr) -> &Expr {
    match expr {
        Expr::Group(group) => ungrouped(&group.expr),
        expr => expr,
    }
}

/// Returns the literal in `expr`, with or without a minus sign.
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

fn invalid_value(expr: &Expr, field: &str, allowed: &str) -> Error {
    let text = quote::quote!(#expr).to_string().replace("- ", "-");
    Error::new(
        expr.span(),
        format!("`{field}` must be {allowed}, not {text}"),
    )
}

/// Returns the number if `expr` is a literal, and `None` for other expressions. Rejects literals outside
/// `allowed`.
pub(crate) fn check_number(
    field: &str,
    expr: &Expr,
    allowed: &RangeInclusive<u32>,
) -> Result<Option<u32>> {
    let range = format!("{} to {}", allowed.start(), allowed.end());
    match literal(expr) {
        None => Ok(None),
        Some(Lit::Int(number)) if !is_negative(expr) => number
            .base10_parse()
            .ok()
            .filter(|number| allowed.contains(number))
            .map(Some)
            .ok_or_else(|| invalid_value(expr, field, &range)),
        Some(_) => Err(invalid_value(expr, field, &format!("a number, {range}"))),
    }
}

/// Converts a literal such as `"1m 30s"` to an expression for the duration. Returns other expressions
/// unchanged.
pub(crate) fn check_duration(field: &str, expr: &Expr) -> Result<TokenStream> {
    let unit = "a duration with a unit, such as \"30s\" or \"1m 30s\"";
    let text = match literal(expr) {
        None => {
            let span = expr.span();
            return Ok(quote_spanned!(span=> #expr));
        }
        Some(Lit::Str(text)) if !is_negative(expr) => text,
        Some(_) => return Err(invalid_value(expr, field, unit)),
    };
    let duration = duration::parse(&text.value()).map_err(|why| {
        Error::new(
            text.span(),
            format!("{}: {why}", invalid_value(expr, field, unit)),
        )
    })?;
    if duration.is_zero() {
        return Err(invalid_value(expr, field, "longer than zero"));
    }
    let (seconds, nanos) = (duration.as_secs(), duration.subsec_nanos());
    Ok(quote_spanned!(text.span()=> ::core::time::Duration::new(#seconds, #nanos)))
}

/// Returns the name if `expr` is a literal, and `None` for other expressions. Rejects literals that are
/// empty or too long.
pub(crate) fn check_name(expr: &Expr) -> Result<Option<String>> {
    match literal(expr) {
        None => Ok(None),
        Some(Lit::Str(text)) if !is_negative(expr) => {
            let name = text.value();
            if (1..=MAX_NAME_LEN).contains(&name.len()) {
                return Ok(Some(name));
            }
            let bytes = name.len();
            let message = format!("`name` must be 1 to {MAX_NAME_LEN} bytes long, not {bytes}");
            Err(Error::new(text.span(), message))
        }
        Some(_) => Err(invalid_value(expr, "name", "a string")),
    }
}
