//! A server that can be switched to fail.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A TCP server on the loopback interface. Each connection is one call.
#[derive(Clone, Debug)]
pub(crate) struct Dependency {
    address: SocketAddr,
    failing: Arc<AtomicBool>,
}

impl Dependency {
    pub(crate) async fn start() -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let failing = Arc::new(AtomicBool::new(false));
        let fails = failing.clone();
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                if !fails.load(Ordering::Relaxed) {
                    let _ = client.write_all(b"ok").await;
                }
            }
        });
        Ok(Self { address, failing })
    }

    pub(crate) fn set_failing(&self, failing: bool) {
        self.failing.store(failing, Ordering::Relaxed);
    }

    pub(crate) fn call(&self) -> impl Future<Output = io::Result<String>> + Send + use<> {
        let address = self.address;
        async move {
            let mut answer = String::new();
            let mut server = TcpStream::connect(address).await?;
            server.read_to_string(&mut answer).await?;
            if answer.is_empty() {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            Ok(answer)
        }
    }
}
