//! Events, status and health.

use crate::support::*;
use breakerbox::HealthStatus;

#[tokio::test(start_paused = true)]
async fn connection_is_reported() {
    let store = Faulty::default();
    let nodes = fleet_on(1, Share::always(), store.clone()).await;
    let recovered = |event: &FleetEvent| matches!(event, FleetEvent::Recovered { .. });
    assert_eq!(nodes[0].count(recovered), 1);
    assert_eq!(nodes[0].fleet.status().health(), HealthStatus::Healthy);
    store.set(|faults| faults.away = true);
    store.cut();
    pass(secs(30)).await;
    // Once, however often connecting fails.
    let degraded = |event: &FleetEvent| matches!(event, FleetEvent::Degraded { .. });
    assert_eq!(nodes[0].count(degraded), 1);
    let status = nodes[0].fleet.status();
    assert_eq!(status.health(), HealthStatus::Degraded);
    assert!(matches!(status.link, LinkStatus::Degraded { since, .. } if since >= secs(29)));
    store.set(|faults| faults.away = false);
    pass(secs(6)).await;
    assert_eq!(nodes[0].count(recovered), 2);
    let last = nodes[0].events.lock().unwrap().last().cloned().unwrap();
    let text = last.to_string();
    assert!(
        text.starts_with("the fleet is connected, after 3"),
        "{text}"
    );
    assert!(text.ends_with("s without the store"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn adoptions_and_leases_are_reported() {
    let nodes = fleet_after_outage().await;
    let opened = |event: &FleetEvent| matches!(event, FleetEvent::Adopted { opened: true, .. });
    let closed = |event: &FleetEvent| matches!(event, FleetEvent::Adopted { opened: false, .. });
    let granted = |event: &FleetEvent| matches!(event, FleetEvent::LeaseGranted { .. });
    assert_eq!((nodes[0].count(opened), nodes[1].count(opened)), (0, 1));
    assert_eq!((nodes[0].count(closed), nodes[1].count(closed)), (1, 0));
    assert_eq!((nodes[0].count(granted), nodes[1].count(granted)), (0, 1));
    let status = nodes[1].fleet.status();
    assert_eq!(status.counters.adopted, 1);
    assert_eq!(status.counters.leases_granted, 1);
    assert_eq!((status.open, status.leases, status.nodes), (0, 0, 2));
    assert!(status.last_pull.unwrap() <= secs(5));
}

#[tokio::test(start_paused = true)]
async fn ignored_openings_are_reported() {
    let store = Memory::new();
    let one = Node::start(0, store.clone(), |builder| builder.share(Share::always()));
    let other = Node::start(1, store, |builder| builder.share(Share::observe()));
    one.fleet.ready(secs(1)).await;
    other.fleet.ready(secs(1)).await;
    one.fail();
    pass(secs(10)).await;
    assert_eq!(other.state(), State::Closed);
    let events = other.events.lock().unwrap().clone();
    let ignored = events
        .iter()
        .filter(|event| matches!(event, FleetEvent::Ignored { .. }));
    let ignored: Vec<_> = ignored.map(ToString::to_string).collect();
    let instance = one.fleet.status().instance;
    assert_eq!(
        ignored,
        [format!(
            "\"users-api\" ignored an opening of {instance} (observe)"
        )]
    );
}

#[tokio::test(start_paused = true)]
async fn panics_of_the_listener_are_contained() {
    let store = Memory::new();
    let start = |index| {
        Node::start(index, store.clone(), |builder| {
            let builder = builder.share(Share::always());
            builder.on_event(|_| panic!("a listener that panics"))
        })
    };
    let nodes = [start(0), start(1)];
    for node in &nodes {
        assert!(node.fleet.ready(secs(1)).await);
    }
    nodes[0].fail();
    pass(ms(10)).await;
    assert_eq!(states(&nodes), [State::Open; 2]);
    assert_eq!(nodes[1].fleet.status().counters.listener_panics, 2);
}

#[tokio::test(start_paused = true)]
async fn listener_may_use_the_registry() {
    let store = Memory::new();
    let registry = BreakerRegistry::new();
    let inner = registry.clone();
    let fleet = Fleet::builder(&registry, store.clone())
        .share(Share::always())
        .on_event(move |event| {
            if let FleetEvent::Adopted { breaker, .. } = event {
                inner.breaker(&**breaker).force_open();
            }
        })
        .start()
        .unwrap();
    let other = Node::start(1, store, |builder| builder.share(Share::always()));
    fleet.ready(secs(1)).await;
    other.fleet.ready(secs(1)).await;
    let breaker = registry.breaker(NAME);
    other.fail();
    pass(secs(60)).await;
    assert_eq!(breaker.state(), State::ForcedOpen);
}
