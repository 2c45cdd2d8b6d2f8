//! A stream whose next poll is scripted.

use breakerbox::{BreakerError, CircuitBreaker, CircuitOpen, Outcome, Permit};
use futures_core::Stream;
use proptest::prelude::*;
use proptest::sample::select;
use std::cell::{Cell, RefCell};
use std::panic::resume_unwind;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::thread::Result as Unwound;
use std::time::Duration;

/// An item, whose value is its outcome. The error type shows that errors are passed on.
pub(crate) type Item = Result<Outcome, ScriptedError>;

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct ScriptedError;

/// What a poll does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Action {
    Item(Item),
    Wait,
    End,
    Panic,
}

/// The control of one stream by the test.
pub(crate) struct Script(Rc<Shared>);

/// The scripted stream.
pub(crate) struct Source(Rc<Shared>);

struct Shared {
    breaker: CircuitBreaker,
    action: Cell<Action>,
    with_call: Cell<bool>,
    polled: Cell<bool>,
    call: RefCell<Option<Result<Permit, CircuitOpen>>>,
}

pub(crate) fn source(breaker: &CircuitBreaker) -> (Source, Script) {
    let shared = Rc::new(Shared {
        breaker: breaker.clone(),
        action: Cell::new(Action::End),
        with_call: Cell::new(false),
        polled: Cell::new(false),
        call: RefCell::new(None),
    });
    (Source(shared.clone()), Script(shared))
}

impl Script {
    pub(crate) fn set(&self, action: Action, with_call: bool) {
        self.0.action.set(action);
        self.0.with_call.set(with_call);
        self.0.polled.set(false);
    }

    pub(crate) fn was_polled(&self) -> bool {
        self.0.polled.get()
    }

    /// Takes the admission of the call inside the last poll, if there was one.
    pub(crate) fn take_call(&self) -> Option<Result<Permit, CircuitOpen>> {
        self.0.call.take()
    }
}

impl Stream for Source {
    type Item = Item;

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Item>> {
        let Shared {
            breaker,
            action,
            with_call,
            polled,
            call,
        } = &*self.0;
        polled.set(true);
        if with_call.get() {
            call.replace(Some(breaker.try_acquire()));
        }
        match action.get() {
            Action::Item(item) => Poll::Ready(Some(item)),
            Action::Wait => Poll::Pending,
            Action::End => Poll::Ready(None),
            // Without the message of a panic.
            Action::Panic => resume_unwind(Box::new(())),
        }
    }
}

pub(crate) fn judge(item: &Item) -> Outcome {
    item.unwrap_or(Outcome::Failure)
}

/// What a poll of the guarded stream returned.
#[derive(Debug)]
pub(crate) enum Polled {
    Item(Result<Outcome, BreakerError<ScriptedError>>),
    Wait,
    End,
    Panic,
}

impl Polled {
    pub(crate) fn of(
        polled: Unwound<Poll<Option<Result<Outcome, BreakerError<ScriptedError>>>>>,
    ) -> Self {
        match polled {
            Ok(Poll::Ready(Some(item))) => Self::Item(item),
            Ok(Poll::Ready(None)) => Self::End,
            Ok(Poll::Pending) => Self::Wait,
            Err(_) => Self::Panic,
        }
    }
}

pub(crate) fn action() -> impl Strategy<Value = Action> {
    let hint = select(vec![1, 10, 1_000])
        .prop_map(|millis| Action::Item(Ok(Outcome::TripFor(Duration::from_millis(millis)))));
    prop_oneof![
        12 => Just(Action::Item(Ok(Outcome::Success))),
        3 => Just(Action::Item(Ok(Outcome::Failure))),
        3 => Just(Action::Item(Err(ScriptedError))),
        1 => Just(Action::Item(Ok(Outcome::Ignored))),
        1 => hint,
        8 => Just(Action::Wait),
        4 => Just(Action::End),
        1 => Just(Action::Panic),
    ]
}
