//! [`run`]: an outage, with and without Redis, and what the fleet promises in each part of it.

use crate::dependency::Dependency;
use crate::message::Change;
use crate::process::{Process, say};
use crate::redis::Redis;
use crate::service::{FAILURE_THRESHOLD, HEALTHY, SHARED, UNSHARED};
use anyhow::{bail, ensure};
use std::time::{Duration, Instant};

/// The pauses between the calls of each process. The last process has hardly any traffic: its own rule
/// would need more than seven seconds to open the circuit.
const PAUSES: [Duration; 3] = [
    Duration::from_millis(50),
    Duration::from_millis(70),
    Duration::from_millis(1_500),
];

/// The longest time until a condition holds, on a machine with much else to do.
const PATIENCE: Duration = Duration::from_secs(60);

struct Scenario {
    dependency: Dependency,
    redis: Redis,
    processes: Vec<Process>,
}

pub(crate) async fn run() -> anyhow::Result<()> {
    let (dependency, url) = Dependency::start().await?;
    let (redis, redis_url) = Redis::start().await?;
    let numbered = (1..).zip(PAUSES);
    let processes = numbered.map(|(number, pause)| Process::start(number, &url, &redis_url, pause));
    let mut scenario = Scenario {
        dependency,
        redis,
        processes: processes.collect::<Result<_, _>>()?,
    };
    scenario.all_work().await?;
    scenario.quorum_opens_all().await?;
    let (shared, unshared) = scenario.one_tries_for_all().await?;
    let calls = scenario.each_goes_on_without_redis().await?;
    scenario.fleet_agrees_again().await?;
    scenario.one_closes_all().await?;
    scenario.no_call_knows_of_redis().await?;
    println!(
        "{shared} trials during the outage, and {unshared} without sharing; \
         {calls} calls without Redis, none delayed"
    );
    Ok(())
}

impl Scenario {
    async fn all_work(&self) -> anyhow::Result<()> {
        let is_ready = |process: &Process| {
            process.report().is_connected && process.calls(SHARED).succeeded > 0
        };
        self.until("three processes share their circuits", |scenario| {
            scenario.processes.iter().all(is_ready)
        })
        .await
    }

    /// The quorum opens all circuits, also one whose own rule is far from opening it.
    async fn quorum_opens_all(&self) -> anyhow::Result<()> {
        self.dependency.set_down(true);
        say("== the users API fails");
        self.until("the circuit is open at all processes", |scenario| {
            let has_opened = |process: &Process| process.changes().iter().any(is_opening);
            scenario.processes.iter().all(has_opened)
        })
        .await?;
        let idle = &self.processes[2];
        let failed = self.dependency.served(idle.number, SHARED).failed;
        say(format_args!(
            "   process 3 followed after {failed} failed calls of its own, and alone needs {FAILURE_THRESHOLD}"
        ));
        let first = idle.changes().into_iter().find(is_opening);
        ensure!(first.is_some_and(|change| change.is_by_fleet));
        ensure!(failed < u64::from(FAILURE_THRESHOLD));
        Ok(())
    }

    /// While the fleet is open, each request is a trial with the lease. Returns the number of these
    /// requests, and those of the same calls without a fleet.
    async fn one_tries_for_all(&self) -> anyhow::Result<(u64, u64)> {
        let served = |circuit| self.dependency.served_to_all(circuit);
        let begin = (served(SHARED), served(UNSHARED));
        self.until("the unshared circuits make fifteen requests", |scenario| {
            let now = scenario.dependency.served_to_all(UNSHARED);
            now.requests() - begin.1.requests() >= 15
        })
        .await?;
        let end = (served(SHARED), served(UNSHARED));
        let shared = end.0.requests() - begin.0.requests();
        let unshared = end.1.requests() - begin.1.requests();
        say(format_args!(
            "   {shared} requests reached the failing API, and {unshared} without sharing"
        ));
        ensure!(
            end.0.with_lease - begin.0.with_lease == shared,
            "a process tried without the lease"
        );
        ensure!(shared > 0, "the fleet never tried");
        ensure!(
            shared * 2 <= unshared,
            "the fleet spares the API too little"
        );
        Ok((shared, unshared))
    }

    /// Without Redis, each process tries by its own rules. Returns the number of calls meanwhile.
    async fn each_goes_on_without_redis(&mut self) -> anyhow::Result<u64> {
        say("== Redis is killed");
        self.redis.kill().await?;
        self.until("all processes notice", |scenario| {
            scenario
                .processes
                .iter()
                .all(|process| !process.report().is_connected)
        })
        .await?;
        let begin = self.calls();
        let failed = |scenario: &Self| {
            let processes = scenario.processes.iter();
            let failed =
                processes.map(|process| scenario.dependency.served(process.number, SHARED).failed);
            failed.collect::<Vec<_>>()
        };
        let failed_before = failed(self);
        self.until("each process has tried twice by itself", |scenario| {
            let pairs = failed(scenario).into_iter().zip(&failed_before);
            pairs.into_iter().all(|(now, before)| now >= before + 2)
        })
        .await?;
        let calls = self.calls() - begin;
        say(format_args!(
            "   {calls} calls of the three processes meanwhile"
        ));
        Ok(calls)
    }

    /// Redis comes back without its data. The processes tell it what they know, and share again.
    async fn fleet_agrees_again(&mut self) -> anyhow::Result<()> {
        say("== Redis is started again, without its data");
        self.redis.restart().await?;
        self.until("all processes know that the fleet is open", |scenario| {
            scenario.processes.iter().all(|process| {
                let report = process.report();
                report.is_connected && report.open == 1
            })
        })
        .await?;
        let before = self.dependency.served_to_all(SHARED).with_lease;
        self.until("trials need the lease again", |scenario| {
            scenario.dependency.served_to_all(SHARED).with_lease > before
        })
        .await
    }

    /// One process tries the dependency, and all circuits close.
    async fn one_closes_all(&self) -> anyhow::Result<()> {
        self.dependency.set_down(false);
        say("== the users API works again");
        let recovered = Instant::now();
        self.until("the circuit is closed at all processes", |scenario| {
            scenario.processes.iter().all(|process| {
                process
                    .changes()
                    .last()
                    .is_some_and(|change| change.to == "closed")
            })
        })
        .await?;
        say(format_args!(
            "   after {:.1} s",
            recovered.elapsed().as_secs_f64()
        ));
        let last = self
            .processes
            .iter()
            .filter_map(|process| process.changes().pop());
        let by_fleet = last.filter(|change| change.is_by_fleet).count();
        ensure!(
            by_fleet == 2,
            "the trials of one process should have closed all circuits"
        );
        let before: Vec<_> = self
            .processes
            .iter()
            .map(|process| process.calls(SHARED))
            .collect();
        self.until("each process calls the users API again", |scenario| {
            let mut pairs = scenario.processes.iter().zip(&before);
            pairs.all(|(process, before)| process.calls(SHARED).succeeded > before.succeeded)
        })
        .await
    }

    /// Each failed call was failed by the dependency, and no call waited for anything else.
    async fn no_call_knows_of_redis(self) -> anyhow::Result<()> {
        for process in self.processes {
            let number = process.number;
            let report = process.stop().await?;
            for circuit in [SHARED, UNSHARED, HEALTHY] {
                let calls = report.calls.get(circuit).copied().unwrap_or_default();
                let served = self.dependency.served(number, circuit);
                say(format_args!(
                    "   process {number}: {circuit}: {} succeeded, {} failed, {} refused",
                    calls.succeeded, calls.failed, calls.refused
                ));
                ensure!(
                    (calls.succeeded, calls.failed) == (served.succeeded, served.failed),
                    "the API answered otherwise: {served:?}"
                );
                ensure!(calls.delayed == 0, "a call waited {} times", calls.delayed);
                let is_healthy = calls.failed + calls.refused == 0;
                ensure!(is_healthy == (circuit == HEALTHY), "{circuit}: {calls:?}");
            }
        }
        self.redis.stop().await
    }

    /// Returns the number of all calls so far.
    fn calls(&self) -> u64 {
        let reports = self.processes.iter().map(Process::report);
        let calls = reports.flat_map(|report| report.calls.into_values());
        calls
            .map(|calls| calls.succeeded + calls.failed + calls.refused)
            .sum()
    }

    /// Waits until the condition holds.
    async fn until(
        &self,
        what: &str,
        mut condition: impl FnMut(&Self) -> bool,
    ) -> anyhow::Result<()> {
        let end = Instant::now() + PATIENCE;
        while !condition(self) {
            if let Some(ended) = self.processes.iter().find(|process| process.has_ended()) {
                bail!("process {} has ended", ended.number);
            }
            if Instant::now() > end {
                for process in &self.processes {
                    eprintln!("process {}: {:?}", process.number, process.report());
                }
                bail!("not within {PATIENCE:?}: {what}");
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        say(format_args!("   {what}"));
        Ok(())
    }
}

fn is_opening(change: &Change) -> bool {
    change.to == "open"
}
