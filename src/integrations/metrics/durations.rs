//! How long calls take, for those who asked for it.

use super::Inner;
use super::export::{DurationKeys, METADATA};
use crate::event::{Calls, Event, Listen};
use dashmap::DashMap;
use std::sync::{Arc, Weak};

/// Keys and not handles are kept: the handle of a series that the exporter ended goes on taking what
/// nobody will see, and so does one that was made before there was a recorder.
pub(super) type Keys = DashMap<Arc<str>, Arc<DurationKeys>, foldhash::fast::RandomState>;

/// Hears of calls for as long as somebody reports.
pub(super) struct Durations(pub(super) Weak<Inner>);

impl Listen for Durations {
    fn calls(&self) -> Calls {
        if self.0.strong_count() > 0 {
            Calls::Timed
        } else {
            Calls::None
        }
    }

    fn shows_mistakes(&self) -> bool {
        false
    }

    fn tell(&self, event: &Event) {
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
