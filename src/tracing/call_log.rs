use crate::classify::Outcome;
use crate::event::{CallInterest, Event, Listen};
use crate::text::rounded_seconds;

/// Logs completed and refused calls.
pub(super) struct CallLog;

impl Listen for CallLog {
    fn call_interest(&self) -> CallInterest {
        CallInterest::Events
    }

    fn shows_mistakes(&self) -> bool {
        false
    }

    fn kind(&self) -> Option<&'static str> {
        Some("tracing calls")
    }

    fn on_event(&self, event: &Event) {
        match event {
            Event::Recorded {
                outcome, elapsed, ..
            } => {
                let trip_for_secs = match *outcome {
                    Outcome::TripFor(time) => Some(rounded_seconds(time)),
                    _ => None,
                };
                let elapsed_secs = elapsed.map(rounded_seconds);
                log!(trace event, outcome = outcome.as_str(), trip_for_secs, elapsed_secs, "call recorded");
            }
            Event::Refused {
                reason,
                retry_after,
                ..
            } => {
                log!(trace event, reason = reason.as_str(), retry_after_secs = retry_after.map(rounded_seconds), "call refused");
            }
            Event::Joined { .. } => log!(trace event, "call joined a trial"),
            _ => {}
        }
    }
}
