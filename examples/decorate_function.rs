//! Guards functions and closures: each is wrapped once, and then called as often as needed.
//!
//! ```text
//! cargo run --example decorate_function
//! ```

use breakerbox::prelude::*;
use std::io;

async fn fetch_user(id: u64) -> io::Result<String> {
    match id {
        0 => Err(io::ErrorKind::ConnectionRefused.into()),
        id => Ok(format!("user {id}")),
    }
}

/// Functions that are not async work too. A guarded function returns a `Result`.
fn parse(text: &str, radix: u32) -> Result<u32, std::num::ParseIntError> {
    u32::from_str_radix(text, radix)
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let registry = BreakerRegistry::new();

    let fetch_user = fetch_user.with_breaker(&registry, "users");
    println!("{}", fetch_user.call(42).await?);

    // By default, five consecutive failures open the circuit.
    for _ in 0..5 {
        let error = fetch_user.call(0).await.unwrap_err();
        assert!(!error.is_open(), "the function itself failed");
    }
    let refused = fetch_user.call(42).await.unwrap_err();
    println!("{refused}");
    assert!(refused.is_open());

    // Each name has its own circuit.
    let parse = parse.with_breaker(&registry, "parser");
    assert_eq!(parse.call("ff", 16)?, 255);

    // A closure may capture its environment.
    let greeting = "hello".to_owned();
    let greet = async |name: &str| io::Result::Ok(format!("{greeting}, {name}"));
    let greet = greet.with_breaker(&registry, "greeter");
    assert_eq!(greet.call("Ada").await?, "hello, Ada");
    Ok(())
}
