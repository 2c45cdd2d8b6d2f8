//! Whether anybody takes events of calls.
//!
//! A healthy call asks nobody: it looks at its breaker's word. So somebody has to put it there when a
//! subscriber comes that takes the level trace, or a filter is reloaded. `tracing` tells that to every
//! call site, and [`CALLS`] is one that passes it on. The obvious alternative, to ask for the level at
//! each call, would have each healthy call take the longer way.

use crate::circuit::Circuit;
use crate::registry::Inner;
use crate::state::Flags;
use ::tracing::callsite::{self, Callsite};
use ::tracing::level_filters::STATIC_MAX_LEVEL;
use ::tracing::metadata::Kind;
use ::tracing::subscriber::Interest;
use ::tracing::{Level, Metadata};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Once, PoisonError, Weak};

/// The target of every event that is logged here.
pub(super) const TARGET: &str = "breakerbox";

/// The call site that stands for all that log calls.
struct Calls {
    /// Whether any subscriber may take them.
    wanted: AtomicBool,
}

static CALLS: Calls = Calls {
    wanted: AtomicBool::new(false),
};

static METADATA: Metadata<'static> = ::tracing::metadata! {
    name: "a call of a circuit",
    target: TARGET,
    level: Level::TRACE,
    fields: &["breaker", "message"],
    callsite: &CALLS,
    kind: Kind::EVENT,
};

impl Callsite for Calls {
    fn set_interest(&self, interest: Interest) {
        let wanted = !interest.is_never() && STATIC_MAX_LEVEL >= Level::TRACE;
        let before = self.wanted.swap(wanted, Ordering::AcqRel);
        if wanted && !before {
            raise_all();
        }
    }

    fn metadata(&self) -> &Metadata<'_> {
        &METADATA
    }
}

/// Whether any subscriber takes events of calls.
pub(super) fn in_calls() -> bool {
    // Acquire: with the swap above. Who reads true too late finds the breaker's flag raised after it.
    CALLS.wanted.load(Ordering::Acquire)
}

/// Whose calls look for listeners when somebody comes to hear of them.
pub(super) enum Target {
    Registry(Weak<Inner>),
    Breaker(Weak<Circuit>),
}

impl Target {
    fn is_there(&self) -> bool {
        match self {
            Self::Registry(inner) => inner.strong_count() > 0,
            Self::Breaker(circuit) => circuit.strong_count() > 0,
        }
    }

    fn raise(&self) {
        match self {
            Self::Registry(inner) => borrow(inner, |inner| inner.set_flags(Flags::SLOW_PATH)),
            Self::Breaker(circuit) => {
                borrow(circuit, |circuit| circuit.set_flags(Flags::SLOW_PATH));
            }
        }
    }
}

static TARGETS: Mutex<Vec<Target>> = Mutex::new(Vec::new());

/// Tells `target` from now on.
pub(super) fn watch(target: Target) {
    static REGISTERED: Once = Once::new();
    {
        let mut targets = TARGETS.lock().unwrap_or_else(PoisonError::into_inner);
        targets.retain(Target::is_there);
        targets.push(target);
    }
    REGISTERED.call_once(|| callsite::register(&CALLS));
}

/// Runs under locks of `tracing`: it takes short ones of ours, and calls nobody's code.
fn raise_all() {
    let targets = TARGETS.lock().unwrap_or_else(PoisonError::into_inner);
    targets.iter().for_each(Target::raise);
}

fn borrow<T: Send + Sync + 'static>(target: &Weak<T>, look: impl FnOnce(&T)) {
    let Some(held) = target.upgrade() else { return };
    look(&held);
    if let Some(last) = Arc::into_inner(held) {
        // Everybody else let go of it meanwhile. Closures of users end with it, and one that logs when
        // it is dropped would wait here for the locks of `tracing` that this thread holds.
        let _ = std::thread::Builder::new().spawn(move || drop(last));
    }
}
