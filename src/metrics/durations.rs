//! [`Durations`]: records the duration of calls.

use super::export::METADATA;
use super::inner::Inner;
use crate::classify::Outcome;
use crate::event::{CallInterest, Event, Listen};
use std::sync::Weak;

/// A listener for calls that is attached while its reporter exists.
pub(super) struct Durations(pub(super) Weak<Inner>);

impl Listen for Durations {
    fn call_interest(&self) -> CallInterest {
        CallInterest::Timed
    }

    fn is_alive(&self) -> bool {
        self.0.strong_count() > 0
    }

    fn shows_mistakes(&self) -> bool {
        false
    }

    fn on_event(&self, event: &Event) {
        let Event::Recorded {
            breaker,
            outcome,
            elapsed: Some(elapsed),
        } = event
        else {
            return;
        };
        let Some(inner) = self.0.upgrade() else {
            return;
        };
        let keys = inner.duration_keys(breaker);
        let [success, failure, ignored] = &*keys;
        let key = match outcome {
            Outcome::Success => success,
            Outcome::Failure | Outcome::TripFor(_) => failure,
            Outcome::Ignored => ignored,
        };
        let histogram =
            ::metrics::with_recorder(|recorder| recorder.register_histogram(key, &METADATA));
        histogram.record(elapsed.as_secs_f64());
    }
}
