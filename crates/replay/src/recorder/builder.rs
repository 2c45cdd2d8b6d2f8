//! [`RecorderBuilder`]: the settings of a recorder.

use super::Recorder;
use super::sampling::Sampling;
use super::status::Shared;
use super::tap::Tap;
use super::writer::{Epoch, Writer, header};
use breakerbox::BreakerRegistry;
use breakerbox::clock::{Clock, SystemClock};
use std::fmt;
use std::io::{self, Write};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, SystemTime};

/// The settings of a [`Recorder`].
///
/// # Default
///
/// * [`instance`](Self::instance): none
/// * [`breakers`](Self::breakers): 1.0, all of them
/// * [`queue`](Self::queue): 65,536 calls
/// * [`clock`](Self::clock): the system clock
#[must_use = "a builder records nothing until `record` is called"]
pub struct RecorderBuilder {
    instance: Option<String>,
    sampling: Sampling,
    queue: usize,
    clock: Arc<dyn Clock>,
    unix: Option<Duration>,
}

impl RecorderBuilder {
    const MAX_QUEUE: usize = 1 << 24;

    pub(super) fn new() -> Self {
        Self {
            instance: None,
            sampling: Sampling::ALL,
            queue: 1 << 16,
            clock: Arc::new(SystemClock),
            unix: None,
        }
    }

    /// Sets the label of this process. A replay has breakers for each process.
    pub fn instance(mut self, label: impl Into<String>) -> Self {
        self.instance = Some(label.into());
        self
    }

    /// Records only this share of the breakers, from 0.0 to 1.0, and all calls of each of them.
    ///
    /// The names decide which breakers these are. All processes with the same share record the same
    /// breakers. Calls are never sampled: rules about calls in a row could not be replayed.
    pub fn breakers(mut self, share: f64) -> Self {
        self.sampling = Sampling::new(share);
        self
    }

    /// Sets how many calls wait in memory, from 1 to 16,777,216. Further calls are lost, and counted.
    ///
    /// The queue is written every 50 ms. A call in the queue takes about 80 bytes, and those of the
    /// label of its error. The queue is allocated at once.
    pub fn queue(mut self, calls: usize) -> Self {
        self.queue = calls.clamp(1, Self::MAX_QUEUE);
        self
    }

    /// Sets the clock of the registry, if the registry has [a clock](breakerbox::RegistryBuilder::clock)
    /// of its own.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Sets the time since the Unix epoch at which the recording begins. Default: the wall clock.
    ///
    /// For tests, whose files are the same in each run then.
    pub fn starting_at(mut self, unix: Duration) -> Self {
        self.unix = Some(unix);
        self
    }

    /// Starts to record the calls of `registry`, and to write them to `file`.
    ///
    /// `file` needs no buffer. It is written on a thread of its own, and dropped when the recording
    /// ends.
    ///
    /// # Errors
    ///
    /// The thread cannot be started. Errors of writing are in the [status](Recorder::status).
    pub fn record(
        self,
        registry: &BreakerRegistry,
        file: impl Write + Send + 'static,
    ) -> io::Result<Recorder> {
        let wall = || SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let epoch = Epoch {
            unix: self.unix.unwrap_or_else(|| wall().unwrap_or_default()),
            clock: self.clock.now(),
        };
        let shared = Arc::new(Shared::default());
        let (sender, queue) = mpsc::sync_channel(self.queue);
        let tap = Tap {
            queue: sender,
            shared: shared.clone(),
            sampling: self.sampling,
        };
        let recording = registry.record_calls(move |call| tap.take(call));
        let writer = Writer::new(file, queue, shared.clone(), epoch, recording);
        let (instance, share) = (self.instance, self.sampling.share());
        let thread = thread::Builder::new()
            .name("breakerbox-recorder".to_owned())
            .spawn(move || writer.run(&header(instance.as_deref(), share)))?;
        Ok(Recorder {
            shared,
            thread: Some(thread),
        })
    }
}

impl fmt::Debug for RecorderBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecorderBuilder")
            .field("instance", &self.instance)
            .field("breakers", &self.sampling.share())
            .field("queue", &self.queue)
            .finish_non_exhaustive()
    }
}
