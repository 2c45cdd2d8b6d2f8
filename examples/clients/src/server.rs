use crate::Port;
use std::io;
use std::net::SocketAddr;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tokio::task::{JoinError, spawn_blocking};

/// A server with a runtime of its own, so that it can die with all its connections, as a process
/// does, and be started again on the same port.
#[derive(Debug)]
pub struct Server {
    port: Port,
    runtime: Option<Runtime>,
}

impl Server {
    /// Has its address, but does not run yet.
    pub fn new() -> io::Result<Self> {
        let port = Port::free()?;
        Ok(Self {
            port,
            runtime: None,
        })
    }

    pub fn address(&self) -> SocketAddr {
        self.port.address()
    }

    /// Runs what `serve` makes of the listener.
    pub fn start<F>(&mut self, serve: impl FnOnce(TcpListener) -> F) -> io::Result<()>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()?;
        let inside = runtime.enter();
        runtime.spawn(serve(self.port.listen()?));
        drop(inside);
        self.runtime = Some(runtime);
        Ok(())
    }

    /// Returns when the last of its sockets is closed.
    pub async fn kill(&mut self) -> Result<(), JoinError> {
        let runtime = self.runtime.take();
        spawn_blocking(move || drop(runtime)).await
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
