//! Mutants of the scripts: the comparison notices each one.

use crate::common::compare::Comparison;
use crate::common::steps::START;
use crate::lua::Lua;
use crate::server::Server;
use breakerbox_fleet::store::Table;
use breakerbox_redis::script::{COMMAND, PULL, SUBMIT};

/// How many seeds a mutant may survive.
const SEEDS: u64 = 200;

/// What is wrong, a part of the scripts, and what stands there instead.
const MUTANTS: [(&str, &str, &str); 33] = [
    (
        "no fence",
        "if record.phase ~= 'h' or record.token ~= token then return 'fenced' end",
        "",
    ),
    (
        "no stale check",
        "if record.closed_at > at then return 'stale' end",
        "",
    ),
    (
        "closed_at unclamped",
        "if record.closed_at > now then record.closed_at = 0 end",
        "",
    ),
    (
        "early grant",
        "elseif record.phase == 'o' and holds(record) then",
        "elseif false then",
    ),
    (
        "greedy lease",
        "elseif record.phase == 'h' and holds(record) then",
        "elseif false then",
    ),
    (
        "quorum ignored",
        "if #votes + 1 < quorum then",
        "if false then",
    ),
    (
        "votes not deleted at opening",
        "record.wanted, record.votes = '-', 0, 0, false, {}",
        "record.wanted = '-', 0, 0, false",
    ),
    (
        "no poison check of versions",
        "if not record or is_ahead(record.version) then",
        "if not record then",
    ),
    (
        "no poison check of heads",
        "return is_ahead(version) and 0 or version",
        "return version",
    ),
    (
        "versions below that of the record",
        "math.max(head, record.version)",
        "head",
    ),
    (
        "versions below what was seen",
        "math.max(latest + 1, seen + 1, now)",
        "math.max(latest + 1, now)",
    ),
    (
        "end that moves with the time",
        "math.min(now, record.version) + record.duration",
        "now + record.duration",
    ),
    (
        "open period not cut to its duration",
        "record.ends = math.min(record.ends, math.min(now, record.version) + record.duration)",
        "",
    ),
    (
        "lease not cut to its duration",
        "record.lease_ends = math.min(record.lease_ends, now + record.lease_duration)",
        "",
    ),
    (
        "votes of one node counted twice",
        "and not voters[vote.node]",
        "",
    ),
    (
        "votes that live forever",
        "and vote.ends <= math.min(now + RETENTION, MAX_NUMBER)",
        "",
    ),
    (
        "votes from before the close",
        "and vote.cast >= record.closed_at",
        "",
    ),
    (
        "asked lengthens for all",
        "or record.by ~= INSTANCE or",
        "or",
    ),
    (
        "quorum of one in a fresh store",
        "if members <= 1 and alone == '1' then",
        "if members <= 1 then",
    ),
    (
        "close forgets the attempt",
        "record.closed_at = now",
        "record.closed_at, record.attempt = now, 0",
    ),
    (
        "unknown fields dropped",
        "if record.rest ~= '' then fields[#fields + 1] = record.rest end",
        "",
    ),
    (
        "cursor behind the page",
        "following = math.ceil(tonumber(redis.call('ZSCORE', INDEX, names[#names])))",
        "",
    ),
    (
        "held leases trimmed",
        "if record.phase == 'h' then return record.lease_ends < oldest end",
        "",
    ),
    (
        "earlier command of a pattern counts",
        "if version > 0 and place and commands[place].version >= version then return 'known' end",
        "",
    ),
    (
        "version of a command not checked",
        "if not version or is_ahead(version) then return 'bad' end",
        "",
    ),
    (
        "more commands than the limit",
        "if not place and #commands >= MAX_COMMANDS then return 'full' end",
        "",
    ),
    (
        "command that is given back gets a new version",
        "if version == 0 then command.version = next_head end",
        "command.version = next_head",
    ),
    (
        "end of a command not cut",
        "command.ends = math.min(command.ends, latest)",
        "",
    ),
    (
        "ended command kept",
        "return command.ends > now and command or nil",
        "return command",
    ),
    (
        "command of the far future believed",
        "if command.version == 0 or is_ahead(command.version) then return nil end",
        "",
    ),
    (
        "star within a pattern",
        "(not star or star == #field)",
        "true",
    ),
    (
        "unknown fields of a command dropped",
        "if command.rest ~= '' then line[#line + 1] = command.rest end",
        "",
    ),
    (
        "large numbers as text of Lua",
        "return string.format('%.0f', number)",
        "return tostring(number)",
    ),
];

#[test]
fn mutants_are_noticed() {
    let Some(server) = Server::start() else {
        return;
    };
    let mut survivors = Vec::new();
    for (what, original, mutated) in MUTANTS {
        let mutant = |text: &str| text.replace(original, mutated);
        let scripts = [SUBMIT.text(), PULL.text(), COMMAND.text()];
        let [submit, pull, command] = scripts.map(mutant);
        let is_mutated = [&submit, &pull, &command] != scripts;
        assert!(is_mutated, "{what}: the scripts lack {original:?}");
        let mut lua = Lua::with(&server, &submit, &pull, &command);
        let noticed = (0..SEEDS).find(|seed| {
            lua.flush();
            let mut table = Table::default();
            let mut compared = Comparison::new(vec![&mut table, &mut lua], START);
            compared.run_random(*seed, 100).is_err()
        });
        match noticed {
            Some(seed) => println!("{what}: noticed by seed {seed}"),
            None => survivors.push(what),
        }
    }
    assert!(survivors.is_empty(), "not noticed: {survivors:?}");
}
