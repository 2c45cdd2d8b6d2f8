//! Warnings on standard error, in debug builds only, about mistakes that make a breaker
//! ineffective.

use super::{Event, NotKept};
use crate::text::Escaped;
use std::fmt;
use std::io::{self, Write};
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};

/// The kinds of mistakes that were already printed. Each kind is printed once.
#[derive(Debug, Default)]
pub(crate) struct Warned(AtomicU8);

impl Warned {
    /// Prints the mistake that `event` reports, if it is the first of its kind.
    ///
    /// Called for events that no listener displays.
    pub(crate) fn print(&self, event: &Event) {
        if !cfg!(debug_assertions) {
            return;
        }
        if let Some((kind, mistake)) = Mistake::of(event) {
            // Ordering: `Relaxed` suffices because the bit publishes no other data.
            if self.0.fetch_or(kind, Ordering::Relaxed) & kind == 0 {
                print(format_args!("{mistake}"));
            }
        }
    }
}

/// The maximum number of warnings per process, because a process may have one breaker per tenant.
const MAX_WARNINGS: usize = 100;

/// Prints a warning unless the environment variable `BREAKERBOX_WARN` is set to `0`.
pub(crate) fn print(warning: fmt::Arguments<'_>) {
    static PRINTED: AtomicUsize = AtomicUsize::new(0);
    if std::env::var_os("BREAKERBOX_WARN").is_some_and(|value| value == "0") {
        return;
    }
    // Not `eprintln!`, which panics if standard error is closed. The lock keeps lines of different
    // threads apart. The message is written directly because a cancelled call must not allocate.
    let mut error = io::stderr().lock();
    // Ordering: `Relaxed` suffices because the counter publishes no other data.
    let _ = match PRINTED.fetch_add(1, Ordering::Relaxed) {
        0..MAX_WARNINGS => writeln!(error, "breakerbox: {warning}"),
        MAX_WARNINGS => writeln!(error, "breakerbox: further warnings are not printed"),
        _ => Ok(()),
    };
}

/// An event that reports a mistake. `Display` writes a sentence that tells the user what to do.
struct Mistake<'a>(&'a Event);

impl<'a> Mistake<'a> {
    /// Returns the bit of the kind and the mistake, or `None` if the event reports no mistake.
    fn of(event: &'a Event) -> Option<(u8, Self)> {
        let kind = match event {
            Event::UnknownErrorType { .. } => 1,
            Event::CancelledInARow { .. } => 1 << 1,
            Event::SettingsIgnored { .. } => 1 << 2,
            Event::SettingsRefused { .. } => 1 << 3,
            Event::NameShared { .. } => 1 << 4,
            Event::NotKept { reason, .. } => match reason {
                NotKept::InvalidName => 1 << 5,
                NotKept::NoRoom => 1 << 6,
            },
            _ => return None,
        };
        Some((kind, Self(event)))
    }
}

impl fmt::Display for Mistake<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.0.breaker();
        match self.0 {
            Event::UnknownErrorType { error_type, .. } => write!(
                f,
                "breaker {name:?} has no rule for errors of type `{error_type}`, so they do not \
                 count as failures; name the type with `expected_error` or `ignored_error`, or \
                 classify the errors of the call with `fail_if`"
            ),
            Event::CancelledInARow { calls, .. } => write!(
                f,
                "{calls} consecutive calls of breaker {name:?} were dropped before they completed, so \
                 the breaker cannot tell whether they failed; if a timeout outside the breaker drops \
                 them, move the timeout inside the guarded future or use `.timeout(…)`; if `?` drops a \
                 permit, as in `let permit = breaker.try_acquire()?; call()?; permit.success()`, \
                 record the result before the `?`, with `permit.record_result(&result)`"
            ),
            Event::SettingsIgnored {
                settings,
                place,
                first,
                ..
            } => write!(
                f,
                "breaker {name:?} ignores the settings at {place}, because they conflict with {first} \
                 in {settings}; give these settings in one place only"
            ),
            Event::SettingsRefused { error, .. } => write!(
                f,
                "the settings given for breaker {name:?} are invalid and are not used: {}; \
                 correct them",
                Escaped(&error.to_string())
            ),
            Event::NameShared { place, first, .. } => write!(
                f,
                "the functions at {first} and at {place} share breaker {name:?}, because they have \
                 the same default name; name each circuit with `#[circuit(name = \"…\")]`"
            ),
            Event::NotKept { reason, .. } => match reason {
                NotKept::InvalidName => write!(
                    f,
                    "every lookup of {name:?} creates a new breaker without earlier failures, because \
                     the name is not 1 to 256 bytes long; use another name"
                ),
                NotKept::NoRoom => write!(
                    f,
                    "every lookup of {name:?} creates a new breaker without earlier failures, because \
                     the registry is full; raise its `capacity`, or use fewer names"
                ),
            },
            _ => Ok(()),
        }
    }
}
