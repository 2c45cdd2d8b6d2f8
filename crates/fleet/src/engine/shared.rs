//! [`Shared`]: what the task and the handles of a fleet share.

use crate::event::Degradation;
use crate::protocol::{Command, NodeId};
use crate::share::Share;
use crate::status::{CommandStatus, FleetCounters, FleetStatus, LinkStatus};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// What the task and the handle of a fleet share.
#[derive(Debug)]
pub(crate) struct Shared {
    node: NodeId,
    /// The policy of each prefix.
    shares: Vec<(Arc<str>, Share)>,
    process: u32,
    report: Mutex<Report>,
    /// What the task has reached.
    progress: watch::Sender<Progress>,
}

/// How far the task is. Later values include earlier ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Progress {
    Starting,
    /// The first full pull has succeeded.
    Ready,
    Ended,
}

/// What the handle tells the task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    No,
    /// Gives everything back until this instant.
    By(Instant),
}

/// What the task has last reported.
#[derive(Clone, Debug)]
pub(crate) struct Report {
    /// Why the fleet is degraded, if it is.
    pub(crate) degraded: Option<Degradation>,
    pub(crate) since: Instant,
    pub(crate) round_trip: Duration,
    pub(crate) nodes: u64,
    pub(crate) namesakes: Vec<Arc<str>>,
    /// Known circuits, circuits that are open with the fleet, and leases.
    pub(crate) sizes: (usize, usize, usize),
    /// The circuits of the leases.
    pub(crate) leased: Vec<Arc<str>>,
    /// The commands of operators and their ends.
    pub(crate) commands: Vec<(Command, Instant)>,
    /// Circuits that follow a command, and circuits that a local command keeps from it.
    pub(crate) commanded: (usize, usize),
    pub(crate) last_pull: Option<Instant>,
    pub(crate) counters: FleetCounters,
    /// Whether the fleet has ended and has given its leases and votes back.
    pub(crate) given_back: bool,
}

impl Shared {
    pub(crate) fn new(node: NodeId, shares: Vec<(Arc<str>, Share)>) -> Self {
        Self {
            node,
            shares,
            process: std::process::id(),
            report: Mutex::new(Report {
                degraded: Some(Degradation::Connecting),
                since: Instant::now(),
                round_trip: Duration::ZERO,
                nodes: 0,
                namesakes: Vec::new(),
                sizes: (0, 0, 0),
                leased: Vec::new(),
                commands: Vec::new(),
                commanded: (0, 0),
                last_pull: None,
                counters: FleetCounters::default(),
                given_back: false,
            }),
            progress: watch::Sender::new(Progress::Starting),
        }
    }

    pub(crate) fn report(&self) -> MutexGuard<'_, Report> {
        self.report.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn reached(&self, progress: Progress) {
        self.progress.send_if_modified(|current| {
            let is_later = progress > *current;
            *current = progress.max(*current);
            is_later
        });
    }

    /// Waits at most `time` until the task has reached `progress`. Returns the progress then.
    pub(crate) async fn wait(&self, progress: Progress, time: Duration) -> Progress {
        let mut receiver = self.progress.subscribe();
        let waiting = receiver.wait_for(|current| *current >= progress);
        let _ = tokio::time::timeout(time, waiting).await;
        *self.progress.borrow()
    }

    pub(crate) fn status(&self) -> FleetStatus {
        let report = self.report().clone();
        let now = Instant::now();
        let since = now.saturating_duration_since(report.since);
        let ended = *self.progress.borrow() == Progress::Ended;
        let why = if std::process::id() != self.process {
            Some(Degradation::Forked)
        } else if ended {
            Some(Degradation::Ended)
        } else {
            report.degraded
        };
        let (known, open, leases) = report.sizes;
        let (commanded, overruled) = report.commanded;
        let commands = report.commands.into_iter().filter(|(_, end)| now < *end);
        FleetStatus {
            link: match why {
                Some(why) => LinkStatus::Degraded { since, why },
                None => LinkStatus::Connected {
                    since,
                    round_trip: report.round_trip,
                },
            },
            node: self.node.node().into(),
            instance: self.node.instance().into(),
            nodes: report.nodes,
            namesakes: report.namesakes,
            known,
            open,
            leases,
            leased: report.leased,
            shares: self.shares.clone(),
            commands: commands
                .map(|(command, end)| CommandStatus::new(command, end - now))
                .collect(),
            commanded,
            overruled,
            last_pull: report
                .last_pull
                .map(|pull| now.saturating_duration_since(pull)),
            counters: report.counters,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn why(shared: &Shared) -> Degradation {
        match shared.status().link {
            LinkStatus::Degraded { why, .. } => why,
            LinkStatus::Connected { .. } => panic!("connected"),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn forked_child_has_no_fleet() {
        let node = NodeId::new("web-7", "web-7-1").unwrap();
        let mut shared = Shared::new(node, Vec::new());
        assert_eq!(why(&shared), Degradation::Connecting);
        // The child of a fork has another process id, and none of the threads.
        shared.process = shared.process.wrapping_add(1);
        assert_eq!(why(&shared), Degradation::Forked);
    }

    #[tokio::test(start_paused = true)]
    async fn progress_never_goes_back() {
        let shared = Shared::new(NodeId::new("web-7", "web-7-1").unwrap(), Vec::new());
        shared.reached(Progress::Ended);
        shared.reached(Progress::Ready);
        let progress = shared.wait(Progress::Ended, Duration::ZERO).await;
        assert_eq!(progress, Progress::Ended);
        assert_eq!(why(&shared), Degradation::Ended);
    }
}
