//! [`serve`]: a server for the panel alone.

use crate::access::Controls;
use crate::bounded::Bounded;
use crate::builder::PanelBuilder;
use crate::error::BuildError;
use crate::panel::Panel;
use breakerbox::BreakerRegistry;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use std::fmt;
use std::future::{Future, pending, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;
use thiserror::Error;
use tokio::net::{TcpListener, TcpStream, ToSocketAddrs};
use tokio::sync::Semaphore;

/// The most connections at a time. Others wait.
const MOST_CONNECTIONS: usize = 256;
/// How long a client may take for the head of a request, and leave an answer unread.
const CLIENT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a shutdown waits for requests that are on their way.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(10);
/// The most requests on one HTTP/2 connection at a time.
const MOST_REQUESTS: u32 = 64;

/// A server for the panel alone, which [`serve`] runs.
///
/// Created by [`PanelBuilder::server`].
#[must_use = "a server does nothing until `serve` runs it"]
pub struct Server {
    builder: PanelBuilder,
    registry: BreakerRegistry,
    local_controls: Controls,
    shutdown: Pin<Box<dyn Future<Output = ()> + Send>>,
}

/// Why [`serve`] did not run.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The settings are invalid.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// The address is not a loopback address, and no [`authorize`](PanelBuilder::authorize) is set.
    #[error(
        "{0} can be reached from other machines: set `authorize`, or serve the panel on 127.0.0.1"
    )]
    NotLoopback(SocketAddr),
    /// The address cannot be used.
    #[error("the panel cannot listen: {0}")]
    Listen(#[from] io::Error),
}

impl PanelBuilder {
    /// Returns a server for the breakers of `registry`, which [`serve`] runs.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), breakerbox_panel::ServeError> {
    /// use breakerbox::BreakerRegistry;
    /// use breakerbox_panel::{Controls, Panel, serve};
    ///
    /// let server = Panel::builder()
    ///     .server(BreakerRegistry::global())
    ///     .local_controls(Controls::TRIP | Controls::RESET);
    /// serve("127.0.0.1:9000", server).await
    /// # }
    /// ```
    pub fn server(self, registry: &BreakerRegistry) -> Server {
        Server {
            builder: self,
            registry: registry.clone(),
            local_controls: Controls::NONE,
            shutdown: Box::pin(pending()),
        }
    }
}

impl Server {
    /// Adds commands that need no [`authorize`](PanelBuilder::authorize), because only users of this
    /// machine reach the panel. Their actor is `local`. Default: none.
    ///
    /// Every user of the machine can give these commands. [`serve`] fails on any address other than
    /// loopback and with [`any_host`](PanelBuilder::any_host), unless there is an `authorize`, which
    /// then decides.
    pub fn local_controls(mut self, controls: Controls) -> Self {
        self.local_controls = controls;
        self
    }

    /// Ends the server when `shutdown` is ready. Default: never.
    ///
    /// Streams end at once, and [`serve`] waits up to 10 s for other requests.
    pub fn shutdown(mut self, shutdown: impl Future<Output = ()> + Send + 'static) -> Self {
        self.shutdown = Box::pin(shutdown);
        self
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("builder", &self.builder)
            .field("local_controls", &self.local_controls)
            .finish_non_exhaustive()
    }
}

/// Serves the panel at `address`, over HTTP/1 and HTTP/2, until its
/// [shutdown](Server::shutdown).
///
/// At most 256 connections are open at a time, and others wait. A connection ends if its client takes
/// more than 10 s for the head of a request, or leaves an answer unread for 10 s.
///
/// # Errors
///
/// * [`ServeError::NotLoopback`] for an address that other machines reach, without
///   [`authorize`](PanelBuilder::authorize)
/// * [`ServeError::Build`] for invalid settings
/// * [`ServeError::Listen`] if the address cannot be used
///
/// # Panics
///
/// Panics outside a tokio runtime with time and I/O enabled.
///
/// # Cancel safety
///
/// Dropping the future closes all connections.
///
/// # Examples
///
/// ```no_run
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), breakerbox_panel::ServeError> {
/// use breakerbox::BreakerRegistry;
/// use breakerbox_panel::{Panel, serve};
///
/// let server = Panel::builder().server(BreakerRegistry::global());
/// let stop = async { drop(tokio::signal::ctrl_c().await) };
/// serve("127.0.0.1:9000", server.shutdown(stop)).await
/// # }
/// ```
pub async fn serve(address: impl ToSocketAddrs, server: Server) -> Result<(), ServeError> {
    serve_on(TcpListener::bind(address).await?, server).await
}

/// Serves the panel on a listener, as [`serve`] does.
///
/// For a port that the system chooses: bind port 0, and ask the listener for its address.
///
/// # Errors
///
/// As [`serve`].
///
/// # Panics
///
/// As [`serve`].
///
/// # Cancel safety
///
/// As [`serve`].
pub async fn serve_on(listener: TcpListener, server: Server) -> Result<(), ServeError> {
    let address = listener.local_addr()?;
    if !address.ip().is_loopback() && !server.builder.is_protected() {
        return Err(ServeError::NotLoopback(address));
    }
    let panel = if server.local_controls.is_empty() {
        server.builder.build(&server.registry)?
    } else {
        let builder = server.builder;
        builder.build_local(server.local_controls, &server.registry)?
    };
    // The panel refers to the registry weakly, and so does the server.
    drop(server.registry);
    accept(&listener, &panel, server.shutdown).await;
    Ok(())
}

async fn accept(
    listener: &TcpListener,
    panel: &Panel,
    mut shutdown: Pin<Box<dyn Future<Output = ()> + Send>>,
) {
    let graceful = GracefulShutdown::new();
    let room = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    let mut connections = tokio::task::JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        let next = async {
            let permit = room.clone().acquire_owned().await;
            (listener.accept().await, permit)
        };
        let Some((accepted, permit)) = first(&mut shutdown, next).await else {
            break;
        };
        match accepted {
            Ok((stream, _)) => {
                let connection = connection(stream, panel.clone(), &graceful);
                connections.spawn(async move {
                    connection.await;
                    drop(permit);
                });
            }
            // The process is out of files, or the client has gone.
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
    panel.close();
    let _ = tokio::time::timeout(SHUTDOWN_TIMEOUT, graceful.shutdown()).await;
}

/// Returns the output of `future`, or `None` if `stop` is ready first.
async fn first<T>(
    stop: &mut Pin<Box<dyn Future<Output = ()> + Send>>,
    future: impl Future<Output = T>,
) -> Option<T> {
    let mut future = pin!(future);
    poll_fn(|cx| match stop.as_mut().poll(cx) {
        Poll::Ready(()) => Poll::Ready(None),
        Poll::Pending => future.as_mut().poll(cx).map(Some),
    })
    .await
}

fn connection(
    stream: TcpStream,
    panel: Panel,
    graceful: &GracefulShutdown,
) -> impl Future<Output = ()> + Send + use<> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(CLIENT_TIMEOUT);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(Duration::from_secs(20))
        .max_concurrent_streams(MOST_REQUESTS);
    let service = TowerToHyperService::new(panel);
    // Otherwise, a short frame waits until the client has acknowledged the one before.
    let _ = stream.set_nodelay(true);
    let stream = TokioIo::new(Bounded::new(stream, CLIENT_TIMEOUT));
    let connection = builder.serve_connection(stream, service);
    let connection = graceful.watch(connection.into_owned());
    // A client that breaks off is no error of the server.
    async move { drop(connection.await) }
}
