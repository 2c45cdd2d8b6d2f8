//! An HTTP server on the loopback interface, for guarded clients.

use axum::Router;
use axum::extract::{Path, Request};
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn};
use axum::routing::get;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// A server that counts requests. `/status/503` responds with that status, and `/busy` with a
/// `Retry-After` header.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    requests: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Server {
    pub(crate) async fn start() -> Self {
        let requests = Arc::new(AtomicUsize::new(0));
        let status = |Path(status): Path<u16>| async move {
            (StatusCode::from_u16(status).unwrap(), "hello")
        };
        let busy = (StatusCode::SERVICE_UNAVAILABLE, [("retry-after", "120")]);
        let router = Router::new()
            .route("/status/{status}", get(status))
            .route("/busy", get(async move || busy))
            .layer(from_fn({
                let requests = requests.clone();
                move |request: Request, next: Next| {
                    requests.fetch_add(1, Ordering::SeqCst);
                    next.run(request)
                }
            }));
        let (address, task) = serve(router).await;
        Self {
            address,
            requests,
            task,
        }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

pub(crate) async fn serve(router: Router) -> (SocketAddr, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    (address, task)
}

/// Returns an address where no server listens.
pub(crate) async fn unused_address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap()
}
