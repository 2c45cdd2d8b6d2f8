use crate::text::HumanDuration;
use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// The error of a guarded call that ran longer than its `.timeout(…)`, and was dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct CallTimeout(pub(super) Arc<Overrun>);

/// The content of a [`CallTimeout`]. Boxed, because the error contributes to the size of every result of a
/// guarded call.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Overrun {
    name: Arc<str>,
    limit: Duration,
}

impl CallTimeout {
    pub(crate) fn new(name: Arc<str>, limit: Duration) -> Self {
        Self(Arc::new(Overrun { name, limit }))
    }

    /// Returns the name of the breaker that guarded the call.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Returns the timeout of the call.
    pub fn limit(&self) -> Duration {
        self.0.limit
    }
}

impl fmt::Display for CallTimeout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Overrun { name, limit } = &*self.0;
        write!(
            f,
            "the call to {name:?} took longer than {}",
            HumanDuration(*limit)
        )
    }
}

impl Error for CallTimeout {}
