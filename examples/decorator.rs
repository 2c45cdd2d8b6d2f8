//! The README examples of the Python libraries in Rust: `@circuit` becomes `#[circuit]`.

use breakerbox::clock::ManualClock;
use breakerbox::prelude::*;
use std::error::Error;
use std::io;
use std::time::Duration;

/// The error type of the functions. A refusal converts into it, like every other error.
type BoxError = Box<dyn Error + Send + Sync>;

// @circuit
// async def external_call(): ...
#[circuit]
async fn external_call(answer: Answer) -> Result<&'static str, BoxError> {
    answer.into_result()
}

// @circuit(failure_threshold=10, expected_exception=ConnectionError)
#[circuit(failure_threshold = 10, expected = io::Error)]
async fn specific_call(answer: Answer) -> Result<&'static str, BoxError> {
    answer.into_result()
}

// @circuit(name="users-api", recovery_timeout=60, fallback_function=from_cache)
#[circuit(name = "users-api", recovery_timeout = "1m", fallback = from_cache)]
async fn fetch_user(answer: Answer) -> Result<&'static str, BoxError> {
    answer.into_result()
}

async fn from_cache(_: Answer) -> Result<&'static str, BoxError> {
    tokio::task::yield_now().await;
    Ok("from the cache")
}

// class MyCircuitBreaker(CircuitBreaker):
//     FAILURE_THRESHOLD = 10
//     RECOVERY_TIMEOUT = 60
//     EXPECTED_EXCEPTION = RequestException
struct MyCircuitBreaker;

impl Preset for MyCircuitBreaker {
    const FAILURE_THRESHOLD: u32 = 10;
    const RECOVERY_TIMEOUT: Duration = Duration::from_secs(60);

    fn customize(builder: BreakerBuilder) -> BreakerBuilder {
        builder.expected_error::<io::Error>()
    }
}

// @circuit(cls=MyCircuitBreaker)
#[circuit(preset = MyCircuitBreaker)]
async fn with_preset(answer: Answer) -> Result<&'static str, BoxError> {
    answer.into_result()
}

/// The answer of the dependency to a call.
#[derive(Clone, Copy)]
enum Answer {
    Success,
    Unreachable,
    NotFound,
}

impl Answer {
    fn into_result(self) -> Result<&'static str, BoxError> {
        match self {
            Self::Success => Ok("an answer"),
            Self::Unreachable => Err(io::Error::other("unreachable"))?,
            Self::NotFound => Err("not found")?,
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), BoxError> {
    let clock = ManualClock::new();
    let registry = BreakerRegistry::builder().clock(clock.clone()).install()?;

    // "opens and prevents further executions after 5 subsequent failures"
    for _ in 0..5 {
        external_call(Answer::Unreachable).await.unwrap_err();
    }
    let refused = external_call(Answer::Success).await.unwrap_err();
    println!("{refused}");
    assert!(refused.is::<BreakerError>(), "refused by the circuit");

    // "switches to half-open and allows one test-execution after 30 seconds recovery timeout",
    // "closes if the test-execution succeeded", "is named external_call"
    clock.advance(Duration::from_secs(30));
    let breaker = registry
        .get("external_call")
        .expect("the function was called");
    assert_eq!(breaker.state(), State::HalfOpen);
    assert_eq!(external_call(Answer::Success).await?, "an answer");
    assert_eq!(breaker.state(), State::Closed);

    // Only expected errors count, and the threshold is ten.
    for answer in [Answer::NotFound, Answer::Unreachable] {
        for _ in 0..10 {
            specific_call(answer).await.unwrap_err();
        }
        let breaker = registry.breaker("specific_call");
        println!(
            "specific_call: {} after {} failures",
            breaker.state(),
            breaker.failure_count()
        );
    }

    // The fallback takes the arguments of the call.
    for _ in 0..5 {
        fetch_user(Answer::Unreachable).await.unwrap_err();
    }
    assert_eq!(fetch_user(Answer::Success).await?, "from the cache");
    let left = registry.breaker("users-api").open_remaining();
    assert_eq!(left, Some(Duration::from_secs(60)));

    with_preset(Answer::Success).await?;
    let rules = registry
        .breaker("with_preset")
        .config()
        .trip_rules()
        .to_vec();
    assert_eq!(rules, [TripRule::consecutive_failures(10)]);

    println!("{registry}");
    Ok(())
}
