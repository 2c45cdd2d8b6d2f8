use super::{PackedState, State};
use crate::clock::Moment;

/// What a call that asks to pass is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    /// Calls pass.
    Pass,
    /// A slot of the half-open period is free.
    Trial,
    /// The recovery timeout has passed: a half-open period begins with this call.
    FirstTrial,
    /// The trials in flight have outlived their lease: this call takes one of their slots.
    ReplaceExpired,
    /// No.
    Refused(Refusal),
}

/// Why a circuit refused a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Refusal {
    /// The circuit is open, for a time.
    Open,
    /// The circuit is half-open and other calls are its trials.
    TrialsTaken,
    /// Somebody forced it open.
    Forced,
}

/// Who may pass, at `now`, a circuit in this state whose recovery ends at `deadline` and whose
/// trials must have ended by `lease`. Both boundaries are inclusive.
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
    fn only_trials_that_still_run_are_taken_over() {
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
