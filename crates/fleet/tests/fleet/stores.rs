//! Stores that are away, hang, fill up, or lose their memory.

use crate::support::*;
use breakerbox_fleet::protocol::{Op, Version};

#[tokio::test(start_paused = true)]
async fn fleet_starts_without_its_store() {
    let store = Faulty::default();
    store.set(|faults| faults.away = true);
    let node = Node::start(0, store.clone(), |builder| builder.share(Share::always()));
    assert!(!node.fleet.ready(ms(250)).await);
    node.fail();
    pass(secs(20)).await;
    assert_eq!(node.state(), State::Open);
    store.set(|faults| faults.away = false);
    assert!(node.fleet.ready(secs(6)).await);
    until(secs(1), || store.get(|faults| faults.ops.len()) == 1).await;
}

#[tokio::test(start_paused = true)]
async fn reconnects_are_spread_and_never_stop() {
    let store = Faulty::default();
    store.set(|faults| faults.away = true);
    let node = Node::start(0, store.clone(), |builder| builder);
    pass(secs(600)).await;
    let connects = store.get(|faults| faults.connects);
    // Random waits of up to 5 s.
    assert!((150..400).contains(&connects), "{connects}");
    store.set(|faults| faults.away = false);
    assert!(node.fleet.ready(secs(6)).await);
}

#[tokio::test(start_paused = true)]
async fn connections_that_do_not_last_are_spread() {
    let store = Faulty::default();
    let node = Node::start(0, store.clone(), |builder| builder);
    for _ in 0..1_200 {
        pass(ms(50)).await;
        store.cut();
    }
    let connects = store.get(|faults| faults.connects);
    assert!((10..100).contains(&connects), "{connects}");
    // One that has lasted is replaced at once.
    until(secs(6), || node.fleet.status().is_connected()).await;
    pass(secs(6)).await;
    store.cut();
    until(ms(200), || node.fleet.status().is_connected()).await;
}

#[tokio::test(start_paused = true)]
async fn store_that_disappears_in_an_outage_strands_no_circuit() {
    let store = Faulty::default();
    let nodes = fleet_on(4, Share::quorum(2), store.clone()).await;
    nodes[0].fail();
    nodes[1].fail();
    pass(secs(10)).await;
    assert_eq!(states(&nodes), [State::Open; 4]);
    store.set(|faults| faults.away = true);
    store.cut();
    pass(secs(22)).await;
    assert_eq!(states(&nodes), [State::Open; 4]);
    pass(secs(2)).await;
    assert_eq!(states(&nodes), [State::HalfOpen; 4]);
    for node in &nodes {
        assert!(node.call());
    }
    assert_eq!(states(&nodes), [State::Closed; 4]);
}

#[tokio::test(start_paused = true)]
async fn hanging_store_is_given_up_after_two_timeouts() {
    let store = Faulty::default();
    let nodes = fleet_on(1, Share::always(), store.clone()).await;
    nodes[0].fail();
    pass(secs(31)).await;
    store.set(|faults| faults.hangs = true);
    nodes[0].call();
    // Two requests of 1 s each. The deadline was moved once, before the first.
    until(secs(8), || nodes[0].state() == State::HalfOpen).await;
    assert!(!nodes[0].fleet.status().is_connected());
    let timed_out = Degradation::Link(breakerbox_fleet::store::StoreError::TimedOut);
    let is_timeout =
        |event: &FleetEvent| matches!(event, FleetEvent::Degraded { why, .. } if *why == timed_out);
    assert_eq!(nodes[0].count(is_timeout), 1);
    store.set(|faults| faults.hangs = false);
    store.cut();
    until(secs(10), || nodes[0].fleet.status().is_connected()).await;
}

#[tokio::test(start_paused = true)]
async fn full_store_degrades_and_keeps_no_circuit_open() {
    let store = Faulty::default();
    let nodes = fleet_on(1, Share::always(), store.clone()).await;
    nodes[0].fail();
    pass(secs(20)).await;
    store.set(|faults| faults.full = true);
    for _ in 0..40 {
        pass(ms(500)).await;
        nodes[0].call();
    }
    assert_eq!(nodes[0].state(), State::Closed);
    let status = nodes[0].fleet.status();
    assert!(
        matches!(&status.link, LinkStatus::Degraded { why: Degradation::ReadOnly(why), .. } if why == "OOM"),
        "{status:?}"
    );
    store.set(|faults| faults.full = false);
    pass(secs(6)).await;
    assert!(nodes[0].fleet.status().is_connected());
}

#[tokio::test(start_paused = true)]
async fn store_that_loses_its_memory_is_told_again() {
    let store = Faulty::default();
    let nodes = fleet_on(3, Share::quorum(2), store.clone()).await;
    nodes[0].fail();
    nodes[1].fail();
    pass(secs(5)).await;
    store.forget();
    pass(secs(5)).await;
    let restores = store.get(|faults| {
        let ops = faults.ops.iter();
        ops.filter(|op| matches!(op, Op::Restore { .. })).count()
    });
    assert!((1..=3).contains(&restores), "{restores}");
    let late = Node::start(7, store, |builder| builder);
    assert!(late.fleet.ready(secs(1)).await);
    assert_eq!(late.state(), State::Open);
    assert_eq!(states(&nodes), [State::Open; 3]);
}

#[tokio::test(start_paused = true)]
async fn store_that_panics_ends_no_fleet() {
    let store = Faulty::default();
    let nodes = fleet_on(1, Share::always(), store.clone()).await;
    store.set(|faults| faults.panics = true);
    pass(secs(20)).await;
    assert!(!nodes[0].fleet.status().is_connected());
    store.set(|faults| faults.panics = false);
    until(secs(10), || nodes[0].fleet.status().is_connected()).await;
}

#[tokio::test(start_paused = true)]
async fn idle_fleet_only_pulls() {
    let store = Faulty::default();
    let nodes = fleet_on(1, Share::always(), store.clone()).await;
    for index in 0..200 {
        let breaker = nodes[0].registry.breaker(format!("tenant-{index}"));
        for _ in 0..5 {
            breaker.try_acquire().unwrap().failure();
        }
    }
    pass(secs(60)).await;
    let (pulls, ops) = store.get(|faults| (faults.pulls, faults.ops.len()));
    pass(secs(100)).await;
    let (pulls, ops) = store.get(|faults| (faults.pulls - pulls, faults.ops.len() - ops));
    assert_eq!((pulls, ops), (20, 0));
    assert_eq!(nodes[0].registry.open_breakers().len(), 200);
}

/// Opens many circuits, whose records a full pull reads.
async fn open_many(node: &Node, circuits: usize) {
    for index in 0..circuits {
        let breaker = node.registry.breaker(format!("tenant-{index}"));
        for _ in 0..5 {
            breaker.try_acquire().unwrap().failure();
        }
    }
    let recorded = || node.fleet.status().counters.published >= circuits as u64;
    until(secs(5), recorded).await;
}

#[tokio::test(start_paused = true)]
async fn pages_shrink_until_a_slow_store_answers_in_time() {
    let store = Faulty::default();
    let nodes = fleet_on(1, Share::always(), store.clone()).await;
    open_many(&nodes[0], 2_000).await;
    // A page of 500 records takes 2.5 s, and the whole pull 10 s.
    store.set(|faults| faults.time_per_record = ms(5));
    let late = Node::start(7, store.clone(), |builder| builder.share(Share::always()));
    assert!(late.fleet.ready(secs(20)).await);
    let status = late.fleet.status();
    assert_eq!(status.known, 2_000);
    // A page that comes too late costs that page, and not the pages before.
    assert!(status.counters.connects <= 2, "{status:?}");
}

#[tokio::test(start_paused = true)]
async fn long_pull_delays_no_opening() {
    let store = Faulty::default();
    let nodes = fleet_on(1, Share::always(), store.clone()).await;
    open_many(&nodes[0], 2_000).await;
    // Each of four pages takes 0.9 s.
    store.set(|faults| {
        faults.time_per_record = Duration::from_micros(1_800);
        faults.pulled_since.clear();
    });
    until(secs(66), || {
        store.get(|faults| faults.pulled_since.contains(&Version(0)))
    })
    .await;
    nodes[0].fail();
    let is_reported = |faults: &Faults| {
        faults
            .ops
            .iter()
            .any(|op| matches!(op, Op::Trip { name, .. } if name == NAME))
    };
    until(secs(1), || store.get(is_reported)).await;
}
