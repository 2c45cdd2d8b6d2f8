use super::{PackedState, State};
use crate::clock::Moment;

/// The decision whether a circuit admits a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    /// The call runs.
    Pass,
    /// The call runs as a trial, in a free slot of the half-open period.
    Trial,
    /// The recovery timeout has elapsed: the call runs as the first trial of a half-open period.
    FirstTrial,
    /// The lease of the trials in flight has expired: the call runs as a trial in one of their
    /// slots.
    ReplaceExpired,
    /// The call does not run.
    Refused(Refusal),
}

/// Why a circuit refused a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Refusal {
    /// The circuit is open until its recovery timeout has elapsed.
    Open,
    /// The circuit is half-open, and other calls use all of its trials.
    TrialsTaken,
    /// The circuit was forced open.
    Forced,
    /// The circuit has closed, and admits only a part of the calls while it
    /// [ramps up](crate::BreakerBuilder::ramp_up).
    RampingUp,
}

#[cfg(feature = "tracing")]
impl Refusal {
    /// Returns the name of the reason in logs, which is the same as in serialized data.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::TrialsTaken => "trials_taken",
            Self::Forced => "forced",
            Self::RampingUp => "ramping_up",
        }
    }
}

/// Decides whether a call is admitted at `now`.
///
/// `deadline` is the end of the recovery timeout, and `lease` is the time at which trials lose
/// their slots. Both boundaries are inclusive.
pub(crate) const fn admission(
    word: PackedState,
    now: Moment,
    deadline: Moment,
    lease: Moment,
) -> Admission {
    match word.state() {
        State::Closed | State::MetricsOnly | State::Disabled => Admission::Pass,
        State::ForcedOpen => Admission::Refused(Refusal::Forced),
        State::Open if now.has_reached(deadline) => Admission::FirstTrial,
        State::Open => Admission::Refused(Refusal::Open),
        State::HalfOpen => {
            let trials = word.trials();
            if trials.in_flight > 0 && now.has_reached(lease) {
                Admission::ReplaceExpired
            } else if trials.has_slot() {
                Admission::Trial
            } else {
                Admission::Refused(Refusal::TrialsTaken)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::{Flags, Trials};

    const EARLY: Moment = Moment::from_nanos(1);
    const LEASE: Moment = Moment::from_nanos(2);

    fn half_open(now: Moment, trials: Trials) -> Admission {
        let word = PackedState::new(State::HalfOpen, Flags::NONE).with_trials(trials);
        admission(word, now, Moment::ORIGIN, LEASE)
    }

    #[test]
    fn only_running_trials_are_replaced() {
        let none = Trials::new(2, 2);
        let one = none.admitted();
        let taken = Admission::Refused(Refusal::TrialsTaken);
        for (trials, before, after) in [
            (none, Admission::Trial, Admission::Trial),
            (one, Admission::Trial, Admission::ReplaceExpired),
            (one.admitted(), taken, Admission::ReplaceExpired),
        ] {
            assert_eq!(half_open(EARLY, trials), before);
            assert_eq!(half_open(LEASE, trials), after);
        }
    }
}
