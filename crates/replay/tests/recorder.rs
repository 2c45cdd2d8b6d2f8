//! The recorder: what it writes, and what becomes of calls that it cannot write.
#![allow(missing_docs)]

use breakerbox::clock::ManualClock;
use breakerbox::prelude::*;
use breakerbox_replay::import::Importer;
use breakerbox_replay::{Call, Recorder, RecorderBuilder, RecorderStatus};
use std::io::{self, Cursor, Write};
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

/// A file in memory.
#[derive(Clone, Default)]
struct File(Arc<Mutex<Vec<u8>>>);

impl File {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }

    fn calls(&self) -> Vec<Call> {
        let source = Cursor::new(self.0.lock().unwrap().clone());
        let mut import = Importer::new().recorded(source).unwrap();
        let calls = import.by_ref().collect();
        assert_eq!(import.counts().bad, 0);
        calls
    }
}

impl Write for File {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

const UNIX: Duration = Duration::from_secs(1_772_000_000);

fn setup() -> (BreakerRegistry, ManualClock, RecorderBuilder) {
    let clock = ManualClock::new();
    clock.advance(Duration::from_secs(77));
    let registry = BreakerRegistry::builder()
        .clock(clock.clone())
        .build()
        .unwrap();
    let builder = Recorder::builder().clock(clock.clone()).starting_at(UNIX);
    (registry, clock, builder)
}

fn succeed(registry: &BreakerRegistry, name: &str) {
    let _ = registry.breaker(name).call(|| Ok::<_, ()>(()));
}

#[test]
fn file_has_a_header_and_a_line_for_each_call() {
    let (registry, clock, builder) = setup();
    let file = File::default();
    let recorder = builder
        .instance("web-1")
        .record(&registry, file.clone())
        .unwrap();
    let users = registry.breaker("users \"x\"");

    clock.advance(Duration::from_millis(1_500));
    let permit = users.try_acquire().unwrap();
    clock.advance(Duration::from_micros(12_345));
    permit.success();
    let _ = users.call(|| Err::<(), _>(503));
    drop(users.try_acquire().unwrap());
    users.try_acquire().unwrap().record(Outcome::Ignored);
    let hint = Outcome::TripFor(Duration::from_secs(5));
    users.try_acquire().unwrap().record(hint);
    assert!(users.try_acquire().is_err());

    let status = recorder.finish();
    assert_eq!((status.written, status.lost, status.error), (6, 0, None));
    let expected = r#"{"recorder":1,"instance":"web-1","breakers":1.0}
{"t":1772000001500000,"b":"users \"x\"","d":12345,"o":"success"}
{"t":1772000001512345,"b":"users \"x\"","d":0,"o":"failure","e":"503"}
{"t":1772000001512345,"b":"users \"x\"","d":0,"o":"cancelled"}
{"t":1772000001512345,"b":"users \"x\"","d":0,"o":"ignored"}
{"t":1772000001512345,"b":"users \"x\"","d":0,"o":"failure","h":5000000}
{"t":1772000001512345,"b":"users \"x\"","d":0,"o":"refused"}
"#;
    assert_eq!(file.text(), expected);
    let calls = file.calls();
    assert_eq!(calls.len(), 6);
    assert_eq!(calls[0].end(), UNIX + Duration::from_micros(1_512_345));
    assert_eq!(calls[0].instance.as_deref(), Some("web-1"));
}

#[test]
fn flush_writes_the_calls_before() {
    let (registry, _, builder) = setup();
    let file = File::default();
    let recorder = builder.record(&registry, file.clone()).unwrap();
    for calls in 1..=3 {
        succeed(&registry, "users");
        recorder.flush();
        assert_eq!(file.calls().len(), calls);
        assert_eq!(recorder.status().written, calls as u64);
    }
}

#[test]
fn dropped_recorder_writes_the_queue_and_ends() {
    let (registry, _, builder) = setup();
    let file = File::default();
    let recorder = builder.record(&registry, file.clone()).unwrap();
    for _ in 0..5_000 {
        succeed(&registry, "users");
    }
    drop(recorder);
    assert_eq!(file.calls().len(), 5_000);
    succeed(&registry, "users");
    assert_eq!(file.calls().len(), 5_000);
    assert_eq!(Arc::strong_count(&file.0), 1, "the file is closed");
}

/// A file that waits until it is opened.
#[derive(Clone)]
struct Blocked(File, Arc<(Mutex<bool>, Condvar)>);

impl Blocked {
    fn new(file: &File) -> Self {
        Self(file.clone(), Arc::default())
    }

    fn open(&self) {
        *self.1.0.lock().unwrap() = true;
        self.1.1.notify_all();
    }
}

impl Write for Blocked {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let (open, opened) = &*self.1;
        let mut open = open.lock().unwrap();
        while !*open {
            open = opened.wait(open).unwrap();
        }
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

const CALLS: u64 = 5_000;

#[test]
fn full_queue_loses_calls_and_says_so_in_the_file() {
    let (registry, _, builder) = setup();
    let file = File::default();
    let blocked = Blocked::new(&file);
    let recorder = builder
        .queue(100)
        .record(&registry, blocked.clone())
        .unwrap();
    // The thread takes at most one batch out of the queue before it waits for the file.
    for _ in 0..CALLS {
        succeed(&registry, "users");
    }
    assert!(recorder.status().lost > 0);
    blocked.open();
    let status = recorder.finish();
    assert_eq!(status.written + status.lost, CALLS);
    assert_eq!(
        file.text().matches("\"o\":\"success\"").count() as u64,
        status.written
    );
    let mut import = Importer::new()
        .recorded(Cursor::new(file.text().into_bytes()))
        .unwrap();
    assert_eq!(import.by_ref().count() as u64, status.written);
    assert_eq!(import.counts().lost, status.lost);
}

/// A file that takes this many bytes.
struct Full(usize);

impl Write for Full {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0 == 0 {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let written = bytes.len().min(self.0);
        self.0 -= written;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn failed_write_ends_the_recording_and_no_call() {
    for room in [0, 20, 1_000] {
        let (registry, _, builder) = setup();
        let recorder = builder.record(&registry, Full(room)).unwrap();
        for _ in 0..50 {
            succeed(&registry, "users");
        }
        recorder.flush();
        let status = recorder.status();
        assert_eq!(status.error.as_deref(), Some("no storage space"), "{room}");
        // Calls after the failure are neither written nor lost.
        assert!(status.written + status.lost <= 50, "{status:?}");
        assert!(status.written < 50, "{status:?}");
        // The recording has ended, so calls are neither written nor lost.
        succeed(&registry, "users");
        assert_eq!(recorder.finish(), status);
        assert_eq!(
            registry.breaker("users").snapshot().totals.success,
            Some(51)
        );
    }
}

struct Panicking;

impl Write for Panicking {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        panic!("a file that panics");
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn panicking_file_is_an_error() {
    let (registry, _, builder) = setup();
    let recorder = builder.record(&registry, Panicking).unwrap();
    succeed(&registry, "users");
    recorder.flush();
    let status = recorder.finish();
    assert_eq!(
        status.error.as_deref(),
        Some("writing to the file panicked")
    );
    assert_eq!(status.written, 0);
}

#[test]
fn share_of_breakers_is_recorded_with_all_their_calls() {
    let (registry, _, builder) = setup();
    let file = File::default();
    let recorder = builder
        .breakers(0.5)
        .record(&registry, file.clone())
        .unwrap();
    for name in (0..200).map(|n| format!("tenant:{n}")) {
        for _ in 0..3 {
            succeed(&registry, &name);
        }
    }
    let status: RecorderStatus = recorder.finish();
    assert_eq!(status.lost, 0);
    let calls = file.calls();
    let mut names: Vec<_> = calls.iter().map(|call| &call.name).collect();
    names.sort();
    names.dedup();
    assert_eq!(calls.len(), 3 * names.len());
    assert!((60..140).contains(&names.len()), "{}", names.len());
    assert!(file.text().contains("\"breakers\":0.5"));
}

#[test]
fn threads_write_every_call_once() {
    let (registry, _, builder) = setup();
    let file = File::default();
    let recorder = builder.record(&registry, file.clone()).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let users = registry.breaker(format!("users-{thread}"));
            scope.spawn(move || {
                for n in 0..2_000 {
                    let _ = users.call(|| if n % 7 == 0 { Err("down") } else { Ok(()) });
                }
            });
        }
    });
    let status = recorder.finish();
    assert_eq!(status.written + status.lost, 8_000);
    assert_eq!(file.calls().len() as u64, status.written);
}

#[test]
fn auto_traits() {
    fn assert_shared<T: Send + Sync + Unpin + std::fmt::Debug>() {}
    fn assert_unwind_safe<T: UnwindSafe + RefUnwindSafe>() {}
    fn assert_send<T: Send + std::fmt::Debug>() {}
    assert_shared::<Recorder>();
    assert_shared::<RecorderBuilder>();
    assert_shared::<RecorderStatus>();
    assert_unwind_safe::<Recorder>();
    assert_unwind_safe::<RecorderStatus>();
    assert_send::<breakerbox_replay::import::Import>();
    assert_shared::<Importer>();
    assert_shared::<breakerbox_replay::import::ImportError>();
}
