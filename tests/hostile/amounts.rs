//! A million breakers, and names of a megabyte.

use breakerbox::prelude::*;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

const MILLION: usize = 1_000_000;

/// One test at a time, so that each can measure.
static ALONE: Mutex<()> = Mutex::new(());

fn memory() -> Option<usize> {
    let pages = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: usize = pages.split_whitespace().nth(1)?.parse().ok()?;
    Some(pages * 4096)
}

/// Less than so many bytes more than before, where that can be known, and but for what the other tests
/// of this process use.
fn grew_less_than(before: Option<usize>, bytes: usize) {
    if let (Some(before), Some(after)) = (before, memory()) {
        let grown = after.saturating_sub(before);
        assert!(grown < bytes + (64 << 20), "grew by {grown} bytes");
    }
}

#[test]
fn a_million_breakers_in_one_registry() {
    let builder = BreakerRegistry::builder().capacity(MILLION);
    let registry = builder.build().unwrap();
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let before = memory();
    for n in 0..MILLION {
        let breaker = registry.breaker(n.to_string());
        if n % 100_000 == 7 {
            // Longer than the slowest machine takes for this.
            breaker.trip_for(Duration::from_secs(3600));
        }
    }
    assert_eq!(registry.len(), MILLION, "none had to go");
    grew_less_than(before, 400 * MILLION);
    let open = |n: usize| registry.breaker(n.to_string()).state() == State::Open;
    assert!(
        (0..MILLION)
            .step_by(100_000)
            .all(|n| open(n + 7) && !open(n))
    );
    assert_eq!(
        registry.iter().filter(|b| b.state() == State::Open).count(),
        10
    );
    // One more makes room, and it is no open one that goes.
    registry.breaker("one more");
    assert_eq!(registry.len(), MILLION);
    assert!((0..MILLION).step_by(100_000).all(|n| open(n + 7)));
}

#[test]
fn a_million_breakers_in_no_registry() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let before = memory();
    let breakers: Vec<_> = (0..MILLION)
        .map(|_| CircuitBreaker::builder().build().unwrap())
        .collect();
    for breaker in &breakers {
        assert!(breaker.call(|| Ok::<_, fmt::Error>(())).is_ok());
    }
    grew_less_than(before, 900 * MILLION);
}

/// Three hundred of them, of which nothing stays.
#[test]
fn names_of_a_megabyte_stay_nowhere() {
    let registry = BreakerRegistry::new();
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let before = memory();
    let mut name = "n".repeat(1 << 20);
    for n in 0..300 {
        name.truncate(1 << 20);
        name.push_str(&n.to_string());
        let ran = (|| Ok::<_, fmt::Error>(n)).with_breaker(&registry, &name);
        assert_eq!(ran.call().unwrap(), n);
        assert!(registry.get(&name).is_none());
        let refused = registry.register(&name, CircuitBreaker::builder());
        assert!(refused.unwrap_err().to_string().len() < 1_000);
    }
    assert!(registry.is_empty());
    grew_less_than(before, 8 << 20);
}
