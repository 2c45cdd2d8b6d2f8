//! [`CommandTable`]: the commands of one namespace, as every store keeps them.

use super::command::{Command, Verb};
use super::limits::{MAX_COMMANDS, MAX_NUMBER, MAX_WORD};
use super::text::{
    NONE, decode_name, encode_name, fields, is_encoded, is_word, parse_number, unless_none,
};
use super::units::{Micros, Version, in_micros};
use std::fmt;

/// The commands of one namespace: at most [`MAX_COMMANDS`]. Each pattern has one that lasts or was released,
/// and one that has closed circuits.
///
/// Kept whole in one text, apart from the records, because it needs a permission of its own. Stores in
/// other languages translate [`say`](Self::say).
///
/// # Format
///
/// One line for each command, with seven fields, then fields of later versions, which are kept:
///
/// ```text
/// pattern version verb until by actor reason …
/// ```
///
/// `until` is in microseconds. `verb` is `f`, `d`, `r` or `c`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CommandTable {
    entries: Vec<Entry>,
}

/// One line, with its texts as they are written.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    pattern: String,
    version: Version,
    verb: Verb,
    until: Micros,
    by: String,
    actor: String,
    reason: String,
    rest: String,
}

/// What became of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CommandWord {
    /// The command counts from now on.
    Accepted,
    /// The store has this command, or a later one for the pattern, or the command has ended.
    Known,
    /// The store has [`MAX_COMMANDS`] commands of other patterns.
    Full,
    /// A field is out of bounds.
    Bad,
}

const WORDS: [(CommandWord, &str); 4] = [
    (CommandWord::Accepted, "accepted"),
    (CommandWord::Known, "known"),
    (CommandWord::Full, "full"),
    (CommandWord::Bad, "bad"),
];

impl CommandWord {
    /// Parses the text of the word.
    pub fn parse(text: &str) -> Option<Self> {
        let found = WORDS.iter().find(|(_, code)| *code == text);
        found.map(|(word, _)| *word)
    }
}

impl CommandTable {
    /// Parses the commands of a store whose time is `now`. Leaves out lines that cannot be genuine, and
    /// commands that have ended.
    pub fn read(text: &str, now: Micros) -> Self {
        let mut entries: Vec<Entry> = Vec::new();
        for line in text.split('\n') {
            let Some(entry) = Entry::read(line, now) else {
                continue;
            };
            let is_full = entries.len() >= MAX_COMMANDS;
            match entries.iter_mut().find(|e| entry.replaces(e)) {
                Some(known) if known.version < entry.version => *known = entry,
                Some(_) => {}
                None if is_full => {}
                None => entries.push(entry),
            }
        }
        Self { entries }
    }

    /// Adds a command, and returns the new head of the store.
    ///
    /// A command whose version is zero is new, and gets the version of the new head. Any other command is
    /// one that a node knows from the store, which may have lost it since: it counts unless the store has
    /// a later one for the pattern.
    pub fn say(
        &mut self,
        command: &Command,
        head: Version,
        seen: Version,
        now: Micros,
    ) -> (CommandWord, Option<Version>) {
        if !command.is_valid() || command.version.is_ahead_of(now) {
            return (CommandWord::Bad, None);
        }
        let pattern = encode_name(&command.pattern);
        let replaces = |e: &Entry| e.pattern == pattern && command.verb.replaces(e.verb);
        let index = self.entries.iter().position(replaces);
        let known = index.map_or(Version(0), |index| self.entries[index].version);
        let is_new = command.version == Version(0);
        if !is_new && known >= command.version {
            return (CommandWord::Known, None);
        }
        if index.is_none() && self.entries.len() >= MAX_COMMANDS {
            return (CommandWord::Full, None);
        }
        let versions = self.entries.iter().map(|entry| entry.version);
        let latest = versions.fold(head.max(command.version), Version::max);
        let head = Version::next(latest, seen, now);
        let text = |text: &str| {
            if text.is_empty() {
                NONE.to_owned()
            } else {
                encode_name(text)
            }
        };
        let entry = Entry {
            pattern,
            version: if is_new { head } else { command.version },
            verb: command.verb,
            until: now.after(command.left),
            by: command.by.clone(),
            actor: text(&command.actor),
            reason: text(&command.reason),
            rest: String::new(),
        };
        let entry = entry.cut(now);
        if entry.until <= now {
            // It has ended, by its version.
            return (CommandWord::Known, None);
        }
        match index {
            Some(index) => self.entries[index] = entry,
            None => self.entries.push(entry),
        }
        (CommandWord::Accepted, Some(head))
    }

    /// Returns the commands as nodes get them.
    pub fn commands(&self, now: Micros) -> Vec<Command> {
        let commands = self.entries.iter().map(|entry| entry.command(now));
        commands.flatten().collect()
    }
}

impl Entry {
    fn read(line: &str, now: Micros) -> Option<Self> {
        let mut fields = fields(line)?;
        let mut next = || fields.next();
        let pattern = next()?;
        let star = pattern.find('*');
        if !is_encoded(pattern) || star.is_some_and(|star| star + 1 != pattern.len()) {
            return None;
        }
        let version = Version(parse_number(next()?)?);
        let verb = Verb::from_letter(next()?)?;
        let until = Micros(parse_number(next()?)?);
        let by = next()?;
        let (actor, reason) = (next()?, next()?);
        if version == Version(0) || version.is_ahead_of(now) {
            return None;
        }
        let is_text = |field: &str| field == NONE || is_encoded(field);
        if !(is_word(by, MAX_WORD) && is_text(actor) && is_text(reason)) {
            return None;
        }
        let entry = Self {
            pattern: pattern.to_owned(),
            version,
            verb,
            until,
            by: by.to_owned(),
            actor: actor.to_owned(),
            reason: reason.to_owned(),
            rest: fields.collect::<Vec<_>>().join(" "),
        };
        let entry = entry.cut(now);
        (entry.until > now).then_some(entry)
    }

    fn replaces(&self, other: &Self) -> bool {
        self.pattern == other.pattern && self.verb.replaces(other.verb)
    }

    /// Cuts the end to the longest time of the verb, counted from the time of the store and from the
    /// version. An end in the far future would otherwise move along with `now`.
    fn cut(mut self, now: Micros) -> Self {
        let begun = now.0.min(self.version.0);
        let latest = (begun + in_micros(self.verb.longest())).min(MAX_NUMBER);
        self.until = self.until.min(Micros(latest));
        self
    }

    /// Returns `None` if a text is none that [`encode_name`] returns.
    fn command(&self, now: Micros) -> Option<Command> {
        let text = |field: &str| match unless_none(field) {
            "" => Some(String::new()),
            field => decode_name(field),
        };
        Some(Command {
            pattern: decode_name(&self.pattern)?,
            version: self.version,
            verb: self.verb,
            left: self.until.since(now),
            by: self.by.clone(),
            actor: text(&self.actor)?,
            reason: text(&self.reason)?,
        })
    }
}

/// Displays the text of a store.
impl fmt::Display for CommandTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, entry) in self.entries.iter().enumerate() {
            let newline = if index == 0 { "" } else { "\n" };
            let Entry {
                pattern,
                version,
                until,
                by,
                actor,
                reason,
                ..
            } = entry;
            let verb = entry.verb.letter();
            write!(
                f,
                "{newline}{pattern} {version} {verb} {until} {by} {actor} {reason}"
            )?;
            if !entry.rest.is_empty() {
                write!(f, " {}", entry.rest)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{LONGEST_COMMAND, RETENTION};
    use std::time::Duration;

    const NOW: Micros = Micros(1_790_000_000_000_000);
    const HOUR: Duration = Duration::from_secs(3_600);

    fn command(pattern: &str, verb: Verb) -> Command {
        Command {
            pattern: pattern.into(),
            version: Version(0),
            verb,
            left: HOUR,
            by: "web-1".into(),
            actor: String::new(),
            reason: "INC 123".into(),
        }
    }

    fn say(table: &mut CommandTable, command: &Command) -> CommandWord {
        table.say(command, Version(0), Version(0), NOW).0
    }

    #[test]
    fn command_survives_its_text() {
        let mut table = CommandTable::default();
        let said = Command {
            actor: "аня {x}".into(),
            ..command("a b*", Verb::Disable)
        };
        assert_eq!(say(&mut table, &said), CommandWord::Accepted);
        let text = table.to_string();
        let read = CommandTable::read(&text, NOW);
        assert_eq!(read, table);
        let version = Version(NOW.0);
        assert_eq!(read.commands(NOW), [Command { version, ..said }]);
        let later = format!("{text} later fields");
        assert_eq!(CommandTable::read(&later, NOW).to_string(), later);
    }

    #[test]
    fn later_command_of_a_pattern_counts() {
        let mut table = CommandTable::default();
        say(&mut table, &command("a", Verb::ForceOpen));
        say(&mut table, &command("a", Verb::Release));
        let [released] = &table.commands(NOW)[..] else {
            panic!("{table:?}")
        };
        assert_eq!(released.verb, Verb::Release);
        let earlier = Command {
            version: Version(NOW.0),
            ..command("a", Verb::ForceOpen)
        };
        assert_eq!(say(&mut table, &earlier), CommandWord::Known);
        assert_eq!(say(&mut table, &released.clone()), CommandWord::Known);
        // A store that has lost its memory gets the command back, with its version.
        let mut lost = CommandTable::default();
        assert_eq!(say(&mut lost, released), CommandWord::Accepted);
        assert_eq!(lost.commands(NOW), std::slice::from_ref(released));
        assert_eq!(say(&mut lost, &earlier), CommandWord::Known);
    }

    #[test]
    fn close_ends_no_other_command_of_its_pattern() {
        let mut table = CommandTable::default();
        for verb in [Verb::ForceOpen, Verb::Close, Verb::Disable, Verb::Close] {
            assert_eq!(say(&mut table, &command("a", verb)), CommandWord::Accepted);
        }
        let verbs = |table: &CommandTable| {
            let commands = table.commands(NOW).into_iter();
            commands.map(|command| command.verb).collect::<Vec<_>>()
        };
        assert_eq!(verbs(&table), [Verb::Disable, Verb::Close]);
        let read = CommandTable::read(&table.to_string(), NOW);
        assert_eq!(verbs(&read), [Verb::Disable, Verb::Close]);
    }

    #[test]
    fn command_of_full_table_is_refused() {
        let mut table = CommandTable::default();
        for index in 0..MAX_COMMANDS {
            let said = command(&format!("a{index}"), Verb::Disable);
            assert_eq!(say(&mut table, &said), CommandWord::Accepted);
        }
        let other = command("b", Verb::Disable);
        assert_eq!(say(&mut table, &other), CommandWord::Full);
        let known = command("a7", Verb::Release);
        assert_eq!(say(&mut table, &known), CommandWord::Accepted);
        // An ended command makes room.
        let later = NOW.after(HOUR);
        let mut table = CommandTable::read(&table.to_string(), later);
        let (word, _) = table.say(&other, Version(0), Version(0), later);
        assert_eq!(word, CommandWord::Accepted);
    }

    #[test]
    fn foreign_line_is_left_out() {
        let genuine = format!("a {0} f {1} web-1 - -", NOW.0, NOW.after(HOUR));
        for foreign in [
            "junk".to_owned(),
            genuine.replacen("a ", "a*b ", 1),
            genuine.replacen("a ", "{a} ", 1),
            genuine.replace(" f ", " x "),
            genuine.replace(" - -", " - %zz"),
            genuine.replace(" web-1 ", " - "),
            genuine.replacen(&NOW.0.to_string(), "0", 1),
            genuine.replacen(&NOW.0.to_string(), "1790009999000000", 1),
        ] {
            let table = CommandTable::read(&format!("{foreign}\n{genuine}\n\n"), NOW);
            assert_eq!(table.to_string(), genuine, "{foreign}");
        }
    }

    #[test]
    fn end_in_the_far_future_is_cut() {
        let far = format!("a {0} f {1} web-1 - -", NOW.0, MAX_NUMBER);
        let left = |text: &str, now: Micros| {
            let commands = CommandTable::read(text, now).commands(now);
            commands.first().map(|command| command.left)
        };
        assert_eq!(left(&far, NOW), Some(LONGEST_COMMAND));
        assert_eq!(left(&far, NOW.after(LONGEST_COMMAND)), None);
        let released = far.replace(" f ", " r ");
        assert_eq!(left(&released, NOW), Some(RETENTION));
    }

    #[test]
    fn command_out_of_bounds_is_bad() {
        let mut table = CommandTable::default();
        let good = command("a", Verb::Disable);
        for bad in [
            command("a*b", Verb::Disable),
            Command {
                left: LONGEST_COMMAND + Duration::from_micros(1),
                ..good.clone()
            },
            Command {
                left: Duration::ZERO,
                ..good.clone()
            },
            Command {
                by: "a b".into(),
                ..good.clone()
            },
            Command {
                reason: "x".repeat(257),
                ..good.clone()
            },
            Command {
                version: Version(NOW.0 + 7_200_000_000),
                ..good.clone()
            },
        ] {
            assert_eq!(say(&mut table, &bad), CommandWord::Bad, "{bad:?}");
        }
    }
}
