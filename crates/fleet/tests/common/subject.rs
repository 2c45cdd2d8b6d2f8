//! [`Subject`]: an implementation of a store under test.

use super::cas::CasTable;
use breakerbox_fleet::protocol::{Command, Micros, Op, Version, parse_number};
use breakerbox_fleet::store::{Commanded, Hello, Pulled, Submitted, Table};

/// An implementation of a store, whose time is given to each method.
pub(crate) trait Subject {
    fn name(&self) -> &'static str;

    /// Applies operations. Also returns the texts of the published messages.
    fn submit(
        &mut self,
        hello: &Hello,
        seen: Version,
        ops: &[Op],
        now: Micros,
    ) -> (Submitted, Vec<String>);

    fn pull(&mut self, hello: &Hello, since: Version, limit: usize, now: Micros) -> Pulled;

    /// Applies a command. Also returns the texts of the published messages.
    fn command(
        &mut self,
        hello: &Hello,
        seen: Version,
        command: &Command,
        now: Micros,
    ) -> (Commanded, Vec<String>);

    fn leave(&mut self, hello: &Hello);

    /// Writes the text of all commands as it stands.
    fn put_commands(&mut self, text: &str);

    /// Returns the text of all commands.
    fn commands(&mut self) -> String;

    /// Writes a record as it stands, listed under a version.
    fn put(&mut self, name: &str, text: &str, version: Version);

    fn set_head(&mut self, text: &str);

    fn set_member(&mut self, member: &str, seen: Micros);

    /// Returns names and texts of all records, in the order of the names.
    fn records(&mut self) -> Vec<(String, String)>;
}

impl Subject for Table {
    fn name(&self) -> &'static str {
        "Table"
    }

    fn submit(
        &mut self,
        hello: &Hello,
        seen: Version,
        ops: &[Op],
        now: Micros,
    ) -> (Submitted, Vec<String>) {
        let (submitted, message) = Table::submit(self, hello, seen, ops, now);
        (submitted, message.iter().map(ToString::to_string).collect())
    }

    fn pull(&mut self, hello: &Hello, since: Version, limit: usize, now: Micros) -> Pulled {
        Table::pull(self, hello, since, limit, now)
    }

    fn command(
        &mut self,
        hello: &Hello,
        seen: Version,
        command: &Command,
        now: Micros,
    ) -> (Commanded, Vec<String>) {
        let (commanded, message) = Table::command(self, hello, seen, command, now);
        (commanded, message.iter().map(ToString::to_string).collect())
    }

    fn leave(&mut self, hello: &Hello) {
        Table::leave(self, hello);
    }

    fn put_commands(&mut self, text: &str) {
        Table::put_commands(self, text);
    }

    fn commands(&mut self) -> String {
        Table::commands(self).to_owned()
    }

    fn put(&mut self, name: &str, text: &str, version: Version) {
        Table::put(self, name, text, version);
    }

    fn set_head(&mut self, text: &str) {
        Table::set_head(self, Version(parse_number(text).unwrap_or(0)));
    }

    fn set_member(&mut self, member: &str, seen: Micros) {
        Table::set_member(self, member, seen);
    }

    fn records(&mut self) -> Vec<(String, String)> {
        let records = Table::records(self);
        records
            .map(|(name, text)| (name.to_owned(), text.to_owned()))
            .collect()
    }
}

impl Subject for CasTable {
    fn name(&self) -> &'static str {
        "CasTable"
    }

    fn submit(
        &mut self,
        hello: &Hello,
        seen: Version,
        ops: &[Op],
        now: Micros,
    ) -> (Submitted, Vec<String>) {
        let (submitted, messages) = CasTable::submit(self, hello, seen, ops, now);
        (
            submitted,
            messages.iter().map(ToString::to_string).collect(),
        )
    }

    fn pull(&mut self, hello: &Hello, since: Version, limit: usize, now: Micros) -> Pulled {
        CasTable::pull(self, hello, since, limit, now)
    }

    fn command(
        &mut self,
        hello: &Hello,
        seen: Version,
        command: &Command,
        now: Micros,
    ) -> (Commanded, Vec<String>) {
        let (commanded, message) = CasTable::command(self, hello, seen, command, now);
        (commanded, message.iter().map(ToString::to_string).collect())
    }

    fn leave(&mut self, hello: &Hello) {
        CasTable::leave(self, hello);
    }

    fn put_commands(&mut self, text: &str) {
        CasTable::put_commands(self, text);
    }

    fn commands(&mut self) -> String {
        CasTable::commands(self)
    }

    fn put(&mut self, name: &str, text: &str, version: Version) {
        CasTable::put(self, name, text, version);
    }

    fn set_head(&mut self, text: &str) {
        CasTable::set_head(self, text);
    }

    fn set_member(&mut self, member: &str, seen: Micros) {
        CasTable::set_member(self, member, seen);
    }

    fn records(&mut self) -> Vec<(String, String)> {
        CasTable::records(self)
    }
}
