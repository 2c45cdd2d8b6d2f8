use crate::Port;
use std::io;
use std::net::SocketAddr;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tokio::task::{JoinError, spawn_blocking};

/// A server with its own runtime. Killing it closes all connections, as the end of a process does.
/// It can be started again on the same port.
#[derive(Debug)]
pub struct Server {
    port: Port,
    runtime: Option<Runtime>,
}

impl Server {
    /// Reserves an address. The server does not run yet.
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

    /// Runs the future that `serve` returns for the listener.
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

    /// Kills the server, and returns when its last socket is closed.
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
