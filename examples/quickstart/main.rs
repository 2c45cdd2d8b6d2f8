//! One circuit, from its first call to its recovery.
//!
//! A real HTTP server is healthy, fails, hangs and recovers, while a real client calls it through
//! `.with_breaker(&registry, "users-api")`. The program takes about six seconds, and returns an error
//! if the circuit breaks one of its promises.
//!
//! ```text
//! cargo run --example quickstart
//! ```

mod client;
mod screen;
mod server;
mod tally;

use breakerbox::Event;
use breakerbox::prelude::*;
use client::{ApiError, CALL_TIMEOUT, UsersApi};
use hyper::body::Bytes;
use screen::{Screen, short};
use server::{Behaviour, Server};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tally::{Ended, Report, Tally};
use tokio::task::JoinSet;
use tokio::time::interval;

const FAILURE_THRESHOLD: u32 = 5;
const RECOVERY_TIMEOUT: Duration = Duration::from_millis(1_500);

/// The time between two calls. A call does not wait for earlier calls, just as users do not wait for
/// each other.
const INTERVAL: Duration = Duration::from_millis(120);

/// A phase of the run: its name, the behaviour of the server, and the number of calls.
type Phase = (&'static str, Behaviour, usize);

const PHASES: [Phase; 4] = [
    ("healthy", Behaviour::Healthy, 7),
    ("failing", Behaviour::Failing, 13),
    ("hanging", Behaviour::Hanging, 15),
    ("recovered", Behaviour::Healthy, 18),
];

type GuardedError = BreakerError<ApiError>;

/// The states that the circuit entered.
type States = Arc<Mutex<Vec<State>>>;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let screen = Arc::new(Screen::new());
    let states = States::default();
    let registry = BreakerRegistry::builder()
        .default_preset(
            CircuitBreaker::builder()
                .failure_threshold(FAILURE_THRESHOLD)
                .recovery_timeout(RECOVERY_TIMEOUT),
        )
        .on_change(watch(Arc::clone(&screen), Arc::clone(&states)))
        .build()?;
    let server = Server::start().await?;
    let api = UsersApi::new(server.address());

    screen.line(&format!(
        "GET {} through .with_breaker(&registry, \"users-api\")
opens after {FAILURE_THRESHOLD} consecutive failures, admits a trial after {RECOVERY_TIMEOUT:?}
a call fails after {CALL_TIMEOUT:?}",
        api.uri(42),
    ));
    let users = registry.breaker("users-api");
    let mut calls = JoinSet::new();
    let mut ticks = interval(INTERVAL);
    ticks.tick().await;
    for (phase, behaviour, count) in PHASES {
        server.set_behaviour(behaviour);
        screen.heading(phase, behaviour.describe());
        for _ in 0..count {
            let start = calls.len();
            let call = call(
                phase,
                users.state(),
                api.clone(),
                registry.clone(),
                Arc::clone(&screen),
            );
            calls.spawn(async move { (start, call.await) });
            ticks.tick().await;
        }
    }
    let mut reports = calls.join_all().await;
    reports.sort_unstable_by_key(|(start, _)| *start);
    let tally = Tally::new(reports.into_iter().map(|(_, report)| report).collect());

    summarize(&screen, &tally, &server);
    let states = states.lock().unwrap_or_else(PoisonError::into_inner);
    verify(&screen, &states, &tally, &server)
}

/// The guarded call of the application.
async fn fetch(api: &UsersApi, registry: &BreakerRegistry) -> Result<Bytes, GuardedError> {
    api.user(42).with_breaker(registry, "users-api").await
}

/// Makes the call and reports how it ended.
async fn call(
    phase: &'static str,
    state: State,
    api: UsersApi,
    registry: BreakerRegistry,
    screen: Arc<Screen>,
) -> Report {
    let start = Instant::now();
    let result = fetch(&api, &registry).await;
    let took = start.elapsed();
    let ended = match result {
        Ok(_) => Ended::Answered,
        Err(error) if error.is_open() => Ended::Refused,
        Err(_) => Ended::Failed,
    };
    screen.call(ended);
    Report {
        phase,
        state,
        ended,
        took,
    }
}

/// Returns a listener that prints and records every state change.
fn watch(screen: Arc<Screen>, states: States) -> impl Fn(&Event) + Send + Sync {
    move |event| {
        if let Event::StateChanged {
            from, to, cause, ..
        } = event
        {
            screen.change(*from, *to, cause);
            let mut states = states.lock().unwrap_or_else(PoisonError::into_inner);
            states.push(*to);
        }
    }
}

fn summarize(screen: &Screen, tally: &Tally, server: &Server) {
    screen.heading("timeline", "one column for each call");
    screen.timeline(tally.reports());
    screen.line(&format!(
        "  {} of {} calls reached the server, {} were refused",
        server.requests(),
        tally.calls(),
        tally.refused(),
    ));
    screen.line(&format!(
        "  failed calls took up to {}, refused calls {} (median)",
        short(tally.slowest(Ended::Failed)),
        short(tally.median(Ended::Refused)),
    ));
}

/// Checks the promises of the library against the run.
fn verify(screen: &Screen, states: &[State], tally: &Tally, server: &Server) -> anyhow::Result<()> {
    use State::{Closed, HalfOpen, Open};

    let healthy = tally.count("healthy", Ended::Answered) == PHASES[0].2;
    let opened = states.first() == Some(&Open)
        && tally.count("failing", Ended::Failed) == FAILURE_THRESHOLD as usize;
    let refused = tally.count("failing", Ended::Refused) > 0;
    // The phase is longer than one recovery timeout and shorter than three.
    let one_trial = (1..=2).contains(&tally.count("hanging", Ended::Failed));
    let reopened = states.windows(2).any(|pair| pair == [HalfOpen, Open]);
    let closed =
        states.ends_with(&[HalfOpen, Closed]) && tally.count("recovered", Ended::Answered) > 1;
    let immediate = tally.slowest(Ended::Refused) < CALL_TIMEOUT / 2;
    let spared = server.requests() + tally.refused() == tally.calls();

    let promises = [
        (healthy, "answered every call while the server was healthy"),
        (opened, "opened at the fifth consecutive failure"),
        (refused, "refused the calls after it"),
        (one_trial, "let one call at a time try the hanging server"),
        (reopened, "opened again when that call timed out"),
        (
            closed,
            "closed when a trial succeeded, and admitted all calls",
        ),
        (
            immediate,
            "refused calls immediately, even while the server hung",
        ),
        (spared, "sent no refused call to the server"),
    ];
    screen.heading("promises", "checked against this run");
    for (kept, promise) in promises {
        screen.check(kept, promise);
    }
    let broken = promises.iter().filter(|(kept, _)| !kept).count();
    anyhow::ensure!(broken == 0, "the circuit broke {broken} of its promises");
    Ok(())
}
