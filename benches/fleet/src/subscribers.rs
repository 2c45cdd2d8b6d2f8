//! [`Subscribers`]: connections that receive messages and drop them.

use crate::client::Measured;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// Subscribed connections. Their messages are read on one thread, until they are dropped.
pub(crate) struct Subscribers {
    ends: Arc<AtomicBool>,
    reader: Option<JoinHandle<()>>,
}

impl Subscribers {
    pub(crate) fn connect(measured: &Measured, channel: &str, count: usize) -> Self {
        let connect = |_| {
            let mut stream =
                TcpStream::connect(("127.0.0.1", measured.port())).expect("the server runs");
            let command = format!("SUBSCRIBE {channel}\r\n");
            stream
                .write_all(command.as_bytes())
                .expect("the server reads");
            stream.set_nonblocking(true).expect("a socket");
            stream
        };
        let streams: Vec<_> = (0..count).map(connect).collect();
        let ends = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&ends);
        let reader = std::thread::spawn(move || drain(streams, &told));
        Self {
            ends,
            reader: Some(reader),
        }
    }
}

impl Drop for Subscribers {
    fn drop(&mut self) {
        // Ordering: `Relaxed`, because the flag guards no data.
        self.ends.store(true, Ordering::Relaxed);
        if let Some(reader) = self.reader.take() {
            // A panic of the reader has been printed.
            let _ = reader.join();
        }
    }
}

fn drain(mut streams: Vec<TcpStream>, ends: &AtomicBool) {
    let mut buffer = vec![0; 1 << 16];
    while !ends.load(Ordering::Relaxed) {
        for stream in &mut streams {
            loop {
                match stream.read(&mut buffer) {
                    Ok(1..) => {}
                    Ok(0) => panic!("the server closed a subscription"),
                    Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                    Err(error) => panic!("a subscription failed: {error}"),
                }
            }
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}
