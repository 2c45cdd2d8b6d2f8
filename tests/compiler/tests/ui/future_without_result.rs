//! A future whose output is not a `Result`.

use breakerbox::prelude::*;

async fn temperature() -> f32 {
    21.5
}

async fn guarded(registry: &BreakerRegistry) {
    let _ = temperature().with_breaker(registry, "thermometer").await;
}

fn main() {
    drop(guarded(&BreakerRegistry::new()));
}
