//! Commands with a reason, an actor and a condition.
#![cfg(not(any(loom, shuttle, tsan)))]
#![allow(missing_docs)]

use breakerbox::clock::ManualClock;
use breakerbox::prelude::*;
use breakerbox::{Cause, Command, EventStream};
use std::sync::Barrier;
use std::thread;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

fn breaker() -> (CircuitBreaker, ManualClock) {
    let clock = ManualClock::new();
    let builder = CircuitBreaker::builder().failure_threshold(1);
    (builder.clock(clock.clone()).build().unwrap(), clock)
}

fn fail(breaker: &CircuitBreaker) {
    let _ = breaker.call(|| Err::<(), _>("down"));
}

fn succeed(breaker: &CircuitBreaker) {
    breaker.call(|| Ok::<_, ()>(())).unwrap();
}

/// Returns the state of the breaker and the text of its cause.
fn state_and_cause(breaker: &CircuitBreaker) -> (State, String) {
    let snapshot = breaker.snapshot();
    let cause = snapshot.cause.map(|cause| cause.to_string());
    (snapshot.state, cause.unwrap_or_default())
}

fn changes(events: &mut EventStream) -> Vec<(State, String)> {
    let all = std::iter::from_fn(|| events.try_next());
    all.filter_map(|event| match event {
        Event::StateChanged { to, cause, .. } => Some((to, cause.to_string())),
        _ => None,
    })
    .collect()
}

type Unconditional = fn(Command<'_>);
type Conditional = fn(Command<'_, Result<(), State>>) -> Result<(), State>;

/// Every command, without and with a condition, and the resulting state.
const COMMANDS: [(Unconditional, Conditional, State); 7] = [
    (|c| c.trip(), |c| c.trip(), State::Open),
    (|c| c.trip_for(SECOND), |c| c.trip_for(SECOND), State::Open),
    (|c| c.half_open(), |c| c.half_open(), State::HalfOpen),
    (|c| c.force_open(), |c| c.force_open(), State::ForcedOpen),
    (|c| c.disable(), |c| c.disable(), State::Disabled),
    (
        |c| c.metrics_only(),
        |c| c.metrics_only(),
        State::MetricsOnly,
    ),
    (|c| c.reset(), |c| c.reset(), State::Closed),
];

type Entering = fn(&CircuitBreaker);

/// Brings a breaker into each of the states.
const STATES: [(Entering, State); 6] = [
    (|b| b.reset(), State::Closed),
    (|b| b.trip(), State::Open),
    (|b| b.half_open(), State::HalfOpen),
    (|b| b.force_open(), State::ForcedOpen),
    (|b| b.disable(), State::Disabled),
    (|b| b.metrics_only(), State::MetricsOnly),
];

#[test]
fn every_command_keeps_reason_and_actor() {
    for (enter, from) in STATES {
        for (command, conditional, to) in COMMANDS {
            let (breaker, _clock) = breaker();
            enter(&breaker);
            let mut events = breaker.subscribe();
            command(breaker.because("INC-1").by("alice"));
            let expected = (to, "a command by alice: INC-1".to_owned());
            assert_eq!(state_and_cause(&breaker), expected, "from {from}");
            let sent = changes(&mut events);
            assert_eq!(sent, if from == to { vec![] } else { vec![expected] });

            enter(&breaker);
            let answer = conditional(breaker.by("bob").if_state(from));
            assert_eq!(answer, Ok(()), "from {from} to {to}");
            assert_eq!(
                state_and_cause(&breaker),
                (to, "a command by bob".to_owned())
            );
        }
    }
}

#[test]
fn command_chain_accepts_any_order() {
    let expected = (State::Open, "a command by alice: INC-1".to_owned());
    let closed = State::Closed;
    let orders: [Conditional; 6] = [
        |c| {
            c.because("INC-1")
                .by("alice")
                .if_state(State::Closed)
                .trip()
        },
        |c| {
            c.because("INC-1")
                .if_state(State::Closed)
                .by("alice")
                .trip()
        },
        |c| {
            c.by("alice")
                .because("INC-1")
                .if_state(State::Closed)
                .trip()
        },
        |c| {
            c.by("alice")
                .if_state(State::Closed)
                .because("INC-1")
                .trip()
        },
        |c| {
            c.if_state(State::Closed)
                .because("INC-1")
                .by("alice")
                .trip()
        },
        |c| {
            c.if_state(State::Closed)
                .by("alice")
                .because("INC-1")
                .trip()
        },
    ];
    for order in orders {
        let (breaker, _clock) = breaker();
        assert_eq!(order(breaker.if_state(closed)), Ok(()));
        assert_eq!(state_and_cause(&breaker), expected);
    }
    let (breaker, _clock) = breaker();
    let later = breaker.because("x").by("y").because("INC-1").by("alice");
    let later = later.if_state(State::Open).if_state(closed);
    assert_eq!(
        later.clone().trip(),
        Ok(()),
        "a later value replaces an earlier one"
    );
    assert_eq!(state_and_cause(&breaker), expected);
    assert_eq!(later.trip(), Err(State::Open));
}

#[test]
fn conditional_command_in_other_state_changes_nothing() {
    for (enter, from) in STATES {
        for (_, conditional, to) in COMMANDS {
            for (_, expected) in STATES.into_iter().filter(|(_, state)| *state != from) {
                let (breaker, _clock) = breaker();
                fail(&breaker);
                enter(&breaker);
                let mut events = breaker.subscribe();
                let before = breaker.snapshot();
                let answer = conditional(breaker.because("INC-1").if_state(expected));
                assert_eq!(answer, Err(from), "{from} to {to} if {expected}");
                assert_eq!(breaker.snapshot(), before);
                assert!(events.try_next().is_none());
            }
        }
    }
}

#[test]
fn condition_treats_elapsed_open_as_half_open() {
    let (breaker, clock) = breaker();
    breaker.trip_for(30 * SECOND);
    clock.advance(Duration::from_nanos(29_999_999_999));
    assert_eq!(
        breaker.if_state(State::HalfOpen).reset(),
        Err(State::Open),
        "one nanosecond early"
    );
    clock.advance(Duration::from_nanos(1));
    let mut events = breaker.subscribe();
    assert_eq!(breaker.if_state(State::Open).reset(), Err(State::HalfOpen));
    assert_eq!(breaker.if_state(State::HalfOpen).half_open(), Ok(()));
    assert!(
        events.try_next().is_none(),
        "the circuit was half-open already"
    );
    assert_eq!(breaker.if_state(State::HalfOpen).trip(), Ok(()));
    let sent: Vec<_> = changes(&mut events).into_iter().map(|(to, _)| to).collect();
    assert_eq!(sent, [State::HalfOpen, State::Open]);
}

#[test]
fn concurrent_conditional_commands_succeed_once() {
    const THREADS: usize = 4;
    let (breaker, _clock) = breaker();
    for _ in 0..50 {
        let barrier = Barrier::new(THREADS);
        let won = thread::scope(|scope| {
            let trip_if_closed = || {
                barrier.wait();
                breaker.if_state(State::Closed).trip().is_ok()
            };
            let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(trip_if_closed)).collect();
            let won = threads.into_iter().map(|thread| thread.join().unwrap());
            won.filter(|won| *won).count()
        });
        assert_eq!(won, 1);
        breaker.reset();
    }
}

#[test]
fn repeated_command_replaces_reason_and_actor() {
    for (command, _, state) in COMMANDS {
        let (breaker, _clock) = breaker();
        command(breaker.because("INC-1").by("alice"));
        let mut events = breaker.subscribe();
        let cause = || state_and_cause(&breaker).1;
        command(breaker.because("INC-2"));
        assert_eq!(cause(), "a command: INC-2", "{state}");
        command(breaker.by("bob"));
        assert_eq!(cause(), "a command by bob", "{state}");
        match state {
            State::Open => breaker.trip(),
            State::HalfOpen => breaker.half_open(),
            State::ForcedOpen => breaker.force_open(),
            State::Disabled => breaker.disable(),
            State::MetricsOnly => breaker.metrics_only(),
            _ => breaker.reset(),
        }
        assert_eq!(cause(), "a command", "{state}");
        assert!(events.try_next().is_none(), "{state}");
    }
}

#[test]
fn trip_without_reason_keeps_cause_of_opening() {
    type Opening = fn(&CircuitBreaker, &ManualClock);
    let openings: [(Opening, &str); 3] = [
        (|b, _| fail(b), "1 consecutive failure"),
        (
            |b, _| {
                let hint = Outcome::TripFor(SECOND);
                b.try_acquire().unwrap().record(hint);
            },
            "a call tripped the circuit for 1s",
        ),
        (
            |b, _| {
                b.half_open();
                fail(b);
            },
            "a trial failed",
        ),
    ];
    for (open, cause) in openings {
        let (breaker, clock) = breaker();
        open(&breaker, &clock);
        breaker.trip();
        assert_eq!(state_and_cause(&breaker), (State::Open, cause.to_owned()));
        let left = breaker.open_remaining();
        breaker.because("INC-1").trip();
        assert_eq!(
            state_and_cause(&breaker).1,
            "a command: INC-1",
            "after {cause}"
        );
        assert_eq!(breaker.open_remaining(), left);
        breaker.trip();
        assert_eq!(state_and_cause(&breaker).1, "a command", "after {cause}");
    }
}

#[test]
fn trip_for_on_open_circuit_replaces_cause() {
    let (breaker, _clock) = breaker();
    fail(&breaker);
    breaker.trip_for(7 * SECOND);
    assert_eq!(breaker.open_remaining(), Some(7 * SECOND));
    assert_eq!(
        state_and_cause(&breaker),
        (State::Open, "a command".to_owned())
    );
    breaker.by("alice").trip_for(8 * SECOND);
    assert_eq!(state_and_cause(&breaker).1, "a command by alice");
}

#[test]
fn reset_of_closed_circuit_clears_counts_and_keeps_cause() {
    let clock = ManualClock::new();
    let builder = CircuitBreaker::builder().failure_threshold(2);
    let breaker = builder.clock(clock.clone()).build().unwrap();
    breaker.reset();
    assert_eq!(
        breaker.snapshot().cause,
        None,
        "the state has never changed"
    );
    breaker.trip();
    clock.advance(30 * SECOND);
    succeed(&breaker);
    fail(&breaker);
    breaker.reset();
    assert_eq!(breaker.failure_count(), 0);
    assert_eq!(state_and_cause(&breaker).1, "enough trials succeeded");
    fail(&breaker);
    breaker.because("INC-1").reset();
    assert_eq!(breaker.failure_count(), 0);
    assert_eq!(
        state_and_cause(&breaker),
        (State::Closed, "a command: INC-1".to_owned())
    );
}

#[test]
fn force_open_with_reason_sets_missing_cause() {
    let forced = CircuitBreaker::builder().mode(Mode::ForcedOpen);
    let breaker = forced.build().unwrap();
    breaker.force_open();
    assert_eq!(breaker.snapshot().cause, None);
    breaker.because("INC-1").force_open();
    assert_eq!(state_and_cause(&breaker).1, "a command: INC-1");
}

#[test]
fn reason_and_actor_are_truncated_to_256_bytes() {
    let crabs = "\u{1F980}".repeat(1 << 10);
    for shift in 0..4 {
        let text = "x".repeat(shift) + &crabs;
        let (breaker, _clock) = breaker();
        breaker.because(&text).by(&text).disable();
        let Some(Cause::Manual { reason, actor, .. }) = breaker.snapshot().cause else {
            unreachable!("the cause is a command")
        };
        let reason = reason.unwrap();
        assert_eq!(Some(&reason), actor.as_ref());
        assert!(text.starts_with(&*reason));
        assert!((253..=256).contains(&reason.len()));
    }
    let (breaker, _clock) = breaker();
    breaker.because("a\n\u{202e}b").by("").trip();
    let Some(Cause::Manual { reason, actor, .. }) = breaker.snapshot().cause else {
        unreachable!("the cause is a command")
    };
    assert_eq!(reason.as_deref(), Some("a\n\u{202e}b"));
    assert_eq!(actor, None, "an empty actor is `None`");
}

#[test]
fn displayed_reason_and_actor_are_escaped() {
    let hidden = [
        '\u{0}', '\n', '\r', '\t', '\u{1b}', '\u{7f}', '\u{85}', '\u{61c}', '\u{200e}', '\u{200f}',
        '\u{2028}', '\u{2029}', '\u{202a}', '\u{202b}', '\u{202c}', '\u{202d}', '\u{202e}',
        '\u{2066}', '\u{2067}', '\u{2068}', '\u{2069}',
    ];
    for character in hidden {
        let (breaker, _clock) = breaker();
        breaker
            .because(format!("a{character}b"))
            .by(format!("c{character}d"))
            .force_open();
        let escaped = character.escape_debug();
        let expected = format!("a command by c{escaped}d: a{escaped}b");
        assert_eq!(state_and_cause(&breaker).1, expected);
        let shown = breaker.snapshot().to_string();
        assert!(shown.contains(&expected), "{shown}");
    }
    let (breaker, _clock) = breaker();
    breaker.because("Übergröße, 日本, 🦀").force_open();
    assert_eq!(
        state_and_cause(&breaker).1,
        "a command: Übergröße, 日本, 🦀"
    );
}

#[test]
fn empty_reason_and_actor_are_none() {
    let breaker = CircuitBreaker::builder().build().unwrap();
    breaker.because("").by("").force_open();
    assert_eq!(breaker.snapshot().cause.unwrap().to_string(), "a command");
}
