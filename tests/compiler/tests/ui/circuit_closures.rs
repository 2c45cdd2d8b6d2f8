//! Wrong values of `fail_if`, `classify` and `refused`.

use breakerbox::prelude::*;

type Answer = Result<u8, BreakerError>;

#[circuit(classify = "5xx")]
fn classified_by_text() -> Answer { Ok(1) }

#[circuit(refused = [])]
fn refused_by_list() -> Answer { Ok(1) }

#[circuit(fail_if = true)]
fn failing_always() -> Answer { Ok(1) }

#[circuit(classify = |_| Outcome::Success, fail_if = |_| true)]
fn classified_twice() -> Answer { Ok(1) }

#[circuit(refused = |_| String::new(), fallback = cached)]
fn refused_twice() -> Result<u8, String> { Ok(1) }

fn cached() -> Result<u8, String> { Ok(0) }

#[circuit(classify_result = |_| Outcome::Success)]
fn misspelled_classify() -> Answer { Ok(1) }

#[circuit(refuse = |_| String::new())]
fn misspelled_refused() -> Answer { Ok(1) }

#[circuit(map_err = |_| String::new())]
fn method_of_result() -> Answer { Ok(1) }

#[circuit(expected = |error| error.is_timed_out())]
fn hidden_error() -> Result<u8, impl std::error::Error> { Ok::<_, BreakerError>(1) }

fn main() {}
