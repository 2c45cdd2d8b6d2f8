use crate::circuit::Circuit;
use crate::event::{CallInterest, Event, Listen};
use crate::registry::Inner;
use crate::state::State;
use ::tracing::Span;
use std::sync::Weak;

/// Records the result of each call in fields of the current span.
pub(super) struct SpanFields(Source);

/// Where the state of a breaker is read. Weak, because the source owns the listener.
enum Source {
    Registry(Weak<Inner>),
    Circuit(Weak<Circuit>),
}

impl SpanFields {
    pub(super) fn of_registry(registry: Weak<Inner>) -> Self {
        Self(Source::Registry(registry))
    }

    pub(super) fn of_circuit(circuit: Weak<Circuit>) -> Self {
        Self(Source::Circuit(circuit))
    }

    fn state_of(&self, breaker: &str) -> Option<State> {
        match &self.0 {
            Source::Registry(registry) => registry.upgrade()?.state_of(breaker),
            Source::Circuit(circuit) => Some(circuit.upgrade()?.state()),
        }
    }

    fn record(&self, breaker: &str, outcome: &str, refusal: Option<&str>) {
        let span = Span::current();
        // Without a span, or with a span that the subscriber ignores, nothing is looked up.
        if span.is_disabled() {
            return;
        }
        span.record("breaker.name", breaker);
        span.record("breaker.outcome", outcome);
        if let Some(refusal) = refusal {
            span.record("breaker.refusal", refusal);
        }
        if span.has_field("breaker.state") {
            if let Some(state) = self.state_of(breaker) {
                span.record("breaker.state", state.as_str());
            }
        }
    }
}

impl Listen for SpanFields {
    fn call_interest(&self) -> CallInterest {
        CallInterest::Events
    }

    fn shows_mistakes(&self) -> bool {
        false
    }

    fn kind(&self) -> Option<&'static str> {
        Some("tracing span fields")
    }

    fn on_event(&self, event: &Event) {
        let breaker = event.breaker();
        match event {
            Event::Recorded { outcome, .. } => self.record(breaker, outcome.as_str(), None),
            Event::Refused { reason, .. } => {
                self.record(breaker, "refused", Some(reason.as_str()));
            }
            Event::Joined { .. } => self.record(breaker, "joined", None),
            _ => {}
        }
    }
}
