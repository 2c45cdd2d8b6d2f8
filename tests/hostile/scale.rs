//! A million breakers, and names of a megabyte, with limits on the memory of the process.

use breakerbox::prelude::*;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

const MILLION: usize = 1_000_000;

/// Serializes the tests, because each one measures the memory of the process.
static MEASURING: Mutex<()> = Mutex::new(());

/// Returns the resident memory of this process, where the system reports it.
fn resident_memory() -> Option<usize> {
    let pages = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: usize = pages.split_whitespace().nth(1)?.parse().ok()?;
    Some(pages * 4096)
}

/// Asserts that memory grew by less than `bytes`, plus 64 MiB for the other tests of this process.
fn assert_grew_less_than(before: Option<usize>, bytes: usize) {
    if let (Some(before), Some(after)) = (before, resident_memory()) {
        let grown = after.saturating_sub(before);
        assert!(grown < bytes + (64 << 20), "grew by {grown} bytes");
    }
}

#[test]
fn million_breakers_fit_in_one_registry() {
    let builder = BreakerRegistry::builder().capacity(MILLION);
    let registry = builder.build().unwrap();
    let _measuring = MEASURING.lock().unwrap_or_else(PoisonError::into_inner);
    let before = resident_memory();
    for n in 0..MILLION {
        let breaker = registry.breaker(n.to_string());
        if n % 100_000 == 7 {
            // Longer than the test can take, so the circuit stays open.
            breaker.trip_for(Duration::from_secs(86_400));
        }
    }
    assert_eq!(registry.len(), MILLION, "no breaker was evicted");
    assert_grew_less_than(before, 400 * MILLION);
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
    // One more name evicts a breaker, but not an open one.
    registry.breaker("one more");
    assert_eq!(registry.len(), MILLION);
    assert!((0..MILLION).step_by(100_000).all(|n| open(n + 7)));
}

#[test]
fn million_breakers_work_without_registry() {
    let _measuring = MEASURING.lock().unwrap_or_else(PoisonError::into_inner);
    let before = resident_memory();
    let breakers: Vec<_> = (0..MILLION)
        .map(|_| CircuitBreaker::builder().build().unwrap())
        .collect();
    for breaker in &breakers {
        assert!(breaker.call(|| Ok::<_, fmt::Error>(())).is_ok());
    }
    assert_grew_less_than(before, 900 * MILLION);
}

#[test]
fn megabyte_names_are_not_stored() {
    let registry = BreakerRegistry::new();
    let _measuring = MEASURING.lock().unwrap_or_else(PoisonError::into_inner);
    let before = resident_memory();
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
    assert_grew_less_than(before, 8 << 20);
}
