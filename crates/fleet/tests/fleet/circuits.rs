//! Circuits of several nodes.

use crate::support::*;
use breakerbox::Outcome;
use breakerbox::settings::Settings;

#[tokio::test(start_paused = true)]
async fn one_trip_opens_all_with_always() {
    let nodes = fleet(2, Share::always()).await;
    nodes[0].fail();
    pass(ms(10)).await;
    assert_eq!(states(&nodes), [State::Open; 2]);
    let refusal = nodes[1].breaker.try_acquire().unwrap_err();
    let text = format!("{refusal:#}");
    assert!(text.contains("opened by the fleet"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn quorum_of_two_needs_two() {
    let nodes = fleet(3, Share::quorum(2)).await;
    nodes[0].fail();
    pass(ms(10)).await;
    assert_eq!(states(&nodes), [State::Open, State::Closed, State::Closed]);
    nodes[1].fail();
    pass(ms(10)).await;
    assert_eq!(states(&nodes), [State::Open; 3]);
}

#[tokio::test(start_paused = true)]
async fn twelve_nodes_make_one_trial() {
    let nodes = fleet(12, Share::quorum(2)).await;
    nodes[3].fail();
    nodes[7].fail();
    pass(ms(100)).await;
    assert_eq!(states(&nodes), [State::Open; 12]);
    let mut trials = 0;
    for _ in 0..700 {
        for node in &nodes {
            trials += u32::from(node.state() == State::HalfOpen && node.call());
            if node.state() == State::Open {
                node.call();
            }
        }
        if trials > 0 {
            break;
        }
        pass(ms(50)).await;
    }
    assert_eq!(trials, 1);
    pass(ms(400)).await;
    assert_eq!(states(&nodes), [State::Closed; 12]);
    let granted: u64 = nodes
        .iter()
        .map(|node| node.fleet.status().counters.leases_granted)
        .sum();
    assert_eq!(granted, 1);
}

/// The share of calls that one bad node costs a fleet of twelve.
async fn ok_calls(share: Share, bad: bool) -> u32 {
    let nodes = fleet(12, share).await;
    let mut ok = 0;
    for _ in 0..1_200 {
        for (index, node) in nodes.iter().enumerate() {
            let Ok(permit) = node.breaker.try_acquire() else {
                continue;
            };
            if bad && index == 0 {
                permit.failure();
            } else {
                permit.success();
                ok += u32::from(index > 0);
            }
        }
        pass(ms(100)).await;
    }
    ok
}

#[tokio::test(start_paused = true)]
async fn bad_node_costs_quorum_nothing() {
    let healthy = ok_calls(Share::quorum(2), false).await;
    let quorum = ok_calls(Share::quorum(2), true).await;
    let evidence = ok_calls(Share::with_evidence(1), true).await;
    let always = ok_calls(Share::always(), true).await;
    assert_eq!(healthy, 11 * 1_200);
    assert!(quorum * 100 >= healthy * 99, "{quorum} of {healthy}");
    assert!(evidence * 100 >= healthy * 99, "{evidence} of {healthy}");
    assert!(always * 2 < healthy, "{always} of {healthy}");
}

#[tokio::test(start_paused = true)]
async fn late_joiner_learns_before_its_first_call() {
    let store = Memory::new();
    let nodes = fleet_on(2, Share::always(), store.clone()).await;
    nodes[0].fail();
    pass(secs(5)).await;
    let late = Node::start(9, store, |builder| builder.share(Share::always()));
    assert_eq!(late.state(), State::Closed);
    assert!(late.fleet.ready(ms(250)).await);
    assert_eq!(late.state(), State::Open);
    let remaining = late.breaker.open_remaining().unwrap();
    assert!(
        remaining > secs(27) && remaining < secs(29),
        "{remaining:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn local_command_wins() {
    let nodes = fleet(2, Share::always()).await;
    nodes[0].fail();
    pass(ms(10)).await;
    nodes[1].breaker.because("debugging").reset();
    pass(secs(15)).await;
    assert_eq!(states(&nodes), [State::Open, State::Closed]);
    nodes[1].breaker.force_open();
    pass(secs(120)).await;
    assert_eq!(nodes[1].state(), State::ForcedOpen);
}

#[tokio::test(start_paused = true)]
async fn evicted_breaker_follows_again_when_it_returns() {
    let nodes = fleet(2, Share::always()).await;
    nodes[0].fail();
    pass(ms(10)).await;
    assert_eq!(nodes[1].state(), State::Open);
    assert!(nodes[1].registry.remove(NAME).is_some());
    pass(secs(1)).await;
    let again = nodes[1].registry.breaker(NAME);
    pass(ms(10)).await;
    assert_eq!(again.state(), State::Open);
}

#[tokio::test(start_paused = true)]
async fn holder_whose_breaker_is_removed_gives_the_lease_back() {
    let nodes = fleet(2, Share::always()).await;
    nodes[0].fail();
    pass(secs(31)).await;
    nodes[0].call();
    until(secs(2), || nodes[0].state() == State::HalfOpen).await;
    assert!(nodes[0].registry.remove(NAME).is_some());
    nodes[1].call();
    until(secs(1), || nodes[1].state() == State::HalfOpen).await;
}

#[tokio::test(start_paused = true)]
async fn shutdown_hands_the_lease_over() {
    let mut nodes = fleet(2, Share::always()).await;
    nodes[0].fail();
    pass(secs(31)).await;
    nodes[0].call();
    until(secs(2), || nodes[0].state() == State::HalfOpen).await;
    let first = nodes.remove(0);
    assert!(first.fleet.shutdown(secs(2)).await);
    assert_eq!(first.breaker.state(), State::Open);
    nodes[0].call();
    until(ms(500), || nodes[0].state() == State::HalfOpen).await;
    assert!(nodes[0].call());
    pass(ms(100)).await;
    assert_eq!(nodes[0].fleet.status().nodes, 1);
    // Without a fleet, time alone half-opens the circuit of the first node.
    pass(secs(4)).await;
    assert_eq!(first.breaker.state(), State::HalfOpen);
}

#[tokio::test(start_paused = true)]
async fn dropped_fleet_loses_its_lease() {
    let mut nodes = fleet(2, Share::always()).await;
    nodes[0].fail();
    pass(secs(31)).await;
    nodes[0].call();
    until(secs(2), || nodes[0].state() == State::HalfOpen).await;
    let Node { fleet, .. } = nodes.remove(0);
    drop(fleet);
    nodes[0].call();
    pass(secs(1)).await;
    assert_eq!(nodes[0].state(), State::Open);
    until(secs(4), || nodes[0].state() == State::HalfOpen).await;
}

#[tokio::test(start_paused = true)]
async fn fleet_does_not_keep_its_registry_alive() {
    let nodes = fleet(1, Share::always()).await;
    let Node {
        registry,
        breaker,
        fleet,
        ..
    } = nodes.into_iter().next().unwrap();
    drop((registry, breaker));
    pass(secs(11)).await;
    let why = Degradation::Ended;
    assert!(matches!(fleet.status().link, LinkStatus::Degraded { why: found, .. } if found == why));
}

#[tokio::test(start_paused = true)]
async fn two_instances_of_a_node_have_one_vote() {
    let store = Memory::new();
    let start = |index: usize, node: &'static str| {
        Node::start(index, store.clone(), |builder| builder.node(node))
    };
    let nodes = [start(0, "host-a"), start(1, "host-a"), start(2, "host-b")];
    for node in &nodes {
        node.fleet.ready(secs(1)).await;
    }
    nodes[0].fail();
    nodes[1].fail();
    pass(ms(100)).await;
    assert_eq!(nodes[2].state(), State::Closed);
    pass(secs(61)).await;
    let namesakes = nodes[0].fleet.status().namesakes;
    assert_eq!(namesakes.len(), 1);
    assert!(namesakes[0].starts_with("host-a/"));
    assert!(nodes[2].fleet.status().namesakes.is_empty());
}

#[tokio::test(start_paused = true)]
async fn namespaces_share_nothing() {
    let store = Memory::new();
    let start = |index, namespace: &'static str| {
        Node::start(index, store.clone(), |builder| {
            builder.share(Share::always()).namespace(namespace)
        })
    };
    let nodes = [start(0, "prod"), start(1, "staging")];
    for node in &nodes {
        node.fleet.ready(secs(1)).await;
    }
    nodes[0].fail();
    pass(secs(10)).await;
    assert_eq!(states(&nodes), [State::Open, State::Closed]);
}

#[tokio::test(start_paused = true)]
async fn prefixes_have_their_own_policies() {
    let store = Memory::new();
    let set = |builder: FleetBuilder| {
        builder
            .share_for("payments:", Share::always())
            .share_for("tenant:", Share::local())
    };
    let nodes = [
        Node::start(0, store.clone(), set),
        Node::start(1, store.clone(), set),
    ];
    for node in &nodes {
        node.fleet.ready(secs(1)).await;
    }
    for name in ["payments:card", "tenant:7", "search"] {
        let breaker = nodes[0].registry.breaker(name);
        for _ in 0..5 {
            breaker.try_acquire().unwrap().failure();
        }
        nodes[1].registry.breaker(name);
    }
    pass(ms(200)).await;
    let state = |name| nodes[1].registry.breaker(name).state();
    assert_eq!(state("payments:card"), State::Open);
    assert_eq!(state("tenant:7"), State::Closed);
    assert_eq!(state("search"), State::Closed);
}

#[tokio::test(start_paused = true)]
async fn setting_of_breaker_overrides_policies_of_fleet() {
    let store = Memory::new();
    let set = |builder: FleetBuilder| {
        builder
            .share(Share::always())
            .share_for("payments:", Share::local())
    };
    let nodes = [
        Node::start(0, store.clone(), set),
        Node::start(1, store.clone(), set),
    ];
    let settings = toml::from_str(
        r#"
        prefixes."tenant:".fleet = "local"
        breakers."payments:card".fleet = "always"
        "#,
    );
    let settings: Settings = settings.unwrap();
    for node in &nodes {
        node.registry.apply(&settings).unwrap();
        assert!(node.fleet.ready(secs(1)).await);
    }
    let names = ["search", "tenant:7", "payments:card", "payments:cash"];
    let open = || {
        let state = |name: &&str| nodes[1].registry.breaker(*name).state();
        names.map(|name| state(&name) == State::Open)
    };
    open();
    for name in names {
        let breaker = nodes[0].registry.breaker(name);
        for _ in 0..5 {
            breaker.try_acquire().unwrap().failure();
        }
    }
    pass(ms(200)).await;
    assert_eq!(open(), [true, false, true, false]);
    let settings: Settings = toml::from_str(r#"default.fleet = "always""#).unwrap();
    for node in &nodes {
        node.registry.apply(&settings).unwrap();
    }
    pass(ms(200)).await;
    assert_eq!(open(), [true; 4], "open circuits are reported at once");
}

#[tokio::test(start_paused = true)]
async fn retry_after_of_the_opener_holds_for_all() {
    let nodes = fleet(2, Share::always()).await;
    let permit = nodes[0].breaker.try_acquire().unwrap();
    permit.record(Outcome::TripFor(secs(90)));
    pass(ms(10)).await;
    assert_eq!(nodes[1].state(), State::Open);
    let remaining = nodes[1].breaker.open_remaining().unwrap();
    assert!(remaining > secs(92), "{remaining:?}");
}

#[tokio::test(start_paused = true)]
async fn ramp_up_starts_at_each_node() {
    let store = Memory::new();
    let nodes: Vec<_> = (0..2)
        .map(|index| {
            Node::start(index, store.clone(), |builder| {
                builder.share(Share::always())
            })
        })
        .collect();
    for node in &nodes {
        node.fleet.ready(secs(1)).await;
        node.breaker
            .configure(|settings| settings.inherit().ramp_up(secs(10)))
            .unwrap();
    }
    nodes[0].fail();
    pass(secs(31)).await;
    nodes[0].call();
    until(secs(2), || nodes[0].state() == State::HalfOpen).await;
    nodes[0].call();
    pass(ms(400)).await;
    assert_eq!(states(&nodes), [State::Closed; 2]);
    for node in &nodes {
        let share = node.breaker.snapshot().ramp_up_share;
        assert!(share.is_some(), "{:?}", node.breaker.snapshot());
    }
}

#[tokio::test(start_paused = true)]
async fn many_circuits_open_in_batches() {
    let store = Memory::new();
    let nodes = fleet_on(2, Share::always(), store).await;
    for index in 0..1_000 {
        let breaker = nodes[0].registry.breaker(format!("tenant-{index}"));
        for _ in 0..5 {
            breaker.try_acquire().unwrap().failure();
        }
        nodes[1].registry.breaker(format!("tenant-{index}"));
    }
    pass(secs(1)).await;
    assert_eq!(nodes[1].registry.open_breakers().len(), 1_000);
    assert_eq!(nodes[1].fleet.status().open, 1_000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fleet_works_in_real_time() {
    let nodes = fleet(2, Share::always()).await;
    nodes[0].fail();
    until(secs(5), || nodes[1].state() == State::Open).await;
}
