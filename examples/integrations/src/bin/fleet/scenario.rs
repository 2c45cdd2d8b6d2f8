//! [`run`]: an outage, with and without Redis, and what the fleet promises in each part of it.

use crate::dependency::{Dependency, Served};
use crate::message::{Calls, Change};
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
    scenario.redis_failed_no_call().await?;
    println!(
        "{shared} trials during the outage, and {unshared} without sharing; \
         {calls} calls without Redis, none delayed"
    );
    Ok(())
}

impl Scenario {
    async fn all_work(&self) -> anyhow::Result<()> {
        self.until_all("shares its circuits and calls the API", |process| {
            process.report().is_connected && process.calls(SHARED).succeeded > 0
        })
        .await
    }

    /// The quorum opens all circuits, also one whose own rule is far from opening it.
    async fn quorum_opens_all(&self) -> anyhow::Result<()> {
        self.dependency.set_down(true);
        say("== the users API fails");
        self.until_all("has opened its circuit", |process| {
            process.changes().iter().any(is_opening)
        })
        .await?;
        let idle = &self.processes[2];
        let failed = self.dependency.served(idle.number, SHARED).failed;
        say(format_args!(
            "   process 3 opened after {failed} failed calls of its own, and needs \
             {FAILURE_THRESHOLD} by its own rule"
        ));
        let first = idle.changes().into_iter().find(is_opening);
        ensure!(
            first.is_some_and(|change| change.is_by_fleet),
            "the fleet should have opened the circuit of process 3"
        );
        ensure!(failed < u64::from(FAILURE_THRESHOLD));
        Ok(())
    }

    /// While the fleet is open, only the process with the lease makes trials. Returns the number of requests
    /// meanwhile, and those of the same calls without a fleet.
    async fn one_tries_for_all(&self) -> anyhow::Result<(u64, u64)> {
        let served = || [SHARED, UNSHARED].map(|circuit| self.dependency.served_to_all(circuit));
        let [shared_before, unshared_before] = served();
        let requests = |now: Served, before: Served| now.requests() - before.requests();
        self.until("the unshared circuits have made 15 requests", || {
            requests(served()[1], unshared_before) >= 15
        })
        .await?;
        let now = served();
        let shared = requests(now[0], shared_before);
        let unshared = requests(now[1], unshared_before);
        say(format_args!(
            "   {shared} requests reached the failing API, and {unshared} without sharing"
        ));
        let own = now[0].without_lease - shared_before.without_lease;
        ensure!(own == 0, "{own} trials were made without the lease");
        ensure!(shared > 0, "the fleet never tried");
        ensure!(
            shared * 2 <= unshared,
            "the fleet should spare the API half of the trials at least"
        );
        Ok((shared, unshared))
    }

    /// Without Redis, each process tries by its own rules, and its other calls go on. Returns the number of
    /// calls meanwhile.
    async fn each_goes_on_without_redis(&mut self) -> anyhow::Result<u64> {
        say("== Redis is killed");
        self.redis.kill().await?;
        self.until_all("has noticed", |process| !process.report().is_connected)
            .await?;
        let begin = self.calls();
        let served = |process: &Process| {
            let served = |circuit| self.dependency.served(process.number, circuit);
            (served(SHARED).failed, served(HEALTHY).succeeded)
        };
        let before: Vec<_> = self.processes.iter().map(served).collect();
        self.until_all("has tried the users API twice by itself", |process| {
            let (trials, others) = before[process.number - 1];
            let now = served(process);
            now.0 >= trials + 2 && now.1 >= others + 10
        })
        .await?;
        let calls = self.calls() - begin;
        say(format_args!("   {calls} calls ended meanwhile"));
        Ok(calls)
    }

    /// Redis comes back without its data. The processes tell it what they know, and share again.
    async fn fleet_agrees_again(&mut self) -> anyhow::Result<()> {
        say("== Redis is started again, without its data");
        self.redis.restart().await?;
        self.until_all("knows that the fleet is open", |process| {
            let report = process.report();
            report.is_connected && report.open == 1
        })
        .await?;
        let with_lease = || self.dependency.served_to_all(SHARED).with_lease;
        let before = with_lease();
        self.until("a process tries with the lease again", || {
            with_lease() > before
        })
        .await
    }

    /// One process tries the dependency, and all circuits close.
    async fn one_closes_all(&self) -> anyhow::Result<()> {
        self.dependency.set_down(false);
        say("== the users API works again");
        let begin = Instant::now();
        self.until_all("has closed its circuit", |process| {
            let last = process.changes().pop();
            last.is_some_and(|change| change.to == "closed")
        })
        .await?;
        say(format_args!(
            "   {:.1} s later",
            begin.elapsed().as_secs_f64()
        ));
        let last = self.processes.iter().map(|process| process.changes().pop());
        let by_fleet = last.flatten().filter(|change| change.is_by_fleet);
        ensure!(
            by_fleet.count() == 2,
            "the trial of one process should have closed all circuits"
        );
        let succeeded = |process: &Process| process.calls(SHARED).succeeded;
        let before: Vec<_> = self.processes.iter().map(succeeded).collect();
        self.until_all("calls the users API again", |process| {
            succeeded(process) > before[process.number - 1]
        })
        .await
    }

    /// The API failed each call that failed, and no call waited for anything else.
    async fn redis_failed_no_call(self) -> anyhow::Result<()> {
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
        calls.map(Calls::total).sum()
    }

    /// Waits until the condition holds for each process.
    async fn until_all(
        &self,
        what: &str,
        condition: impl Fn(&Process) -> bool,
    ) -> anyhow::Result<()> {
        let holds = || self.processes.iter().all(&condition);
        self.until(&format!("each process {what}"), holds).await
    }

    /// Waits until the condition holds.
    async fn until(&self, what: &str, condition: impl Fn() -> bool) -> anyhow::Result<()> {
        let end = Instant::now() + PATIENCE;
        while !condition() {
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
