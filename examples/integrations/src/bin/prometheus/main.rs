//! Serves the metrics of breakers as a Prometheus page, scrapes the page, and checks it.
//!
//! With an address, the program serves the page there until it is stopped. Its circuits reach every
//! state and its calls have every outcome, so that each panel of the dashboard has data. One circuit is
//! shared with a second instance.
//!
//! ```sh
//! cargo run --package breakerbox-examples --bin prometheus
//! cargo run --package breakerbox-examples --bin prometheus -- 127.0.0.1:9464
//! ```

mod page;
mod service;
mod sharing;
mod store;

use breakerbox::prelude::*;
use std::convert::Infallible;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

type Error = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    if let Some(address) = std::env::args().nth(1) {
        let listener = TcpListener::bind(address).await?;
        println!("serves http://{}/metrics", listener.local_addr()?);
        return service::run(listener).await;
    }
    let registry = BreakerRegistry::new();
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(page::serve(listener, &registry)?);

    // One dependency works, one is down, and one was switched off by a command.
    for number in 0..20 {
        let answer = async || -> Result<u32, Infallible> { Ok(number) };
        answer().with_breaker(&registry, "catalogue").await?;
        let down = async || -> Result<u32, &'static str> { Err("connection refused") };
        let _ = down().with_breaker(&registry, "payments").await;
    }
    registry.breaker("mail").because("INC-123").force_open();

    let page = scrape(address).await?;
    for line in page.lines().filter(|line| line.starts_with("breakerbox_")) {
        // The gauges of the other states are on the page too, with the value 0.
        if !line.ends_with(" 0") {
            println!("{line}");
        }
    }
    let expected = [
        r#"breakerbox_calls_total{breaker="catalogue",outcome="success"} 20"#,
        r#"breakerbox_calls_total{breaker="payments",outcome="failure"} 5"#,
        r#"breakerbox_calls_total{breaker="payments",outcome="refused"} 15"#,
        r#"breakerbox_transitions_total{breaker="payments",from="closed",to="open"} 1"#,
        r#"breakerbox_state{breaker="payments",state="open"} 1"#,
        r#"breakerbox_state{breaker="payments",state="closed"} 0"#,
        r#"breakerbox_state{breaker="mail",state="forced_open"} 1"#,
        r#"breakerbox_call_duration_seconds_count{breaker="catalogue",outcome="success"} 20"#,
    ];
    for line in expected {
        if !page.lines().any(|other| other == line) {
            return Err(format!("not on the page: {line}\n{page}").into());
        }
    }
    println!(
        "{} series on the page",
        page.lines()
            .filter(|line| line.starts_with("breakerbox_"))
            .count()
    );
    Ok(())
}

/// Sends a plain GET request, as a scraper does.
async fn scrape(address: SocketAddr) -> Result<String, Error> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET /metrics HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    let (head, body) = answer
        .split_once("\r\n\r\n")
        .ok_or("not an HTTP response")?;
    if !head.starts_with("HTTP/1.1 200") {
        return Err(format!("the answer was {head}").into());
    }
    Ok(body.to_owned())
}
