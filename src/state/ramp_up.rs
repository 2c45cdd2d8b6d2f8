use super::Generation;
use crate::clock::Moment;
use std::time::Duration;

/// The ramp-up of a closed circuit: the share of calls that it admits, as a function of time.
///
/// The share grows linearly from a tenth to all calls. All arithmetic is exact: a share is a fraction
/// of integers, so that equal readings of the clock select equal calls on every platform.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct RampUp {
    /// When the circuit closed.
    pub(crate) start: Moment,
    /// In nanoseconds. At most [`MAX_LENGTH`](Self::MAX_LENGTH), and never zero.
    pub(crate) length: u64,
}

/// The calls that a ramp-up has decided, packed into one `u64`.
///
/// ```text
/// 63..61 unused   60..37 generation   36..32 parts   31..0 calls
/// ```
///
/// * **Calls**: the number of decided calls, modulo 2^32.
/// * **Parts**: the number of parts of the ramp-up that have begun, which is the part of the latest
///   first call plus one.
/// * **Generation**: the number of the generation that ramps up. A thread that has read a word of an
///   earlier ramp-up finds another generation here, and does not count its call in this one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RampProgress(u64);

/// The decision about one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RampDecision {
    pub(crate) is_admitted: bool,
    /// Whether the call is the first of its part.
    pub(crate) begins_part: bool,
    /// The progress after the call.
    pub(crate) progress: RampProgress,
}

const CALLS_BITS: u32 = 32;
const PARTS_BITS: u32 = 5;
const GENERATION_SHIFT: u32 = CALLS_BITS + PARTS_BITS;
const _: () = assert!(GENERATION_SHIFT + Generation::BITS <= u64::BITS);

impl RampUp {
    /// The maximum length: 366 days.
    pub(crate) const MAX_LENGTH: Duration = Duration::from_secs(366 * 86_400);

    /// The parts of a ramp-up. The first call of each is admitted.
    const PARTS: u64 = 20;

    /// The share at the start is one in this number.
    const FIRST: u64 = 10;

    const MAX_RETRY_AFTER: Duration = Duration::from_secs(1);

    #[allow(clippy::cast_possible_truncation)] // at most `MAX_LENGTH`
    pub(crate) const fn new(start: Moment, length: Duration) -> Self {
        Self {
            start,
            length: length.as_nanos() as u64,
        }
    }

    /// Returns the time since the start in nanoseconds, or `None` if the ramp-up is over.
    fn elapsed(self, now: Moment) -> Option<u64> {
        let elapsed = now.as_nanos().saturating_sub(self.start.as_nanos());
        (elapsed < self.length).then_some(elapsed)
    }

    /// Returns the share of admitted calls as a numerator and a denominator.
    fn fraction(self, elapsed: u64) -> (u64, u64) {
        let grown = (Self::FIRST - 1) * elapsed;
        (self.length + grown, Self::FIRST * self.length)
    }

    /// Returns the share of admitted calls, or `None` if the ramp-up is over.
    #[allow(clippy::cast_precision_loss)] // only for people
    pub(crate) fn share(self, now: Moment) -> Option<f64> {
        let (numerator, denominator) = self.fraction(self.elapsed(now)?);
        Some(numerator as f64 / denominator as f64)
    }

    /// Decides the next call, or returns `None` if the ramp-up is over.
    ///
    /// The call number `n` is admitted if `floor((n + 1) · share) > floor(n · share)`. At a constant
    /// share, this spreads the admitted calls evenly. The first call of each part is admitted in any
    /// case.
    pub(crate) fn decide(self, progress: RampProgress, now: Moment) -> Option<RampDecision> {
        let elapsed = self.elapsed(now)?;
        let (numerator, denominator) = self.fraction(elapsed);
        let (numerator, denominator) = (u128::from(numerator), u128::from(denominator));
        let calls = u128::from(progress.calls());
        // The floors differ exactly if the fractional part of `calls · share` carries over.
        let is_selected = calls * numerator % denominator + numerator >= denominator;
        let part = u128::from(elapsed) * u128::from(Self::PARTS) / u128::from(self.length);
        // A thread with an earlier reading of the clock must not begin an earlier part again.
        let begins_part = part >= u128::from(progress.parts());
        Some(RampDecision {
            is_admitted: is_selected || begins_part,
            begins_part,
            progress: progress.after_call(begins_part.then_some(part)),
        })
    }

    /// Returns how long a refused call waits: the length of a part, at most a second.
    pub(crate) fn retry_after(self) -> Duration {
        Duration::from_nanos(self.length / Self::PARTS).min(Self::MAX_RETRY_AFTER)
    }
}

impl RampProgress {
    /// Begins the ramp-up of a generation.
    pub(crate) fn new(generation: Generation) -> Self {
        Self(u64::from(generation.number()) << GENERATION_SHIFT)
    }

    pub(crate) const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    pub(crate) const fn bits(self) -> u64 {
        self.0
    }

    pub(crate) fn is_of(self, generation: Generation) -> bool {
        self.0 >> GENERATION_SHIFT == u64::from(generation.number())
    }

    const fn calls(self) -> u32 {
        (self.0 & ((1 << CALLS_BITS) - 1)) as u32
    }

    const fn parts(self) -> u32 {
        (self.0 >> CALLS_BITS) as u32 & ((1 << PARTS_BITS) - 1)
    }

    /// Counts a call, which is the first of `part` if there is one.
    #[allow(clippy::cast_possible_truncation)] // there are 20 parts
    fn after_call(self, part: Option<u128>) -> Self {
        let parts = part.map_or(u64::from(self.parts()), |part| part as u64 + 1);
        let calls = u64::from(self.calls().wrapping_add(1));
        let generation = self.0 >> GENERATION_SHIFT << GENERATION_SHIFT;
        Self(generation | parts << CALLS_BITS | calls)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::{Flags, PackedState, State};

    const LENGTH: u64 = 2_000;
    const RAMP_UP: RampUp = RampUp {
        start: Moment::from_nanos(7),
        length: LENGTH,
    };

    fn at(elapsed: u64) -> Moment {
        Moment::from_nanos(7 + elapsed)
    }

    fn first() -> RampProgress {
        let word = PackedState::new(State::Closed, Flags::NONE).next_generation();
        RampProgress::new(word.generation())
    }

    /// Returns which of `calls` calls at one time are admitted.
    fn decisions(elapsed: u64, calls: u32) -> Vec<bool> {
        let mut progress = first();
        let mut decide = || {
            let decision = RAMP_UP.decide(progress, at(elapsed)).expect("not over");
            progress = decision.progress;
            decision.is_admitted
        };
        (0..calls).map(|_| decide()).collect()
    }

    #[test]
    fn share_grows_linearly_from_a_tenth() {
        for (elapsed, share) in [(0, 0.1), (LENGTH / 2, 0.55), (LENGTH - 2, 0.999_1)] {
            let found = RAMP_UP.share(at(elapsed)).expect("not over");
            assert!((found - share).abs() < 1e-9, "{found} instead of {share}");
        }
        assert_eq!(RAMP_UP.share(at(LENGTH)), None);
        assert_eq!(RAMP_UP.decide(first(), at(LENGTH)), None);
        assert!(RAMP_UP.decide(first(), at(LENGTH - 1)).is_some());
        // A reading from before the start counts as the start.
        assert_eq!(RAMP_UP.share(Moment::ORIGIN), Some(0.1));
    }

    #[test]
    fn admitted_calls_are_spread_evenly() {
        let mut every_tenth: Vec<bool> = (1..=30).map(|call| call % 10 == 0).collect();
        every_tenth[0] = true; // the first of its part
        assert_eq!(decisions(0, 30), every_tenth);
        // At 55 %, never two refusals in a row.
        let half = decisions(LENGTH / 2, 200);
        assert!(half.windows(2).all(|pair| pair[0] || pair[1]));
        assert_eq!(half.iter().filter(|admitted| **admitted).count(), 111);
    }

    #[test]
    fn first_call_of_each_part_is_admitted_once() {
        let mut progress = first();
        for part in 0..20 {
            for (elapsed, begins) in [(0, true), (1, false), (99, false)] {
                let now = at(part * 100 + elapsed);
                let decision = RAMP_UP.decide(progress, now).expect("not over");
                assert_eq!(decision.begins_part, begins, "part {part}, {elapsed}");
                assert!(decision.is_admitted || !begins);
                progress = decision.progress;
            }
        }
        let earlier = RAMP_UP.decide(progress, at(0)).expect("not over");
        assert!(!earlier.begins_part, "the clock of another thread lags");
    }

    #[test]
    fn progress_survives_packing() {
        let progress = first().after_call(Some(19));
        assert_eq!((progress.calls(), progress.parts()), (1, 20));
        let last = RampProgress(progress.0 | ((1 << CALLS_BITS) - 1));
        let wrapped = last.after_call(None);
        assert_eq!((wrapped.calls(), wrapped.parts()), (0, 20));
        let word = PackedState::new(State::Closed, Flags::NONE);
        let generation = word.next_generation().generation();
        assert!(wrapped.is_of(generation) && !wrapped.is_of(word.generation()));
        assert_eq!(RampProgress::from_bits(wrapped.bits()), wrapped);
    }

    #[test]
    fn longest_ramp_up_does_not_overflow() {
        let longest = RampUp::new(Moment::ORIGIN, RampUp::MAX_LENGTH);
        let progress = RampProgress(first().0 | ((1 << CALLS_BITS) - 1));
        let last = Moment::from_nanos(longest.length - 1);
        let decision = longest.decide(progress, last).expect("not over");
        assert!(decision.is_admitted && decision.begins_part);
        assert_eq!(longest.retry_after(), Duration::from_secs(1));
        assert_eq!(RAMP_UP.retry_after(), Duration::from_nanos(100));
    }
}
