//! [`Tap`]: puts the calls of a registry into the queue. Runs during each call, and never blocks.

use super::sampling::Sampling;
use super::status::Shared;
use crate::Outcome;
use breakerbox::{CallOutcome, CallRecord, Outcome as Recorded};
use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::time::Duration;

/// A call in the queue. Times are those of the clock of the breaker.
#[derive(Debug)]
pub(super) struct Queued {
    pub(super) name: Arc<str>,
    pub(super) started: Duration,
    pub(super) elapsed: Duration,
    pub(super) outcome: Outcome,
    pub(super) hint: Option<Duration>,
    pub(super) error: Option<Box<str>>,
}

/// Puts calls into the queue, or counts them as lost.
pub(super) struct Tap {
    pub(super) queue: SyncSender<Queued>,
    pub(super) shared: Arc<Shared>,
    pub(super) sampling: Sampling,
}

impl Tap {
    pub(super) fn take(&self, call: &CallRecord<'_>) {
        if !self.sampling.includes(call.name) {
            return;
        }
        let (outcome, hint) = outcome_of(call.outcome);
        let queued = Queued {
            name: call.name.clone(),
            started: call.started,
            elapsed: call.elapsed,
            outcome,
            hint,
            error: call.error.map(Box::from),
        };
        // The queue is full, or the thread has ended because writing failed.
        if self.queue.try_send(queued).is_err() {
            self.shared.add_lost(1);
        }
    }
}

/// Returns the outcome in a recording, and for how long the dependency asked for no calls.
fn outcome_of(outcome: CallOutcome) -> (Outcome, Option<Duration>) {
    match outcome {
        CallOutcome::Completed(Recorded::Success) => (Outcome::Success, None),
        CallOutcome::Completed(Recorded::Failure) => (Outcome::Failure, None),
        CallOutcome::Completed(Recorded::TripFor(time)) => (Outcome::Failure, Some(time)),
        CallOutcome::Cancelled => (Outcome::Cancelled, None),
        CallOutcome::Refused(_) => (Outcome::Refused, None),
        // `Ignored`, and outcomes of later versions.
        _ => (Outcome::Ignored, None),
    }
}
