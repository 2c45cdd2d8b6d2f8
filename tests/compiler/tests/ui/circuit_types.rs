//! Settings of the wrong type.

use breakerbox::prelude::*;

type Answer = Result<(), BreakerError>;

#[circuit(recovery_timeout = 3 * 10)]
fn number_for_a_duration() -> Answer { Ok(()) }

#[circuit(preset = String)]
fn no_preset() -> Answer { Ok(()) }

#[circuit(registry = "global")]
fn no_registry() -> Answer { Ok(()) }

#[circuit(trip_when = 5)]
fn no_rule() -> Answer { Ok(()) }

#[circuit(expected = |error: &BreakerError| error.to_string())]
fn no_predicate() -> Answer { Ok(()) }

#[circuit(builder = |builder| drop(builder))]
fn no_builder() -> Answer { Ok(()) }

fn main() {}
