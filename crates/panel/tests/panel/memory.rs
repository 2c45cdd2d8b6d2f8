//! Memory: what hostile clients leave behind.

use crate::support::{Client, ask, command_request, get, get_request, pass, registry, send};
use breakerbox_panel::Panel;
use std::time::Duration;

/// Everything that a client can do to a panel, with state changes meanwhile.
async fn round(panel: &Panel, breakers: &[breakerbox::CircuitBreaker]) {
    let mut clients = Vec::new();
    for number in 0..200 {
        let uri = format!("/api/v1/stream?q={number}&sort=-since");
        let response = send(panel, get_request(&uri)).await;
        if response.status() == 200 {
            clients.push(Client::of(response));
        }
    }
    assert_eq!(clients.len(), 32);
    for number in 0..50 {
        get(panel, &format!("/api/v1/breakers?q={number}&limit=3")).await;
        get(panel, &format!("/api/v1/breaker?name={number}")).await;
        ask(panel, command_request(vec![b'x'; 100_000])).await;
    }
    for (number, breaker) in breakers.iter().cycle().take(1_000).enumerate() {
        breaker.because(format!("reason {number:05}")).trip();
        breaker.because(format!("reason {number:05}")).reset();
        if number % 100 == 0 {
            // Some read, and some never do.
            for client in clients.iter_mut().take(8) {
                client.frame().await;
            }
        }
    }
    drop(clients);
    pass(Duration::from_secs(200)).await;
    get(panel, "/api/v1/breakers").await;
    get(panel, "/api/v1/events").await;
}

#[test]
fn memory_stays_flat_under_hostile_clients() {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime");
    let (registry, _) = registry();
    let breakers: Vec<_> = (0..100)
        .map(|number| registry.breaker(number.to_string()))
        .collect();
    let panel = Panel::new(&registry);
    // The first rounds fill the log, the windows and the queues.
    (0..2).for_each(|_| runtime.block_on(round(&panel, &breakers)));
    let used = allocation_counter::measure(|| {
        (0..3).for_each(|_| runtime.block_on(round(&panel, &breakers)));
    });
    println!(
        "{} bytes left of {} that were used at most",
        used.bytes_current, used.bytes_max
    );
    assert!(used.bytes_current.abs() < 64 * 1024, "{used:?}");
}
