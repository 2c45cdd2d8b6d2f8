//! Error types that a breaker cannot keep as its last failure.

use breakerbox::prelude::*;

struct NoDebug;

#[circuit(refused = |_| NoDebug)]
fn sync() -> Result<u8, NoDebug> { Ok(1) }

#[circuit(fallback = || Ok(2))]
async fn with_fallback() -> Result<u8, NoDebug> { Ok(1) }

#[circuit(refused = |_| NoDebug, fail_if = |_| true)]
async fn with_predicate() -> Result<u8, NoDebug> { Ok(1) }

#[circuit(refused = |_| NoDebug, classify = |_| Outcome::Success)]
fn with_classifier() -> Result<u8, NoDebug> { Ok(1) }

#[circuit(refused = E::from)]
fn generic<E: From<BreakerError>>() -> Result<u8, E> { Ok(1) }

fn main() {}
