use std::num::NonZeroU64;
use std::sync::atomic::{AtomicU64, Ordering};

/// Identifies one condition of one circuit: [`Port::apply`](crate::fleet::Port::apply) compares it.
///
/// A [`View`](crate::fleet::View) has the mark of the circuit that it describes. The circuit gets
/// another mark with each change of its state, its cause or its deadline, and with each
/// [`reset`](crate::CircuitBreaker::reset). Calls do not change the mark, unless they change the
/// state.
///
/// Marks are unique in the process. No circuit returns to an earlier mark, and a breaker that takes
/// the name of a removed one never has a mark of its predecessor. Marks have 64 bits, which a
/// process cannot exhaust.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Mark(NonZeroU64);

impl Mark {
    /// Returns a mark that no circuit had before.
    pub(in crate::circuit) fn next() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        // Ordering: `Relaxed`, because the number only has to be unique.
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        Self(NonZeroU64::MIN.saturating_add(number))
    }
}
