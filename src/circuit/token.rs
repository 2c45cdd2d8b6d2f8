//! [`CallToken`]: what an admitted call carries until its outcome is recorded.

use crate::clock::Moment;
use crate::state::{Generation, Mark};

/// An admitted call whose outcome has not been recorded yet.
///
/// `admitted_by` is the generation that admitted the call, with a [mark](Mark) if the call is not a
/// plain one. `started` is [`Moment::NEVER`] for a call that is not timed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CallToken {
    pub(super) admitted_by: Generation,
    started: Moment,
}

impl CallToken {
    #[inline]
    pub(super) const fn untimed(generation: Generation) -> Self {
        Self {
            admitted_by: generation,
            started: Moment::NEVER,
        }
    }

    pub(super) const fn timed(generation: Generation, started: Moment) -> Self {
        Self {
            admitted_by: generation.marked(Mark::Timed),
            // `NEVER` marks an untimed call.
            started: started.clamp_before_never(),
        }
    }

    /// Returns the same call as a trial.
    pub(super) const fn as_trial(self) -> Self {
        Self {
            admitted_by: self.generation().marked(Mark::Trial),
            ..self
        }
    }

    /// Returns the same trial while its guarded code runs on this thread.
    pub(super) const fn as_inside(self) -> Self {
        Self {
            admitted_by: self.generation().marked(Mark::Inside),
            ..self
        }
    }

    /// Returns the token of a call inside a trial of the same circuit.
    pub(super) const fn joined(generation: Generation) -> Self {
        Self::untimed(generation.marked(Mark::Joined))
    }

    #[inline]
    pub(super) const fn generation(self) -> Generation {
        self.admitted_by.unmarked()
    }

    #[inline]
    pub(super) const fn is_trial(self) -> bool {
        self.admitted_by.has(Mark::Trial)
    }

    #[inline]
    pub(super) const fn is_inside(self) -> bool {
        self.admitted_by.has(Mark::Inside)
    }

    /// Returns `true` if the call joined a trial. Such a call records nothing.
    pub(crate) const fn is_joined(self) -> bool {
        self.admitted_by.has(Mark::Joined)
    }

    #[inline]
    pub(super) fn started(self) -> Option<Moment> {
        (self.started != Moment::NEVER).then_some(self.started)
    }
}
