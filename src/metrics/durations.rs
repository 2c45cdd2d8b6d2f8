//! How long calls take, for those who asked for it.

use super::export::METADATA;
use super::inner::Inner;
use crate::event::{CallInterest, Event, Listen};
use std::sync::Weak;

/// Hears of calls for as long as somebody reports.
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
        let key = keys.of(*outcome);
        let histogram =
            ::metrics::with_recorder(|recorder| recorder.register_histogram(key, &METADATA));
        histogram.record(elapsed.as_secs_f64());
    }
}
