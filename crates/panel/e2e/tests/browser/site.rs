//! [`Site`]: a registry and an axum server that shows it.

use axum::Router;
use breakerbox::BreakerRegistry;
use breakerbox_panel::{Actor, Controls, Panel, PanelBuilder, Shown};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;

/// A server on a free port, which ends with the value.
pub(crate) struct Site {
    pub(crate) registry: BreakerRegistry,
    address: SocketAddr,
    /// A runtime of its own: with it, all connections end at once, as if the process had ended.
    runtime: Option<Runtime>,
}

/// An answer to a request that no browser would send.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
}

/// Returns a builder with all controls, for the actor alice.
pub(crate) fn with_controls() -> PanelBuilder {
    let lasting = Controls::FORCE_OPEN | Controls::DISABLE | Controls::WATCH;
    read_only()
        .controls(Controls::TRIP | Controls::HALF_OPEN | Controls::RESET | lasting)
        .authorize(|_, _| Ok(Actor::named("alice")))
}

/// Returns a builder without controls. It shows the last failures.
pub(crate) fn read_only() -> PanelBuilder {
    Panel::builder()
        .instance("web-1")
        .last_failure(Shown::ToReaders)
}

impl Site {
    /// Starts a server with a panel at `/breakers`.
    pub(crate) async fn start(registry: &BreakerRegistry, panel: PanelBuilder) -> Self {
        let mut site = Self {
            registry: registry.clone(),
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            runtime: None,
        };
        site.restart(panel).await;
        site
    }

    /// Ends the server and all its connections.
    pub(crate) fn stop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }

    /// Starts a server at the same address, with another panel of the same registry.
    pub(crate) async fn restart(&mut self, panel: PanelBuilder) {
        self.stop();
        let began = std::time::Instant::now();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        let (address, registry) = (self.address, self.registry.clone());
        let served = runtime.spawn(async move {
            // The listener of the server before is closed by another thread.
            let listener = loop {
                match TcpListener::bind(address).await {
                    Ok(listener) => break listener,
                    Err(error) => assert!(began.elapsed().as_secs() < 30, "{error}"),
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            };
            let address = listener.local_addr().expect("an address");
            let panel = panel.build(&registry).expect("a panel");
            let router = Router::new().nest_service("/breakers", panel);
            tokio::spawn(async { axum::serve(listener, router).await });
            address
        });
        self.address = served.await.expect("a server");
        self.runtime = Some(runtime);
    }

    /// Returns the address of the panel, without a slash at its end.
    pub(crate) fn url(&self) -> String {
        format!("http://{}/breakers", self.address)
    }

    pub(crate) fn host(&self) -> String {
        self.address.to_string()
    }

    /// Opens a stream that is never read, like that of a viewer whose machine sleeps.
    pub(crate) async fn open_stream(&self) -> TcpStream {
        let mut connection = TcpStream::connect(self.address)
            .await
            .expect("a connection");
        let host = self.host();
        let request = format!("GET /breakers/api/v1/stream HTTP/1.1\r\nhost: {host}\r\n\r\n");
        connection
            .write_all(request.as_bytes())
            .await
            .expect("a sent request");
        let mut status = [0; 15];
        connection.read_exact(&mut status).await.expect("an answer");
        assert_eq!(&status, b"HTTP/1.1 200 OK");
        connection
    }

    /// Sends a request as it is: `head` has the lines of the head without their ends.
    pub(crate) async fn send(&self, head: &[&str], body: &str) -> Answer {
        let mut connection = TcpStream::connect(self.address)
            .await
            .expect("a connection");
        let length = body.len();
        let head = head.join("\r\n");
        let request =
            format!("{head}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}");
        connection
            .write_all(request.as_bytes())
            .await
            .expect("a sent request");
        let mut answer = String::new();
        connection
            .read_to_string(&mut answer)
            .await
            .expect("an answer");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
        let status = head.split(' ').nth(1).expect("a status");
        Answer {
            status: status.parse().expect("a number"),
            body: body.to_owned(),
        }
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.stop();
    }
}
