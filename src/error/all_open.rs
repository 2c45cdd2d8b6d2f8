use super::circuit_open::{NO_CIRCUIT, NotCalled};
use super::{BreakerError, CircuitOpen};
use crate::text::RemainingTime;
use std::error::Error;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// The maximum number of circuits that the text of the error names.
const MAX_SHOWN: usize = 5;

/// A refusal by every breaker that was passed to [`first_ready`](crate::first_ready).
///
/// The error holds the refusal of each breaker, in the order in which they were asked. A breaker ignores
/// an `AllOpen` that guarded code returns, as it ignores every refusal of an inner breaker, and
/// [`is_refusal`](crate::is_refusal) returns `true` for it.
///
/// The operator `?` converts the error to `anyhow::Error`, `Box<dyn Error>`, [`io::Error`],
/// [`BreakerError`] and [`CircuitOpen`]. The last two keep only the refusal of the circuit that is
/// ready soonest.
///
/// [`source()`](Error::source) returns that refusal, too.
///
/// # Examples
///
/// ```
/// use breakerbox::{CircuitBreaker, first_ready};
/// use std::time::Duration;
///
/// let eu = CircuitBreaker::builder().name("eu").build()?;
/// let us = CircuitBreaker::builder().name("us").build()?;
/// eu.force_open();
/// us.trip_for(Duration::from_secs(3600));
///
/// let all = first_ready([&eu, &us]).unwrap_err();
/// assert!(all.names().eq(["eu", "us"]));
/// assert!(all.retry_after() > Some(Duration::from_secs(3590)));
/// assert!(all.to_string().starts_with("all 2 circuits refuse calls: \"eu\", \"us\"; try again in"));
/// # Ok::<(), breakerbox::ConfigError>(())
/// ```
#[derive(Clone)]
pub struct AllOpen {
    refusals: Arc<[CircuitOpen]>,
}

impl AllOpen {
    pub(crate) fn new(refusals: Vec<CircuitOpen>) -> Self {
        Self {
            refusals: refusals.into(),
        }
    }

    /// Returns the refusal of each breaker, in the order in which they were asked.
    ///
    /// Empty if no breaker was passed to [`first_ready`](crate::first_ready).
    pub fn refusals(&self) -> &[CircuitOpen] {
        &self.refusals
    }

    /// Returns the names of the breakers, in the order in which they were asked.
    pub fn names(&self) -> impl ExactSizeIterator<Item = &str> {
        self.refusals.iter().map(CircuitOpen::name)
    }

    /// Returns how long to wait until the first of the circuits may admit a call: the smallest
    /// [`retry_after`](CircuitOpen::retry_after) of all refusals.
    ///
    /// Returns `None` if every circuit is forced open, or if there is none. The duration is never zero.
    pub fn retry_after(&self) -> Option<Duration> {
        self.soonest()?.retry_after()
    }

    /// Returns the refusal of the circuit that is ready soonest.
    fn soonest(&self) -> Option<&CircuitOpen> {
        // A circuit that is forced open comes last: `None` sorts before every `Some`.
        let wait = |open: &&CircuitOpen| (open.retry_after().is_none(), open.retry_after());
        self.refusals.iter().min_by_key(wait)
    }
}

/// The result is the refusal of the circuit that is ready soonest.
///
/// If no breaker was passed to [`first_ready`](crate::first_ready), there is no such refusal. The result
/// then has an empty name and the reason [`Forced`](crate::Refusal::Forced), because waiting does not help.
impl From<AllOpen> for CircuitOpen {
    fn from(all: AllOpen) -> Self {
        all.soonest().cloned().unwrap_or_else(Self::by_no_circuit)
    }
}

/// The result is [`Open`](BreakerError::Open), with the refusal of the circuit that is ready soonest.
impl<E> From<AllOpen> for BreakerError<E> {
    fn from(all: AllOpen) -> Self {
        Self::Open(all.into())
    }
}

/// The kind is [`Other`](io::ErrorKind::Other), which callers do not retry at once.
/// [`get_ref`](io::Error::get_ref) returns the `AllOpen`.
impl From<AllOpen> for io::Error {
    fn from(all: AllOpen) -> Self {
        Self::other(all)
    }
}

/// `{}` names at most five circuits. `{:#}` describes them instead, with the last failure of each.
impl fmt::Display for AllOpen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let refusals = match &*self.refusals {
            [] => return f.write_str(NO_CIRCUIT),
            [only] => return only.fmt(f),
            several => several,
        };
        write!(f, "all {} circuits refuse calls: ", refusals.len())?;
        for (position, open) in refusals.iter().take(MAX_SHOWN).enumerate() {
            let separator = if position > 0 { ", " } else { "" };
            if f.alternate() {
                write!(f, "{separator}{open:#}")?;
            } else {
                write!(f, "{separator}{:?}", open.name())?;
            }
        }
        if let Some(more @ 1..) = refusals.len().checked_sub(MAX_SHOWN) {
            write!(f, " and {more} more")?;
        }
        match self.retry_after() {
            Some(Duration::MAX) | None => Ok(()),
            Some(time) => write!(f, "; try again in {}", RemainingTime(time)),
        }
    }
}

impl Error for AllOpen {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self.soonest() {
            Some(open) => Some(open),
            None => Some(&NotCalled),
        }
    }
}
