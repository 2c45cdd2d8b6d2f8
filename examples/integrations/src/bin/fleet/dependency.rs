//! [`Dependency`]: the server that the processes call.

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::get;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::net::TcpListener;

/// An HTTP server on this machine. Its users API can be told to fail.
#[derive(Clone, Default)]
pub(crate) struct Dependency {
    is_down: Arc<AtomicBool>,
    served: Arc<Mutex<BTreeMap<(usize, String), Served>>>,
}

/// The requests of one process through one circuit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Served {
    pub(crate) succeeded: u64,
    pub(crate) failed: u64,
    /// The trials with the lease of the fleet.
    pub(crate) with_lease: u64,
    /// The trials of a process by its own rules.
    pub(crate) without_lease: u64,
}

impl Served {
    pub(crate) fn requests(self) -> u64 {
        self.succeeded + self.failed
    }
}

impl Dependency {
    /// Starts the server. Its URL has the form `http://127.0.0.1:1`.
    pub(crate) async fn start() -> std::io::Result<(Self, String)> {
        let dependency = Self::default();
        let serve = async |State(dependency): State<Self>, Path(request)| dependency.serve(request);
        let router = Router::new()
            .route("/{process}/{circuit}/{licence}", get(serve))
            .with_state(dependency.clone());
        let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await?;
        let url = format!("http://{}", listener.local_addr()?);
        tokio::spawn(async { axum::serve(listener, router).await });
        Ok((dependency, url))
    }

    fn serve(&self, (process, circuit, licence): (usize, String, String)) -> StatusCode {
        let fails = self.is_down.load(Ordering::SeqCst) && circuit.ends_with("users-api");
        let mut served = lock(&self.served);
        let served = served.entry((process, circuit)).or_default();
        served.with_lease += u64::from(licence == "lease");
        served.without_lease += u64::from(licence == "own-trial");
        if fails {
            served.failed += 1;
            StatusCode::SERVICE_UNAVAILABLE
        } else {
            served.succeeded += 1;
            StatusCode::NO_CONTENT
        }
    }

    /// Makes the users API fail, or work again.
    pub(crate) fn set_down(&self, is_down: bool) {
        self.is_down.store(is_down, Ordering::SeqCst);
    }

    pub(crate) fn served(&self, process: usize, circuit: &str) -> Served {
        let served = lock(&self.served);
        served
            .get(&(process, circuit.to_owned()))
            .copied()
            .unwrap_or_default()
    }

    /// Returns what was served to all processes through one circuit.
    pub(crate) fn served_to_all(&self, circuit: &str) -> Served {
        let served = lock(&self.served);
        let of_circuit = served.iter().filter(|((_, name), _)| name == circuit);
        of_circuit.fold(Served::default(), |sum, (_, served)| Served {
            succeeded: sum.succeeded + served.succeeded,
            failed: sum.failed + served.failed,
            with_lease: sum.with_lease + served.with_lease,
            without_lease: sum.without_lease + served.without_lease,
        })
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
