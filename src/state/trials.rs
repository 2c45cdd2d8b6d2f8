/// The trials of a half-open period: the slots in use, the results that still count, and the
/// successes that are still needed.
///
/// `remaining` and `successes_needed` count down from the settings that were valid when the period
/// began. New settings apply from the next period on, so they cannot make the present period
/// undecidable. Each field takes ten bits in the packed state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Trials {
    /// Slots in use. A trial whose lease has expired has no slot, although it may still be running.
    pub(crate) in_flight: u16,
    /// Results that the period will still count.
    pub(crate) remaining: u16,
    /// Successes that still have to be counted before the circuit closes. At most `remaining`;
    /// otherwise the period is decided.
    pub(crate) successes_needed: u16,
}

/// The effect of a trial's result on the circuit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TrialResult {
    /// The circuit stays half-open.
    Undecided(Trials),
    /// Enough trials succeeded.
    Close,
    /// Too few trials are left for enough of them to succeed.
    Reopen,
}

const BITS: u32 = 10;
const FIELD: u32 = (1 << BITS) - 1;

impl Trials {
    /// The maximum number of trials of a period.
    pub(crate) const MAX_CALLS: u32 = 1000;

    /// Begins a period of `calls` trials, of which `successes_needed` must succeed. Both are at
    /// most [`MAX_CALLS`](Self::MAX_CALLS).
    #[allow(clippy::cast_possible_truncation)] // settings are at most `MAX_CALLS`
    pub(crate) const fn new(calls: u32, successes_needed: u32) -> Self {
        Self {
            in_flight: 0,
            remaining: calls as u16,
            successes_needed: successes_needed as u16,
        }
    }

    pub(super) const fn pack(self) -> u32 {
        self.in_flight as u32
            | (self.remaining as u32) << BITS
            | (self.successes_needed as u32) << (2 * BITS)
    }

    #[allow(clippy::cast_possible_truncation)] // each mask leaves ten bits
    pub(super) const fn unpack(bits: u32) -> Self {
        Self {
            in_flight: (bits & FIELD) as u16,
            remaining: ((bits >> BITS) & FIELD) as u16,
            successes_needed: ((bits >> (2 * BITS)) & FIELD) as u16,
        }
    }

    pub(crate) const fn has_slot(self) -> bool {
        self.in_flight < self.remaining
    }

    /// Takes a slot for a trial. Requires a [free slot](Self::has_slot).
    pub(crate) const fn admitted(self) -> Self {
        Self {
            in_flight: self.in_flight + 1,
            ..self
        }
    }

    /// Frees the slot of a trial that has ended.
    pub(crate) const fn released(self) -> Self {
        Self {
            in_flight: self.in_flight.saturating_sub(1),
            ..self
        }
    }

    /// Frees every slot after the lease has expired. Results that were counted are kept.
    pub(crate) const fn expired(self) -> Self {
        Self {
            in_flight: 0,
            ..self
        }
    }

    /// Counts the success of a trial, after its slot was [released](Self::released) or has
    /// [expired](Self::expired).
    pub(crate) const fn succeeded(self) -> TrialResult {
        let rest = self.consume_one();
        if rest.successes_needed <= 1 {
            return TrialResult::Close;
        }
        TrialResult::Undecided(Self {
            successes_needed: rest.successes_needed - 1,
            ..rest
        })
    }

    /// Counts the failure of a trial, under the same condition as [`succeeded`](Self::succeeded).
    pub(crate) const fn failed(self) -> TrialResult {
        let rest = self.consume_one();
        if rest.remaining < rest.successes_needed {
            return TrialResult::Reopen;
        }
        TrialResult::Undecided(rest)
    }

    const fn consume_one(self) -> Self {
        Self {
            remaining: self.remaining.saturating_sub(1),
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Compares every possible period of up to six calls with plain counting.
    #[test]
    fn period_ends_when_decided() {
        for calls in 1..=6 {
            for successes_needed in 1..=calls {
                for outcomes in 0..1_u32 << calls {
                    play(calls, successes_needed, outcomes);
                }
            }
        }
    }

    fn play(calls: u32, successes_needed: u32, outcomes: u32) {
        let mut trials = Trials::new(calls, successes_needed);
        let (mut succeeded, mut failed) = (0, 0);
        for call in 0..calls {
            assert!(trials.has_slot(), "an undecided period has slots left");
            trials = Trials::unpack(trials.admitted().pack()).released();
            let result = if outcomes >> call & 1 == 1 {
                succeeded += 1;
                trials.succeeded()
            } else {
                failed += 1;
                trials.failed()
            };
            match result {
                TrialResult::Close => return assert_eq!(succeeded, successes_needed),
                TrialResult::Reopen => return assert_eq!(calls - failed, successes_needed - 1),
                TrialResult::Undecided(rest) => trials = rest,
            }
            assert!(succeeded < successes_needed && calls - failed >= successes_needed);
        }
        panic!("every full period is decided");
    }

    #[test]
    fn expired_trial_is_counted_without_slot() {
        let trials = Trials::new(3, 2).admitted().admitted().expired();
        let trials = trials.admitted();
        let TrialResult::Undecided(trials) = trials.failed() else {
            panic!("two successes are still within reach");
        };
        assert_eq!((trials.in_flight, trials.remaining), (1, 2));
        assert!(trials.has_slot());
        let TrialResult::Undecided(trials) = trials.succeeded() else {
            panic!("one more success is needed");
        };
        assert!(!trials.has_slot(), "the trial in flight is the last one");
        assert_eq!(trials.released().succeeded(), TrialResult::Close);
        assert_eq!(trials.failed(), TrialResult::Reopen);
    }

    #[test]
    fn largest_period_survives_packing() {
        let trials = Trials::new(Trials::MAX_CALLS, Trials::MAX_CALLS);
        assert_eq!(Trials::unpack(trials.pack()), trials);
    }
}
