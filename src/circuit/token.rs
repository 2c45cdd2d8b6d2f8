//! The token of an admitted call.

use crate::clock::Moment;
use crate::state::{Generation, Mark, PackedState};

/// An admitted call whose outcome is not recorded yet.
///
/// The token holds the generation that admitted the call, a [mark](Mark) for a call that is not a plain
/// one, and the start of a call that is timed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CallToken {
    generation: Generation,
    started: Moment,
}

impl CallToken {
    #[inline]
    pub(super) const fn untimed(generation: Generation) -> Self {
        Self {
            generation,
            started: Moment::NEVER,
        }
    }

    pub(super) const fn timed(generation: Generation, started: Moment) -> Self {
        Self {
            generation: generation.marked(Mark::Timed),
            // `NEVER` stands for a call that is not timed.
            started: started.clamp_before_never(),
        }
    }

    /// Returns the same call as a trial.
    pub(super) const fn as_trial(self) -> Self {
        Self {
            generation: self.generation.unmarked().marked(Mark::Trial),
            ..self
        }
    }

    /// Returns the same trial while its guarded code runs on this thread.
    pub(super) const fn as_inside(self) -> Self {
        Self {
            generation: self.generation.unmarked().marked(Mark::Inside),
            ..self
        }
    }

    /// Returns the token of a call inside a trial of the same circuit.
    pub(super) const fn joined(generation: Generation) -> Self {
        Self::untimed(generation.marked(Mark::Joined))
    }

    #[inline]
    pub(super) const fn generation(self) -> Generation {
        self.generation.unmarked()
    }

    #[inline]
    pub(super) const fn is_trial(self) -> bool {
        self.generation.has(Mark::Trial)
    }

    #[inline]
    pub(super) const fn is_inside(self) -> bool {
        self.generation.has(Mark::Inside)
    }

    /// Whether the call runs inside a trial. Such a call records nothing.
    pub(crate) const fn is_joined(self) -> bool {
        self.generation.has(Mark::Joined)
    }

    /// Whether the success of this call leaves `word` unchanged.
    #[inline]
    pub(super) const fn is_noop_success(self, word: PackedState) -> bool {
        word.success_is_noop(self.generation)
    }

    #[inline]
    pub(super) fn started(self) -> Option<Moment> {
        (self.started != Moment::NEVER).then_some(self.started)
    }
}
