use super::{State, Trials};
use std::fmt;
use std::num::NonZeroU64;
use std::ops::BitOr;

/// A circuit's state in one `u64`, so that one load answers a healthy call.
///
/// ```text
/// 63..32 payload   31..7 generation   6..3 flags   2..0 state
/// ```
///
/// What nearly every call asks about stands in the lower half, where a mask fits in an instruction.
///
/// Invariants, kept by every function here:
///
/// 1. A change of state, and nothing but a change of state, a reset and a lapsed lease, moves the
///    generation on. It wraps after 2^25: generations are compared for equality, and for
///    [lying within](Generation::is_within) a half-open period, which has few.
/// 2. The payload is the consecutive failures (saturating) in every state but half-open, and
///    [`Trials`] in half-open.
/// 3. A word without a flag but [`Flags::COUNT_SUCCESSES`], closed, with payload zero, is *quiet*: a
///    success changes nothing but, with that flag, a total.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct PackedState(u64);

const STATE: u64 = 0b111;
const FLAGS: u64 = 0b1111 << 3;
const GENERATION_SHIFT: u32 = 7;
const GENERATION: u64 = ((1 << 25) - 1) << GENERATION_SHIFT;
const PAYLOAD_SHIFT: u32 = 32;
const PAYLOAD: u64 = (u32::MAX as u64) << PAYLOAD_SHIFT;

/// What a call has to do beside looking at the word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Flags(u64);

impl Flags {
    pub(crate) const NONE: Self = Self(0);
    /// Successes are added to the totals.
    pub(crate) const COUNT_SUCCESSES: Self = Self(1 << 3);
    /// Admission reads the clock, since something asks how long calls take.
    pub(crate) const TIMED: Self = Self(1 << 4);
    /// A success has more to do: a listener to tell, a streak to end.
    pub(crate) const SLOW_PATH: Self = Self(1 << 5);
    /// A success enters the windows, through the success buffer. The consecutive failures in the word
    /// are those of its last flush: a success that was buffered since has reset them.
    pub(crate) const BUFFER_SUCCESSES: Self = Self(1 << 6);

    pub(crate) const fn when(self, condition: bool) -> Self {
        if condition { self } else { Self::NONE }
    }
}

impl BitOr for Flags {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// The generation of a state; what a permit carries to be told from a late one.
///
/// As it stands in a word, and inverted, so that it is never zero and an optional one is no larger.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Generation(NonZeroU64);

/// What sets an admitted call apart from a plain one.
///
/// The bits lie where a word has its state and flags, and no word has them so: a success of a marked
/// call finds no word [quiet](PackedState::success_is_noop), at no cost for plain calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub(crate) enum Mark {
    /// Its duration is measured.
    Timed = 0b111,
    /// It is a trial, whether or not its duration is measured.
    Trial = 0b110,
    /// It is a trial whose guarded code runs on this thread.
    Inside = 0b1_0110,
    /// It was admitted inside a trial of the same circuit and records nothing.
    Joined = 0b1110,
}

impl Generation {
    #[inline]
    const fn from_bits(bits: u64) -> Self {
        match NonZeroU64::new(!bits) {
            Some(inverted) => Self(inverted),
            // There are bits that no generation has.
            None => Self(NonZeroU64::MAX),
        }
    }

    #[inline]
    const fn bits(self) -> u64 {
        !self.0.get()
    }

    pub(crate) const fn marked(self, mark: Mark) -> Self {
        Self::from_bits(self.bits() | mark as u64)
    }

    #[inline]
    pub(crate) const fn has(self, mark: Mark) -> bool {
        self.bits() & !GENERATION == mark as u64
    }

    /// The generation without the mark of a call.
    #[inline]
    pub(crate) const fn unmarked(self) -> Self {
        Self::from_bits(self.bits() & GENERATION)
    }

    /// The number of the generation, below 2^25.
    #[inline]
    pub(crate) const fn number(self) -> u32 {
        ((self.bits() & GENERATION) >> GENERATION_SHIFT) as u32
    }

    /// Whether it lies between two generations, inclusive, where they have wrapped as well. None of
    /// them is marked.
    pub(crate) const fn is_within(self, first: Self, last: Self) -> bool {
        let after_first = self.bits().wrapping_sub(first.bits()) & GENERATION;
        after_first <= last.bits().wrapping_sub(first.bits()) & GENERATION
    }
}

impl fmt::Debug for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.number().fmt(f)
    }
}

impl PackedState {
    pub(crate) const fn new(state: State, flags: Flags) -> Self {
        Self(code(state) | flags.0)
    }

    #[inline]
    pub(crate) const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    #[inline]
    pub(crate) const fn bits(self) -> u64 {
        self.0
    }

    pub(crate) const fn state(self) -> State {
        match self.0 & STATE {
            0 => State::Closed,
            1 => State::Open,
            2 => State::HalfOpen,
            3 => State::ForcedOpen,
            4 => State::Disabled,
            _ => State::MetricsOnly,
        }
    }

    #[inline]
    pub(crate) const fn has(self, flag: Flags) -> bool {
        self.0 & flag.0 != 0
    }

    pub(crate) const fn with(self, flag: Flags) -> Self {
        Self(self.0 | flag.0)
    }

    pub(crate) const fn without(self, flag: Flags) -> Self {
        Self(self.0 & !flag.0)
    }

    /// These flags and no others.
    pub(crate) const fn with_flags(self, flags: Flags) -> Self {
        Self((self.0 & !FLAGS) | flags.0)
    }

    #[inline]
    pub(crate) const fn generation(self) -> Generation {
        Generation::from_bits(self.0 & GENERATION)
    }

    /// Closed, and admission has no clock to read: the call may simply pass.
    #[inline]
    pub(crate) const fn admits_without_clock(self) -> bool {
        self.0 & (STATE | Flags::TIMED.0) == 0
    }

    /// Whether a success of `generation` leaves this word as it is (invariant 3).
    #[inline]
    pub(crate) const fn success_is_noop(self, generation: Generation) -> bool {
        self.0 & !Flags::COUNT_SUCCESSES.0 == generation.bits()
    }

    /// Whether a success of `generation` changes nothing but the count of failures.
    #[inline]
    pub(crate) const fn success_only_resets(self, generation: Generation) -> bool {
        self.0 & !(Flags::COUNT_SUCCESSES.0 | Flags::TIMED.0 | PAYLOAD) == generation.bits()
    }

    /// Whether a success of `generation` has nothing to do but to enter the windows.
    #[inline]
    pub(crate) const fn success_is_buffered(self, generation: Generation) -> bool {
        self.has(Flags::BUFFER_SUCCESSES)
            && self
                .without(Flags::BUFFER_SUCCESSES)
                .success_only_resets(generation)
    }

    /// The same state, with its consecutive failures at `count`.
    pub(crate) const fn with_failures(self, count: u32) -> Self {
        Self((self.0 & !PAYLOAD) | ((count as u64) << PAYLOAD_SHIFT))
    }

    pub(crate) const fn payload(self) -> u32 {
        (self.0 >> PAYLOAD_SHIFT) as u32
    }

    /// The consecutive failures, in every state but half-open.
    pub(crate) const fn failures(self) -> u32 {
        self.payload()
    }

    pub(crate) const fn trials(self) -> Trials {
        Trials::unpack(self.payload())
    }

    pub(crate) const fn with_trials(self, trials: Trials) -> Self {
        self.with_failures(trials.pack())
    }

    /// The next generation of the same state.
    pub(crate) const fn next_generation(self) -> Self {
        let next = self.0.wrapping_add(1 << GENERATION_SHIFT) & GENERATION;
        Self((self.0 & !GENERATION) | next)
    }

    /// Another state, in the next generation, with its payload at zero.
    pub(crate) const fn into_state(self, state: State) -> Self {
        let word = self.next_generation();
        Self((word.0 & !(STATE | PAYLOAD)) | code(state))
    }
}

const fn code(state: State) -> u64 {
    match state {
        State::Closed => 0,
        State::Open => 1,
        State::HalfOpen => 2,
        State::ForcedOpen => 3,
        State::Disabled => 4,
        State::MetricsOnly => 5,
    }
}

impl fmt::Debug for PackedState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut word = f.debug_struct("PackedState");
        word.field("state", &self.state())
            .field("generation", &self.generation());
        match self.state() {
            State::HalfOpen => word.field("trials", &self.trials()),
            _ => word.field("count", &self.failures()),
        };
        word.field("flags", &Flags(self.0 & FLAGS)).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [State; 6] = [
        State::Closed,
        State::Open,
        State::HalfOpen,
        State::ForcedOpen,
        State::Disabled,
        State::MetricsOnly,
    ];

    #[test]
    fn every_part_is_read_back_as_it_was_put_in() {
        for state in ALL {
            let flags = Flags::COUNT_SUCCESSES | Flags::SLOW_PATH;
            let word = PackedState::new(state, flags).with_failures(u32::MAX);
            assert_eq!(word.state(), state);
            assert_eq!(word.failures(), u32::MAX);
            assert!(word.has(Flags::COUNT_SUCCESSES) && word.has(Flags::SLOW_PATH));
            assert!(!word.has(Flags::TIMED));
        }
    }

    #[test]
    fn a_state_is_entered_in_a_new_generation_with_nothing_counted() {
        for from in ALL {
            for to in ALL {
                let word = PackedState::new(from, Flags::TIMED).with_failures(7);
                let entered = word.into_state(to);
                assert_eq!(entered.state(), to);
                assert_eq!(entered.payload(), 0);
                assert!(entered.has(Flags::TIMED));
                assert_ne!(entered.generation(), word.generation());
            }
        }
    }

    #[test]
    fn the_generation_wraps_without_touching_its_neighbours() {
        let last = PackedState::from_bits(GENERATION).with_failures(5);
        let last = last.with(Flags::COUNT_SUCCESSES);
        let wrapped = last.next_generation();
        assert_eq!(wrapped.generation(), PackedState::from_bits(0).generation());
        assert_eq!(wrapped.failures(), 5);
        assert_eq!(wrapped.state(), State::Closed);
        assert!(wrapped.has(Flags::COUNT_SUCCESSES) && !wrapped.has(Flags::TIMED));
    }

    #[test]
    fn generations_lie_between_others_across_the_wrap() {
        let near_the_end = (0..3).fold(PackedState::from_bits(GENERATION - (1 << 7)), |word, _| {
            assert!(
                word.generation()
                    .is_within(word.generation(), word.generation())
            );
            word.next_generation()
        });
        assert!(near_the_end.bits() & GENERATION < 1 << 9, "it wrapped");
        let first = PackedState::from_bits(GENERATION - (1 << 7));
        let (second, third) = (
            first.next_generation(),
            first.next_generation().next_generation(),
        );
        let [first, second, third, fourth] =
            [first, second, third, near_the_end].map(PackedState::generation);
        assert!(first.is_within(first, third) && second.is_within(first, third));
        assert!(third.is_within(first, third));
        assert!(!fourth.is_within(first, third) && !first.is_within(second, third));
    }

    #[test]
    fn marked_calls_find_no_word_quiet() {
        for mark in [Mark::Timed, Mark::Trial, Mark::Inside, Mark::Joined] {
            for state in ALL {
                for flags in [Flags::NONE, Flags::COUNT_SUCCESSES, Flags::BUFFER_SUCCESSES] {
                    let word = PackedState::new(state, flags).next_generation();
                    let marked = word.generation().marked(mark);
                    assert!(!word.success_is_noop(marked));
                    assert_eq!(marked.unmarked(), word.generation());
                    assert!(marked.has(mark) && !word.generation().has(mark));
                }
            }
        }
    }

    #[test]
    fn only_a_closed_word_with_nothing_pending_is_quiet() {
        let quiet = PackedState::new(State::Closed, Flags::COUNT_SUCCESSES);
        let generation = quiet.generation();
        assert!(quiet.success_is_noop(generation) && quiet.success_only_resets(generation));
        assert!(!quiet.with_failures(1).success_is_noop(generation));
        let (timed, buffering) = (
            quiet.with(Flags::TIMED),
            quiet.with(Flags::BUFFER_SUCCESSES),
        );
        for word in [timed, buffering] {
            assert!(!word.success_is_noop(generation));
        }
        for calm in [quiet, timed, timed.with_failures(1)] {
            assert!(calm.success_only_resets(generation) && !calm.success_is_buffered(generation));
            let buffering = calm.with(Flags::BUFFER_SUCCESSES);
            assert!(
                !buffering.success_only_resets(generation)
                    && buffering.success_is_buffered(generation)
            );
        }
        for busy in [
            quiet.with(Flags::SLOW_PATH),
            buffering.with(Flags::SLOW_PATH),
        ] {
            assert!(!busy.success_is_noop(generation) && !busy.success_only_resets(generation));
            assert!(!busy.success_is_buffered(generation));
        }
        for other in [quiet, buffering].map(PackedState::next_generation) {
            assert!(
                !other.success_only_resets(generation) && !other.success_is_buffered(generation)
            );
        }
        assert!(!quiet.next_generation().success_is_noop(generation));
        for state in &ALL[1..] {
            assert!(!PackedState::new(*state, Flags::NONE).success_is_noop(generation));
        }
    }

    #[test]
    fn flags_are_replaced_and_leave_the_rest() {
        let word = PackedState::new(State::Open, Flags::TIMED).with_failures(3);
        let word = word.with_flags(Flags::COUNT_SUCCESSES);
        assert!(word.has(Flags::COUNT_SUCCESSES) && !word.has(Flags::TIMED));
        assert_eq!((word.state(), word.failures()), (State::Open, 3));
        assert!(
            !word
                .without(Flags::COUNT_SUCCESSES)
                .has(Flags::COUNT_SUCCESSES)
        );
        assert_eq!(word.with(Flags::COUNT_SUCCESSES), word, "it was set before");
    }

    #[test]
    fn only_a_closed_word_without_a_clock_to_read_simply_passes() {
        for flag in [
            Flags::NONE,
            Flags::COUNT_SUCCESSES,
            Flags::SLOW_PATH,
            Flags::BUFFER_SUCCESSES,
        ] {
            let closed = PackedState::new(State::Closed, flag)
                .with_failures(7)
                .next_generation();
            assert!(closed.admits_without_clock());
            assert!(!closed.with(Flags::TIMED).admits_without_clock());
            for state in &ALL[1..] {
                assert!(!closed.into_state(*state).admits_without_clock());
            }
        }
    }

    #[test]
    fn it_shows_what_its_payload_means() {
        let open = PackedState::new(State::Open, Flags::NONE).with_failures(3);
        let said = "PackedState { state: Open, generation: 0, count: 3, flags: Flags(0) }";
        assert_eq!(format!("{open:?}"), said);
        let trials = Trials::new(2, 1).admitted();
        let half_open = PackedState::new(State::HalfOpen, Flags::NONE).with_trials(trials);
        assert!(format!("{half_open:?}").contains(&format!("trials: {trials:?}")));
    }
}
