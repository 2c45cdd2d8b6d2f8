//! A real HTTP server that does as badly as it is told to.

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

/// What the server does with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mood {
    /// Answers.
    Healthy,
    /// Answers 500.
    Failing,
    /// Takes the request and never answers.
    Hanging,
}

impl Mood {
    pub(crate) fn describe(self) -> &'static str {
        match self {
            Self::Healthy => "the server answers",
            Self::Failing => "the server answers 500",
            Self::Hanging => "the server takes calls and never answers",
        }
    }
}

/// A server on a free port of this machine; it lives as long as the runtime.
pub(crate) struct Server {
    address: SocketAddr,
    mood: watch::Sender<Mood>,
    requests: Arc<AtomicUsize>,
}

impl Server {
    pub(crate) async fn start() -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let (mood, its_mood) = watch::channel(Mood::Healthy);
        let requests = Arc::new(AtomicUsize::new(0));
        tokio::spawn(accept(listener, its_mood, Arc::clone(&requests)));
        Ok(Self { address, mood, requests })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn turn(&self, mood: Mood) {
        self.mood.send_replace(mood);
    }

    /// How many requests have arrived: what the dependency really had to bear.
    pub(crate) fn requests(&self) -> usize {
        self.requests.load(Ordering::Relaxed)
    }
}

async fn accept(listener: TcpListener, mood: watch::Receiver<Mood>, requests: Arc<AtomicUsize>) {
    while let Ok((stream, _)) = listener.accept().await {
        let (mood, requests) = (mood.clone(), Arc::clone(&requests));
        let service = service_fn(move |request| {
            requests.fetch_add(1, Ordering::Relaxed);
            let mood = *mood.borrow();
            answer(request, mood)
        });
        // A client that gives up ends its connection with an error; that is its own affair.
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    }
}

async fn answer(
    request: Request<Incoming>,
    mood: Mood,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (status, body) = match mood {
        Mood::Healthy => (StatusCode::OK, format!("you asked for {}", request.uri().path())),
        Mood::Failing => (StatusCode::INTERNAL_SERVER_ERROR, "no database".to_owned()),
        Mood::Hanging => std::future::pending().await,
    };
    let mut response = Response::new(Full::from(body));
    *response.status_mut() = status;
    Ok(response)
}
