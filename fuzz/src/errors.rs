//! Deliberate panics, and errors that cause them.

use std::any::Any;
use std::error::Error;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::Duration;

/// The payload of deliberate panics.
struct DeliberatePanic;

/// Panics without running the panic hook, which would end the fuzzing process.
pub(crate) fn panic_on_purpose() -> ! {
    resume_unwind(Box::new(DeliberatePanic))
}

/// Runs `code`. Returns `None` if it panicked deliberately, and propagates all other panics.
pub(crate) fn catch_deliberate_panic<T>(code: impl FnOnce() -> T) -> Option<T> {
    let unexpected = |payload: Box<dyn Any + Send>| {
        if !payload.is::<DeliberatePanic>() {
            resume_unwind(payload);
        }
    };
    catch_unwind(AssertUnwindSafe(code))
        .map_err(unexpected)
        .ok()
}

#[derive(Clone, Copy)]
pub(crate) struct TestError {
    pub(crate) kind: Kind,
    pub(crate) text: Text,
}

/// How the rules of the breaker classify an error.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Kind {
    Fatal,
    Ignored,
    Unexpected,
    /// `trip_for_if` returns this time.
    TripFor(Duration),
    /// The predicate of the ignored errors panics.
    PanicsIgnored,
    /// The predicate of the expected errors panics.
    PanicsExpected,
    /// The closure of `trip_for_if` panics.
    PanicsTripFor,
}

#[derive(Clone, Copy)]
pub(crate) enum Text {
    Number(u8),
    Long,
    Panics,
}

impl fmt::Debug for TestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.text {
            Text::Number(number) => write!(f, "error {number}"),
            // "é" has two bytes, so truncation may hit the middle of a character.
            Text::Long => (0..100).try_for_each(|_| f.write_str("aé")),
            Text::Panics => {
                f.write_str("half a text")?;
                panic_on_purpose()
            }
        }
    }
}

impl fmt::Display for TestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("error")
    }
}

impl Error for TestError {}

impl TestError {
    pub(crate) fn is_ignored(self) -> bool {
        if self.kind == Kind::PanicsIgnored {
            panic_on_purpose();
        }
        self.kind == Kind::Ignored
    }

    pub(crate) fn trip_time(self) -> Option<Duration> {
        match self.kind {
            Kind::TripFor(time) => Some(time),
            Kind::PanicsTripFor => panic_on_purpose(),
            _ => None,
        }
    }

    pub(crate) fn is_expected(self) -> bool {
        if self.kind == Kind::PanicsExpected {
            panic_on_purpose();
        }
        self.kind == Kind::Fatal
    }
}
