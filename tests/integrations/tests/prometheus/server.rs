//! [`Server`]: a Prometheus that scrapes one page, and evaluates the alert rules.

use reqwest::Url;
use serde_json::{Value, json};
use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

/// How long the tests wait for a condition.
const PATIENCE: Duration = Duration::from_secs(25);

pub(crate) const SCRAPE_INTERVAL: &str = "250ms";

/// A running Prometheus, which is killed when the value is dropped.
pub(crate) struct Server {
    process: Child,
    api: String,
    client: reqwest::Client,
    pub(crate) started: SystemTime,
}

impl Server {
    /// Starts a Prometheus with its data in `folder`, and waits until it answers.
    pub(crate) async fn start(folder: &Path, page: SocketAddr, rules: &Path) -> Self {
        let _ = fs::remove_dir_all(folder);
        fs::create_dir_all(folder).unwrap();
        let config = json!({
            "global": {
                "scrape_interval": SCRAPE_INTERVAL,
                "scrape_timeout": SCRAPE_INTERVAL,
                "evaluation_interval": SCRAPE_INTERVAL,
            },
            "rule_files": [rules],
            "scrape_configs": [{
                "job_name": "shop",
                "static_configs": [{"targets": [page.to_string()]}],
            }],
        });
        fs::write(folder.join("prometheus.yml"), config.to_string()).unwrap();
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        // Prometheus does not report its port. It therefore gets a port that was free before, and
        // another one if that port has been taken since.
        let began = Instant::now();
        loop {
            let free = TcpListener::bind("127.0.0.1:0").unwrap();
            let address = free.local_addr().unwrap();
            drop(free);
            let log = fs::File::create(folder.join("log")).unwrap();
            let process = Command::new("prometheus")
                .arg("--config.file=prometheus.yml")
                .arg("--storage.tsdb.path=data")
                .arg(format!("--web.listen-address={address}"))
                .current_dir(folder)
                .stdin(Stdio::null())
                .stdout(log.try_clone().unwrap())
                .stderr(log)
                .spawn()
                .unwrap();
            let api = format!("http://{address}");
            let client = client.clone();
            let mut server = Self {
                process,
                api,
                client,
                started: SystemTime::now(),
            };
            while server.process.try_wait().unwrap().is_none() {
                let ready = server.client.get(format!("{}/-/ready", server.api));
                if ready
                    .send()
                    .await
                    .is_ok_and(|answer| answer.status().is_success())
                {
                    return server;
                }
                let log = || fs::read_to_string(folder.join("log")).unwrap();
                assert!(began.elapsed() < PATIENCE, "{}", log());
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            let log = fs::read_to_string(folder.join("log")).unwrap();
            assert!(log.contains("address already in use"), "{log}");
        }
    }

    /// Returns the `data` of an answer of the HTTP API.
    pub(crate) async fn get(&self, path: &str, parameters: &[(&str, &str)]) -> Value {
        let url = format!("{}/api/v1/{path}", self.api);
        let url = Url::parse_with_params(&url, parameters).unwrap();
        let answer = self.client.get(url).send().await.unwrap();
        let mut answer: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
        assert_eq!(answer["status"], "success", "{parameters:?}: {answer}");
        answer["data"].take()
    }

    /// Repeats `check` until it returns `None`. Panics with the last problem that it returned.
    pub(crate) async fn wait_until_ok(&self, check: impl AsyncFn() -> Option<String>) {
        let began = Instant::now();
        while let Some(problem) = check().await {
            assert!(began.elapsed() < PATIENCE, "{problem}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
