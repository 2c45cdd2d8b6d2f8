//! Bodies and predicates that panic.

use crate::support::{BrokenOff, Fixture, Script, Step, data, is_ended, poll_frame};
use ::http::Response;
use breakerbox::State;
use std::panic::{AssertUnwindSafe, catch_unwind};

#[test]
fn panic_in_body_is_failure() {
    let fixture = Fixture::new();
    let mut body = fixture.body([Step::Data("a"), Step::Panic, Step::Data("b")]);
    data(&mut body);
    let panic = catch_unwind(AssertUnwindSafe(|| poll_frame(&mut body)));
    assert!(panic.is_err());
    assert_eq!(fixture.totals(), [0, 1, 0, 0]);
    assert_eq!(fixture.breaker.last_failure().as_deref(), Some("panicked"));
    data(&mut body);
    assert!(is_ended(&mut body));
    drop(body);
    assert_eq!(fixture.totals(), [0, 1, 0, 0]);
}

#[test]
fn panic_in_is_end_stream_is_failure() {
    let panicking = |steps| {
        let mut script = Script::new(steps);
        script.panics_at_end = true;
        Response::new(script)
    };
    let fixture = Fixture::new();
    let panic = catch_unwind(AssertUnwindSafe(|| fixture.respond(panicking(vec![]))));
    assert!(panic.is_err());
    assert_eq!(fixture.totals(), [0, 1, 0, 0]);

    let fixture = Fixture::new();
    let mut body = fixture
        .respond(panicking(vec![Step::Data("a")]))
        .into_body();
    let panic = catch_unwind(AssertUnwindSafe(|| poll_frame(&mut body)));
    assert!(panic.is_err());
    assert_eq!(fixture.totals(), [0, 1, 0, 0]);

    let fixture = Fixture::new();
    let mut body = fixture
        .respond(panicking(vec![Step::Data("a"), Step::Pending]))
        .into_body();
    data(&mut body);
    assert!(poll_frame(&mut body).is_pending());
    let panic = catch_unwind(AssertUnwindSafe(|| drop(body)));
    assert!(panic.is_err());
    assert_eq!(fixture.totals(), [0, 1, 0, 0]);
}

/// A second panic during unwinding would abort the process.
#[test]
fn body_is_not_asked_during_unwinding() {
    let fixture = Fixture::new();
    fixture.half_open();
    let mut script = Script::new([Step::Pending]);
    script.panics_at_end = true;
    let mut body = fixture.respond(Response::new(script)).into_body();
    assert!(poll_frame(&mut body).is_pending());
    let panic = catch_unwind(AssertUnwindSafe(|| {
        let _body = body;
        panic!("deliberate panic of the reader");
    }));
    assert!(panic.is_err());
    assert_eq!(fixture.totals(), [0, 0, 0, 1]);
    fixture.breaker.try_acquire().unwrap().success();
    assert_eq!(fixture.breaker.state(), State::Closed);
}

#[test]
fn panicking_predicate_makes_body_ignored() {
    let fixture = Fixture::with(|builder| {
        builder.expected_error_if(|_: &BrokenOff| panic!("deliberate panic in a predicate"))
    });
    fixture.half_open();
    let mut body = fixture.body([Step::Error]);
    let panic = catch_unwind(AssertUnwindSafe(|| poll_frame(&mut body)));
    assert!(panic.is_err());
    drop(body);
    assert_eq!(fixture.totals(), [0, 0, 1, 0]);
    fixture.breaker.try_acquire().unwrap().success();
    assert_eq!(fixture.breaker.state(), State::Closed);
}
