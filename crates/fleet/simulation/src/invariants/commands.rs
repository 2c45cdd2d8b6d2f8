//! Commands of operators: they survive a store that loses its data, and released ones never return.

use super::{Audit, REACTION};
use breakerbox::State;
use breakerbox_fleet::protocol::{Command, Verb, Version};
use std::collections::BTreeMap;
use std::time::Duration;

/// The commands that the network has delivered to one node: the latest one for each pattern.
#[derive(Clone, Debug, Default)]
pub(super) struct CommandsModel {
    known: BTreeMap<String, Known>,
    /// When the node last learned something new.
    since: Duration,
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
        let known = model.known.get_mut(&command.pattern);
        if let Some(known) = known.filter(|known| known.version == command.version) {
            // The clock of another primary may be ahead.
            known.end = known.end.min(end);
            continue;
        }
        let known = model.known.get(&command.pattern);
        if known.is_none_or(|known| known.version < command.version) {
            let known = Known {
                version: command.version,
                verb: command.verb,
                end,
            };
            model.known.insert(command.pattern.clone(), known);
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
    let counts = commands.known.iter().filter(|(pattern, known)| {
        let lasts = known.verb != Verb::Release && now < known.end;
        lasts && Command::matches(pattern, name)
    });
    let counting = counts.max_by_key(|(pattern, _)| {
        let prefix = pattern.trim_end_matches('*');
        (prefix.len(), prefix.len() == pattern.len())
    });
    if counting.is_none_or(|(_, known)| known.verb != verb) {
        let what =
            format!("{name}: n{node} is {to} by a command that does not count: {counting:?}");
        audit.report(now, "commands", what);
    }
}

/// The store and all nodes have the latest command of each pattern that one of the nodes knows.
pub(crate) fn survive(audit: &mut Audit, now: Duration, nodes: &[usize], stored: &[Command]) {
    let mut latest: BTreeMap<&str, (Version, usize)> = BTreeMap::new();
    for node in nodes {
        for (pattern, known) in &audit.nodes[*node].commands.known {
            let entry = latest.entry(pattern).or_default();
            if now < known.end && entry.0 < known.version {
                *entry = (known.version, *node);
            }
        }
    }
    let mut lost = Vec::new();
    for (pattern, (version, knower)) in &latest {
        let in_store = stored.iter().find(|command| command.pattern == **pattern);
        if in_store.map_or(Version(0), |command| command.version) < *version {
            lost.push(format!(
                "{pattern}: n{knower} knows {version}, but not the store"
            ));
        }
        for node in nodes {
            let known = audit.nodes[*node].commands.known.get(*pattern);
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
