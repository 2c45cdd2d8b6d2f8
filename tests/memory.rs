//! How much memory a breaker takes, beside its name.
#![cfg(not(loom))]
#![allow(missing_docs)]

use allocation_counter::measure;
use breakerbox::prelude::*;
use std::hint::black_box;

const BREAKERS: usize = 10_000;
/// Bytes of heap a breaker in a registry, its place in the map included.
const MOST: usize = 10_000;

fn names() -> Vec<String> {
    (0..BREAKERS)
        .map(|number| format!("tenant:{number:05}"))
        .collect()
}

#[test]
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn a_breaker_with_the_default_rule_is_small() {
    let names = names();
    let name = names[0].len();
    // Registries differ by chance in how full their map's shards are; the table of the map is grown
    // by doubling, and counted apart.
    let mut registry = None;
    let info = measure(|| {
        let full = BreakerRegistry::new();
        for name in &names {
            drop(black_box(full.breaker(name)));
        }
        registry = Some(full);
    });
    let alone = measure(|| {
        let breakers: Vec<_> = names
            .iter()
            .map(|name| CircuitBreaker::builder().name(name).build())
            .collect();
        black_box(&breakers);
        std::mem::forget(breakers);
    });
    let registry = registry.expect("it was made");
    assert_eq!(registry.len(), BREAKERS);
    let each = info.bytes_current as usize / BREAKERS;
    let alone = alone.bytes_current as usize / BREAKERS;
    println!("{each} bytes a breaker in a registry, its name of {name} and the map included");
    println!("{alone} bytes a breaker outside any, with settings of its own");
    assert!(each - name <= MOST, "{each} bytes");
}
