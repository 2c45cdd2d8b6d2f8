//! Guards blocking code, over real TCP and without an async runtime.
//!
//! ```text
//! cargo run --example sync_no_runtime
//! ```

use breakerbox::prelude::*;
use std::io::{self, Read};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;

/// Reads a greeting from a server.
fn greeting(server: SocketAddr) -> io::Result<String> {
    let mut text = String::new();
    TcpStream::connect(server)?.read_to_string(&mut text)?;
    Ok(text)
}

fn main() -> anyhow::Result<()> {
    let registry = BreakerRegistry::new();
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    let server = listener.local_addr()?;
    let greeting = greeting.with_breaker(&registry, "greeter");

    let answer = thread::spawn(move || -> io::Result<()> {
        let (mut client, _) = listener.accept()?;
        io::Write::write_all(&mut client, b"hello")
        // The listener is dropped here, so later connections are refused.
    });
    assert_eq!(greeting.call(server)?, "hello");
    answer.join().expect("the server does not panic")?;

    for attempt in 1..=5 {
        let error = greeting.call(server).unwrap_err();
        println!("call {attempt}: {error}");
        assert!(!error.is_open());
    }
    let refused = greeting.call(server).unwrap_err();
    println!("call 6: {refused:#}");
    assert!(refused.is_open());
    Ok(())
}
