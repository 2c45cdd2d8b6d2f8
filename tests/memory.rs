//! The memory that a breaker takes.
#![cfg(not(loom))]
#![allow(missing_docs)]

use allocation_counter::measure;
use breakerbox::prelude::*;

const BREAKERS: usize = 10_000;

/// The most heap bytes for a breaker that was created by use, without its name: the breaker, its
/// default rule, and its entries in the map and in the eviction pool.
///
/// The goal is 256. The bound allows 40 more, because the share of the map depends on the load of
/// its shards, and so on the hashes and the number of processors.
const MAX_BYTES: usize = 296;

#[test]
fn breaker_with_default_rule_is_small() {
    let names: Vec<_> = (0..BREAKERS)
        .map(|number| format!("tenant:{number:05}"))
        .collect();
    let mut kept = None;
    let info = measure(|| {
        let registry = BreakerRegistry::new();
        for name in &names {
            drop(registry.breaker(name));
        }
        kept = Some(registry);
    });
    let registry = kept.expect("the closure ran");
    assert_eq!(registry.len(), BREAKERS, "every breaker is kept");
    let bytes = usize::try_from(info.bytes_current).expect("more allocated than freed");
    let per_breaker = bytes / BREAKERS - names[0].len();
    println!("{per_breaker} bytes per breaker, without its name");
    assert!(per_breaker <= MAX_BYTES, "{per_breaker} bytes per breaker");
}
