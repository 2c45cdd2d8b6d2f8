//! Presets: types that hold the settings of several breakers.
//!
//! ```text
//! cargo run --example presets
//! ```

use breakerbox::prelude::*;
use std::io;
use std::time::Duration;

struct Payments;

impl Preset for Payments {
    const FAILURE_THRESHOLD: u32 = 10;
    const RECOVERY_TIMEOUT: Duration = Duration::from_secs(60);

    fn customize(builder: BreakerBuilder) -> BreakerBuilder {
        builder.expected_error::<io::Error>()
    }
}

struct HttpHost;

impl Preset for HttpHost {
    const FAILURE_THRESHOLD: u32 = 3;
}

fn main() -> anyhow::Result<()> {
    let registry = BreakerRegistry::builder()
        // Applies to every breaker whose name has this prefix.
        .preset_for("http:", HttpHost::preset())
        .build()?;

    // Registers two breakers by name. `preset()` returns a builder, which can be adjusted.
    registry.register("payments", Payments::preset())?;
    registry.register("refunds", Payments::preset().failure_threshold(2))?;

    for (name, threshold) in [
        ("payments", 10),
        ("refunds", 2),
        ("http:example.org", 3),
        ("else", 5),
    ] {
        let breaker = registry.breaker(name);
        let mut failures = 0;
        while breaker.state() == State::Closed {
            let _ = breaker.call(|| Err::<(), _>(io::Error::other("down")));
            failures += 1;
        }
        println!("{name} opened after {failures} failures");
        assert_eq!(failures, threshold);
    }

    // Registering a name again is an error.
    let error = registry
        .register("payments", HttpHost::preset())
        .unwrap_err();
    println!("{error}");
    Ok(())
}
