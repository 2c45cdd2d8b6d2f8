//! How the rules of the breaker and the call site classify the result of guarded code.

use crate::errors::{Kind, TestError, panic_on_purpose};
use breakerbox::{BreakerBuilder, Outcome};
use breakerbox_model::steps::Ending;

/// The result of guarded code. Only fallbacks return `Ok(true)`.
pub(crate) type Answer = Result<bool, TestError>;

/// Settings that are unknown to the model, because they only determine its input.
#[derive(Clone, Copy)]
pub(crate) struct ErrorRules {
    /// Whether errors are classified by their kind. Otherwise, every error is a failure.
    pub(crate) by_kind: bool,
    pub(crate) unexpected: Outcome,
    pub(crate) captures_text: bool,
}

impl ErrorRules {
    pub(crate) fn apply_to(self, builder: BreakerBuilder) -> BreakerBuilder {
        let builder = builder
            .unexpected_errors_as(self.unexpected)
            .capture_last_failure(self.captures_text);
        if self.by_kind {
            builder
                .ignored_value_if(|error: &TestError| error.is_ignored())
                .trip_for_if(|error: &TestError| error.trip_time())
                .expected_value_if(|error: &TestError| error.is_expected())
        } else {
            builder
        }
    }
}

/// How the call site classifies results.
#[derive(Clone, Copy)]
pub(crate) enum Site {
    Rules,
    /// `None` stands for a closure that panics.
    FailIf(Option<bool>),
    Classify(Option<Outcome>),
}

impl Site {
    pub(crate) fn fails(self) -> bool {
        let Self::FailIf(Some(fails)) = self else {
            panic_on_purpose()
        };
        fails
    }

    pub(crate) fn outcome(self) -> Outcome {
        let Self::Classify(Some(outcome)) = self else {
            panic_on_purpose()
        };
        outcome
    }
}

/// Returns the ending that the model must record, or `None` if the classification panics.
pub(crate) fn ending(answer: Answer, site: Site, rules: ErrorRules) -> Option<Ending> {
    if let Site::Classify(outcome) = site {
        return outcome.map(of_outcome);
    }
    let Err(error) = answer else {
        return Some(Ending::Success);
    };
    match error.kind {
        Kind::PanicsIgnored | Kind::PanicsTripFor if rules.by_kind => return None,
        Kind::Ignored if rules.by_kind => return Some(Ending::Ignored),
        Kind::TripFor(time) if rules.by_kind => return Some(Ending::TripFor(time)),
        _ => {}
    }
    let failed = match site {
        Site::FailIf(fails) => fails?,
        _ if !rules.by_kind => true,
        _ if error.kind == Kind::PanicsExpected => return None,
        _ => error.kind == Kind::Fatal,
    };
    Some(if failed {
        Ending::Failure
    } else {
        of_outcome(rules.unexpected)
    })
}

fn of_outcome(outcome: Outcome) -> Ending {
    match outcome {
        Outcome::Success => Ending::Success,
        Outcome::Failure => Ending::Failure,
        Outcome::TripFor(time) => Ending::TripFor(time),
        _ => Ending::Ignored,
    }
}
