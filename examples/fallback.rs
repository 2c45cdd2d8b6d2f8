//! Returns a fallback while the circuit is open.
//!
//! ```text
//! cargo run --example fallback
//! ```

use breakerbox::prelude::*;
use std::io;

async fn price(item: u32) -> io::Result<u32> {
    match item {
        0 => Err(io::ErrorKind::TimedOut.into()),
        item => Ok(100 + item),
    }
}

async fn default_price(item: u32) -> io::Result<u32> {
    Ok(90 + item)
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let registry = BreakerRegistry::new();

    // The fallback of a function takes the arguments of the call. With a fallback there is no
    // refusal to report, so the error type is the function's own.
    let price_or_default = price
        .with_breaker(&registry, "prices")
        .fallback(default_price);
    assert_eq!(price_or_default.call(5).await?, 105);

    // Errors do not run the fallback, not even the error that opens the circuit.
    for _ in 0..5 {
        let error = price_or_default.call(0).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }
    assert_eq!(price_or_default.call(5).await?, 95);
    println!("from the fallback: {}", price_or_default.call(5).await?);

    // The fallback of a future takes the refusal.
    let text = async { io::Result::Ok(price(5).await?.to_string()) }
        .with_breaker(&registry, "prices")
        .fallback(|open: CircuitOpen| async move { Ok(format!("no price: {open}")) })
        .await?;
    println!("{text}");
    assert!(text.starts_with("no price: circuit \"prices\" is open"));
    Ok(())
}
