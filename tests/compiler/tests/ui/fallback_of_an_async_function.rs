//! A fallback whose output differs from that of the guarded function.

use breakerbox::prelude::*;

async fn fetch(id: u64) -> Result<String, std::io::Error> {
    Ok(id.to_string())
}

async fn cached(_id: u64) -> Option<String> {
    None
}

async fn guarded(registry: &BreakerRegistry) {
    let fetch = fetch.with_breaker(registry, "users-api").fallback(cached);
    let _ = fetch.call(42).await;
}

fn main() {
    drop(guarded(&BreakerRegistry::new()));
}
