//! [`Keys`]: the names of the keys and of the channel.

/// The names of the keys and of the channel of one namespace.
///
/// The number of keys is fixed. Scripts declare each key that they use, and batches need no lists of
/// keys. The braces select one hash slot for all of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keys {
    /// The latest version: a string.
    pub head: String,
    /// The records by name: a hash.
    pub records: String,
    /// The names by version: a sorted set. Names that have only votes are listed under zero.
    pub index: String,
    /// When each member was last seen: a sorted set.
    pub members: String,
    /// The commands of operators: a string. Only the script of commands declares this key: a user may have
    /// no right to write it, and a server refuses a script that declares such a key.
    pub operator: String,
    /// Where messages are published.
    pub channel: String,
}

impl Keys {
    /// Whether keys may begin with this prefix. Braces would select another hash slot, and `*?[` are
    /// patterns in the permissions of users.
    pub(crate) fn is_valid_prefix(prefix: &str) -> bool {
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._:-".contains(&byte);
        (1..=64).contains(&prefix.len()) && prefix.bytes().all(is_allowed)
    }

    /// Creates the names for a prefix and a namespace, which must be of `[A-Za-z0-9._:-]`.
    pub fn new(prefix: &str, namespace: &str) -> Self {
        let key = |letter: &str| format!("{prefix}:{{{namespace}}}:{letter}");
        Self {
            head: key("h"),
            records: key("s"),
            index: key("i"),
            members: key("n"),
            operator: key("o"),
            channel: format!("{prefix}:{{{namespace}}}"),
        }
    }

    /// Selects the channel of a database. The keys of databases are separate, but channels are not:
    /// without another name, a fleet would hear the messages of the other databases.
    pub(crate) fn in_database(mut self, database: i64) -> Self {
        if database != 0 {
            self.channel = format!("{}:{database}", self.channel);
        }
        self
    }

    /// Returns the keys that the script of commands declares, in their order.
    pub fn declared_by_command(&self) -> [&str; 5] {
        let [head, records, index, members] = self.declared();
        [head, records, index, members, &self.operator]
    }

    /// Returns the keys that the other scripts declare, in their order.
    pub fn declared(&self) -> [&str; 4] {
        [&self.head, &self.records, &self.index, &self.members]
    }
}
