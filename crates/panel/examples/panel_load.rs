//! Prints what a panel over 10,000 breakers costs, with 0 to 32 open streams, on Linux.
//!
//! ```text
//! cargo run --release --package breakerbox-panel --example panel_load
//! ```

use breakerbox::{BreakerRegistry, CircuitBreaker};
use breakerbox_panel::Panel;
use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tower::ServiceExt;

const BREAKERS: usize = 10_000;
const TIME: Duration = Duration::from_secs(10);

/// The nanoseconds that this thread has run, on Linux.
fn processor_time() -> u64 {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let time = stat
        .split_whitespace()
        .next()
        .and_then(|time| time.parse().ok());
    time.unwrap_or(0)
}

/// The resident memory of the process in KiB, on Linux.
fn memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let words = line.unwrap_or_default().split_whitespace().next();
    words.and_then(|number| number.parse().ok()).unwrap_or(0)
}

/// Calls on all breakers, of which some open and close, until `stop`.
fn traffic(breakers: &[CircuitBreaker], stop: &AtomicBool) {
    let mut round = 0_usize;
    while !stop.load(Ordering::Relaxed) {
        for (at, breaker) in breakers.iter().enumerate() {
            let _ = breaker.call(|| if at % 50 == 0 { Err("failed") } else { Ok(()) });
        }
        // Twenty changes a second.
        for change in 0..10 {
            let breaker = &breakers[(round * 10 + change) * 37 % breakers.len()];
            breaker.trip();
            breaker.reset();
        }
        round += 1;
        std::thread::sleep(Duration::from_secs(1));
    }
}

async fn read(panel: Panel, query: String, frames: Arc<AtomicU64>, bytes: Arc<AtomicU64>) {
    let request = Request::get(format!("/api/v1/stream?{query}")).header("host", "localhost");
    let request = request.body(Full::<Bytes>::default()).expect("a request");
    let mut body = panel
        .oneshot(request)
        .await
        .expect("infallible")
        .into_body();
    while let Some(Ok(frame)) = body.frame().await {
        let length = frame.data_ref().map_or(0, Bytes::len);
        frames.fetch_add(1, Ordering::Relaxed);
        bytes.fetch_add(u64::try_from(length).unwrap_or(0), Ordering::Relaxed);
    }
}

/// The nanoseconds of a healthy call: the best of many batches.
fn healthy_call(breaker: &CircuitBreaker) -> f64 {
    let batches = (0..200).map(|_| {
        let begun = Instant::now();
        for _ in 0..10_000 {
            let _ = black_box(breaker.call(|| Ok::<_, ()>(black_box(1))));
        }
        begun.elapsed().as_secs_f64() * 1e9 / 10_000.0
    });
    batches.fold(f64::INFINITY, f64::min)
}

fn main() {
    let registry = BreakerRegistry::new();
    let breakers: Vec<_> = (0..BREAKERS)
        .map(|number| registry.breaker(format!("service-{}/endpoint-{number}", number % 100)))
        .collect();
    // Called by one thread only: contention between callers would differ from run to run.
    let calm = registry.breaker("calm");
    let stop = AtomicBool::new(false);
    let sorts = [
        "name", "-name", "state", "-state", "-since", "-failing", "-refused", "failing",
    ];
    let filters = |count: usize| {
        (0..count).map(move |at| {
            let part = if at < 8 {
                String::new()
            } else {
                format!("service-{at}")
            };
            format!("sort={}&q={part}", sorts[at % 8])
        })
    };
    std::thread::scope(|scope| {
        scope.spawn(|| traffic(&breakers, &stop));
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        let runtime = runtime.expect("a runtime");
        let before = memory();
        let panel = {
            let _guard = runtime.enter();
            Panel::new(&registry)
        };
        for streams in [0, 1, 8, 32] {
            runtime.block_on(async {
                let (frames, bytes) = (Arc::default(), Arc::default());
                let clients: Vec<_> = filters(streams)
                    .map(|query| tokio::spawn(read(panel.clone(), query, Arc::clone(&frames), Arc::clone(&bytes))))
                    .collect();
                // The first views are not part of the figures.
                tokio::time::sleep(Duration::from_secs(3)).await;
                frames.store(0, Ordering::Relaxed);
                bytes.store(0, Ordering::Relaxed);
                let (begun, used) = (Instant::now(), processor_time());
                tokio::time::sleep(TIME).await;
                #[allow(clippy::cast_precision_loss)]
                let share = (processor_time() - used) as f64 / begun.elapsed().as_nanos() as f64;
                println!(
                    "{streams} streams: {:.2} % of a core, {} frames, {} KiB/s, {} KiB resident (+{})",
                    share * 100.0,
                    frames.load(Ordering::Relaxed),
                    bytes.load(Ordering::Relaxed) / 1024 / TIME.as_secs(),
                    memory(),
                    memory().saturating_sub(before),
                );
                let calm = calm.clone();
                let timed = tokio::task::spawn_blocking(move || healthy_call(&calm));
                println!("    healthy call: {:.2} ns", timed.await.expect("no panic"));
                clients.iter().for_each(tokio::task::JoinHandle::abort);
            });
        }
        stop.store(true, Ordering::Relaxed);
    });
}
