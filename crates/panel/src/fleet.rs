//! What the panel shows of a fleet.

use crate::caught::caught;
use breakerbox::BreakerConfig;
use breakerbox_fleet::{CommandStatus, FleetStatus, LinkStatus, Share};
use serde::Serialize;
use std::fmt;
use std::sync::Arc;

/// Where the state of the fleet comes from.
#[derive(Clone)]
pub(crate) struct Source(Arc<dyn Fn() -> FleetStatus + Send + Sync>);

/// The state of the fleet, for the head of the page.
#[derive(Serialize)]
pub(crate) struct Summary {
    link: &'static str,
    /// The reason of a degraded link.
    why: Option<String>,
    since_s: u64,
    round_trip_ms: Option<u64>,
    node: String,
    instance: String,
    members: u64,
    namesakes: Vec<String>,
    known: usize,
    open: usize,
    leases: usize,
    /// The circuits that this node tries for the fleet.
    leased: Vec<String>,
    policies: Vec<Policy>,
    /// The commands of operators to the fleet.
    commands: Vec<FleetCommand>,
    /// What the fleet has counted since its start.
    counters: Counters,
    last_pull_s: Option<u64>,
}

/// How far the circuits of a prefix are shared.
#[derive(Serialize)]
struct Policy {
    /// The default has the empty prefix.
    prefix: String,
    share: String,
}

/// A command of an operator to the fleet.
#[derive(Serialize)]
struct FleetCommand {
    pattern: String,
    verb: String,
    left_s: u64,
    by: String,
    actor: Option<String>,
    reason: Option<String>,
}

impl Policy {
    fn of((prefix, share): &(Arc<str>, Share)) -> Self {
        Self {
            prefix: prefix.to_string(),
            share: share.to_string(),
        }
    }
}

impl FleetCommand {
    fn of(command: &CommandStatus) -> Self {
        let text = |text: &Option<Arc<str>>| text.as_deref().map(str::to_owned);
        Self {
            pattern: command.pattern.to_string(),
            verb: command.verb.to_string(),
            left_s: command.left.as_secs(),
            by: command.by.to_string(),
            actor: text(&command.actor),
            reason: text(&command.reason),
        }
    }
}

#[derive(Serialize)]
struct Counters {
    published: u64,
    adopted: u64,
    ignored: u64,
    leases_granted: u64,
    leases_denied: u64,
    leases_lost: u64,
}

/// The values whose change a stream reports at once.
#[derive(Debug, PartialEq)]
pub(crate) struct News {
    link: &'static str,
    why: Option<String>,
    members: u64,
    open: usize,
    leases: usize,
    commands: usize,
}

/// What the fleet is to one breaker.
#[derive(Serialize)]
pub(crate) struct Circuit {
    /// The policy that applies.
    policy: String,
    /// Where the policy comes from: `breaker`, or the default or a prefix of the fleet.
    from: String,
    /// Whether this node tries the circuit for the fleet.
    lease: bool,
    summary: Summary,
}

impl Source {
    pub(crate) fn new(status: impl Fn() -> FleetStatus + Send + Sync + 'static) -> Self {
        Self(Arc::new(status))
    }

    /// Returns the state, or `None` if the closure panics.
    fn status(&self) -> Option<FleetStatus> {
        caught(|| (self.0)())
    }
}

/// Returns the state of the fleet, or `None` without a fleet.
pub(crate) fn summary(fleet: Option<&Source>) -> Option<Summary> {
    let status = fleet?.status()?;
    let (link, why, since, round_trip) = match &status.link {
        LinkStatus::Connected {
            since, round_trip, ..
        } => ("connected", None, *since, Some(*round_trip)),
        LinkStatus::Degraded { since, why, .. } => {
            ("degraded", Some(why.to_string()), *since, None)
        }
        _ => return None,
    };
    Some(Summary {
        link,
        why,
        since_s: since.as_secs(),
        round_trip_ms: round_trip.map(crate::time::millis),
        node: status.node.to_string(),
        instance: status.instance.to_string(),
        members: status.nodes,
        namesakes: status.namesakes.iter().map(ToString::to_string).collect(),
        known: status.known,
        open: status.open,
        leases: status.leases,
        leased: status.leased.iter().map(ToString::to_string).collect(),
        policies: status.shares.iter().map(Policy::of).collect(),
        commands: status.commands.iter().map(FleetCommand::of).collect(),
        counters: Counters {
            published: status.counters.published,
            adopted: status.counters.adopted,
            ignored: status.counters.ignored,
            leases_granted: status.counters.leases_granted,
            leases_denied: status.counters.leases_denied,
            leases_lost: status.counters.leases_lost,
        },
        last_pull_s: status.last_pull.map(|pull| pull.as_secs()),
    })
}

/// Returns the values whose change a stream reports at once. Times and counters change all the time.
pub(crate) fn news(fleet: Option<&Source>) -> Option<News> {
    let Summary {
        link,
        why,
        members,
        open,
        leases,
        commands,
        ..
    } = summary(fleet)?;
    Some(News {
        link,
        why,
        members,
        open,
        leases,
        commands: commands.len(),
    })
}

/// Returns what the fleet is to a breaker, or `None` without a fleet.
pub(crate) fn circuit(
    fleet: Option<&Source>,
    name: &str,
    config: &BreakerConfig,
) -> Option<Circuit> {
    let summary = summary(fleet)?;
    let policies = summary.policies.iter();
    let longest = policies
        .filter(|policy| name.starts_with(&policy.prefix))
        .max_by_key(|policy| policy.prefix.len());
    let (policy, from) = match (config.fleet(), longest) {
        (Some(share), _) => (share.to_string(), "breaker".to_owned()),
        (None, Some(policy)) => {
            let from = match &*policy.prefix {
                "" => "fleet, default".to_owned(),
                prefix => format!("fleet, prefix {prefix:?}"),
            };
            (policy.share.clone(), from)
        }
        (None, None) => return None,
    };
    Some(Circuit {
        policy,
        from,
        lease: summary.leased.iter().any(|leased| leased == name),
        summary,
    })
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Source")
    }
}
