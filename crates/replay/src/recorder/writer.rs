//! [`Writer`]: the thread that writes the queue to the file.

use super::status::Shared;
use super::tap::Queued;
use crate::import::recorded::{Line, VERSION};
use breakerbox::CallRecording;
use std::io::{self, BufWriter, Write};
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::thread;
use std::time::Duration;

/// How often the queue is written. The thread is not woken for a call, because that would cost the call
/// more than the queue.
const INTERVAL: Duration = Duration::from_millis(50);

/// The calls after which the file is flushed, even if the queue is not empty.
const BATCH: u64 = 1_024;

/// When the recording began, by both clocks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Epoch {
    /// Since the Unix epoch.
    pub(super) unix: Duration,
    /// By the clock of the breakers.
    pub(super) clock: Duration,
}

impl Epoch {
    /// Returns a time of the clock as microseconds since the Unix epoch.
    fn unix_micros(self, time: Duration) -> u64 {
        let after = time.saturating_sub(self.clock);
        let before = self.clock.saturating_sub(time);
        micros(self.unix.saturating_add(after).saturating_sub(before))
    }
}

pub(super) struct Writer<W: Write> {
    file: BufWriter<W>,
    queue: Receiver<Queued>,
    shared: Arc<Shared>,
    epoch: Epoch,
    /// Ended as soon as writing fails, so that calls cost nothing from then on.
    recording: Option<CallRecording>,
    /// The number of lost calls that the file reports.
    reported_lost: u64,
    /// The calls in the buffer of the file, which are lost if writing fails.
    unflushed: u64,
}

impl<W: Write> Writer<W> {
    pub(super) fn new(
        file: W,
        queue: Receiver<Queued>,
        shared: Arc<Shared>,
        epoch: Epoch,
        recording: CallRecording,
    ) -> Self {
        Self {
            file: BufWriter::with_capacity(1 << 16, file),
            queue,
            shared,
            epoch,
            recording: Some(recording),
            reported_lost: 0,
            unflushed: 0,
        }
    }

    /// Writes until the recorder ends or writing fails.
    pub(super) fn run(mut self, header: &Line<'_>) {
        // The file is user code, which may panic.
        let written = catch_unwind(AssertUnwindSafe(|| self.write_all(header)));
        let error = match written {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(error.to_string()),
            Err(_) => Some("writing to the file panicked".to_owned()),
        };
        self.recording = None;
        let Self {
            file,
            queue,
            shared,
            unflushed,
            ..
        } = self;
        // Calls on other threads may still have put something into the queue.
        shared.add_lost(unflushed + queue.try_iter().count() as u64);
        drop(queue);
        // Taken apart, so that a buffer that could not be written is not written after a gap.
        let _ = catch_unwind(AssertUnwindSafe(|| drop(file.into_parts())));
        if let Some(error) = error {
            shared.set_error(error);
        }
        shared.thread_ended();
    }

    fn write_all(&mut self, header: &Line<'_>) -> io::Result<()> {
        self.write_line(header)?;
        loop {
            // Loaded before the queue is emptied, so that calls from before are written.
            let requested = self.shared.requested_flushes();
            let ended = self.shared.has_ended();
            if ended {
                self.recording = None;
            }
            self.write_queue()?;
            self.commit()?;
            self.shared.answer_flushes(requested);
            if ended {
                return Ok(());
            }
            thread::park_timeout(INTERVAL);
        }
    }

    /// Writes the calls in the queue.
    fn write_queue(&mut self) -> io::Result<()> {
        while let Ok(call) = self.queue.try_recv() {
            self.unflushed += 1;
            self.write_call(&call)?;
            if self.unflushed == BATCH {
                self.commit()?;
            }
        }
        Ok(())
    }

    /// Flushes the file if anything was written, and updates the status.
    fn commit(&mut self) -> io::Result<()> {
        let wrote_lost = self.write_lost()?;
        if self.unflushed > 0 || wrote_lost || !self.file.buffer().is_empty() {
            self.file.flush()?;
        }
        self.shared.add_written(mem::take(&mut self.unflushed));
        Ok(())
    }

    fn write_call(&mut self, call: &Queued) -> io::Result<()> {
        let start = self.epoch.unix_micros(call.started);
        let error = call.error.as_deref();
        let line = Line::call(start, &call.name, micros(call.elapsed), call.outcome, error);
        self.write_line(&Line {
            h: call.hint.map(micros),
            ..line
        })
    }

    /// Reports the calls that were lost since the report before. Returns `true` if there were any.
    fn write_lost(&mut self) -> io::Result<bool> {
        let lost = self.shared.lost();
        let new = lost.saturating_sub(self.reported_lost);
        if new == 0 {
            return Ok(false);
        }
        self.reported_lost = lost;
        self.write_line(&Line {
            lost: Some(new),
            ..Line::default()
        })?;
        Ok(true)
    }

    fn write_line(&mut self, line: &Line<'_>) -> io::Result<()> {
        serde_json::to_writer(&mut self.file, line)?;
        self.file.write_all(b"\n")
    }
}

/// Returns the first line of a recording.
pub(super) fn header(instance: Option<&str>, share: f64) -> Line<'_> {
    Line {
        recorder: Some(VERSION),
        instance: instance.map(Into::into),
        breakers: Some(share),
        ..Line::default()
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}
