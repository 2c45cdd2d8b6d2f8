//! [`Script`]: the text of a script and its hash.

use std::sync::LazyLock;

/// Applies operations.
pub static SUBMIT: LazyLock<Script> = LazyLock::new(|| {
    Script::new(concat!(
        include_str!("../scripts/common.lua"),
        include_str!("../scripts/submit.lua")
    ))
});

/// Returns records.
pub static PULL: LazyLock<Script> = LazyLock::new(|| {
    Script::new(concat!(
        include_str!("../scripts/common.lua"),
        include_str!("../scripts/pull.lua")
    ))
});

/// Applies a command of an operator.
pub static COMMAND: LazyLock<Script> = LazyLock::new(|| {
    Script::new(concat!(
        include_str!("../scripts/common.lua"),
        include_str!("../scripts/command.lua")
    ))
});

/// A script of the store.
#[derive(Debug)]
pub struct Script {
    text: &'static str,
    hash: String,
}

impl Script {
    fn new(text: &'static str) -> Self {
        let hash = redis::Script::new(text).get_hash().to_owned();
        Self { text, hash }
    }

    /// Returns the text.
    pub fn text(&self) -> &'static str {
        self.text
    }

    /// Returns the hash under which a server caches the script.
    pub fn hash(&self) -> &str {
        &self.hash
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use breakerbox_fleet::protocol::{
        LONGEST_COMMAND, MAX_ATTEMPT, MAX_COMMANDS, MAX_LEAD, MAX_NAME, MAX_PAGE, MAX_QUORUM,
        NODE_TTL, RETENTION,
    };

    /// Returns the constant from a line such as `local A, B = 1, 2`.
    fn constant(name: &str) -> u128 {
        let line = COMMAND.text().lines().find(|line| {
            let names = line
                .strip_prefix("local ")
                .and_then(|rest| rest.split_once(" = "));
            names.is_some_and(|(names, _)| names.split(", ").any(|one| one == name))
        });
        let (names, values) = line.unwrap()["local ".len()..].split_once(" = ").unwrap();
        let at = names.split(", ").position(|one| one == name).unwrap();
        values.split(", ").nth(at).unwrap().parse().unwrap()
    }

    #[test]
    fn constants_equal_those_of_the_protocol() {
        assert_eq!(constant("MAX_ATTEMPT"), u128::from(MAX_ATTEMPT));
        assert_eq!(constant("MAX_QUORUM"), u128::from(MAX_QUORUM));
        assert_eq!(constant("MAX_NAME"), MAX_NAME as u128);
        assert_eq!(constant("MAX_PAGE"), MAX_PAGE as u128);
        assert_eq!(constant("MAX_LEAD"), MAX_LEAD.as_micros());
        assert_eq!(constant("RETENTION"), RETENTION.as_micros());
        assert_eq!(constant("NODE_TTL"), NODE_TTL.as_micros());
        assert_eq!(constant("MAX_NUMBER"), (1 << 53) - 1);
        assert_eq!(constant("MAX_COMMANDS"), MAX_COMMANDS as u128);
        let longest = LONGEST_COMMAND.as_micros();
        let table = format!("f = {longest}, d = {longest}, c = {longest}, r = RETENTION");
        assert!(COMMAND.text().contains(&table));
    }
}
