use crate::clock::Moment;
use crate::state::{Generation, Mark, PackedState};

/// What an admitted call carries: the generation of the state that let it in, what sets it apart from a
/// plain call, and when it began, if its duration is measured.
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
            // The end of time marks calls whose duration is not measured.
            started: started.clamp_before_never(),
        }
    }

    /// The same call as a trial.
    pub(super) const fn as_trial(self) -> Self {
        Self {
            generation: self.generation.unmarked().marked(Mark::Trial),
            ..self
        }
    }

    /// The same trial while its guarded code runs on this thread.
    pub(super) const fn as_inside(self) -> Self {
        Self {
            generation: self.generation.unmarked().marked(Mark::Inside),
            ..self
        }
    }

    /// A call inside a trial of the same circuit.
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

    /// Whether the call runs inside a trial, and so records nothing.
    pub(crate) const fn is_joined(self) -> bool {
        self.generation.has(Mark::Joined)
    }

    /// Whether a success leaves the circuit with this word as it is.
    #[inline]
    pub(super) const fn is_noop_success(self, word: PackedState) -> bool {
        word.success_is_noop(self.generation)
    }

    #[inline]
    pub(super) fn started(self) -> Option<Moment> {
        (self.started != Moment::NEVER).then_some(self.started)
    }
}
