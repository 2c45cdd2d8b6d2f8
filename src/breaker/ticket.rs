use crate::clock::Moment;
use crate::state::{Generation, Word};

/// What an admitted call carries: the generation of the state that let it in, and when that was,
/// where anybody asks how long calls take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ticket {
    generation: Generation,
    started: Moment,
}

impl Ticket {
    #[inline]
    pub(super) const fn untimed(generation: Generation) -> Self {
        Self {
            generation,
            started: Moment::NEVER,
        }
    }

    pub(super) const fn timed(generation: Generation, started: Moment) -> Self {
        Self {
            generation: generation.timed(),
            // The end of time marks calls that nobody times.
            started: started.clamp_before_never(),
        }
    }

    #[inline]
    pub(super) const fn generation(self) -> Generation {
        self.generation.untimed()
    }

    /// Whether a success leaves the circuit with this word as it is.
    #[inline]
    pub(super) const fn is_quiet_at(self, word: Word) -> bool {
        word.is_quiet(self.generation)
    }

    #[inline]
    pub(super) fn started(self) -> Option<Moment> {
        (self.started != Moment::NEVER).then_some(self.started)
    }
}
