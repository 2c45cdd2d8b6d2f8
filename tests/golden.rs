//! What the Python originals were recorded to do (see `golden/FORMAT.md`), replayed step by step
//! through every way into a breaker.

use breakerbox::clock::ManualClock;
use breakerbox::prelude::*;
use serde_json::Value;
use std::cell::Cell;
use std::error::Error;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

type Boxed = Box<dyn Error + Send + Sync>;
type Answer = Result<&'static str, Boxed>;

const TRACES: &str = include_str!("golden/traces.jsonl");

mod kinds {
    macro_rules! error_kinds {
        ($($kind:ident),*) => {$(
            #[derive(Debug)]
            pub(crate) struct $kind;

            impl std::fmt::Display for $kind {
                fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                    f.write_str("the text of an error, which nothing here depends on")
                }
            }

            impl std::error::Error for $kind {}
        )*};
    }
    error_kinds!(Connection, Timeout, Value);
}

/// The protected function and its fallback: they do what the script says, and count.
#[derive(Default)]
struct Dependency {
    executed: Cell<u32>,
    rescued: Cell<u32>,
}

// As the functions of a program, which wait and fail.
#[allow(clippy::unnecessary_wraps, clippy::unused_async)]
impl Dependency {
    fn call(&self, outcome: &str) -> Answer {
        self.executed.set(self.executed.get() + 1);
        match outcome {
            "ok" => Ok("ok"),
            "err:Connection" => Err(kinds::Connection.into()),
            "err:Timeout" => Err(kinds::Timeout.into()),
            "err:Value" => Err(kinds::Value.into()),
            unknown => panic!("no such outcome: {unknown}"),
        }
    }

    async fn call_async(&self, outcome: &str) -> Answer {
        self.call(outcome)
    }

    fn rescue(&self, _outcome: &str) -> Answer {
        self.rescued.set(self.rescued.get() + 1);
        Ok("fallback")
    }

    async fn rescue_async(&self, outcome: &str) -> Answer {
        self.rescue(outcome)
    }
}

/// A way into a breaker, without and with a fallback.
struct Way {
    plain: fn(&CircuitBreaker, &Dependency, &str) -> Result<&'static str, BreakerError<Boxed>>,
    rescued: fn(&CircuitBreaker, &Dependency, &str) -> Answer,
}

const FUTURE: Way = Way {
    plain: |breaker, dependency, outcome| now(dependency.call_async(outcome).guarded_by(breaker)),
    rescued: |breaker, dependency, outcome| {
        let guarded = dependency.call_async(outcome).guarded_by(breaker);
        now(guarded.fallback(|_| dependency.rescue_async(outcome)))
    },
};

const ASYNC_FUNCTION: Way = Way {
    plain: |breaker, dependency, outcome| {
        now(Dependency::call_async
            .guarded_by(breaker)
            .call(dependency, outcome))
    },
    rescued: |breaker, dependency, outcome| {
        let guarded = Dependency::call_async.guarded_by(breaker);
        now(guarded
            .fallback(Dependency::rescue_async)
            .call(dependency, outcome))
    },
};

const SYNC_FUNCTION: Way = Way {
    plain: |breaker, dependency, outcome| {
        Dependency::call
            .guarded_by(breaker)
            .call(dependency, outcome)
    },
    rescued: |breaker, dependency, outcome| {
        let guarded = Dependency::call.guarded_by(breaker);
        guarded
            .fallback(Dependency::rescue)
            .call(dependency, outcome)
    },
};

const PERMIT: Way = Way {
    plain: |breaker, dependency, outcome| {
        let permit = breaker.try_acquire()?;
        let result = dependency.call(outcome);
        permit.record_result(&result);
        result.map_err(BreakerError::Inner)
    },
    rescued: |breaker, dependency, outcome| match breaker.try_acquire() {
        Ok(permit) => {
            let result = dependency.call(outcome);
            permit.record_result(&result);
            result
        }
        Err(_) => dependency.rescue(outcome),
    },
};

/// What a future gives that never waits. No runtime takes part.
fn now<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("the future waits"),
    }
}

fn breaker(config: &Value, clock: &ManualClock) -> CircuitBreaker {
    let mut builder = CircuitBreaker::builder().clock(clock.clone());
    if let Some(threshold) = config["failure_threshold"].as_u64() {
        builder = builder.failure_threshold(threshold.try_into().expect("a threshold fits"));
    }
    if let Some(timeout) = config["recovery_timeout_ms"].as_u64() {
        builder = builder.recovery_timeout(Duration::from_millis(timeout));
    }
    for kind in config["expected"].as_array().into_iter().flatten() {
        builder = match kind.as_str() {
            Some("Connection") => builder.expected_error::<kinds::Connection>(),
            Some("Timeout") => builder.expected_error::<kinds::Timeout>(),
            _ => panic!("no such kind is ever expected: {kind}"),
        };
    }
    builder.build().expect("the configuration is valid")
}

/// How the caller would write down what it saw.
fn seen(answer: Result<&'static str, BreakerError<Boxed>>) -> String {
    match answer {
        Ok(value) => value.to_owned(),
        Err(BreakerError::Open(_)) => "rejected".to_owned(),
        Err(BreakerError::Inner(error)) => format!("err:{error:?}"),
        Err(error) => panic!("nothing here ends in {error:?}"),
    }
}

/// One scenario from its first to its last step; returns how many there were.
fn replay(scenario: &Value, way: &Way) -> usize {
    let clock = ManualClock::new();
    let breaker = breaker(&scenario["config"], &clock);
    let has_fallback = scenario["config"]["fallback"].as_bool().expect("a flag");
    let records_remaining = scenario["source"] == "aiocircuitbreaker-2.0.0";
    let steps = scenario["steps"].as_array().expect("steps");
    assert_eq!(breaker.state(), State::Closed);
    for (index, step) in steps.iter().enumerate() {
        let place = format!("{}, step {index}: {step}", scenario["id"]);
        match step["op"].as_str() {
            Some("call") => {
                let outcome = step["outcome"].as_str().expect("an outcome");
                let dependency = Dependency::default();
                let answer = if has_fallback {
                    (way.rescued)(&breaker, &dependency, outcome).map_err(BreakerError::Inner)
                } else {
                    (way.plain)(&breaker, &dependency, outcome)
                };
                let result = seen(answer);
                assert_eq!(
                    result,
                    step["result"].as_str().expect("a result"),
                    "{place}"
                );
                let executed = u32::from(result != "rejected" && result != "fallback");
                assert_eq!(dependency.executed.get(), executed, "executed; {place}");
                let rescued = u32::from(result == "fallback");
                assert_eq!(dependency.rescued.get(), rescued, "rescued; {place}");
            }
            Some("advance") => {
                clock.advance(Duration::from_millis(step["ms"].as_u64().expect("a time")));
            }
            _ => panic!("no such step: {place}"),
        }
        compare(&breaker, &step["after"], records_remaining, &place);
    }
    steps.len()
}

fn compare(breaker: &CircuitBreaker, after: &Value, records_remaining: bool, place: &str) {
    let state = breaker.state().as_str().replace('-', "_");
    assert_eq!(state, after["state"].as_str().expect("a state"), "{place}");
    let count = after["failure_count"].as_u64().expect("a count");
    assert_eq!(u64::from(breaker.failure_count()), count, "{place}");
    assert_eq!(
        breaker.last_failure().as_deref(),
        after["last_failure"].as_str(),
        "{place}"
    );
    if records_remaining {
        let remaining = after["open_remaining_ms"]
            .as_u64()
            .map(Duration::from_millis);
        assert_eq!(breaker.open_remaining(), remaining, "{place}");
    }
}

/// Every scenario of the file, counted: a green check that ran nothing is no check.
fn replay_all(way: &Way) {
    let scenarios = TRACES
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"));
    let steps: Vec<usize> = scenarios.map(|scenario| replay(&scenario, way)).collect();
    assert_eq!(steps.len(), 400);
    assert_eq!(steps.iter().sum::<usize>(), 10_945);
}

#[test]
fn futures_behave_as_recorded() {
    replay_all(&FUTURE);
}

#[test]
fn async_functions_behave_as_recorded() {
    replay_all(&ASYNC_FUNCTION);
}

#[test]
fn sync_functions_behave_as_recorded() {
    replay_all(&SYNC_FUNCTION);
}

#[test]
fn permits_behave_as_recorded() {
    replay_all(&PERMIT);
}
