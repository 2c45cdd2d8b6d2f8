//! Tests a recovery timeout of 30 seconds without waiting, with a private registry and a manual
//! clock.
//!
//! ```text
//! cargo run --example testing_with_manual_clock
//! ```

use breakerbox::clock::ManualClock;
use breakerbox::prelude::*;
use std::io;
use std::time::Duration;

/// The code under test. It takes the registry as an argument, so that a test can pass its own.
async fn load(
    registry: &BreakerRegistry,
    up: bool,
) -> Result<&'static str, BreakerError<io::Error>> {
    let request = async {
        if up {
            Ok("page")
        } else {
            Err(io::ErrorKind::ConnectionReset.into())
        }
    };
    request.with_breaker(registry, "pages").await
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let clock = ManualClock::new();
    let registry = BreakerRegistry::builder().clock(clock.clone()).build()?;

    for _ in 0..5 {
        assert!(load(&registry, false).await.is_err());
    }
    let refused = load(&registry, true).await.unwrap_err();
    println!("{refused}");
    assert_eq!(refused.retry_after(), Some(Duration::from_secs(30)));

    let pages = registry.breaker("pages");
    clock.advance(Duration::from_secs(29));
    assert_eq!(pages.state(), State::Open);
    clock.advance(Duration::from_secs(1));
    assert_eq!(pages.state(), State::HalfOpen);

    assert_eq!(load(&registry, true).await?, "page");
    assert_eq!(pages.state(), State::Closed);
    println!(
        "{} again, half a minute later, and the test took no time",
        pages.state()
    );
    Ok(())
}
