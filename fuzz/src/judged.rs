//! What becomes of what guarded code gives, by the rules and by the call site.

use breakerbox_model::steps::Ending;
use crate::trouble::{Kind, Trouble, blow};
use breakerbox::{BreakerBuilder, Outcome};

/// `Ok(true)` is what fallbacks give.
pub(crate) type Answer = Result<bool, Trouble>;

/// Settings that the model knows nothing of: they decide what it is told.
#[derive(Clone, Copy)]
pub(crate) struct Rules {
    /// Errors are told apart; otherwise each is a failure.
    pub(crate) tells_apart: bool,
    pub(crate) unexpected: Outcome,
    pub(crate) captures: bool,
}

impl Rules {
    pub(crate) fn given_to(self, builder: BreakerBuilder) -> BreakerBuilder {
        let builder = builder
            .unexpected_errors_as(self.unexpected)
            .capture_last_failure(self.captures);
        if self.tells_apart {
            builder
                .ignored_value_if(|error: &Trouble| error.is_ignored())
                .expected_value_if(|error: &Trouble| error.is_expected())
        } else {
            builder
        }
    }
}

/// Who judges at the call site.
#[derive(Clone, Copy)]
pub(crate) enum Site {
    Rules,
    /// `None` panics.
    FailIf(Option<bool>),
    Classify(Option<Outcome>),
}

impl Site {
    pub(crate) fn fails(self) -> bool {
        let Self::FailIf(Some(fails)) = self else {
            blow()
        };
        fails
    }

    pub(crate) fn outcome(self) -> Outcome {
        let Self::Classify(Some(outcome)) = self else {
            blow()
        };
        outcome
    }
}

/// What the model is told; `None` if a judge panics.
pub(crate) fn ending(answer: Answer, site: Site, rules: Rules) -> Option<Ending> {
    if let Site::Classify(outcome) = site {
        return outcome.map(of_outcome);
    }
    let Err(error) = answer else {
        return Some(Ending::Success);
    };
    match error.kind {
        Kind::BreaksIgnored if rules.tells_apart => return None,
        Kind::Ignored if rules.tells_apart => return Some(Ending::Ignored),
        _ => {}
    }
    let failed = match site {
        Site::FailIf(fails) => fails?,
        _ if !rules.tells_apart => true,
        _ if error.kind == Kind::BreaksExpected => return None,
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
