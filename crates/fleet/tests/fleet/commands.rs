//! Commands of operators: errors, the end of a fleet, and instances that do not follow.

use crate::support::*;
use breakerbox_fleet::protocol::{LONGEST_COMMAND, Verb};
use breakerbox_fleet::store::StoreError as Error;
use breakerbox_fleet::{CommandError, FleetCircuits, FleetCommand};

fn assert_send<T: Send>() {}

#[tokio::test(start_paused = true)]
async fn command_out_of_bounds_is_refused() {
    assert_send::<FleetCircuits<'_>>();
    assert_send::<FleetCommand<'_>>();
    let nodes = fleet(1, Share::always()).await;
    let fleet = &nodes[0].fleet;
    for pattern in ["", "a*b", "**", &"x".repeat(257)] {
        let refused = fleet.command(pattern).disable().await;
        assert_eq!(refused, Err(CommandError::Pattern(pattern.into())));
    }
    for time in [Duration::ZERO, LONGEST_COMMAND + ms(1), Duration::MAX] {
        let refused = fleet.command("*").force_open_for(time).await;
        assert_eq!(refused, Err(CommandError::Time(time)));
    }
    fleet
        .command("*")
        .force_open_for(LONGEST_COMMAND)
        .await
        .unwrap();
}

#[tokio::test(start_paused = true)]
async fn command_beyond_the_limit_is_refused() {
    let nodes = fleet(1, Share::always()).await;
    let fleet = &nodes[0].fleet;
    for index in 0..256 {
        let pattern = format!("tenant-{index}");
        fleet.command(pattern).disable_for(secs(60)).await.unwrap();
    }
    assert_eq!(
        fleet.command("other").disable().await,
        Err(CommandError::Full)
    );
    assert_eq!(nodes[0].fleet.status().commands.len(), 256);
    pass(secs(61)).await;
    fleet.command("other").disable().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn command_without_a_store_times_out() {
    let store = Faulty::default();
    store.set(|faults| faults.away = true);
    let node = Node::start(0, store, |builder| builder);
    let answer = node.fleet.command("*").disable().await;
    assert_eq!(answer, Err(CommandError::TimedOut));
    assert_eq!(node.state(), State::Closed);
}

#[tokio::test(start_paused = true)]
async fn store_without_commands_stays_connected() {
    // The store does not implement commands.
    let store = Faulty::default();
    let nodes = fleet_on(2, Share::always(), store).await;
    let answer = nodes[0].fleet.command("*").disable().await;
    let is_denied = matches!(answer, Err(CommandError::Store(Error::Denied(_))));
    assert!(is_denied, "{answer:?}");
    nodes[0].fail();
    until(secs(1), || nodes[1].state() == State::Open).await;
    assert!(nodes[0].fleet.status().is_connected());
    assert_eq!(nodes[0].fleet.status().counters.connects, 1);
}

#[tokio::test(start_paused = true)]
async fn nothing_happens_until_command_is_awaited() {
    let nodes = fleet(1, Share::always()).await;
    drop(nodes[0].fleet.command("*").disable().because("INC-123"));
    pass(secs(10)).await;
    assert_eq!(nodes[0].state(), State::Closed);
    assert_eq!(nodes[0].fleet.status().commands, []);
}

#[tokio::test(start_paused = true)]
async fn event_and_status_name_reason_and_actor() {
    let nodes = fleet(2, Share::quorum(2)).await;
    let command = nodes[0].fleet.command("users-*").force_open_for(secs(90));
    command
        .because("-")
        .because("é".repeat(200))
        .by("alice")
        .await
        .unwrap();
    until(secs(1), || nodes[1].state() == State::Open).await;
    let refusal = nodes[1].breaker.try_acquire().unwrap_err();
    let text = format!("{refusal:#}");
    assert!(
        text.contains("the fleet") && text.contains("a command"),
        "{text}"
    );
    let [command] = &nodes[1].fleet.status().commands[..] else {
        panic!()
    };
    assert_eq!(
        (&*command.pattern, command.verb),
        ("users-*", Verb::ForceOpen)
    );
    assert!(command.left <= secs(90) && command.left > secs(88));
    assert_eq!(command.by, nodes[0].fleet.status().instance);
    // Cut at the boundary of a character.
    assert_eq!(command.reason.as_deref(), Some(&*"é".repeat(128)));
    let told = |verb: Verb| {
        nodes[1].count(|event| {
            let FleetEvent::Commanded { verb: told, .. } = event else {
                return false;
            };
            *told == verb
        })
    };
    assert_eq!((told(Verb::ForceOpen), told(Verb::Release)), (1, 0));
    pass(secs(91)).await;
    assert_eq!(states(&nodes), [State::Closed; 2]);
    assert_eq!((told(Verb::ForceOpen), told(Verb::Release)), (1, 1));
    assert_eq!(nodes[1].fleet.status().commands, []);
    assert_eq!(nodes[1].fleet.status().counters.commanded, 2);
}

#[tokio::test(start_paused = true)]
async fn forced_open_circuit_recovers_when_its_fleet_is_dropped() {
    let mut nodes = fleet(2, Share::always()).await;
    nodes[0].fleet.command("*").force_open().await.unwrap();
    pass(secs(600)).await;
    let Node { fleet, breaker, .. } = nodes.remove(1);
    drop(fleet);
    pass(secs(20)).await;
    assert_eq!(breaker.state(), State::Open);
    pass(secs(45)).await;
    assert_eq!(breaker.state(), State::HalfOpen);
    assert_eq!(nodes[0].state(), State::Open);
}

#[tokio::test(start_paused = true)]
async fn disabled_circuit_is_enabled_when_its_fleet_ends() {
    let mut nodes = fleet(3, Share::always()).await;
    nodes[0].fleet.command("*").disable().await.unwrap();
    until(secs(1), || states(&nodes) == [State::Disabled; 3]).await;
    let Node {
        fleet,
        breaker,
        registry: _registry,
        ..
    } = nodes.remove(2);
    drop(fleet);
    until(secs(1), || breaker.state() == State::Closed).await;
    let Node {
        fleet,
        breaker,
        registry: _other,
        ..
    } = nodes.remove(1);
    // A local command has taken over.
    breaker.disable();
    assert!(fleet.shutdown(secs(1)).await);
    assert_eq!(breaker.state(), State::Disabled);
    assert_eq!(nodes[0].state(), State::Disabled);
}

#[tokio::test(start_paused = true)]
async fn instance_that_accepts_no_commands_may_give_them() {
    let store = Memory::new();
    let nodes = [true, false].map(|accepts| {
        Node::start(accepts.into(), store.clone(), |builder| {
            builder.accept_commands(accepts)
        })
    });
    for node in &nodes {
        assert!(node.fleet.ready(secs(1)).await);
    }
    nodes[1].fleet.command("*").disable().await.unwrap();
    pass(secs(10)).await;
    assert_eq!(states(&nodes), [State::Disabled, State::Closed]);
    assert_eq!(nodes[1].fleet.status().commands.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn holder_of_a_lease_follows_and_gives_it_back() {
    let nodes = fleet(2, Share::always()).await;
    nodes[0].fail();
    pass(secs(31)).await;
    nodes[1].call();
    until(secs(2), || nodes[1].state() == State::HalfOpen).await;
    nodes[0].fleet.command("*").force_open().await.unwrap();
    until(secs(1), || states(&nodes) == [State::Open; 2]).await;
    until(secs(1), || nodes[1].fleet.status().leases == 0).await;
    assert!(!nodes[1].call());
    pass(secs(300)).await;
    assert_eq!(states(&nodes), [State::Open; 2]);
    assert_eq!(nodes[1].fleet.status().counters.leases_lost, 0);
}

#[tokio::test(start_paused = true)]
async fn circuit_opened_by_local_command_follows_afterwards() {
    let nodes = fleet(2, Share::always()).await;
    nodes[1].breaker.trip_for(secs(100));
    pass(secs(1)).await;
    nodes[0].fleet.command("*").disable().await.unwrap();
    pass(secs(90)).await;
    assert_eq!(states(&nodes), [State::Disabled, State::Open]);
    pass(secs(15)).await;
    assert_eq!(states(&nodes), [State::Disabled; 2]);
}

#[tokio::test(start_paused = true)]
async fn circuit_that_was_reset_before_the_command_follows() {
    let nodes = fleet(2, Share::always()).await;
    nodes[1].breaker.because("a test").reset();
    pass(secs(1)).await;
    nodes[0]
        .fleet
        .command("users-api")
        .force_open()
        .await
        .unwrap();
    pass(secs(1)).await;
    assert_eq!(states(&nodes), [State::Open; 2]);
}
