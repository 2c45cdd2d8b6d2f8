//! The trials that run on the current thread.
//!
//! A trial marks its thread while its guarded code runs: for the duration of a call, or of one
//! poll. A guarded call of the same circuit that is admitted on a marked thread joins the trial,
//! instead of competing for the slot that the trial itself holds.
//!
//! A token with [`Mark::Inside`](crate::state::Mark::Inside) says that its mark is the innermost
//! one of the thread. Such a token exists from [`CallToken::enter`], before the guarded code runs,
//! to [`CallToken::leave`]. A call leaves before its outcome is classified or recorded, after a
//! poll that returned `Pending`, and during unwinding. Only trials set marks, and only calls of a
//! half-open circuit look for marks.
//!
//! A guard with a destructor would take ten more instructions (benches/instructions, "healthy
//! call").

use super::shell::Circuit;
use super::token::CallToken;
use crate::state::Generation;
use std::cell::RefCell;
use std::mem;

/// The trials of a thread. The innermost is the last.
type Marks = RefCell<Vec<Trial>>;

#[derive(Clone, Copy)]
struct Trial {
    /// The address of the circuit, which the guard of the trial keeps alive.
    circuit: usize,
    generation: Generation,
}

#[cfg(loom)]
loom::thread_local! {
    static MARKS: Marks = Marks::default();
}
#[cfg(shuttle)]
shuttle::thread_local! {
    static MARKS: Marks = const { RefCell::new(Vec::new()) };
}
#[cfg(not(any(loom, shuttle)))]
thread_local! {
    static MARKS: Marks = const { RefCell::new(Vec::new()) };
}

impl CallToken {
    /// Marks the thread if the call is a trial, whose guarded code runs next.
    #[inline]
    pub(crate) fn enter(self, circuit: &Circuit) -> Self {
        if self.is_trial() {
            self.mark(circuit)
        } else {
            self
        }
    }

    #[cold]
    fn mark(self, circuit: &Circuit) -> Self {
        let trial = Trial {
            circuit: address(circuit),
            generation: self.generation(),
        };
        // Fails once the thread has destroyed its marks. No call joins such a trial.
        match MARKS.try_with(|marks| marks.borrow_mut().push(trial)) {
            Ok(()) => self.as_inside(),
            Err(_) => self,
        }
    }

    /// Removes the mark, if the call has one.
    #[inline]
    pub(crate) fn leave(self) -> Self {
        if self.is_inside() {
            self.unmark()
        } else {
            self
        }
    }

    #[cold]
    fn unmark(self) -> Self {
        // Fails only if the thread has destroyed its marks.
        let _ = MARKS.try_with(|marks| marks.borrow_mut().pop());
        self.as_trial()
    }
}

/// Runs `code` without the marks of the thread. Listeners belong to no trial, even if their event
/// was sent inside one.
pub(super) fn outside<T>(code: impl FnOnce() -> T) -> T {
    /// Restores the marks when it is dropped, also during unwinding.
    struct Suspended(Vec<Trial>);

    impl Drop for Suspended {
        fn drop(&mut self) {
            let _ = MARKS.try_with(|marks| *marks.borrow_mut() = mem::take(&mut self.0));
        }
    }

    let marks = MARKS.try_with(|marks| mem::take(&mut *marks.borrow_mut()));
    let _suspended = Suspended(marks.unwrap_or_default());
    code()
}

/// Returns `true` if a trial of `circuit` runs on this thread and `is_current` holds for its
/// generation.
pub(super) fn is_inside(circuit: &Circuit, is_current: impl Fn(Generation) -> bool) -> bool {
    let circuit = address(circuit);
    let inside = MARKS.try_with(|marks| {
        let marks = marks.borrow();
        let mut own = marks.iter().filter(|trial| trial.circuit == circuit);
        own.any(|trial| is_current(trial.generation))
    });
    inside.unwrap_or(false)
}

fn address(circuit: &Circuit) -> usize {
    std::ptr::from_ref(circuit).addr()
}
