//! Commands of operators: they survive a store that loses its data, and released ones never return.

use super::{Audit, REACTION};
use breakerbox::State;
use breakerbox_fleet::protocol::{Command, Verb, Version};
use std::collections::BTreeMap;
use std::time::Duration;

/// The commands that the network has delivered to one node: the latest one for each pattern.
#[derive(Clone, Debug, Default)]
pub(super) struct CommandsModel {
    known: BTreeMap<Place, Known>,
    /// When the node last learned something new.
    since: Duration,
}

/// The pattern of a command, and whether the command has closed circuits: a close ends no other command.
type Place = (String, bool);

fn place(command: &Command) -> Place {
    (command.pattern.clone(), command.verb == Verb::Close)
}

#[derive(Clone, Debug)]
struct Known {
    version: Version,
    verb: Verb,
    end: Duration,
}

/// The network delivered all commands of the store to a node.
pub(super) fn delivered(audit: &mut Audit, now: Duration, node: usize, commands: &[Command]) {
    let model = &mut audit.nodes[node].commands;
    for command in commands {
        let end = now + command.left;
        let known = model.known.get_mut(&place(command));
        if let Some(known) = known.filter(|known| known.version == command.version) {
            // The clock of another primary may be ahead.
            known.end = known.end.min(end);
            continue;
        }
        let known = model.known.get(&place(command));
        if known.is_none_or(|known| known.version < command.version) {
            let known = Known {
                version: command.version,
                verb: command.verb,
                end,
            };
            model.known.insert(place(command), known);
            model.since = now;
        }
    }
}

/// A circuit follows only a command that counts, as far as its node knows.
pub(super) fn is_followed(audit: &mut Audit, now: Duration, node: usize, name: &str, to: State) {
    let verb = match to {
        State::Open => Verb::ForceOpen,
        State::Disabled => Verb::Disable,
        _ => return,
    };
    let (commands, resumed) = (&audit.nodes[node].commands, audit.nodes[node].resumed);
    if now < commands.since + REACTION || now < resumed + REACTION {
        return;
    }
    let ends_now = |known: &Known| known.end.abs_diff(now) < REACTION;
    if commands.known.values().any(ends_now) {
        return;
    }
    let counts = commands.known.iter().filter(|((pattern, _), known)| {
        let lasts = matches!(known.verb, Verb::ForceOpen | Verb::Disable) && now < known.end;
        lasts && Command::matches(pattern, name)
    });
    let counting = counts.max_by_key(|((pattern, _), _)| {
        let prefix = pattern.trim_end_matches('*');
        (prefix.len(), prefix.len() == pattern.len())
    });
    if counting.is_none_or(|(_, known)| known.verb != verb) {
        let what =
            format!("{name}: n{node} is {to} by a command that does not count: {counting:?}");
        audit.report(now, "commands", what);
    }
}

/// A close that succeeded has closed each circuit that was open when it was given at `begun`.
pub(crate) fn has_closed(audit: &mut Audit, now: Duration, begun: Duration, open: &[String]) {
    if audit.epoch_since >= begun && audit.epoch > 0 {
        return;
    }
    for name in open {
        let closed = audit.record(name).closed;
        if closed.is_none_or(|closed| closed.at < begun) {
            audit.report(
                now,
                "closes",
                format!("{name}: open since before {begun:?}"),
            );
        }
    }
}

/// The store and all nodes have the latest command of each pattern that one of the nodes knows.
pub(crate) fn survive(audit: &mut Audit, now: Duration, nodes: &[usize], stored: &[Command]) {
    let mut latest: BTreeMap<&Place, (Version, usize)> = BTreeMap::new();
    for node in nodes {
        for (place, known) in &audit.nodes[*node].commands.known {
            let entry = latest.entry(place).or_default();
            if now < known.end && entry.0 < known.version {
                *entry = (known.version, *node);
            }
        }
    }
    let mut lost = Vec::new();
    for (latest, (version, knower)) in &latest {
        let in_store = stored.iter().find(|command| place(command) == **latest);
        let pattern = &latest.0;
        if in_store.map_or(Version(0), |command| command.version) < *version {
            lost.push(format!(
                "{pattern}: n{knower} knows {version}, but not the store"
            ));
        }
        for node in nodes {
            let known = audit.nodes[*node].commands.known.get(*latest);
            if known.map_or(Version(0), |known| known.version) < *version {
                lost.push(format!(
                    "{pattern}: n{knower} knows {version}, but not n{node}"
                ));
            }
        }
    }
    for what in lost {
        audit.report(now, "commands", what);
    }
}
