//! `serve`: the panel alone, its bounds and its shutdown.

use breakerbox::{BreakerRegistry, State};
use breakerbox_panel::{Actor, Controls, Panel, ServeError, Server, serve, serve_on};
use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

struct Running {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    server: JoinHandle<Result<(), ServeError>>,
}

async fn run(server: Server) -> Running {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound");
    let (stop, stopped) = oneshot::channel();
    let server = server.shutdown(async { drop(stopped.await) });
    Running {
        address,
        stop,
        server: tokio::spawn(serve_on(listener, server)),
    }
}

/// Sends bytes, and reads until the answer contains `until` or the connection ends.
async fn talk(address: SocketAddr, request: &str, until: &str) -> (String, TcpStream) {
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    stream.write_all(request.as_bytes()).await.expect("sent");
    let (mut read, mut buffer) = (Vec::new(), vec![0; 65_536]);
    loop {
        let count = stream.read(&mut buffer).await.expect("read");
        read.extend_from_slice(&buffer[..count]);
        let text = String::from_utf8_lossy(&read).into_owned();
        if count == 0 || text.contains(until) {
            return (text, stream);
        }
    }
}

#[tokio::test]
async fn server_answers_and_takes_local_commands() {
    let registry = BreakerRegistry::new();
    let users = registry.breaker("users");
    let server = Panel::builder().instance("web-1").server(&registry);
    let running = run(server.local_controls(Controls::TRIP)).await;
    let host = running.address;
    let get = format!("GET /api/v1/breakers HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
    let (answer, _) = talk(host, &get, "\u{0}").await;
    assert!(
        answer.starts_with("HTTP/1.1 200") && answer.contains(r#""controls":["trip"]"#),
        "{answer}"
    );
    let body = r#"{"name":"users","command":"trip","reason":"INC-1","instance":"web-1"}"#;
    let post = format!(
        "POST /api/v1/commands HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\ncontent-length: {}\r\n\
         content-type: application/json\r\nx-breakerbox-panel: 1\r\n\r\n{body}",
        body.len(),
    );
    let (answer, _) = talk(host, &post, "\u{0}").await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert_eq!(users.state(), State::Open);
    let cause = users.snapshot().cause.expect("a cause").to_string();
    assert_eq!(cause, "a command by local by panel: INC-1");
    running.stop.send(()).expect("running");
    running.server.await.expect("no panic").expect("no error");
}

#[tokio::test]
async fn shutdown_ends_streams() {
    let registry = BreakerRegistry::new();
    let running = run(Panel::builder().server(&registry)).await;
    let host = running.address;
    let get = format!("GET /api/v1/stream HTTP/1.1\r\nhost: {host}\r\n\r\n");
    let (_, mut stream) = talk(host, &get, "event: view").await;
    running.stop.send(()).expect("running");
    let mut rest = String::new();
    stream.read_to_string(&mut rest).await.expect("the rest");
    assert!(rest.contains("event: bye"), "{rest}");
    running.server.await.expect("no panic").expect("no error");
    assert!(TcpStream::connect(host).await.is_err(), "the port is free");
}

#[tokio::test]
async fn public_address_needs_authorize() {
    let registry = BreakerRegistry::new();
    let refused = serve("0.0.0.0:0", Panel::builder().server(&registry)).await;
    assert!(
        matches!(refused, Err(ServeError::NotLoopback(_))),
        "{refused:?}"
    );
    let local = Panel::builder()
        .server(&registry)
        .local_controls(Controls::RESET);
    let refused = serve("0.0.0.0:0", local).await;
    assert!(refused.is_err_and(|error| error.to_string().contains("`authorize`")));
    let builder = Panel::builder().controls(Controls::RESET);
    let refused = serve("127.0.0.1:0", builder.server(&registry)).await;
    assert!(matches!(refused, Err(ServeError::Build(_))), "{refused:?}");
    let builder = Panel::builder().controls(Controls::DISABLE);
    let both = builder.server(&registry).local_controls(Controls::RESET);
    let refused = serve("127.0.0.1:0", both).await;
    assert!(matches!(refused, Err(ServeError::Build(_))), "{refused:?}");
    let taken = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = taken.local_addr().expect("bound");
    let refused = serve(address, Panel::builder().server(&registry)).await;
    assert!(matches!(refused, Err(ServeError::Listen(_))), "{refused:?}");
    let open = Panel::builder()
        .authorize(|_, _| Ok(Actor::anonymous()))
        .server(&registry);
    let served = serve("0.0.0.0:0", open.shutdown(std::future::ready(()))).await;
    assert!(served.is_ok(), "{served:?}");
}

#[tokio::test]
async fn local_controls_need_check_of_hosts() {
    let registry = BreakerRegistry::new();
    let open = Panel::builder().any_host().server(&registry);
    let refused = serve("127.0.0.1:0", open.local_controls(Controls::RESET)).await;
    assert!(refused.is_err_and(|error| error.to_string().contains("`any_host`")));
    let authorized = Panel::builder()
        .any_host()
        .authorize(|_, _| Ok(Actor::anonymous()))
        .server(&registry)
        .local_controls(Controls::RESET);
    let served = serve("127.0.0.1:0", authorized.shutdown(std::future::ready(()))).await;
    assert!(served.is_ok(), "{served:?}");
}

#[tokio::test(start_paused = true)]
async fn connection_without_request_is_closed() {
    let registry = BreakerRegistry::new();
    let running = run(Panel::builder().server(&registry)).await;
    for begun in ["", "PRI * HTTP/2.0\r\n", "GET / HTTP/1.1\r\nhost"] {
        let mut stream = TcpStream::connect(running.address)
            .await
            .expect("a connection");
        stream.write_all(begun.as_bytes()).await.expect("sent");
        let mut rest = Vec::new();
        let read = stream.read_to_end(&mut rest);
        let ended = tokio::time::timeout(Duration::from_secs(60), read).await;
        assert!(ended.is_ok(), "{begun:?}");
    }
}

/// Sends a request over a connection that is then closed for writing.
async fn half_closed(address: SocketAddr, request: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    stream.write_all(request.as_bytes()).await.expect("sent");
    stream.shutdown().await.expect("closed for writing");
    stream
}

/// Opens a stream again and again until there is room for it.
async fn stream_opens(address: SocketAddr) {
    let get = format!("GET /api/v1/stream HTTP/1.1\r\nhost: {address}\r\n\r\n");
    loop {
        let (answer, _stream) = talk(address, &get, "\r\n\r\n").await;
        if answer.starts_with("HTTP/1.1 200") {
            return;
        }
        assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test]
async fn half_closed_connections_free_their_slots() {
    let registry = BreakerRegistry::new();
    let running = run(Panel::builder().server(&registry)).await;
    let host = running.address;
    let get = format!("GET /api/v1/stream HTTP/1.1\r\nhost: {host}\r\n\r\n");
    let mut held = Vec::new();
    for _ in 0..100 {
        held.push(half_closed(host, &get).await);
    }
    stream_opens(host).await;
}

#[tokio::test]
async fn reset_streams_of_http2_free_their_slots() {
    let registry = BreakerRegistry::new();
    let running = run(Panel::builder().server(&registry)).await;
    let host = running.address;
    let stream = TcpStream::connect(host).await.expect("a connection");
    stream.set_nodelay(true).expect("an option");
    let client = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await;
    let (mut client, connection) = client.expect("HTTP/2");
    tokio::spawn(connection);
    let mut answered = 0;
    // More than there are slots.
    while answered < 100 {
        let request = Request::get(format!("http://{host}/api/v1/stream"));
        let request = request.body(Empty::<Bytes>::new()).expect("a request");
        client.ready().await.expect("an open connection");
        let mut answer = client.send_request(request).await.expect("an answer");
        if answer.status() == 200 {
            answered += 1;
            assert!(answer.frame().await.is_some(), "the view");
        }
        // Dropping the answer resets its stream.
    }
}

#[tokio::test]
async fn oversized_heads_are_refused() {
    let registry = BreakerRegistry::new();
    let running = run(Panel::builder().server(&registry)).await;
    let host = running.address;
    let many = "x-header: 1\r\n".repeat(10_000);
    let long = format!("x-header: {}\r\n", "x".repeat(1 << 20));
    for flood in [many, long] {
        let mut stream = TcpStream::connect(host).await.expect("a connection");
        let request = format!("GET / HTTP/1.1\r\nhost: {host}\r\n{flood}\r\n");
        // The server answers before it has read everything, and closes the connection.
        let _ = stream.write_all(request.as_bytes()).await;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        let answer = String::from_utf8_lossy(&answer);
        assert!(!answer.contains("200 OK"), "{answer}");
    }
    let get = format!("GET /api/v1/health HTTP/1.1\r\nhost: {host}\r\n\r\n");
    assert!(talk(host, &get, "\r\n\r\n").await.0.contains("200 OK"));
}

#[tokio::test(start_paused = true)]
async fn connection_that_is_never_read_is_closed() {
    let registry = BreakerRegistry::new();
    let running = run(Panel::builder().server(&registry)).await;
    let mut stream = TcpStream::connect(running.address)
        .await
        .expect("a connection");
    // The answers to these requests are longer than all buffers of the system.
    let get = format!("GET / HTTP/1.1\r\nhost: {}\r\n\r\n", running.address);
    let writes = async { while stream.write_all(get.as_bytes()).await.is_ok() {} };
    let ended = tokio::time::timeout(Duration::from_secs(600), writes).await;
    assert!(ended.is_ok(), "the server still waits");
}

#[tokio::test]
async fn client_that_never_reads_harms_nothing() {
    let registry = BreakerRegistry::new();
    let users = registry.breaker("users");
    for number in 0..300 {
        registry.breaker(format!("b{number}"));
    }
    let running = run(Panel::builder().server(&registry)).await;
    let host = running.address;
    let get = format!("GET /api/v1/stream HTTP/1.1\r\nhost: {host}\r\n\r\n");
    let mut silent = Vec::new();
    for _ in 0..32 {
        let mut stream = TcpStream::connect(host).await.expect("a connection");
        stream.write_all(get.as_bytes()).await.expect("sent");
        silent.push(stream);
    }
    for _ in 0..200 {
        users.trip();
        users.reset();
    }
    let rows = format!(
        "GET /api/v1/breakers?limit=1 HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n"
    );
    let (answer, _) = talk(host, &rows, "\u{0}").await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    // A dropped connection frees its slot, as soon as the server notices.
    drop(silent);
    stream_opens(host).await;
    running.stop.send(()).expect("running");
    running.server.await.expect("no panic").expect("no error");
}
