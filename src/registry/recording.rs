//! [`BreakerRegistry::record_calls`]: passes every call of a registry to a closure.

use super::breaker_registry::BreakerRegistry;
use crate::event::{CallRecord, EventBus, Recorder};
use std::fmt;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::{Arc, Weak};

impl BreakerRegistry {
    /// Passes every call of all breakers to `recorder`, from now until the [`CallRecording`] is
    /// dropped.
    ///
    /// A call is passed on when it completes or is refused, also if its outcome no longer counts
    /// because the state changed while it ran. These calls are not passed on:
    ///
    /// * calls that were admitted before `record_calls`, unless their breaker measured the time of
    ///   calls even then, for example for a rule of slow calls
    /// * calls of a [disabled](crate::Mode::Disabled) breaker
    /// * calls that [joined a trial](crate::Event::Joined)
    /// * calls of a breaker that the registry does not keep, or no longer keeps
    ///
    /// `recorder` runs on the thread of the call, outside every lock. It delays the call, so it must
    /// not block: slow work belongs to another thread. A panic of `recorder` is caught, and sent as
    /// [`Event::ListenerPanicked`](crate::Event::ListenerPanicked). `recorder` may call breakers;
    /// such calls are recorded up to four levels deep.
    ///
    /// While there is a recorder, every call reads the clock twice and leaves the fast path. After
    /// the recording has ended, the next call that a breaker admits puts the breaker back on the
    /// fast path.
    ///
    /// # Examples
    ///
    /// ```
    /// use breakerbox::prelude::*;
    /// use breakerbox::CallOutcome;
    /// use std::sync::{Arc, Mutex};
    ///
    /// let registry = BreakerRegistry::new();
    /// let calls = Arc::new(Mutex::new(Vec::new()));
    /// let seen = calls.clone();
    /// let recording = registry.record_calls(move |call| {
    ///     seen.lock().unwrap().push((call.name.clone(), call.outcome));
    /// });
    ///
    /// let users = registry.breaker("users-api");
    /// assert!(users.call(|| "7".parse::<u8>()).is_ok());
    /// drop(recording);
    /// assert!(users.call(|| "8".parse::<u8>()).is_ok());
    /// let expected = ("users-api".into(), CallOutcome::Completed(Outcome::Success));
    /// assert_eq!(*calls.lock().unwrap(), [expected]);
    /// ```
    pub fn record_calls(
        &self,
        recorder: impl Fn(&CallRecord<'_>) + Send + Sync + 'static,
    ) -> CallRecording {
        let recorder = Arc::new(Recorder::new(recorder));
        let bus = self.inner.record_calls(&recorder);
        CallRecording {
            bus: Arc::downgrade(bus),
            recorder,
        }
    }
}

/// A recording of calls, which ends when it is dropped. Returned by
/// [`BreakerRegistry::record_calls`].
///
/// Calls that are completing on other threads may still be passed to the recorder for a moment.
/// Dropping the registry ends the recording, too. [`mem::forget`](std::mem::forget) keeps it until
/// then.
#[must_use = "dropping the recording ends it"]
pub struct CallRecording {
    bus: Weak<EventBus>,
    recorder: Arc<Recorder>,
}

// The list of recorders is consistent at every moment, and panics of a recorder are caught. The
// compiler cannot derive this, because a recorder is a closure.
impl UnwindSafe for CallRecording {}
impl RefUnwindSafe for CallRecording {}

impl Drop for CallRecording {
    fn drop(&mut self) {
        if let Some(bus) = self.bus.upgrade() {
            bus.recorders.detach(&self.recorder);
        }
    }
}

impl fmt::Debug for CallRecording {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let active = self
            .bus
            .upgrade()
            .is_some_and(|bus| bus.recorders.has_any());
        f.debug_struct("CallRecording")
            .field("active", &active)
            .finish_non_exhaustive()
    }
}
