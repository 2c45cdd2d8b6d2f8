//! One circuit, seen from its first call to its recovery.
//!
//! A real server is healthy, fails, hangs and recovers; a real client calls it all the while,
//! through `.with_breaker(&registry, "users-api")`. It ends in about six seconds, with an error if
//! the circuit did anything else than it should.
//!
//! ```text
//! cargo run --example quickstart
//! ```

mod client;
mod panel;
mod server;
mod tally;

use breakerbox::Event;
use breakerbox::prelude::*;
use client::{ApiError, PATIENCE, UsersApi};
use hyper::body::Bytes;
use panel::{Panel, short};
use server::{Mood, Server};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tally::{Ended, Report, Tally};
use tokio::task::JoinSet;
use tokio::time::interval;

const FAILURE_THRESHOLD: u32 = 5;
const RECOVERY_TIMEOUT: Duration = Duration::from_millis(1_500);

/// Calls come so often, whether those before have ended or not: this is what users do.
const PACE: Duration = Duration::from_millis(120);

/// A stretch of the server's life: its name, what the server does, and for how many calls.
type Phase = (&'static str, Mood, usize);

const PHASES: [Phase; 4] = [
    ("healthy", Mood::Healthy, 6),
    ("failing", Mood::Failing, 13),
    ("hanging", Mood::Hanging, 15),
    ("recovered", Mood::Healthy, 18),
];

type GuardedError = BreakerError<ApiError>;

/// The states that the circuit entered.
type States = Arc<Mutex<Vec<State>>>;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let panel = Arc::new(Panel::new());
    let states = States::default();
    let registry = BreakerRegistry::builder()
        .default_preset(
            CircuitBreaker::builder()
                .failure_threshold(FAILURE_THRESHOLD)
                .recovery_timeout(RECOVERY_TIMEOUT),
        )
        .on_change(watch(Arc::clone(&panel), Arc::clone(&states)))
        .build()?;
    let server = Server::start().await?;
    let api = UsersApi::new(server.address());

    panel.introduce(&format!(
        "GET {} through .with_breaker(&registry, \"users-api\")
opens after {FAILURE_THRESHOLD} failures in a row, lets a trial through after {RECOVERY_TIMEOUT:?}
a call fails when it takes longer than {PATIENCE:?}",
        api.uri(42),
    ));
    let mut calls = JoinSet::new();
    let mut pace = interval(PACE);
    pace.tick().await;
    for (phase, mood, count) in PHASES {
        server.turn(mood);
        panel.heading(phase, mood.describe());
        for _ in 0..count {
            calls.spawn(call(
                phase,
                api.clone(),
                registry.clone(),
                Arc::clone(&panel),
            ));
            pace.tick().await;
        }
    }
    let tally = Tally::new(calls.join_all().await);

    summarize(&panel, &registry, &tally, &server);
    let states = states.lock().unwrap_or_else(PoisonError::into_inner);
    verify(&panel, &states, &tally, &server)
}

/// The call of the application.
async fn fetch(api: &UsersApi, registry: &BreakerRegistry) -> Result<Bytes, GuardedError> {
    api.user(42).with_breaker(registry, "users-api").await
}

/// Makes the call and sees how it ends.
async fn call(
    phase: &'static str,
    api: UsersApi,
    registry: BreakerRegistry,
    panel: Arc<Panel>,
) -> Report {
    let start = Instant::now();
    let result = fetch(&api, &registry).await;
    let took = start.elapsed();
    let ended = match result {
        Ok(_) => Ended::Answered,
        Err(error) if error.is_open() => Ended::Refused,
        Err(_) => Ended::Failed,
    };
    panel.call(ended);
    Report { phase, ended, took }
}

/// A listener that shows every change of state, and remembers it.
fn watch(panel: Arc<Panel>, states: States) -> impl Fn(&Event) + Send + Sync {
    move |event| {
        if let Event::StateChanged {
            from, to, cause, ..
        } = event
        {
            panel.change(*from, *to, cause);
            let mut states = states.lock().unwrap_or_else(PoisonError::into_inner);
            states.push(*to);
        }
    }
}

fn summarize(panel: &Panel, registry: &BreakerRegistry, tally: &Tally, server: &Server) {
    let refused_meanwhile = tally.count("hanging", Ended::Refused);
    let saved = PATIENCE * u32::try_from(refused_meanwhile).unwrap_or(u32::MAX);
    let hung = tally.median("hanging", Ended::Failed);
    let refused = tally.median("hanging", Ended::Refused);

    panel.heading("summary", "what the circuit was good for");
    panel.figure("calls made", tally.calls());
    panel.figure("reached the server", server.requests());
    panel.figure("refused, so the server was spared", tally.refused());
    panel.figure("waiting saved while it hung", short(saved));
    panel.figure("a call that hung took", short(hung));
    panel.figure("a call refused meanwhile took", short(refused));
    panel.heading("snapshot", "the breaker's own view");
    panel.line(&registry.breaker("users-api").snapshot().to_string());
}

/// Checks what the library promises against what has just happened.
fn verify(panel: &Panel, states: &[State], tally: &Tally, server: &Server) -> anyhow::Result<()> {
    use State::{Closed, HalfOpen, Open};

    let healthy = tally.count("healthy", Ended::Answered) == PHASES[0].2;
    let opened = states.first() == Some(&Open)
        && tally.count("failing", Ended::Failed) == FAILURE_THRESHOLD as usize;
    let refused = tally.count("failing", Ended::Refused) > 0;
    // The phase is longer than one recovery and shorter than three.
    let one_by_one = (1..=2).contains(&tally.count("hanging", Ended::Failed));
    let reopened = states.windows(2).any(|pair| pair == [HalfOpen, Open]);
    let closed = states.ends_with(&[HalfOpen, Closed]);
    let well_again = tally.count("recovered", Ended::Answered) > 1;
    let at_once = tally.slowest_refusal() < PATIENCE / 2;
    let spared = server.requests() + tally.refused() == tally.calls();

    let promises = [
        (healthy, "answered every call while the server was healthy"),
        (opened, "opened at the fifth failure in a row"),
        (refused, "refused the calls after it"),
        (one_by_one, "let one call at a time try the hanging server"),
        (reopened, "opened again when that call hung"),
        (
            closed && well_again,
            "closed when a trial succeeded, and let all calls through",
        ),
        (at_once, "refused at once, however long the server hung"),
        (spared, "sent no refused call to the server"),
    ];
    panel.heading("promises", "checked against what has just happened");
    for (kept, promise) in promises {
        panel.check(kept, promise);
    }
    let broken = promises.iter().filter(|(kept, _)| !kept).count();
    anyhow::ensure!(broken == 0, "the circuit broke {broken} of its promises");
    Ok(())
}
