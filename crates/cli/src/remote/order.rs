//! `breakerbox trip`, `half-open`, `reset`, `force-open`: commands for one breaker.

use super::answer::{Command, Done, Instance};
use super::client::Client;
use crate::arguments::Order;
use crate::exit::Exit;
use crate::table::escaped;
use std::io::{self, Write};

pub(super) fn run(
    order: &Order,
    verb: &str,
    seconds: Option<u64>,
) -> Result<Exit, Box<dyn std::error::Error>> {
    let client = Client::new(&order.panel)?;
    // A command names the instance that it is for. Behind a load balancer, the next request may reach
    // another one, which then refuses the command.
    let found: Instance = client.get("breaker", &[("name", &order.name)])?;
    let done: Done = client.post(
        "commands",
        &Command {
            name: &order.name,
            verb,
            instance: &found.instance,
            reason: &order.because,
            seconds,
            if_state: order.if_state.as_deref(),
        },
    )?;
    writeln!(
        io::stdout(),
        "{}: {} -> {} at {}",
        escaped(&order.name),
        escaped(&done.before),
        escaped(&done.after),
        escaped(&done.instance)
    )?;
    Ok(Exit::Success)
}
