use std::io;
use std::net::SocketAddr;
use tokio::net::{TcpListener, TcpSocket};

/// A free port of the loopback, for a server that comes and goes.
#[derive(Debug)]
pub struct Port {
    address: SocketAddr,
    _held: Option<TcpSocket>,
}

impl Port {
    pub fn free() -> io::Result<Self> {
        let socket = bound(([127, 0, 0, 1], 0).into())?;
        let address = socket.local_addr()?;
        // Bound but not listening, a socket keeps the port from everybody else while the server is
        // down, and calls to it are refused. Only Linux lets the server bind beside it.
        let held = cfg!(target_os = "linux").then_some(socket);
        Ok(Self {
            address,
            _held: held,
        })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Takes calls from now on.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
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
