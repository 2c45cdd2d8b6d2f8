//! Operates the breakers of a running service over the JSON of its panel.
//!
//! * `client`: requests and errors
//! * `answer`: the JSON of the panel, as far as it is used here
//! * `ls`, `show`, `events`, `order`: the commands
//! * `time`: times for people

mod answer;
mod client;
mod events;
mod ls;
mod order;
mod show;
mod time;

use crate::arguments::Remote;
use crate::exit::Exit;

pub(crate) fn run(command: Remote) -> Result<Exit, Box<dyn std::error::Error>> {
    match command {
        Remote::Ls {
            panel,
            name,
            state,
            sort,
            json,
        } => ls::run(&panel, &ls::Filter { name, state, sort }, json),
        Remote::Show { panel, name, json } => show::run(&panel, &name, json),
        Remote::Events {
            panel,
            name,
            follow,
            json,
        } => events::run(&panel, name.as_deref(), follow, json),
        Remote::Trip { order, seconds } => order::run(&order, "trip", seconds),
        Remote::HalfOpen { order } => order::run(&order, "half_open", None),
        Remote::Reset { order } => order::run(&order, "reset", None),
        Remote::ForceOpen { order } => order::run(&order, "force_open", None),
    }
}
