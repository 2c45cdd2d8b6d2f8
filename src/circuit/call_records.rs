//! Reports the calls of a circuit to the recorders of its registry.
//!
//! Only calls on the slow path are reported. A recorder is user code, so it runs without any lock,
//! after the outcome of the call was recorded and its events were delivered.

use super::record::Completion;
use super::running_trials::outside;
use super::shell::Circuit;
use super::token::CallToken;
use crate::classify::Outcome;
use crate::config::BreakerConfig;
use crate::event::{CallOutcome, CallRecord, Recorders};
use crate::state::Refusal;
use crate::text::TruncatedString;
use std::time::Duration;

impl Circuit {
    /// Reports a completed call that took `elapsed`. A call without a duration was admitted before
    /// the recorder was attached, and is not reported. `text` is the text of the failure, if the
    /// circuit has captured it.
    #[cold]
    #[inline(never)]
    pub(super) fn report_call(
        &self,
        token: CallToken,
        completion: Completion<'_>,
        elapsed: Option<Duration>,
        text: Option<&TruncatedString>,
        config: &BreakerConfig,
    ) {
        let Some((started, elapsed)) = token.started().zip(elapsed) else {
            return;
        };
        let Some(recorders) = self.recorders() else {
            return;
        };
        let outcome = match completion {
            Completion::Returned(outcome, _) => CallOutcome::Completed(outcome),
            Completion::Panicked | Completion::TimedOut(_) => {
                CallOutcome::Completed(Outcome::Failure)
            }
            Completion::Cancelled | Completion::StreamDropped => CallOutcome::Cancelled,
        };
        let mut buf = None;
        let call = CallRecord {
            name: &self.name,
            started: Duration::from_nanos(started.as_nanos()),
            elapsed,
            outcome,
            error: error_label(completion, text, config, &mut buf),
        };
        self.pass_to(recorders, &call);
    }

    /// Reports a call of an earlier generation, which the circuit does not count.
    pub(super) fn report_late_call(&self, token: CallToken, completion: Completion<'_>) {
        if self.recorders().is_none() {
            return;
        }
        let now = || self.context.clock.now();
        let elapsed = token.started().map(|started| now().since(started));
        self.report_call(token, completion, elapsed, None, &self.config.load());
    }

    /// Reports a call that was refused now.
    pub(super) fn report_refused_call(&self, refusal: Refusal) {
        let Some(recorders) = self.recorders() else {
            return;
        };
        let now = self.context.clock.now();
        let call = CallRecord {
            name: &self.name,
            started: Duration::from_nanos(now.as_nanos()),
            elapsed: Duration::ZERO,
            outcome: CallOutcome::Refused(refusal),
            error: None,
        };
        self.pass_to(recorders, &call);
    }

    /// Returns the recorders of the registry, if there are any and the breaker is in the registry.
    fn recorders(&self) -> Option<&Recorders> {
        let recorders = self.context.bus.as_ref().map(|bus| &bus.recorders);
        recorders.filter(|recorders| recorders.has_any() && !self.entry.is_removed())
    }

    fn pass_to(&self, recorders: &Recorders, call: &CallRecord<'_>) {
        for event in outside(|| recorders.record(call)) {
            self.emit(|_| event);
        }
    }
}

/// Returns the label of the error of a call. Runs the `Debug` of the error, unless the circuit has
/// captured its `text`.
fn error_label<'a>(
    completion: Completion<'_>,
    text: Option<&'a TruncatedString>,
    config: &BreakerConfig,
    buf: &'a mut Option<TruncatedString>,
) -> Option<&'a str> {
    if !config.capture_last_failure() {
        return None;
    }
    match completion {
        Completion::Returned(..) if text.is_some() => text.map(TruncatedString::as_str),
        Completion::Returned(_, error) => {
            let text = buf.insert(TruncatedString::empty());
            config.write_failure(error?, text);
            Some(text.as_str())
        }
        Completion::Panicked => Some("panicked"),
        Completion::TimedOut(_) => Some("timed out"),
        Completion::Cancelled | Completion::StreamDropped => None,
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use crate::registry::BreakerRegistry;
    use crate::state::Flags;

    #[test]
    fn word_is_quiet_after_recording() {
        let registry = BreakerRegistry::new();
        let users = registry.breaker("users");
        let circuit = &users.circuit;
        let call = || users.call(|| Ok::<_, ()>(())).expect("a closed circuit");
        let quiet = || circuit.word().success_is_noop(circuit.word().generation());
        assert!(quiet());
        let first = registry.record_calls(|_| {});
        let second = registry.record_calls(|_| {});
        assert!(circuit.word().has(Flags::TIMED));
        drop(first);
        call();
        assert!(circuit.word().has(Flags::TIMED));
        drop(second);
        // The first call clears the flags.
        call();
        assert!(quiet());
        assert!(!circuit.word().has(Flags::TIMED));
        let late = registry.breaker("late");
        assert!(!late.circuit.word().has(Flags::SLOW_PATH));
    }
}
