use crate::text::HumanDuration;
use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// The error of a guarded call that ran longer than its `.timeout(…)`, or of a guarded stream that gave no
/// item for its `.idle_timeout(…)`. The guarded code was dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct CallTimeout(pub(super) Arc<Overrun>);

/// The content of a [`CallTimeout`]. Boxed, because the error contributes to the size of every result of a
/// guarded call.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Overrun {
    name: Arc<str>,
    limit: Duration,
    /// Whether the limit is that of a stream without an item.
    idle: bool,
}

impl CallTimeout {
    pub(crate) fn new(name: Arc<str>, limit: Duration) -> Self {
        let idle = false;
        Self(Arc::new(Overrun { name, limit, idle }))
    }

    /// Creates the error of a stream that gave no item for `limit`.
    #[cold]
    pub(crate) fn idle(name: Arc<str>, limit: Duration) -> Self {
        let idle = true;
        Self(Arc::new(Overrun { name, limit, idle }))
    }

    /// Returns the name of the breaker that guarded the call.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Returns the timeout of the call, or the idle timeout of the stream.
    pub fn limit(&self) -> Duration {
        self.0.limit
    }
}

impl fmt::Display for CallTimeout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Overrun { name, limit, idle } = &*self.0;
        let limit = HumanDuration(*limit);
        if *idle {
            write!(f, "the stream of {name:?} gave no item for {limit}")
        } else {
            write!(f, "the call to {name:?} took longer than {limit}")
        }
    }
}

impl Error for CallTimeout {}
