//! Commands that close the circuits of a fleet.

use crate::support::*;
use breakerbox_fleet::protocol::{Op, Verb};
use breakerbox_fleet::store::StoreError as Error;
use breakerbox_fleet::{CommandError, FleetClose};
use std::future::IntoFuture;

fn assert_send<T: Send>() {}

fn closes(ops: &[Op]) -> usize {
    let is_close = |op: &&Op| matches!(op, Op::Close { .. });
    ops.iter().filter(is_close).count()
}

/// Opens this number of circuits at one node, with the fleet.
async fn open_many(node: &Node, number: usize) {
    for index in 0..number {
        let breaker = node.registry.breaker(format!("tenant-{index:04}"));
        for _ in 0..5 {
            breaker.try_acquire().unwrap().failure();
        }
    }
    until(secs(10), || {
        node.fleet.status().counters.published >= number as u64
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn close_closes_circuits_of_all_instances() {
    assert_send::<FleetClose<'_>>();
    let store = Memory::new();
    let nodes = fleet_on(3, Share::always(), store.clone()).await;
    nodes[0].fail();
    until(secs(1), || states(&nodes) == [State::Open; 3]).await;
    let close = nodes[2].fleet.command("users-*").close();
    let closed = close.because("fixed").by("alice").await;
    assert_eq!(closed, Ok(1));
    // Within the spread.
    until(ms(350), || states(&nodes) == [State::Closed; 3]).await;
    let late = Node::start(7, store, |builder| builder.share(Share::always()));
    assert!(late.fleet.ready(secs(1)).await);
    assert_eq!(late.state(), State::Closed);
    for node in nodes.iter().chain([&late]) {
        let [note] = &node.fleet.status().commands[..] else {
            panic!()
        };
        assert_eq!((&*note.pattern, note.verb), ("users-*", Verb::Close));
        let texts = (note.reason.as_deref(), note.actor.as_deref());
        assert_eq!(texts, (Some("fixed"), Some("alice")));
        assert_eq!(node.fleet.status().commanded, 0);
    }
    for node in &nodes {
        let told = node
            .count(|event| event.to_string() == "\"users-api\" was closed by \"alice\": \"fixed\"");
        assert_eq!(told, 1);
    }
    assert_eq!(nodes[2].fleet.status().counters.published, 1);
    // Later failures count as ever.
    nodes[1].fail();
    until(secs(1), || states(&nodes) == [State::Open; 3]).await;
    pass(secs(3_600)).await;
    assert_eq!(late.fleet.status().commands, []);
}

#[tokio::test(start_paused = true)]
async fn close_counts_open_circuits_of_its_pattern() {
    let nodes = fleet(2, Share::always()).await;
    open_many(&nodes[0], 3).await;
    let close = async |pattern: &str| nodes[1].fleet.command(pattern).close().await;
    assert_eq!(close("tenant").await, Ok(0));
    assert_eq!(close("tenant-0001").await, Ok(1));
    assert_eq!(close("tenant-*").await, Ok(2));
    assert_eq!(close("*").await, Ok(0));
    let refused = close("a*b").await;
    assert_eq!(refused, Err(CommandError::Pattern("a*b".into())));
}

#[tokio::test(start_paused = true)]
async fn close_finds_circuits_without_breakers() {
    let store = Faulty::default();
    store.set(|faults| faults.takes_commands = true);
    let nodes = fleet_on(2, Share::always(), store.clone()).await;
    // Several pages of a pull, and several batches.
    open_many(&nodes[0], 1_200).await;
    let closed = nodes[1].fleet.command("tenant-*").close().await;
    assert_eq!(closed, Ok(1_200));
    assert_eq!(store.get(|faults| closes(&faults.ops)), 1_200);
    pass(secs(1)).await;
    assert_eq!(nodes[0].fleet.status().open, 0);
    assert!(nodes[0].registry.breaker("tenant-0007").state() == State::Closed);
}

#[tokio::test(start_paused = true)]
async fn close_releases_no_other_command() {
    let nodes = fleet(2, Share::always()).await;
    nodes[0].fail();
    pass(secs(1)).await;
    for verb in [Verb::ForceOpen, Verb::Disable] {
        let circuits = nodes[1].fleet.command("*");
        let (state, command) = match verb {
            Verb::ForceOpen => (State::Open, circuits.force_open()),
            _ => (State::Disabled, circuits.disable()),
        };
        command.await.unwrap();
        pass(secs(1)).await;
        nodes[0].fleet.command("*").close().await.unwrap();
        pass(secs(100)).await;
        assert_eq!(states(&nodes), [state; 2]);
        assert_eq!(nodes[0].fleet.status().commands.len(), 2);
    }
    nodes[1].fleet.command("*").release().await.unwrap();
    pass(secs(1)).await;
    assert_eq!(states(&nodes), [State::Closed; 2]);
}

#[tokio::test(start_paused = true)]
async fn close_ends_trials_of_the_holder() {
    let nodes = fleet(2, Share::always()).await;
    nodes[0].fail();
    pass(secs(31)).await;
    nodes[1].call();
    until(secs(2), || nodes[1].state() == State::HalfOpen).await;
    let trial = nodes[1].breaker.try_acquire().unwrap();
    assert_eq!(nodes[0].fleet.command("*").close().await, Ok(1));
    until(ms(350), || states(&nodes) == [State::Closed; 2]).await;
    assert_eq!(nodes[1].fleet.status().leases, 0);
    assert_eq!(nodes[1].fleet.status().counters.leases_lost, 0);
    trial.failure();
    pass(secs(10)).await;
    assert_eq!(states(&nodes), [State::Closed; 2]);
}

#[tokio::test(start_paused = true)]
async fn close_leaves_local_circuits_alone() {
    let nodes = fleet(4, Share::quorum(2)).await;
    nodes[0].fail();
    nodes[1].breaker.trip_for(secs(100));
    nodes[2].breaker.force_open();
    pass(secs(1)).await;
    assert_eq!(nodes[3].fleet.command("*").close().await, Ok(0));
    nodes[3].fail();
    pass(secs(1)).await;
    assert_eq!(nodes[3].fleet.command("*").close().await, Ok(1));
    pass(secs(1)).await;
    let local = [State::Open, State::ForcedOpen];
    assert_eq!(states(&nodes[1..3]), local);
    assert_eq!(nodes[0].state(), State::Closed);
    assert_eq!(nodes[3].state(), State::Closed);
}

#[tokio::test(start_paused = true)]
async fn close_of_a_failing_store_returns_its_error() {
    let store = Faulty::default();
    store.set(|faults| faults.takes_commands = true);
    let nodes = fleet_on(2, Share::always(), store.clone()).await;
    nodes[0].fail();
    pass(secs(1)).await;
    store.set(|faults| faults.full = true);
    let full = nodes[1].fleet.command("*").close().await;
    assert_eq!(
        full,
        Err(CommandError::Store(Error::ReadOnly("OOM".into())))
    );
    store.set(|faults| {
        faults.full = false;
        faults.time_per_record = ms(400);
    });
    let away = async {
        pass(ms(100)).await;
        store.cut();
    };
    let circuits = nodes[1].fleet.command("*");
    let (closed, ()) = tokio::join!(circuits.close().into_future(), away);
    let is_lost = matches!(closed, Err(CommandError::Store(Error::Disconnected(_))));
    assert!(is_lost, "{closed:?}");
    store.set(|faults| faults.time_per_record = Duration::ZERO);
    until(secs(10), || nodes[1].fleet.status().is_connected()).await;
    assert_eq!(states(&nodes), [State::Open; 2]);
    assert_eq!(nodes[1].fleet.command("*").close().await, Ok(1));
}

#[tokio::test(start_paused = true)]
async fn dropped_close_blocks_no_later_command() {
    let store = Faulty::default();
    store.set(|faults| faults.takes_commands = true);
    let nodes = fleet_on(2, Share::always(), store.clone()).await;
    nodes[0].fail();
    pass(secs(1)).await;
    store.set(|faults| faults.time_per_record = ms(400));
    let close = nodes[1].fleet.command("*").close().into_future();
    let late = tokio::time::timeout(ms(100), close).await;
    assert!(late.is_err(), "{late:?}");
    nodes[1].fleet.command("other").disable().await.unwrap();
    pass(secs(5)).await;
    assert_eq!(store.get(|faults| closes(&faults.ops)), 0);
    assert_eq!(states(&nodes), [State::Open; 2]);
}

/// Closes the fleet while the holder of the lease is cut off, and ends its trial meanwhile.
async fn close_without_the_holder(end: impl FnOnce(&Node)) -> (Vec<Node>, Faulty) {
    let memory = Memory::new();
    let link = Faulty::over(&memory);
    let share = |builder: FleetBuilder| builder.share(Share::always());
    let nodes = vec![
        Node::start(0, memory, share),
        Node::start(1, link.clone(), share),
    ];
    for node in &nodes {
        assert!(node.fleet.ready(secs(1)).await);
    }
    nodes[0].fail();
    pass(secs(31)).await;
    nodes[1].call();
    until(secs(2), || nodes[1].state() == State::HalfOpen).await;
    link.set(|faults| faults.away = true);
    link.cut();
    pass(ms(10)).await;
    end(&nodes[1]);
    pass(ms(10)).await;
    assert_eq!(nodes[0].fleet.command("*").close().await, Ok(1));
    until(ms(350), || nodes[0].state() == State::Closed).await;
    (nodes, link)
}

#[tokio::test(start_paused = true)]
async fn close_reaches_a_holder_that_was_cut_off() {
    let ends: [fn(&Node); 3] = [
        |_| {},
        |node| node.breaker.try_acquire().unwrap().failure(),
        |node| {
            node.call();
        },
    ];
    for (index, end) in ends.into_iter().enumerate() {
        let (nodes, link) = close_without_the_holder(end).await;
        link.set(|faults| faults.away = false);
        until(secs(30), || nodes[1].fleet.status().is_connected()).await;
        pass(secs(2)).await;
        assert_eq!(states(&nodes), [State::Closed; 2], "{index}");
        assert_eq!(nodes[1].fleet.status().leases, 0, "{index}");
        pass(secs(60)).await;
        assert_eq!(states(&nodes), [State::Closed; 2], "{index}");
    }
}

#[tokio::test(start_paused = true)]
async fn opening_after_a_close_survives_the_return_of_a_node() {
    let (nodes, link) = close_without_the_holder(|_| {}).await;
    nodes[0].fail();
    pass(ms(100)).await;
    link.set(|faults| faults.away = false);
    until(secs(20), || nodes[1].fleet.status().is_connected()).await;
    pass(secs(2)).await;
    assert_eq!(nodes[0].state(), State::Open);
    assert_eq!(nodes[1].state(), State::Open);
}
