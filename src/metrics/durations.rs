//! [`Durations`]: records how long calls take, for reporters that were asked to.

use super::Inner;
use super::export::{DURATION, METADATA, key};
use crate::classify::Outcome;
use crate::event::{Calls, Event, Listen};
use ::metrics::{Key, Label};
use dashmap::DashMap;
use std::sync::{Arc, Weak};

/// Listens to calls while a reporter exists.
pub(super) struct Durations(pub(super) Weak<Inner>);

/// The keys of the histograms, by name: success, failure, ignored. Handles are not kept: a handle that was
/// made before a recorder was installed, or whose series the exporter dropped, records nothing.
pub(super) type Keys = DashMap<Arc<str>, Arc<[Key; 3]>, foldhash::fast::RandomState>;

pub(super) fn keys(breaker: &str, given: &[Label]) -> Arc<[Key; 3]> {
    let outcomes = ["success", "failure", "ignored"];
    Arc::new(outcomes.map(|outcome| key(DURATION, given, breaker, &[("outcome", outcome)])))
}

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
