//! Replays recorded traces of the original Python packages, through every kind of guard. See
//! `golden/FORMAT.md`.

use breakerbox::clock::ManualClock;
use breakerbox::prelude::*;
use serde_json::Value;
use std::cell::Cell;
use std::error::Error;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

type BoxError = Box<dyn Error + Send + Sync>;
type CallResult = Result<&'static str, BoxError>;

const TRACES: &str = include_str!("golden/traces.jsonl");

mod errors {
    macro_rules! error_kinds {
        ($($kind:ident),*) => {$(
            #[derive(Debug)]
            pub(crate) struct $kind;

            impl std::fmt::Display for $kind {
                fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                    f.write_str("an error")
                }
            }

            impl std::error::Error for $kind {}
        )*};
    }
    error_kinds!(Connection, Timeout, Value);
}

/// The guarded function and its fallback. Both count their calls.
#[derive(Default)]
struct Dependency {
    calls: Cell<u32>,
    fallback_calls: Cell<u32>,
}

// The signatures are those of real functions, which wait and fail.
#[allow(clippy::unnecessary_wraps, clippy::unused_async)]
impl Dependency {
    fn call(&self, outcome: &str) -> CallResult {
        self.calls.set(self.calls.get() + 1);
        match outcome {
            "ok" => Ok("ok"),
            "err:Connection" => Err(errors::Connection.into()),
            "err:Timeout" => Err(errors::Timeout.into()),
            "err:Value" => Err(errors::Value.into()),
            unknown => panic!("unknown outcome: {unknown}"),
        }
    }

    async fn call_async(&self, outcome: &str) -> CallResult {
        self.call(outcome)
    }

    fn run_fallback(&self, _outcome: &str) -> CallResult {
        self.fallback_calls.set(self.fallback_calls.get() + 1);
        Ok("fallback")
    }

    async fn run_fallback_async(&self, outcome: &str) -> CallResult {
        self.run_fallback(outcome)
    }
}

/// One kind of guard, without and with a fallback.
struct Guard {
    call: fn(&CircuitBreaker, &Dependency, &str) -> Result<&'static str, BreakerError<BoxError>>,
    call_with_fallback: fn(&CircuitBreaker, &Dependency, &str) -> CallResult,
}

const FUTURE: Guard = Guard {
    call: |breaker, dependency, outcome| {
        poll_ready(dependency.call_async(outcome).guarded_by(breaker))
    },
    call_with_fallback: |breaker, dependency, outcome| {
        let guarded = dependency.call_async(outcome).guarded_by(breaker);
        poll_ready(guarded.fallback(|_| dependency.run_fallback_async(outcome)))
    },
};

const ASYNC_FUNCTION: Guard = Guard {
    call: |breaker, dependency, outcome| {
        poll_ready(
            Dependency::call_async
                .guarded_by(breaker)
                .call(dependency, outcome),
        )
    },
    call_with_fallback: |breaker, dependency, outcome| {
        let guarded = Dependency::call_async.guarded_by(breaker);
        poll_ready(
            guarded
                .fallback(Dependency::run_fallback_async)
                .call(dependency, outcome),
        )
    },
};

const SYNC_FUNCTION: Guard = Guard {
    call: |breaker, dependency, outcome| {
        Dependency::call
            .guarded_by(breaker)
            .call(dependency, outcome)
    },
    call_with_fallback: |breaker, dependency, outcome| {
        let guarded = Dependency::call.guarded_by(breaker);
        guarded
            .fallback(Dependency::run_fallback)
            .call(dependency, outcome)
    },
};

const PERMIT: Guard = Guard {
    call: |breaker, dependency, outcome| {
        let permit = breaker.try_acquire()?;
        let result = dependency.call(outcome);
        permit.record_result(&result);
        result.map_err(BreakerError::Inner)
    },
    call_with_fallback: |breaker, dependency, outcome| match breaker.try_acquire() {
        Ok(permit) => {
            let result = dependency.call(outcome);
            permit.record_result(&result);
            result
        }
        Err(_) => dependency.run_fallback(outcome),
    },
};

/// Returns the output of a future that is ready at its first poll. No runtime is needed.
fn poll_ready<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("the future is pending"),
    }
}

fn breaker(config: &Value, clock: &ManualClock) -> CircuitBreaker {
    let mut builder = CircuitBreaker::builder().clock(clock.clone());
    if let Some(threshold) = config["failure_threshold"].as_u64() {
        builder = builder.failure_threshold(threshold.try_into().expect("threshold fits in u32"));
    }
    if let Some(timeout) = config["recovery_timeout_ms"].as_u64() {
        builder = builder.recovery_timeout(Duration::from_millis(timeout));
    }
    for kind in config["expected"].as_array().into_iter().flatten() {
        builder = match kind.as_str() {
            Some("Connection") => builder.expected_error::<errors::Connection>(),
            Some("Timeout") => builder.expected_error::<errors::Timeout>(),
            _ => panic!("unknown kind of error: {kind}"),
        };
    }
    builder.build().expect("valid settings")
}

/// Formats what the caller sees, as in the traces.
fn format_result(answer: Result<&'static str, BreakerError<BoxError>>) -> String {
    match answer {
        Ok(value) => value.to_owned(),
        Err(BreakerError::Open(_)) => "rejected".to_owned(),
        Err(BreakerError::Inner(error)) => format!("err:{error:?}"),
        Err(error) => panic!("unexpected error: {error:?}"),
    }
}

/// Replays one scenario and returns the number of its steps.
fn replay(scenario: &Value, guard: &Guard) -> usize {
    let clock = ManualClock::new();
    let breaker = breaker(&scenario["config"], &clock);
    let has_fallback = scenario["config"]["fallback"].as_bool().expect("a flag");
    let has_open_remaining = scenario["source"] == "aiocircuitbreaker-2.0.0";
    let steps = scenario["steps"].as_array().expect("steps");
    assert_eq!(breaker.state(), State::Closed);
    for (index, step) in steps.iter().enumerate() {
        let context = format!("{}, step {index}: {step}", scenario["id"]);
        match step["op"].as_str() {
            Some("call") => {
                let outcome = step["outcome"].as_str().expect("an outcome");
                let dependency = Dependency::default();
                let answer = if has_fallback {
                    (guard.call_with_fallback)(&breaker, &dependency, outcome)
                        .map_err(BreakerError::Inner)
                } else {
                    (guard.call)(&breaker, &dependency, outcome)
                };
                let result = format_result(answer);
                assert_eq!(
                    result,
                    step["result"].as_str().expect("a result"),
                    "{context}"
                );
                let calls = u32::from(result != "rejected" && result != "fallback");
                assert_eq!(dependency.calls.get(), calls, "calls; {context}");
                let fallback_calls = u32::from(result == "fallback");
                assert_eq!(
                    dependency.fallback_calls.get(),
                    fallback_calls,
                    "fallback calls; {context}"
                );
            }
            Some("advance") => {
                clock.advance(Duration::from_millis(step["ms"].as_u64().expect("a time")));
            }
            _ => panic!("unknown step: {context}"),
        }
        compare(&breaker, &step["after"], has_open_remaining, &context);
    }
    steps.len()
}

fn compare(breaker: &CircuitBreaker, after: &Value, has_open_remaining: bool, context: &str) {
    let state = breaker.state().as_str().replace('-', "_");
    assert_eq!(
        state,
        after["state"].as_str().expect("a state"),
        "{context}"
    );
    let count = after["failure_count"].as_u64().expect("a count");
    assert_eq!(u64::from(breaker.failure_count()), count, "{context}");
    assert_eq!(
        breaker.last_failure().as_deref(),
        after["last_failure"].as_str(),
        "{context}"
    );
    if has_open_remaining {
        let remaining = after["open_remaining_ms"]
            .as_u64()
            .map(Duration::from_millis);
        assert_eq!(breaker.open_remaining(), remaining, "{context}");
    }
}

/// Replays all scenarios. The counts make sure that none was skipped.
fn replay_all(guard: &Guard) {
    let scenarios = TRACES
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"));
    let steps: Vec<usize> = scenarios.map(|scenario| replay(&scenario, guard)).collect();
    assert_eq!(steps.len(), 400);
    assert_eq!(steps.iter().sum::<usize>(), 10_945);
}

#[test]
fn futures_match_recorded_traces() {
    replay_all(&FUTURE);
}

#[test]
fn async_functions_match_recorded_traces() {
    replay_all(&ASYNC_FUNCTION);
}

#[test]
fn sync_functions_match_recorded_traces() {
    replay_all(&SYNC_FUNCTION);
}

#[test]
fn permits_match_recorded_traces() {
    replay_all(&PERMIT);
}
