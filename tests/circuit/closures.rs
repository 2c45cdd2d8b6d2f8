//! `fail_if`, `classify` and `refused`: the closures of one function.

use crate::support::{CallResult, Error, assert_counted, assert_send, expect_ready, global};
use breakerbox::prelude::*;
use std::future::ready;
use std::io;
use std::time::Duration;

/// A response with the number of seconds in its `Retry-After`.
#[derive(Debug, PartialEq)]
struct Response {
    status: u16,
    retry_after: u64,
}

fn judge(result: &io::Result<Response>) -> Outcome {
    match result {
        Ok(response) if response.status == 429 => {
            Outcome::TripFor(Duration::from_secs(response.retry_after))
        }
        Ok(response) if response.status < 500 => Outcome::Success,
        _ => Outcome::Failure,
    }
}

fn respond(status: u16, retry_after: u64) -> Response {
    Response {
        status,
        retry_after,
    }
}

#[circuit(classify = judge)]
fn get(status: u16, retry_after: u64) -> io::Result<Response> {
    Ok(respond(status, retry_after))
}

#[circuit(classify = |result| if result.is_err() { Outcome::Ignored } else { judge(result) })]
async fn get_async(status: u16, retry_after: u64) -> io::Result<Response> {
    Ok(respond(status, retry_after))
}

#[circuit(classify = judge, fallback = |_, _| Ok(respond(200, 0)))]
async fn get_or(status: u16, retry_after: u64) -> io::Result<Response> {
    Ok(respond(status, retry_after))
}

#[circuit(classify = judge)]
fn get_future(status: u16, retry_after: u64) -> impl Future<Output = io::Result<Response>> {
    ready(Ok(respond(status, retry_after)))
}

#[test]
fn classify_sees_whole_result_in_every_form() {
    type Get = fn(u16) -> io::Result<Response>;
    let forms: [(&str, Get); 4] = [
        ("closures::get", |status| get(status, 120)),
        ("closures::get_async", |status| {
            expect_ready(assert_send(get_async(status, 120)))
        }),
        ("closures::get_or", |status| {
            expect_ready(assert_send(get_or(status, 120)))
        }),
        ("closures::get_future", |status| {
            expect_ready(assert_send(get_future(status, 120)))
        }),
    ];
    for (name, get) in forms {
        assert_eq!(get(200).expect("closed").status, 200);
        assert_eq!(get(503).expect("the caller still gets it").status, 503);
        assert_counted(name, 1, 1);
        assert_eq!(global(name).state(), State::Closed, "{name}");
        assert_eq!(get(429).expect("the caller still gets it").status, 429);
        assert_eq!(global(name).state(), State::Open, "{name}");
        assert!(global(name).open_remaining() > Some(Duration::from_secs(110)));
    }
    assert!(get(200, 0).is_err());
    assert_eq!(expect_ready(get_or(503, 0)).expect("fallback").status, 200);
}

#[circuit(classify = |result: &CallResult<u8>| if result.is_ok() { Outcome::Success } else { Outcome::Failure })]
fn failing() -> CallResult<u8> {
    Err(Error::NoAnswer)
}

#[circuit(classify = |result| if result.is_ok() { Outcome::Success } else { Outcome::Failure }, fallback = failing)]
fn failing_or() -> CallResult<u8> {
    Err(Error::NoAnswer)
}

#[test]
fn classified_error_becomes_last_failure() {
    assert!(failing().is_err() && failing_or().is_err());
    for name in ["closures::failing", "closures::failing_or"] {
        assert_eq!(
            global(name).last_failure().as_deref(),
            Some("NoAnswer"),
            "{name}"
        );
    }
}

struct Cache {
    usual: Option<u32>,
}

impl Cache {
    #[circuit(classify = |hit| outcome(hit.is_some()), fallback = Self::usual)]
    fn find(&self, id: u32) -> Option<u32> {
        (id > 0).then_some(id)
    }

    #[circuit(classify = |hit: &Option<u32>| outcome(hit.is_some()), fallback = Self::usual)]
    async fn find_async(&self, id: u32) -> Option<u32> {
        ready((id > 0).then_some(id)).await
    }

    fn usual(&self, _: u32) -> Option<u32> {
        self.usual
    }
}

fn outcome(is_good: bool) -> Outcome {
    if is_good {
        Outcome::Success
    } else {
        Outcome::Failure
    }
}

#[test]
fn classify_with_fallback_needs_no_result() {
    type Find = fn(&Cache, u32) -> Option<u32>;
    let cache = Cache { usual: Some(7) };
    let forms: [(&str, Find); 2] = [
        ("closures::Cache::find", Cache::find),
        ("closures::Cache::find_async", |cache, id| {
            expect_ready(assert_send(cache.find_async(id)))
        }),
    ];
    for (name, find) in forms {
        assert_eq!(find(&cache, 3), Some(3));
        for _ in 0..5 {
            assert_eq!(
                find(&cache, 0),
                None,
                "no fallback for the value that trips the circuit"
            );
        }
        assert_counted(name, 1, 5);
        assert_eq!(find(&cache, 3), Some(7), "{name}");
    }
}

/// An error type of another crate, without a conversion from `BreakerError`.
#[derive(Debug, PartialEq)]
enum Status {
    Unavailable(String),
    DeadlineExceeded,
    NotFound,
}

fn status(error: BreakerError) -> Status {
    match error {
        BreakerError::TimedOut(_) => Status::DeadlineExceeded,
        error => Status::Unavailable(error.to_string()),
    }
}

#[circuit(name = "refused-sync", refused = status)]
fn refused_sync(ok: bool) -> Result<u8, Status> {
    if ok { Ok(1) } else { Err(Status::NotFound) }
}

#[circuit(name = "refused-async", refused = |error| Status::Unavailable(error.to_string()))]
async fn refused_async(ok: bool) -> Result<u8, Status> {
    if ok { Ok(1) } else { Err(Status::NotFound) }
}

#[circuit(name = "refused-future", refused = |error: BreakerError| status(error))]
fn refused_future(ok: bool) -> impl Future<Output = Result<u8, Status>> + Send {
    ready(if ok { Ok(1) } else { Err(Status::NotFound) })
}

#[circuit(name = "refused-block", refused = status)]
fn refused_block(ok: bool) -> impl Future<Output = Result<u8, Status>> + Send {
    async move { if ok { Ok(1) } else { Err(Status::NotFound) } }
}

#[test]
fn refused_makes_error_of_refusal_in_every_form() {
    type Call = fn(bool) -> Result<u8, Status>;
    let forms: [(&str, Call); 4] = [
        ("refused-sync", refused_sync),
        ("refused-async", |ok| {
            expect_ready(assert_send(refused_async(ok)))
        }),
        ("refused-future", |ok| {
            expect_ready(assert_send(refused_future(ok)))
        }),
        ("refused-block", |ok| {
            expect_ready(assert_send(refused_block(ok)))
        }),
    ];
    for (name, call) in forms {
        assert_eq!(call(true), Ok(1));
        assert_eq!(call(false), Err(Status::NotFound));
        assert_counted(name, 1, 1);
        global(name).force_open();
        let text = format!("circuit \"{name}\" is forced open");
        assert_eq!(call(true), Err(Status::Unavailable(text)));
    }
}

#[circuit(name = "refused-timeout", refused = status, timeout = "1s")]
async fn refused_timeout() -> Result<u8, Status> {
    std::future::pending().await
}

#[circuit(name = "refused-timeout-or", refused = status, timeout = "1s", fallback = || Ok(9))]
async fn refused_timeout_or() -> Result<u8, Status> {
    std::future::pending().await
}

#[tokio::test(start_paused = true)]
async fn refused_makes_error_of_timeout() {
    assert_eq!(refused_timeout().await, Err(Status::DeadlineExceeded));
    assert_eq!(refused_timeout_or().await, Err(Status::DeadlineExceeded));
    global("refused-timeout-or").trip();
    assert_eq!(refused_timeout_or().await, Ok(9));
}

#[circuit(name = "captures", refused = |_| format!("{name} is not available"))]
async fn refused_uses_arguments(name: &str) -> Result<String, String> {
    Ok(name.to_owned())
}

#[test]
fn refused_may_use_arguments() {
    assert_eq!(
        expect_ready(refused_uses_arguments("users")).as_deref(),
        Ok("users")
    );
    global("captures").trip();
    let error = expect_ready(refused_uses_arguments("users")).unwrap_err();
    assert_eq!(error, "users is not available");
}

mod hidden {
    use super::{Error, circuit, ready};
    use std::error::Error as StdError;

    fn fail(text: &str) -> Result<u8, Error> {
        if text == "fail" {
            Err(Error::NoAnswer)
        } else {
            Ok(1)
        }
    }

    #[circuit(fail_if = |error| error.to_string() == "no answer")]
    pub(super) fn sync(text: &str) -> Result<u8, impl StdError + use<>> {
        fail(text)
    }

    #[circuit(fail_if = |error| error.to_string() == "no answer", refused = Error::Circuit)]
    pub(super) async fn asynchronous(text: String) -> Result<u8, impl StdError + Send> {
        ready(fail(&text)).await
    }

    #[circuit(fail_if = |error| error.to_string() == "no answer", fallback = |_| Ok(7))]
    pub(super) async fn with_fallback(text: String) -> Result<u8, impl StdError + Send> {
        ready(fail(&text)).await
    }

    #[circuit(fail_if = |error| error.to_string() == "no answer", fallback = |_| Ok(7))]
    pub(super) fn sync_with_fallback(text: String) -> Result<u8, impl StdError> {
        fail(&text)
    }

    #[circuit(fail_if = |error| error.to_string() == "no answer")]
    pub(super) fn future(text: String) -> impl Future<Output = Result<u8, impl StdError + Send>> {
        ready(fail(&text))
    }

    #[circuit(ignored = |error: &Error| error.is_open())]
    pub(super) fn rule(text: &str) -> Result<u8, impl StdError + use<>> {
        fail(text)
    }
}

#[test]
fn hidden_error_types_are_classified() {
    let text = |text: &str| text.to_owned();
    for _ in 0..2 {
        assert!(hidden::sync("fail").is_err() && hidden::rule("fail").is_err());
        assert!(expect_ready(hidden::asynchronous(text("fail"))).is_err());
        assert!(expect_ready(hidden::with_fallback(text("fail"))).is_err());
        assert!(expect_ready(hidden::future(text("fail"))).is_err());
        assert!(hidden::sync_with_fallback(text("fail")).is_err());
    }
    let names = [
        "sync",
        "asynchronous",
        "with_fallback",
        "sync_with_fallback",
        "future",
        "rule",
    ];
    for name in names {
        let name = format!("closures::hidden::{name}");
        assert_counted(&name, 0, 2);
        global(&name).force_open();
    }
    assert!(hidden::sync("").is_err());
    assert!(expect_ready(hidden::asynchronous(text(""))).is_err());
    assert_eq!(expect_ready(hidden::with_fallback(text(""))).ok(), Some(7));
    assert_eq!(hidden::sync_with_fallback(text("")).ok(), Some(7));
}
