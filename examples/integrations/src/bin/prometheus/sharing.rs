//! [`run`]: two instances of a service, which share a circuit through a store that fails at times.

use super::store::Unreliable;
use breakerbox::clock::TokioClock;
use breakerbox::prelude::*;
use breakerbox_fleet::store::Memory;
use breakerbox_fleet::{Fleet, Share};
use std::time::Duration;
use tokio::time::{Instant, sleep, sleep_until};

type Error = Box<dyn std::error::Error + Send + Sync>;

/// The circuit that is shared. All others but [`RATINGS`] stay local.
const STOCK: &str = "stock";

/// A circuit whose openings the first instance only observes.
const RATINGS: &str = "ratings";

const SECOND: Duration = Duration::from_secs(1);
const PERIOD: Duration = Duration::from_secs(10);

/// Shares a circuit of `registry` with a second instance, until the future is dropped.
///
/// Each instance would be a process of its own. Here, both report to the same series.
pub(crate) async fn run(registry: &BreakerRegistry) -> Result<(), Error> {
    let store = Memory::with_clock(TokioClock::new());
    let away = Unreliable::new(store.clone());
    let stock = CircuitBreaker::builder().recovery_timeout(SECOND);
    let here = registry.register(STOCK, stock.clone())?;
    let _ratings_here = registry.breaker(RATINGS);
    let other = BreakerRegistry::new();
    let there = other.breaker(STOCK);
    let ratings_there = other.register(RATINGS, stock)?;

    let policy = |builder: breakerbox_fleet::FleetBuilder, ratings| {
        let builder = builder.share(Share::local()).share_for(RATINGS, ratings);
        builder.share_for(STOCK, Share::always()).start()
    };
    let _fleets = [
        policy(Fleet::builder(registry, store), Share::observe())?,
        policy(Fleet::builder(&other, away.clone()), Share::always())?,
    ];
    let mut period = Instant::now();
    loop {
        sleep(SECOND / 2).await;
        // An outage of a second: the circuit opens at both instances, and one of them tries.
        fail(&here);
        fail(&ratings_there);
        recover(&here).await;
        closed(&there).await;

        // The other instance cannot reach the store. Its circuit opens before the one of the fleet
        // closes, so its trip comes too late.
        away.set_away(true);
        fail(&there);
        sleep(SECOND / 4).await;
        fail(&here);
        recover(&here).await;
        away.set_away(false);

        sleep(4 * SECOND).await;
        recover(&ratings_there).await;
        // The fleet looks after both changes.
        fail(&here);
        here.because("INC-124").reset();
        period += PERIOD;
        sleep_until(period).await;
    }
}

/// Fails until the circuit is open.
fn fail(breaker: &CircuitBreaker) {
    while let Ok(permit) = breaker.try_acquire() {
        permit.failure();
    }
}

/// Waits until the circuit is closed.
async fn closed(breaker: &CircuitBreaker) {
    while breaker.state() != State::Closed {
        sleep(SECOND / 20).await;
    }
}

/// Makes successful calls until the circuit is closed.
async fn recover(breaker: &CircuitBreaker) {
    while breaker.state() != State::Closed {
        if let Ok(permit) = breaker.try_acquire() {
            permit.success();
        }
        sleep(SECOND / 20).await;
    }
}
