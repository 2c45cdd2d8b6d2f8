//! A fallback whose output differs from that of the guarded future.

use breakerbox::prelude::*;

async fn fetch() -> Result<String, std::io::Error> {
    Ok(String::new())
}

async fn guarded(registry: &BreakerRegistry) {
    let fetch = fetch().with_breaker(registry, "users-api");
    let _ = fetch.fallback(|_open| async { "from the cache" }).await;
}

fn main() {
    drop(guarded(&BreakerRegistry::new()));
}
