//! How much memory a breaker takes, beside its name.
#![cfg(not(loom))]
#![allow(missing_docs)]

use allocation_counter::measure;
use breakerbox::prelude::*;

const BREAKERS: usize = 10_000;

/// Bytes of heap for a breaker that a registry made by use, beside its name: the breaker itself,
/// its default rule, its places in the map and in the eviction pool.
///
/// The goal is 256. The map's share depends by chance, and on the number of processors, on how full
/// its parts are; the bound leaves 40 bytes for that.
const MOST: usize = 296;

#[test]
fn a_breaker_with_the_default_rule_is_small() {
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
    let registry = kept.expect("it was made");
    assert_eq!(registry.len(), BREAKERS, "all of them were kept");
    let bytes = usize::try_from(info.bytes_current).expect("more allocated than freed");
    let each = bytes / BREAKERS - names[0].len();
    println!("{each} bytes a breaker, beside its name");
    assert!(each <= MOST, "{each} bytes a breaker");
}
