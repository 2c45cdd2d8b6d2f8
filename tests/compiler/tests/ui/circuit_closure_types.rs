//! Closures of `classify` and `refused` with other types than the function.

use breakerbox::prelude::*;

#[circuit(classify = |result| result.is_ok())]
fn classify_returns_bool() -> Result<u8, BreakerError> { Ok(1) }

#[circuit(refused = |error| error.to_string())]
async fn refused_returns_text() -> Result<u8, std::fmt::Error> { Ok(1) }

#[circuit(refused = from_text)]
fn refused_takes_text() -> Result<u8, String> { Ok(1) }

fn from_text(text: &str) -> String { text.to_owned() }

#[circuit(classify = |found| Outcome::Success)]
fn without_fallback() -> Option<u8> { Some(1) }

fn main() {}
