//! The function `share`, with its default settings.

use crate::node::{NAME, ports, secs, until};
use crate::server::Server;
use breakerbox::prelude::*;

#[tokio::test]
async fn two_instances_open_the_circuit_of_a_third() {
    let [port] = ports();
    let Some(server) = Server::start_with(&["--port", &port]) else {
        return;
    };
    let url = format!("redis://127.0.0.1:{port}/");
    let registries = [(); 3].map(|()| BreakerRegistry::new());
    let share = |registry| breakerbox_redis::share(registry, &url).unwrap();
    let fleets = registries.each_ref().map(share);
    for fleet in &fleets {
        assert!(fleet.ready(secs(40)).await);
    }
    let state = |index: usize| registries[index].breaker(NAME).state();
    assert_eq!(state(2), State::Closed);
    for (index, registry) in registries[..2].iter().enumerate() {
        for _ in 0..5 {
            let call = async { Err::<(), _>("refused") };
            call.with_breaker(registry, NAME).await.unwrap_err();
        }
        assert_eq!(state(index), State::Open);
        let is_told = || server.recorded(NAME).is_some();
        until("the trip is told", is_told).await;
        // One vote is no quorum.
        assert!(index == 1 || state(2) == State::Closed);
    }
    until("the third has followed", || state(2) == State::Open).await;
    let call = async { Ok::<_, &str>(()) };
    assert!(call.with_breaker(&registries[2], NAME).await.is_err());
}
