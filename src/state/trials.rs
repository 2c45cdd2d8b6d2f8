/// The trials of a half-open period, as what is still to come: how many run, how many more may be
/// counted, how many successes are still wanted.
///
/// It holds the period's own rules, so that settings that change meanwhile act from the next period
/// on and can never strand this one. Ten bits each: no field passes 1000.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Trials {
    /// Slots that are taken. A trial whose lease lapsed has none, although it may still run.
    pub(crate) in_flight: u16,
    /// Verdicts that the period may still take.
    pub(crate) uncounted: u16,
    /// Successes still needed to close; never more than `uncounted`, or the period is decided.
    pub(crate) wanted: u16,
}

/// What a counted trial means for the circuit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Undecided: the circuit stays half-open.
    Undecided(Trials),
    /// Enough trials succeeded.
    Close,
    /// Too few trials are left for enough of them to succeed.
    Reopen,
}

const BITS: u32 = 10;
const FIELD: u32 = (1 << BITS) - 1;

impl Trials {
    /// The most trials a period can have.
    pub(crate) const MOST: u32 = 1000;

    /// A period of `calls` trials of which `wanted` must succeed; both at most
    /// [`MOST`](Self::MOST).
    #[allow(clippy::cast_possible_truncation)] // settings are at most 1000
    pub(crate) const fn new(calls: u32, wanted: u32) -> Self {
        Self {
            in_flight: 0,
            uncounted: calls as u16,
            wanted: wanted as u16,
        }
    }

    pub(super) const fn pack(self) -> u32 {
        self.in_flight as u32 | (self.uncounted as u32) << BITS | (self.wanted as u32) << (2 * BITS)
    }

    #[allow(clippy::cast_possible_truncation)] // each mask leaves ten bits
    pub(super) const fn unpack(bits: u32) -> Self {
        Self {
            in_flight: (bits & FIELD) as u16,
            uncounted: ((bits >> BITS) & FIELD) as u16,
            wanted: ((bits >> (2 * BITS)) & FIELD) as u16,
        }
    }

    pub(crate) const fn has_slot(self) -> bool {
        self.in_flight < self.uncounted
    }

    /// One more trial runs; asked only where there [is a slot](Self::has_slot).
    pub(crate) const fn admitted(self) -> Self {
        Self {
            in_flight: self.in_flight + 1,
            ..self
        }
    }

    /// The slot of a trial that ended is free again.
    pub(crate) const fn released(self) -> Self {
        Self {
            in_flight: self.in_flight.saturating_sub(1),
            ..self
        }
    }

    /// The lease ran out: every slot is free again, and what was counted stays.
    pub(crate) const fn lapsed(self) -> Self {
        Self {
            in_flight: 0,
            ..self
        }
    }

    /// Counts the success of a trial, whose slot was [released](Self::released) or has lapsed before.
    pub(crate) const fn succeeded(self) -> Verdict {
        let rest = self.counted();
        if rest.wanted <= 1 {
            return Verdict::Close;
        }
        Verdict::Undecided(Self {
            wanted: rest.wanted - 1,
            ..rest
        })
    }

    /// Counts the failure of a trial, as [`succeeded`](Self::succeeded) does a success.
    pub(crate) const fn failed(self) -> Verdict {
        let rest = self.counted();
        if rest.uncounted < rest.wanted {
            return Verdict::Reopen;
        }
        Verdict::Undecided(rest)
    }

    const fn counted(self) -> Self {
        Self {
            uncounted: self.uncounted.saturating_sub(1),
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every period, played against counting on one's fingers.
    #[test]
    fn a_period_ends_as_soon_as_it_is_decided() {
        for calls in 1..=6 {
            for wanted in 1..=calls {
                for outcomes in 0..1_u32 << calls {
                    play(calls, wanted, outcomes);
                }
            }
        }
    }

    fn play(calls: u32, wanted: u32, outcomes: u32) {
        let mut trials = Trials::new(calls, wanted);
        let (mut succeeded, mut failed) = (0, 0);
        for call in 0..calls {
            assert!(trials.has_slot(), "an undecided period has slots left");
            trials = Trials::unpack(trials.admitted().pack()).released();
            let verdict = if outcomes >> call & 1 == 1 {
                succeeded += 1;
                trials.succeeded()
            } else {
                failed += 1;
                trials.failed()
            };
            match verdict {
                Verdict::Close => return assert_eq!(succeeded, wanted),
                Verdict::Reopen => return assert_eq!(calls - failed, wanted - 1),
                Verdict::Undecided(rest) => trials = rest,
            }
            assert!(succeeded < wanted && calls - failed >= wanted);
        }
        panic!("every full period is decided");
    }

    /// However many trials lapsed, a period takes at most as many verdicts as it has calls.
    #[test]
    fn lapsed_trials_are_counted_without_a_slot() {
        let trials = Trials::new(3, 2).admitted().admitted().lapsed();
        let trials = trials.admitted();
        let Verdict::Undecided(trials) = trials.failed() else {
            panic!("two successes are still within reach");
        };
        assert_eq!((trials.in_flight, trials.uncounted), (1, 2));
        assert!(trials.has_slot());
        let Verdict::Undecided(trials) = trials.succeeded() else {
            panic!("one more success is needed");
        };
        assert!(!trials.has_slot(), "the trial in flight is the last one");
        assert_eq!(trials.released().succeeded(), Verdict::Close);
        assert_eq!(trials.failed(), Verdict::Reopen);
    }

    #[test]
    fn the_largest_period_fits() {
        let trials = Trials::new(Trials::MOST, Trials::MOST);
        assert_eq!(Trials::unpack(trials.pack()), trials);
    }
}
