//! Literals out of range, which are reported at compile time.

use breakerbox::{BreakerError, circuit};

type Answer = Result<(), BreakerError>;

#[circuit(failure_threshold = 0)]
fn no_threshold() -> Answer { Ok(()) }

#[circuit(failure_threshold = -1)]
fn negative_threshold() -> Answer { Ok(()) }

#[circuit(failure_threshold = "5")]
fn threshold_in_quotes() -> Answer { Ok(()) }

#[circuit(failure_threshold = 4294967296)]
fn large_threshold() -> Answer { Ok(()) }

#[circuit(half_open_calls = 1001)]
fn many_trials() -> Answer { Ok(()) }

#[circuit(half_open_calls = 3, success_threshold = 4)]
fn more_successes_than_trials() -> Answer { Ok(()) }

#[circuit(recovery_timeout = 30)]
fn no_unit() -> Answer { Ok(()) }

#[circuit(recovery_timeout = "30")]
fn no_unit_in_quotes() -> Answer { Ok(()) }

#[circuit(recovery_timeout = "1 minute")]
fn unit_apart() -> Answer { Ok(()) }

#[circuit(recovery_timeout = "1min")]
fn unknown_unit() -> Answer { Ok(()) }

#[circuit(recovery_timeout = "30s 1m")]
fn units_out_of_order() -> Answer { Ok(()) }

#[circuit(recovery_timeout = "0s")]
fn no_time() -> Answer { Ok(()) }

#[circuit(trial_timeout = "")]
fn no_text() -> Answer { Ok(()) }

#[circuit(timeout = "99999999999999999999s")]
async fn long() -> Answer { Ok(()) }

#[circuit(name = "")]
fn no_name() -> Answer { Ok(()) }

#[circuit(name = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef!")]
fn long_name() -> Answer { Ok(()) }

#[circuit(name = 7)]
fn number_for_a_name() -> Answer { Ok(()) }

fn main() {}
