//! [`Recorder`]: writes the calls of a live service to a file.
//!
//! * `builder`: the settings
//! * `sampling`: which breakers are recorded
//! * `tap`: what runs during a call; never blocks
//! * `writer`: the thread that writes
//! * `status`: what was written and what was lost

mod builder;
mod sampling;
mod status;
mod tap;
mod writer;

pub use builder::RecorderBuilder;
pub use status::RecorderStatus;

use breakerbox::BreakerRegistry;
use status::Shared;
use std::fmt;
use std::io::{self, Write};
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::Arc;
use std::thread::JoinHandle;

/// Writes the calls of a registry to a file, as lines of JSON.
///
/// The file is the input of a replay: [`Importer::recorded`](crate::import::Importer::recorded) reads
/// it.
///
/// A call puts a small record into a bounded queue, and a thread writes the queue to the file. A call
/// never waits, and never fails because of the recorder. If the queue is full, or the file cannot be
/// written, the call is lost. The number of lost calls is in the [status](Self::status), and in the
/// file.
///
/// Dropping the recorder ends the recording, and waits until the queue is written.
/// [`finish`](Self::finish) does the same, and returns the final status.
///
/// # Format
///
/// The first line is a header: `{"recorder":1,"instance":"web-1","breakers":1.0}`. A call is
/// `{"t":1772000000000000,"b":"users-api","d":12500,"o":"failure","e":"503"}`: when it started in
/// microseconds since the Unix epoch, its breaker, how long it ran in microseconds, its outcome
/// (`success`, `failure`, `ignored`, `cancelled` or `refused`), and the
/// [label](breakerbox::CallRecord::error) of its error. `h` is the time for which the dependency asked
/// for no calls, in microseconds. `{"lost":7}` reports calls that were lost.
///
/// The wall clock is read once, when the recording begins. All times follow from it by the monotonic
/// clock.
///
/// # Examples
///
/// ```
/// use breakerbox::BreakerRegistry;
/// use breakerbox_replay::Recorder;
///
/// let registry = BreakerRegistry::new();
/// # let path = tempfile::NamedTempFile::new()?.into_temp_path();
/// let file = std::fs::File::create(&path)?;
/// let recorder = Recorder::builder().instance("web-1").record(&registry, file)?;
///
/// assert!(registry.breaker("users-api").call(|| "7".parse::<u8>()).is_ok());
/// let status = recorder.finish();
/// assert_eq!((status.written, status.lost, status.error), (1, 0, None));
/// # Ok::<(), std::io::Error>(())
/// ```
#[must_use = "dropping the recorder ends the recording"]
pub struct Recorder {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

// The shared state is consistent whenever its lock is released. The compiler cannot derive this for a
// handle of a thread.
impl UnwindSafe for Recorder {}
impl RefUnwindSafe for Recorder {}

impl Recorder {
    /// Returns a builder with the default settings.
    pub fn builder() -> RecorderBuilder {
        RecorderBuilder::new()
    }

    /// Records all breakers of `registry` with the default settings.
    ///
    /// # Errors
    ///
    /// The thread cannot be started.
    pub fn record(
        registry: &BreakerRegistry,
        file: impl Write + Send + 'static,
    ) -> io::Result<Self> {
        Self::builder().record(registry, file)
    }

    /// Returns what was written and lost so far.
    pub fn status(&self) -> RecorderStatus {
        self.shared.status()
    }

    /// Waits until every call that completed before is written and the file is flushed, or writing has
    /// failed.
    pub fn flush(&self) {
        self.shared.flush(|| self.wake());
    }

    /// Ends the recording, waits until the queue is written, and returns the final status.
    pub fn finish(mut self) -> RecorderStatus {
        self.end();
        self.shared.status()
    }

    fn end(&mut self) {
        self.shared.end();
        self.wake();
        if let Some(thread) = self.thread.take() {
            // The thread catches the panics of user code.
            let _ = thread.join();
        }
    }

    fn wake(&self) {
        if let Some(thread) = &self.thread {
            thread.thread().unpark();
        }
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.end();
    }
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorder")
            .field("status", &self.status())
            .finish_non_exhaustive()
    }
}
