//! The state of a circuit, packed into one `u64`, so that one atomic load decides a healthy call.
//!
//! # Layout
//!
//! ```text
//! 63..32 payload   31..8 generation   7..3 flags   2..0 state
//! ```
//!
//! * **State**: one of the six values of [`State`]. Closed is zero.
//! * **Flags**: [`Flags`], which send a call to a slower path. A closed state without flags takes
//!   the fast path.
//! * **Generation**: [`Generation`], a counter that separates calls admitted before a transition
//!   from those admitted after it.
//! * **Payload**: the consecutive failures (saturating), or in half-open the [`Trials`].
//!
//! State, flags and generation are in the lower half, where masks and comparisons take 32 bits.
//!
//! # How the state changes
//!
//! Each function of [`PackedState`] is pure, and computes the next word from the present word. The
//! circuit replaces the word by compare-and-swap, which is the linearization point of the change
//! (Herlihy and Wing, *Linearizability*, TOPLAS 1990). If the compare-and-swap fails, the circuit
//! decides again from the word that it found. State, generation, flags and payload therefore always
//! belong together. The exception is a flag that is set without any other change: an atomic OR sets
//! it.
//!
//! Values that do not fit into the word, such as the deadline of an open circuit, are stored before
//! the word that refers to them is published.
//!
//! # Generations
//!
//! An admitted call carries the generation that admitted it. Its outcome counts only if the state
//! word still has that generation; otherwise the outcome is late. Without generations, a call from
//! before an opening could close the circuit after it: the ABA problem. A generation is the usual
//! remedy, a version tag (Treiber, *Systems Programming: Coping with Parallelism*, IBM 1986).
//!
//! The tag has 24 bits and wraps. A late call is mistaken only if the circuit has passed a multiple
//! of 2^24 generations while the call ran. Generations have no order because of the wrap. They are
//! compared for equality, or for [lying within](Generation::is_within) a half-open period, which
//! has few of them.
//!
//! # Fast paths
//!
//! Each question of a fast path is one mask and one comparison:
//!
//! * [`admits_without_clock`](PackedState::admits_without_clock): state, [`Flags::TIMED`] and
//!   [`Flags::RAMPING_UP`] are zero.
//! * [`success_is_noop`](PackedState::success_is_noop): the word, without
//!   [`Flags::COUNT_SUCCESSES`], equals the generation of the call. Such a word is *quiet*.
//! * [`success_only_resets`](PackedState::success_only_resets): the same, with any payload, and
//!   also without [`Flags::TIMED`] and [`Flags::RAMPING_UP`].
//! * [`success_is_buffered`](PackedState::success_is_buffered): the same, and
//!   [`Flags::BUFFER_SUCCESSES`] is set.
//!
//! A call that is not a plain one carries a [`Mark`] in the bits of its generation where a word has
//! state and flags. No word has these bits, so no word is quiet for a marked call. Plain calls
//! therefore need no check for marks.
//!
//! # Invariants
//!
//! Every function in this file preserves these invariants:
//!
//! 1. The generation changes exactly with a transition, a reset, and the expiry of a lease.
//! 2. The payload is [`Trials`] in half-open. In every other state it is the consecutive failures.
//! 3. A quiet word is closed, has no failures, and no flag but [`Flags::COUNT_SUCCESSES`]. A
//!    success leaves it unchanged.
//! 4. While [`Flags::BUFFER_SUCCESSES`] is set, the consecutive failures are those of the last
//!    flush of the success buffer. A success that was buffered since has reset them.

use super::{State, Trials};
use std::fmt;
use std::num::NonZeroU64;
use std::ops::BitOr;

/// The state word of a circuit. See the [module documentation](self).
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct PackedState(u64);

const STATE: u64 = 0b111;
const FLAGS: u64 = 0b1_1111 << 3;
const GENERATION_SHIFT: u32 = 8;
const GENERATION: u64 = ((1 << Generation::BITS) - 1) << GENERATION_SHIFT;
const PAYLOAD_SHIFT: u32 = 32;
const PAYLOAD: u64 = (u32::MAX as u64) << PAYLOAD_SHIFT;

/// What a call does in addition to reading the state word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Flags(u64);

impl Flags {
    pub(crate) const NONE: Self = Self(0);
    /// A success is added to the totals.
    pub(crate) const COUNT_SUCCESSES: Self = Self(1 << 3);
    /// Admission reads the clock, because a rule or a listener needs the duration of calls.
    pub(crate) const TIMED: Self = Self(1 << 4);
    /// A success takes the slow path: a listener wants its event, calls were cancelled in a row, or
    /// queued events are overdue.
    pub(crate) const SLOW_PATH: Self = Self(1 << 5);
    /// A success enters the windows, through the success buffer.
    pub(crate) const BUFFER_SUCCESSES: Self = Self(1 << 6);
    /// Closed: the circuit admits a part of the calls, as its [`RampUp`](super::RampUp) says.
    pub(crate) const RAMPING_UP: Self = Self(1 << 7);

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

/// The generation of a state word, and the [`Mark`] of a call if the call has one.
///
/// The bits are stored inverted. Inverted bits are never zero, so `Option<Generation>` takes eight
/// bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Generation(NonZeroU64);

/// The kind of an admitted call that is not a plain one.
///
/// A mark occupies the bits of state and flags, with a state that does not exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub(crate) enum Mark {
    /// The duration of the call is measured.
    Timed = 0b111,
    /// The call is a trial, whether or not its duration is measured.
    Trial = 0b110,
    /// The call is a trial whose guarded code runs on this thread.
    Inside = 0b1_0110,
    /// The call was admitted inside a trial of the same circuit, and records nothing.
    Joined = 0b1110,
}

impl Generation {
    /// The number of bits of a [number](Self::number).
    pub(crate) const BITS: u32 = 24;

    #[inline]
    const fn from_bits(bits: u64) -> Self {
        match NonZeroU64::new(!bits) {
            Some(inverted) => Self(inverted),
            // Unreachable: no generation has all bits set.
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

    /// Returns the generation without the mark.
    #[inline]
    pub(crate) const fn unmarked(self) -> Self {
        Self::from_bits(self.bits() & GENERATION)
    }

    /// Returns the number of the generation, which is below 2^24.
    #[inline]
    pub(crate) const fn number(self) -> u32 {
        ((self.bits() & GENERATION) >> GENERATION_SHIFT) as u32
    }

    /// Returns `true` if the generation lies between `first` and `last`, inclusive, also across the
    /// wrap.
    ///
    /// None of the three generations may have a mark.
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
        Self(state_bits(state) | flags.0)
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

    /// Replaces all flags.
    pub(crate) const fn with_flags(self, flags: Flags) -> Self {
        Self((self.0 & !FLAGS) | flags.0)
    }

    #[inline]
    pub(crate) const fn generation(self) -> Generation {
        Generation::from_bits(self.0 & GENERATION)
    }

    /// Returns `true` if a call is admitted without reading the clock: the state is closed, not
    /// timed and not ramping up.
    #[inline]
    pub(crate) const fn admits_without_clock(self) -> bool {
        self.0 & (STATE | Flags::TIMED.0 | Flags::RAMPING_UP.0) == 0
    }

    /// Returns `true` if every call is admitted: the state is metrics-only, disabled, or closed and
    /// not ramping up.
    #[inline]
    pub(crate) const fn admits_all(self) -> bool {
        match self.state() {
            State::Closed => !self.has(Flags::RAMPING_UP),
            State::MetricsOnly | State::Disabled => true,
            State::Open | State::HalfOpen | State::ForcedOpen => false,
        }
    }

    /// Returns `true` if a success of `generation` leaves the word unchanged (invariant 3).
    #[inline]
    pub(crate) const fn success_is_noop(self, generation: Generation) -> bool {
        self.0 & !Flags::COUNT_SUCCESSES.0 == generation.bits()
    }

    /// Returns `true` if a success of `generation` only resets the consecutive failures.
    #[inline]
    pub(crate) const fn success_only_resets(self, generation: Generation) -> bool {
        const IRRELEVANT: u64 =
            Flags::COUNT_SUCCESSES.0 | Flags::TIMED.0 | Flags::RAMPING_UP.0 | PAYLOAD;
        self.0 & !IRRELEVANT == generation.bits()
    }

    /// Returns `true` if a success of `generation` only enters the windows.
    #[inline]
    pub(crate) const fn success_is_buffered(self, generation: Generation) -> bool {
        self.has(Flags::BUFFER_SUCCESSES)
            && self
                .without(Flags::BUFFER_SUCCESSES)
                .success_only_resets(generation)
    }

    /// Replaces the consecutive failures.
    pub(crate) const fn with_failures(self, count: u32) -> Self {
        Self((self.0 & !PAYLOAD) | ((count as u64) << PAYLOAD_SHIFT))
    }

    pub(crate) const fn payload(self) -> u32 {
        (self.0 >> PAYLOAD_SHIFT) as u32
    }

    /// Returns the consecutive failures. The state must not be half-open.
    pub(crate) const fn failures(self) -> u32 {
        self.payload()
    }

    pub(crate) const fn trials(self) -> Trials {
        Trials::unpack(self.payload())
    }

    pub(crate) const fn with_trials(self, trials: Trials) -> Self {
        self.with_failures(trials.pack())
    }

    /// Moves to the next generation of the same state.
    pub(crate) const fn next_generation(self) -> Self {
        let next = self.0.wrapping_add(1 << GENERATION_SHIFT) & GENERATION;
        Self((self.0 & !GENERATION) | next)
    }

    /// Enters a state, in the next generation and with payload zero.
    pub(crate) const fn into_state(self, state: State) -> Self {
        let word = self.next_generation();
        Self((word.0 & !(STATE | PAYLOAD)) | state_bits(state))
    }
}

const fn state_bits(state: State) -> u64 {
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
    fn packed_parts_are_read_back() {
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
    fn entered_state_has_new_generation_and_no_payload() {
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
    fn generation_wraps_without_changing_other_parts() {
        let last = PackedState::from_bits(GENERATION).with_failures(5);
        let last = last.with(Flags::COUNT_SUCCESSES);
        let wrapped = last.next_generation();
        assert_eq!(wrapped.generation(), PackedState::from_bits(0).generation());
        assert_eq!(wrapped.failures(), 5);
        assert_eq!(wrapped.state(), State::Closed);
        assert!(wrapped.has(Flags::COUNT_SUCCESSES) && !wrapped.has(Flags::TIMED));
    }

    #[test]
    fn generation_lies_within_range_across_wrap() {
        let near_the_end = (0..3).fold(
            PackedState::from_bits(GENERATION - (1 << GENERATION_SHIFT)),
            |word, _| {
                assert!(
                    word.generation()
                        .is_within(word.generation(), word.generation())
                );
                word.next_generation()
            },
        );
        assert!(
            near_the_end.bits() & GENERATION < 4 << GENERATION_SHIFT,
            "it wrapped"
        );
        let first = PackedState::from_bits(GENERATION - (1 << GENERATION_SHIFT));
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
    fn no_word_is_quiet_for_marked_call() {
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
    fn quiet_word_is_closed_without_failures_or_flags() {
        let quiet = PackedState::new(State::Closed, Flags::COUNT_SUCCESSES);
        let generation = quiet.generation();
        assert!(quiet.success_is_noop(generation) && quiet.success_only_resets(generation));
        assert!(!quiet.with_failures(1).success_is_noop(generation));
        let [timed, ramping_up, buffering] =
            [Flags::TIMED, Flags::RAMPING_UP, Flags::BUFFER_SUCCESSES].map(|flag| quiet.with(flag));
        for word in [timed, ramping_up, buffering] {
            assert!(!word.success_is_noop(generation));
        }
        for calm in [quiet, timed, ramping_up, timed.with_failures(1)] {
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
    fn replaced_flags_leave_other_parts() {
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
    fn only_closed_untimed_word_admits_without_clock() {
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
            assert!(!closed.with(Flags::RAMPING_UP).admits_without_clock());
            for state in &ALL[1..] {
                assert!(!closed.into_state(*state).admits_without_clock());
            }
        }
    }

    #[test]
    fn debug_shows_meaning_of_payload() {
        let open = PackedState::new(State::Open, Flags::NONE).with_failures(3);
        let said = "PackedState { state: Open, generation: 0, count: 3, flags: Flags(0) }";
        assert_eq!(format!("{open:?}"), said);
        let trials = Trials::new(2, 1).admitted();
        let half_open = PackedState::new(State::HalfOpen, Flags::NONE).with_trials(trials);
        assert!(format!("{half_open:?}").contains(&format!("trials: {trials:?}")));
    }
}
