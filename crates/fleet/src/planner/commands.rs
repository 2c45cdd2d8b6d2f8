//! [`Commands`]: what operators have told the fleet, as this node knows it.

use super::timing::{MAX_KNOWN_COMMANDS, Time};
use crate::protocol::{Command, MAX_LEAD, Verb, Version};
use breakerbox::Cause;
use breakerbox::fleet::CauseKind;
use std::collections::BTreeMap;
use std::time::Duration;

/// What operators have told the fleet, as this node knows it.
///
/// Kept while the store is away, and given back to a store that has lost its memory. Released commands
/// are kept as well, so that an earlier command of the same pattern does not return. So are ended
/// commands for a while, because a store whose clock is behind still has them.
#[derive(Debug, Default)]
pub(crate) struct Commands {
    /// By pattern. A close has a place of its own.
    known: BTreeMap<Place, KnownCommand>,
    /// The patterns whose circuits are looked at next.
    changed: Vec<String>,
    /// Whether the status has to be reported again.
    is_news: bool,
}

/// The pattern of a command, and whether the command has closed circuits.
type Place = (String, bool);

fn place(command: &Command) -> Place {
    (command.pattern.clone(), command.verb == Verb::Close)
}

/// A command, and when it ends.
#[derive(Clone, Debug)]
pub(crate) struct KnownCommand {
    pub(crate) command: Command,
    pub(crate) end: Time,
    /// When to give the command back to the store, which lacks it.
    announce_at: Option<Time>,
    /// Whether the end was noticed.
    has_ended: bool,
}

impl KnownCommand {
    /// Returns when the command ends, or when an ended command is forgotten.
    fn due(&self) -> Time {
        if self.has_ended {
            self.end.saturating_add(MAX_LEAD)
        } else {
            self.end
        }
    }

    /// Returns the cause of an order that follows this command.
    pub(crate) fn cause(&self) -> Cause {
        Cause::fleet(self.command.by.as_str(), CauseKind::Manual)
    }
}

impl Commands {
    /// Returns the command that counts for a name: of those that last, the one with the longest pattern.
    pub(crate) fn of(&self, name: &str, now: Time) -> Option<&KnownCommand> {
        let commands = self.known.values().filter(|known| {
            let Command { pattern, verb, .. } = &known.command;
            let lasts = matches!(verb, Verb::ForceOpen | Verb::Disable) && now < known.end;
            lasts && Command::matches(pattern, name)
        });
        commands.max_by_key(|known| {
            let pattern = &known.command.pattern;
            let prefix = pattern.strip_suffix('*');
            (prefix.unwrap_or(pattern).len(), prefix.is_none())
        })
    }

    /// Returns the latest close of a name, if it is known.
    pub(crate) fn close_of(&self, name: &str, now: Time) -> Option<&Command> {
        let commands = self.known.values().filter(|known| {
            let Command { pattern, verb, .. } = &known.command;
            *verb == Verb::Close && now < known.end && Command::matches(pattern, name)
        });
        let commands = commands.map(|known| &known.command);
        commands.max_by_key(|command| command.version)
    }

    /// Returns the latest version that is known.
    pub(crate) fn latest(&self) -> Version {
        let versions = self.known.values().map(|known| known.command.version);
        versions.max().unwrap_or_default()
    }

    /// Applies all commands of the store. Those that the store lacks are given back after `wait`.
    pub(crate) fn learn(
        &mut self,
        commands: &[Command],
        now: Time,
        mut wait: impl FnMut() -> Time,
    ) {
        for command in commands {
            let end = now.saturating_add(command.left.min(command.verb.longest()));
            let is_full = self.known.len() >= MAX_KNOWN_COMMANDS && !self.forget_ended();
            match self.known.get_mut(&place(command)) {
                Some(known) if known.command.version > command.version => {
                    let wait = wait();
                    if !known.has_ended {
                        known.announce_at.get_or_insert(now + wait);
                    }
                }
                // Versions of two primaries may be equal. The present one decides.
                Some(known) if known.command.is_same(command) => {
                    known.end = known.end.min(end);
                    known.announce_at = None;
                }
                None if is_full => {}
                _ => self.insert(command.clone(), end),
            }
        }
        for known in self.known.values_mut() {
            let has = |command: &Command| command.replaces(&known.command);
            if !known.has_ended && !commands.iter().any(has) {
                known.announce_at.get_or_insert_with(|| now + wait());
            }
        }
    }

    fn insert(&mut self, command: Command, end: Time) {
        self.is_news = true;
        self.changed.push(command.pattern.clone());
        let known = KnownCommand {
            command,
            end,
            announce_at: None,
            has_ended: false,
        };
        self.known.insert(place(&known.command), known);
    }

    /// Forgets one ended command. Returns `false` if there is none.
    fn forget_ended(&mut self) -> bool {
        let mut ended = self.known.iter().filter(|(_, known)| known.has_ended);
        let place = ended.next().map(|(place, _)| place.clone());
        place.is_some_and(|place| self.known.remove(&place).is_some())
    }

    /// Forgets released commands. A fault that tests must find.
    pub(crate) fn forget_releases(&mut self) {
        self.known
            .retain(|_, known| known.command.verb != Verb::Release);
    }

    /// Returns when [`take_changed`](Self::take_changed) has something new.
    pub(crate) fn due(&self) -> Option<Time> {
        if !self.changed.is_empty() {
            return Some(Time::ZERO);
        }
        self.known.values().map(KnownCommand::due).min()
    }

    /// Returns the patterns whose commands have changed or ended.
    pub(crate) fn take_changed(&mut self, now: Time) -> Vec<String> {
        if self.due().is_none_or(|due| now < due) {
            return Vec::new();
        }
        self.known
            .retain(|_, known| !known.has_ended || now < known.due());
        for ((pattern, _), known) in &mut self.known {
            if !known.has_ended && now >= known.end {
                known.has_ended = true;
                known.announce_at = None;
                self.is_news = true;
                self.changed.push(pattern.clone());
            }
        }
        std::mem::take(&mut self.changed)
    }

    /// Returns when the next command is given back to the store.
    pub(crate) fn next_announcement(&self) -> Option<Time> {
        let known = self.known.values();
        known.filter_map(|known| known.announce_at).min()
    }

    /// Returns the command to give back to the store now.
    pub(crate) fn announcement(&self, now: Time) -> Option<Command> {
        let is_due = |known: &&KnownCommand| known.announce_at.is_some_and(|at| at <= now);
        let mut known = self.known.values().filter(|known| now < known.end);
        known.find(is_due).map(|known| Command {
            left: known
                .end
                .saturating_sub(now)
                .min(known.command.verb.longest()),
            ..known.command.clone()
        })
    }

    /// Gives a command back later: the store did not take it.
    pub(crate) fn postpone(&mut self, command: &Command, to: Time) {
        if let Some(known) = self.known.get_mut(&place(command)) {
            known.announce_at = known.announce_at.map(|at| at.max(to));
        }
    }

    /// Returns all commands that have not ended, except released ones, if they have changed.
    pub(crate) fn take_news(&mut self) -> Option<Vec<(Command, Time)>> {
        if !std::mem::take(&mut self.is_news) {
            return None;
        }
        let known = self.known.values();
        let lasting = known.filter(|known| known.command.verb != Verb::Release && !known.has_ended);
        Some(
            lasting
                .map(|known| (known.command.clone(), known.end))
                .collect(),
        )
    }
}

/// Returns how long a forced-open circuit is open without a look of the task.
pub(crate) fn hold(end: Time, grace: Duration, now: Time) -> Duration {
    end.saturating_sub(now).min(super::timing::FORCED_FOR) + grace
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secs(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn command(pattern: &str, version: u64, verb: Verb) -> Command {
        Command {
            pattern: pattern.into(),
            version: Version(version),
            verb,
            left: secs(100),
            by: "web-1".into(),
            actor: String::new(),
            reason: String::new(),
        }
    }

    fn learned(commands: &[Command]) -> Commands {
        let mut known = Commands::default();
        known.learn(commands, secs(0), || secs(1));
        known
    }

    #[test]
    fn longest_pattern_counts() {
        let mut commands = learned(&[
            command("*", 1, Verb::Disable),
            command("pay*", 2, Verb::ForceOpen),
            command("pay", 3, Verb::Disable),
            command("payments", 4, Verb::ForceOpen),
        ]);
        let pattern = |commands: &Commands, name: &str| {
            let found = commands.of(name, secs(1));
            found.map(|known| known.command.pattern.clone())
        };
        assert_eq!(pattern(&commands, "search").as_deref(), Some("*"));
        assert_eq!(pattern(&commands, "pay").as_deref(), Some("pay"));
        assert_eq!(pattern(&commands, "payout").as_deref(), Some("pay*"));
        assert_eq!(pattern(&commands, "payments").as_deref(), Some("payments"));
        // A release releases that pattern only.
        let release = command("payments", 5, Verb::Release);
        commands.learn(&[release], secs(1), || secs(1));
        assert_eq!(pattern(&commands, "payments").as_deref(), Some("pay*"));
        assert_eq!(commands.take_changed(secs(100)).len(), 8);
        assert!(commands.of("search", secs(100)).is_none());
    }

    #[test]
    fn close_is_followed_by_no_circuit() {
        let close = |pattern: &str, version| command(pattern, version, Verb::Close);
        let commands = learned(&[
            command("pay*", 1, Verb::ForceOpen),
            close("pay*", 2),
            close("payments", 3),
            close("pay*", 4),
        ]);
        let counts = commands.of("payments", secs(1)).unwrap();
        assert_eq!(counts.command.verb, Verb::ForceOpen);
        let of = |name: &str, now| {
            let close = commands.close_of(name, now);
            close.map(|command| command.version.0)
        };
        assert_eq!(of("payments", secs(1)), Some(4));
        assert_eq!(of("search", secs(1)), None);
        assert_eq!(of("payments", secs(100)), None);
    }

    #[test]
    fn store_that_lacks_command_gets_it_back() {
        let mut commands = learned(&[command("a", 7, Verb::Release)]);
        assert_eq!(commands.announcement(secs(50)), None);
        let stale = command("a", 3, Verb::ForceOpen);
        commands.learn(&[stale], secs(10), || secs(1));
        assert!(commands.of("a", secs(10)).is_none());
        assert_eq!(commands.next_announcement(), Some(secs(11)));
        let given = commands.announcement(secs(11)).unwrap();
        assert_eq!((given.verb, given.left), (Verb::Release, secs(89)));
        commands.postpone(&given, secs(20));
        assert_eq!(commands.announcement(secs(19)), None);
        commands.learn(&[given], secs(20), || secs(1));
        assert_eq!(commands.next_announcement(), None);
    }

    #[test]
    fn ended_command_stays_ended() {
        let mut commands = learned(&[command("a", 7, Verb::ForceOpen)]);
        assert_eq!(commands.take_changed(secs(1)), ["a"]);
        assert_eq!(commands.take_changed(secs(100)), ["a"]);
        // The clock of another store is behind.
        commands.learn(&[command("a", 7, Verb::ForceOpen)], secs(100), || secs(1));
        assert!(commands.of("a", secs(100)).is_none());
        commands.learn(&[], secs(100), || secs(1));
        assert_eq!(commands.next_announcement(), None);
        assert_eq!(commands.due(), Some(secs(3_700)));
        commands.take_changed(secs(3_700));
        assert_eq!(commands.due(), None);
    }

    #[test]
    fn ended_commands_make_room() {
        let many = |kind: &str| {
            let patterns = (0..MAX_KNOWN_COMMANDS).map(|at| format!("{kind}{at}"));
            let commands = patterns.map(|pattern| command(&pattern, 7, Verb::Disable));
            commands.collect::<Vec<_>>()
        };
        let mut commands = learned(&many("a"));
        commands.learn(&many("b"), secs(1), || secs(1));
        assert!(commands.of("b7", secs(1)).is_none());
        commands.take_changed(secs(100));
        commands.learn(&many("b"), secs(100), || secs(1));
        assert!(commands.of("b7", secs(101)).is_some());
        assert_eq!(commands.known.len(), MAX_KNOWN_COMMANDS);
    }

    #[test]
    fn same_version_never_lasts_longer() {
        let mut commands = learned(&[command("a", 7, Verb::ForceOpen)]);
        commands.learn(&[command("a", 7, Verb::ForceOpen)], secs(50), || secs(1));
        assert!(commands.of("a", secs(100)).is_none());
    }
}
