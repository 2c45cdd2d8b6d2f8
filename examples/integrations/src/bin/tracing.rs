//! Logs an outage with `tracing`.
//!
//! Each state change is one event, in the span of the request that caused it. Calls are only logged
//! if enabled, at level trace.
//!
//! ```sh
//! cargo run --package breakerbox-examples --bin tracing
//! ```

use breakerbox::clock::ManualClock;
use breakerbox::prelude::*;
use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, fmt, reload};

/// Writes to standard output, and keeps a copy for the checks at the end.
#[derive(Clone, Default)]
struct Tee(Arc<Mutex<Vec<u8>>>);

impl Write for Tee {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("no panic").extend_from_slice(bytes);
        io::stdout().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stdout().flush()
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let out = Tee::default();
    let writer = out.clone();
    let (filter, reload) = reload::Layer::new(EnvFilter::new("info"));
    tracing_subscriber::registry()
        .with(filter)
        .with(
            fmt::layer()
                .without_time()
                .with_ansi(false)
                .with_writer(move || writer.clone()),
        )
        .init();

    let clock = ManualClock::new();
    let rule = TripRule::failure_rate(0.5)
        .over(Window::calls(10))
        .minimum_calls(4);
    let registry = BreakerRegistry::builder()
        .default_preset(CircuitBreaker::builder().trip_when(rule))
        .clock(clock.clone())
        .build()?;
    breakerbox::tracing::install(&registry);

    let users = registry.breaker("users-api");
    let request = |id: u32, answer: Result<(), &'static str>| {
        let _in = tracing::info_span!("request", id).entered();
        let _ = users.call(|| answer);
    };
    request(1, Ok(()));
    for id in 2..=5 {
        request(id, Err("connection refused"));
    }
    // The log of calls can be enabled while the process runs.
    breakerbox::tracing::builder()
        .calls(true)
        .install(&registry);
    reload.reload(EnvFilter::new("info,breakerbox=trace"))?;
    request(6, Ok(()));
    clock.advance(Duration::from_secs(30));
    request(7, Ok(()));
    request(8, Ok(()));

    let text = String::from_utf8(out.0.lock().expect("no panic").clone())?;
    let lines = |what: &str| text.lines().filter(|line| line.contains(what)).count();
    assert_eq!(lines("circuit opened"), 1);
    assert_eq!(lines("call refused"), 1);
    assert_eq!(
        lines("call recorded"),
        2,
        "only the calls after the log of calls was enabled"
    );
    assert_eq!(lines("circuit closed"), 1);
    println!("{} lines for 8 requests", text.lines().count());
    Ok(())
}
