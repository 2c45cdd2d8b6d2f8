//! [`Keeper`]: the server of a history, its faults and its restarts, on threads of their own.

use super::ledger::Ledger;
use super::monitor::Monitor;
use crate::client::Measured;
use breakerbox_fleet_simulation::Fault;
use redis::{Client, RedisResult};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

/// The permissions of a node, as the page of the package has them for a server before Redis 7.2.
const PERMISSIONS: &str = "-@all +evalsha +eval +hello +ping +client|id +client|setname \
    +subscribe +unsubscribe +publish +time +get +set +hget +hset +hdel +hmget \
    +pexpire +zadd +zrem +zcard +zcount +zscore +zrangebyscore +zrevrangebyscore +zremrangebyscore";

/// The server of a history.
pub(crate) struct Keeper {
    faults: Option<Sender<Order>>,
    ends: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

enum Order {
    Fault(Fault),
    /// Writes a lease into a record, as no script does.
    Forge,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Condition {
    Up,
    Away,
    Stopped,
    ReadOnly,
}

impl Keeper {
    /// Starts a server, and follows it. Returns its port as well.
    pub(crate) fn start(ledger: &Arc<Ledger>, namespace: &str, nodes: usize) -> (Self, u16) {
        let measured = Measured::start();
        let port = measured.port();
        let ends = Arc::new(AtomicBool::new(false));
        let url = measured.server.url();
        let (faults, orders) = channel();
        let mut monitor = Monitor::new(Arc::clone(ledger), namespace);
        let (ended, admitting) = (Arc::clone(&ends), url.clone());
        let keys = namespace.to_owned();
        let follow = move || {
            while !ended.load(Ordering::Relaxed) {
                // No node may connect before the monitor has.
                let has_followed = monitor.follow(port, || {
                    if let Err(error) = admit(&admitting, &keys, nodes) {
                        // A server that was killed again admits the nodes at its next start.
                        assert!(error.is_io_error(), "the nodes are not admitted: {error}");
                    }
                });
                if has_followed && !ended.load(Ordering::Relaxed) {
                    monitor.lose();
                }
                std::thread::sleep(Duration::from_millis(2));
            }
        };
        let ended = Arc::clone(&ends);
        let beat = move || {
            // The monitor hears that nothing happened.
            while !ended.load(Ordering::Relaxed) {
                let connection =
                    Client::open(url.as_str()).and_then(|client| client.get_connection());
                if let Ok(mut connection) = connection {
                    while redis::cmd("PING").exec(&mut connection).is_ok() {
                        if ended.load(Ordering::Relaxed) {
                            return;
                        }
                        std::thread::sleep(Duration::from_millis(10));
                    }
                }
                std::thread::sleep(Duration::from_millis(10));
            }
        };
        let namespace = namespace.to_owned();
        let obey = move || {
            let mut server = Obeying {
                measured,
                condition: Condition::Up,
                namespace,
            };
            while let Ok(order) = orders.recv() {
                match order {
                    Order::Fault(fault) => server.inject(fault),
                    Order::Forge => server.forge(),
                }
            }
            server.signal("-CONT");
        };
        let threads = vec![
            std::thread::spawn(follow),
            std::thread::spawn(beat),
            std::thread::spawn(obey),
        ];
        let keeper = Self {
            faults: Some(faults),
            ends,
            threads,
        };
        (keeper, port)
    }

    pub(crate) fn inject(&self, fault: Fault) {
        self.order(Order::Fault(fault));
    }

    pub(crate) fn forge(&self) {
        self.order(Order::Forge);
    }

    fn order(&self, order: Order) {
        if let Some(faults) = &self.faults {
            faults.send(order).expect("the server is kept");
        }
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::Relaxed);
        self.faults = None;
        for thread in self.threads.drain(..) {
            // A panic of a thread has been printed.
            let _ = thread.join();
        }
    }
}

fn admit(url: &str, namespace: &str, nodes: usize) -> RedisResult<()> {
    let mut connection = Client::open(url)?.get_connection()?;
    for node in 0..nodes {
        let mut command = redis::cmd("ACL");
        command.arg("SETUSER").arg(format!("n{node}"));
        command.arg(&["on", ">secret"]);
        command.arg(format!("~bb1:{{{namespace}}}:*"));
        command.arg(format!("&bb1:{{{namespace}}}"));
        command.arg(PERMISSIONS.split_whitespace().collect::<Vec<_>>());
        command.exec(&mut connection)?;
    }
    Ok(())
}

/// The server as its thread changes it.
struct Obeying {
    measured: Measured,
    condition: Condition,
    namespace: String,
}

impl Obeying {
    fn signal(&self, signal: &str) {
        let process = self.measured.server.process.id().to_string();
        // The server may have ended.
        let _ = Command::new("kill").args([signal, &process]).status();
    }

    fn run(&self, command: &[&str]) {
        if matches!(self.condition, Condition::Away | Condition::Stopped) {
            return;
        }
        let connection = Client::open(self.measured.server.url());
        let connection = connection.and_then(|client| client.get_connection());
        let mut connection = connection.expect("the server runs");
        let mut packed = redis::cmd(command[0]);
        packed.arg(&command[1..]);
        if let Err(error) = packed.exec(&mut connection) {
            // The nodes of a new server are admitted a moment later.
            let is_early = error.to_string().contains("No such user");
            assert!(is_early, "{command:?}: {error}");
        }
    }

    fn inject(&mut self, fault: Fault) {
        match fault {
            Fault::Kill(node) | Fault::Cut(node) | Fault::Overflow(node) => {
                self.run(&["CLIENT", "KILL", "USER", &format!("n{node}")]);
            }
            Fault::KillAll => self.run(&["CLIENT", "KILL", "TYPE", "pubsub"]),
            Fault::Flush => self.run(&["FLUSHALL"]),
            Fault::Snapshot => self.run(&["SCRIPT", "FLUSH"]),
            Fault::FailOver { .. } => {
                // A replica without data takes over.
                self.back();
                self.measured.restart();
            }
            Fault::StoreAway => {
                self.back();
                let process = &mut self.measured.server.process;
                process.kill().expect("the server runs");
                process.wait().expect("the server has ended");
                self.condition = Condition::Away;
            }
            Fault::StoreHangs => {
                self.back();
                self.signal("-STOP");
                self.condition = Condition::Stopped;
            }
            Fault::StoreReadOnly => {
                self.back();
                self.run(&["REPLICAOF", "127.0.0.1", "1"]);
                self.condition = Condition::ReadOnly;
            }
            Fault::StoreBack => self.back(),
            _ => {}
        }
    }

    fn back(&mut self) {
        match self.condition {
            Condition::Up => {}
            Condition::Away => self.measured.spawn(),
            Condition::Stopped => self.signal("-CONT"),
            Condition::ReadOnly => self.run(&["REPLICAOF", "NO", "ONE"]),
        }
        self.condition = Condition::Up;
    }

    fn forge(&self) {
        let key = format!("bb1:{{{}}}:s", self.namespace);
        let now = std::time::SystemTime::now().duration_since(std::time::SystemTime::UNIX_EPOCH);
        let now = now.unwrap_or_default().as_micros();
        let until = now + 3_000_000;
        let record = format!("{now} h 0 0 1 n0-forged lease forged {until} 3000000 0 0 -");
        self.run(&["HSET", &key, "users", &record]);
    }
}
