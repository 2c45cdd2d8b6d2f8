//! An HTTP server that answers, fails or hangs, as the program asks.

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::net::TcpListener;
use tokio::sync::watch;

/// How the server treats requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Behaviour {
    /// Answers 200.
    Healthy,
    /// Answers 500.
    Failing,
    /// Accepts the request and never answers.
    Hanging,
}

impl Behaviour {
    pub(crate) fn describe(self) -> &'static str {
        match self {
            Self::Healthy => "the server answers",
            Self::Failing => "the server answers 500",
            Self::Hanging => "the server accepts requests and never answers",
        }
    }
}

/// A server on a free local port, which runs as long as the runtime.
pub(crate) struct Server {
    address: SocketAddr,
    behaviour: watch::Sender<Behaviour>,
    requests: Arc<AtomicUsize>,
}

impl Server {
    pub(crate) async fn start() -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let (behaviour, receiver) = watch::channel(Behaviour::Healthy);
        let requests = Arc::new(AtomicUsize::new(0));
        tokio::spawn(accept(listener, receiver, Arc::clone(&requests)));
        Ok(Self {
            address,
            behaviour,
            requests,
        })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn set_behaviour(&self, behaviour: Behaviour) {
        self.behaviour.send_replace(behaviour);
    }

    /// Returns the number of requests that arrived.
    pub(crate) fn requests(&self) -> usize {
        self.requests.load(Ordering::Relaxed)
    }
}

async fn accept(
    listener: TcpListener,
    behaviour: watch::Receiver<Behaviour>,
    requests: Arc<AtomicUsize>,
) {
    while let Ok((stream, _)) = listener.accept().await {
        let (behaviour, requests) = (behaviour.clone(), Arc::clone(&requests));
        let service = service_fn(move |request| {
            requests.fetch_add(1, Ordering::Relaxed);
            let behaviour = *behaviour.borrow();
            answer(request, behaviour)
        });
        // A client that times out closes its connection, which is an error here and expected.
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    }
}

async fn answer(
    request: Request<Incoming>,
    behaviour: Behaviour,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (status, body) = match behaviour {
        Behaviour::Healthy => (
            StatusCode::OK,
            format!("you asked for {}", request.uri().path()),
        ),
        Behaviour::Failing => (StatusCode::INTERNAL_SERVER_ERROR, "no database".to_owned()),
        Behaviour::Hanging => std::future::pending().await,
    };
    let mut response = Response::new(Full::from(body));
    *response.status_mut() = status;
    Ok(response)
}
