//! Unknown settings, and settings that exclude each other.

use breakerbox::prelude::*;

type Answer = Result<(), BreakerError>;

#[circuit(threshhold = 5)]
fn misspelled() -> Answer { Ok(()) }

#[circuit(half_open_call = 5)]
fn one_letter_short() -> Answer { Ok(()) }

#[circuit(colour = 5)]
fn unknown() -> Answer { Ok(()) }

#[circuit(expected_exception = std::io::Error)]
fn name_in_python() -> Answer { Ok(()) }

#[circuit(name = "a", failure_threshold = 5, name = "b")]
fn twice() -> Answer { Ok(()) }

#[circuit("users-api")]
fn only_a_name() -> Answer { Ok(()) }

#[circuit(name)]
fn no_value() -> Answer { Ok(()) }

#[circuit(name = "a" failure_threshold = 5)]
fn no_comma() -> Answer { Ok(()) }

#[circuit(5)]
fn no_key() -> Answer { Ok(()) }

#[circuit(expected = [])]
fn expects_nothing() -> Answer { Ok(()) }

#[circuit(expected = "io::Error")]
fn expects_a_text() -> Answer { Ok(()) }

#[circuit(trip_when = [])]
fn no_rules() -> Answer { Ok(()) }

#[circuit(crate = "breakerbox")]
fn crate_in_quotes() -> Answer { Ok(()) }

struct Careful;
impl Preset for Careful {}

#[circuit(preset = Careful, builder = CircuitBreaker::builder())]
fn preset_and_builder() -> Answer { Ok(()) }

#[circuit(timeout = "1s")]
fn timeout_of_a_sync_function() -> Answer { Ok(()) }

#[circuit(fallback = cached)]
fn fallback_of_returned_future(number: u8) -> impl Future<Output = Answer> {
    drop(number);
    std::future::ready(Ok(()))
}

async fn cached(_: u8) -> Answer { Ok(()) }

fn main() {}
