//! Hostile keys, arguments and users of the script of commands.

use crate::common::steps::{START, hello};
use crate::hostile::contents;
use crate::lua::Lua;
use crate::server::Server;
use breakerbox_fleet::protocol::{Command, Verb, Version};
use std::time::Duration;

fn disable() -> Command {
    Command {
        pattern: "a*".into(),
        version: Version(0),
        verb: Verb::Disable,
        left: Duration::from_secs(60),
        by: "i1".into(),
        actor: String::new(),
        reason: String::new(),
    }
}

#[test]
fn wrong_type_at_any_key_refuses_every_command() {
    let Some(server) = Server::start() else {
        return;
    };
    let mut lua = Lua::new(&server);
    let keys = lua.keys.declared_by_command().map(str::to_owned);
    for key in &keys {
        lua.flush();
        let _: u64 = lua.run("LPUSH", &[key, "x"]);
        let before = contents(&mut lua);
        let hello = hello("n1", "i1");
        let arguments = lua.sender(&hello, START).command(Version(0), &disable());
        let refused = lua.command_raw(&arguments).unwrap_err().to_string();
        assert!(
            refused.contains("BB1") && refused.contains("rong"),
            "{refused}"
        );
        assert_eq!(contents(&mut lua), before, "{key}");
    }
    lua.flush();
    let hello = hello("n1", "i1");
    let genuine = lua.sender(&hello, START).command(Version(0), &disable());
    for short in 7..genuine.len() {
        let reply = lua.command_raw(&genuine[..short]).unwrap();
        assert_eq!(
            (reply[2].as_str(), reply[4].as_str()),
            ("bad", ""),
            "{short}"
        );
    }
    let mut later = genuine.clone();
    later.push("later".into());
    assert_eq!(lua.command_raw(&later).unwrap()[2], "accepted");
    let mut other = genuine;
    other[0] = "2".into();
    assert!(lua.command_raw(&other).is_err());
}

#[test]
fn command_that_cannot_be_published_counts() {
    let Some(server) = Server::start() else {
        return;
    };
    let mut lua = Lua::new(&server);
    let rules = "SETUSER mute on nopass ~* resetchannels +@all";
    let _: () = lua.run("ACL", &rules.split(' ').collect::<Vec<_>>());
    let _: () = lua.run("AUTH", &["mute", "x"]);
    let hello = hello("n1", "i1");
    let arguments = lua.sender(&hello, START).command(Version(0), &disable());
    let reply = lua.command_raw(&arguments).unwrap();
    assert_eq!((reply[2].as_str(), reply[3].as_str()), ("accepted", "1"));
}
