use std::io;
use std::net::SocketAddr;
use tokio::net::{TcpListener, TcpSocket};

/// A free loopback port, for a server that is killed and restarted.
#[derive(Debug)]
pub struct Port {
    address: SocketAddr,
    _held: Option<TcpSocket>,
}

impl Port {
    pub fn free() -> io::Result<Self> {
        let socket = bound(([127, 0, 0, 1], 0).into())?;
        let address = socket.local_addr()?;
        // A bound socket that does not listen reserves the port while the server is down, and
        // connections are refused. Only Linux lets the server bind the port at the same time.
        let held = cfg!(target_os = "linux").then_some(socket);
        Ok(Self {
            address,
            _held: held,
        })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Starts to listen on the port.
    ///
    /// # Panics
    ///
    /// Panics if called outside a tokio runtime.
    pub fn listen(&self) -> io::Result<TcpListener> {
        bound(self.address)?.listen(128)
    }
}

fn bound(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}
