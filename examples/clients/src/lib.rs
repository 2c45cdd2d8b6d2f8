//! What the examples share: servers that can be killed and come back, and a listener that tells what
//! the circuits do.

mod port;
mod redis_server;
mod server;

pub use port::Port;
pub use redis_server::{NotInstalled, RedisServer};
pub use server::Server;

use breakerbox::Event;

/// A listener that prints every change of state.
pub fn tell(event: &Event) {
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
