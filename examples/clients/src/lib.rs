//! Shared code of the examples: servers that can be killed and restarted, and a listener that
//! prints state changes.

mod port;
mod redis_server;
mod server;

pub use port::Port;
pub use redis_server::{NotInstalled, RedisServer};
pub use server::Server;

use breakerbox::Event;

/// Prints state changes; a listener for `on_change`.
pub fn print_state_change(event: &Event) {
    if let Event::StateChanged {
        breaker,
        from,
        to,
        cause,
        ..
    } = event
    {
        println!("    [{breaker}] {from} -> {to}: {cause}");
    }
}
