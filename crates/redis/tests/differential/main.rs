//! The scripts on a real server answer, write and publish what `Table` does.

mod commands;
#[path = "../../../fleet/tests/common/mod.rs"]
mod common;
mod hostile;
mod line;
mod lua;
mod mutants;
#[path = "../common/server.rs"]
mod server;

use breakerbox_fleet::store::Table;
use common::cas::CasTable;
use common::compare::Comparison;
use common::scenarios;
use common::steps::START;
use lua::Lua;
use server::Server;

#[test]
fn scripts_answer_like_table() {
    let Some(server) = Server::start() else {
        return;
    };
    let mut lua = Lua::new(&server);
    for seed in 0..60 {
        lua.flush();
        let (mut table, mut cas) = (Table::default(), CasTable::default());
        let subjects: Vec<&mut dyn common::subject::Subject> = vec![&mut table, &mut lua, &mut cas];
        let compared = Comparison::new(subjects, START).run_random(seed, 100);
        compared.unwrap_or_else(|difference| panic!("{difference}"));
    }
}

#[test]
fn scripts_trim_like_table() {
    let Some(server) = Server::start() else {
        return;
    };
    let (mut table, mut lua) = (Table::default(), Lua::new(&server));
    scenarios::trimming(&mut Comparison::new(vec![&mut table, &mut lua], START));
}
