//! [`Fates`]: what a call returned, or would have returned if a breaker had not refused it.

use crate::call::Outcome;

/// What is assumed about calls whose outcome is unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Assumption {
    /// They fail as often as the calls around them.
    Imputed,
    AllSucceed,
    AllFail,
}

/// The outcome of a call, and whether it says that the dependency is unhealthy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fate {
    pub(crate) outcome: Outcome,
    pub(crate) is_bad: bool,
}

impl Fate {
    pub(crate) const GOOD: Self = Self {
        outcome: Outcome::Success,
        is_bad: false,
    };
    pub(crate) const BAD: Self = Self {
        outcome: Outcome::Failure,
        is_bad: true,
    };
}

/// The outcome of a call under each assumption.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fates {
    Known(Fate),
    /// The outcome is unknown. The value is the one that was imputed.
    Unknown(Fate),
}

impl Fates {
    #[inline]
    pub(crate) fn under(self, assumption: Assumption) -> Fate {
        match (self, assumption) {
            (Self::Known(fate), _) | (Self::Unknown(fate), Assumption::Imputed) => fate,
            (Self::Unknown(_), Assumption::AllSucceed) => Fate::GOOD,
            (Self::Unknown(_), Assumption::AllFail) => Fate::BAD,
        }
    }
}
