//! [`Driver`]: a chromedriver, which starts browsers.

use crate::browser::Browser;
use fantoccini::ClientBuilder;
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Map, Value, json};
use std::io::Write;
use std::net::{SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::net::TcpStream;

/// What a browser needs that runs as root and must reach nothing outside this machine.
const FLAGS: [&str; 8] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
];

/// A running chromedriver, which ends with the value.
pub(crate) struct Driver {
    process: Child,
    address: SocketAddr,
    /// Profiles of the browsers, and what the driver writes.
    folder: TempDir,
}

/// Returns the name of a program that the tests need and that is not on the `PATH`.
pub(crate) fn missing_program() -> Option<&'static str> {
    ["chromedriver", "chromium"].into_iter().find(|program| {
        let mut version = Command::new(program);
        version.arg("--version").stdin(Stdio::null());
        !version.output().is_ok_and(|output| output.status.success())
    })
}

impl Driver {
    /// Starts a chromedriver on a free port.
    pub(crate) async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        // The driver does not report its port. Another program may take the port, so that a second
        // attempt is needed.
        loop {
            let free = TcpListener::bind("127.0.0.1:0").unwrap();
            let address = free.local_addr().unwrap();
            drop(free);
            let log = std::fs::File::create(folder.path().join("log")).unwrap();
            let mut process = Command::new("chromedriver")
                .arg(format!("--port={}", address.port()))
                .env("TMPDIR", folder.path())
                .stdin(Stdio::null())
                .stdout(log.try_clone().unwrap())
                .stderr(log)
                .spawn()
                .unwrap();
            while process.try_wait().unwrap().is_none() {
                if TcpStream::connect(address).await.is_ok() {
                    return Self {
                        process,
                        address,
                        folder,
                    };
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    }

    /// Opens a browser that prefers light or dark pages.
    pub(crate) async fn open(&self, dark: bool) -> Browser {
        let scheme = u8::from(!dark);
        let profile = self.folder.path().join(format!("profile-{scheme}"));
        let mut flags = FLAGS.map(str::to_owned).to_vec();
        flags.push(format!("--blink-settings=preferredColorScheme={scheme}"));
        flags.push(format!("--user-data-dir={}", profile.display()));
        flags.push("--window-size=1280,900".to_owned());
        let mut capabilities = Map::new();
        capabilities.insert("goog:chromeOptions".to_owned(), json!({"args": flags}));
        capabilities.insert("goog:loggingPrefs".to_owned(), json!({"browser": "ALL"}));
        capabilities.insert(
            "timeouts".to_owned(),
            json!({"script": 60_000, "pageLoad": 60_000}),
        );
        capabilities.insert("pageLoadStrategy".to_owned(), Value::from("normal"));
        let mut builder = ClientBuilder::new(HttpConnector::new());
        builder.capabilities(capabilities);
        let driver = format!("http://{}", self.address);
        Browser::new(builder.connect(&driver).await.expect("a browser"))
    }
}

impl Drop for Driver {
    /// Ends the browsers, too, which would outlive a driver that is only killed.
    fn drop(&mut self) {
        let request = format!("GET /shutdown HTTP/1.1\r\nhost: {}\r\n\r\n", self.address);
        let sent = std::net::TcpStream::connect(self.address)
            .and_then(|mut connection| connection.write_all(request.as_bytes()));
        let began = Instant::now();
        while sent.is_ok() && began.elapsed() < Duration::from_secs(10) {
            if !matches!(self.process.try_wait(), Ok(None)) {
                break;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
