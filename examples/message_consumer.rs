//! A queue consumer that waits while its dependency is down, instead of taking messages that would
//! be refused.
//!
//! ```text
//! cargo run --example message_consumer
//! ```

use breakerbox::prelude::*;
use std::io;
use std::sync::Mutex;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tokio::time::sleep;

const MESSAGES: u32 = 40;
const OUTAGE: std::ops::Range<Duration> = Duration::from_millis(200)..Duration::from_secs(1);

/// The store that the consumer writes to. Writes fail during the outage.
struct Store {
    begun: Instant,
    messages: Mutex<Vec<u32>>,
}

impl Store {
    fn insert(&self, message: u32) -> io::Result<()> {
        if OUTAGE.contains(&self.begun.elapsed()) {
            return Err(io::ErrorKind::ConnectionRefused.into());
        }
        self.messages.lock().expect("no panic").push(message);
        Ok(())
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let begun = Instant::now();
    let breaker = CircuitBreaker::builder()
        .name("store")
        .failure_threshold(3)
        .recovery_backoff(
            Backoff::exponential(Duration::from_millis(100)).max(Duration::from_millis(400)),
        )
        .on_change(move |event| {
            if let Event::StateChanged {
                from, to, cause, ..
            } = event
            {
                let at = begun.elapsed().as_millis();
                println!("{at:>5} ms  {from} -> {to}: {cause}");
            }
        })
        .build()?;
    let store = Store {
        begun,
        messages: Mutex::default(),
    };

    // The queue is short, so that the producer waits while the consumer waits.
    let (queue, inbox) = mpsc::channel(8);
    tokio::spawn(async move {
        for message in 0..MESSAGES {
            sleep(Duration::from_millis(20)).await;
            if queue.send(message).await.is_err() {
                return;
            }
        }
    });
    consume(inbox, &breaker, &store).await;

    let totals = breaker.snapshot().totals;
    let stored = store.messages.into_inner()?;
    println!(
        "all {} messages were stored in order; {} calls failed, {} were refused",
        stored.len(),
        totals.failure,
        totals.refused
    );
    assert!(
        stored.into_iter().eq(0..MESSAGES),
        "a message was lost or reordered"
    );
    // Three failures open the circuit. Failing trials follow after 100, 200 and 400 ms.
    assert!(
        (3..=6).contains(&totals.failure),
        "the consumer did not wait"
    );
    assert_eq!(totals.refused, 0);
    assert_eq!(breaker.state(), State::Closed);
    Ok(())
}

async fn consume(mut inbox: mpsc::Receiver<u32>, breaker: &CircuitBreaker, store: &Store) {
    while let Some(message) = inbox.recv().await {
        // Receive the message before acquiring the permit: a permit that is held while waiting for
        // a message could occupy the only trial of a half-open circuit. A failed message is
        // tried again.
        loop {
            let permit = breaker.until_ready().await;
            let result = store.insert(message);
            permit.record_result(&result);
            if result.is_ok() {
                break;
            }
        }
    }
}
