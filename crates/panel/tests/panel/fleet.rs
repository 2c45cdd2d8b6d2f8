//! A fleet in the panel: its state in the head, and its policy in the details of a breaker.

use crate::hostile::Bomb;
use crate::support::{Client, get, pass};
use breakerbox::{BreakerRegistry, CircuitBreaker, State};
use breakerbox_fleet::{Fleet, FleetStatus, Share, store::Memory};
use breakerbox_panel::Panel;
use std::sync::Arc;
use std::time::Duration;

fn fleet(registry: &BreakerRegistry, store: &Memory, node: &str) -> Fleet {
    let fleet = Fleet::builder(registry, store.clone())
        .share(Share::always())
        .node(node);
    fleet.start().expect("a fleet")
}

#[tokio::test(start_paused = true)]
async fn head_and_details_show_fleet() {
    let store = Memory::new();
    let (here, there) = (BreakerRegistry::new(), BreakerRegistry::new());
    let settings = CircuitBreaker::builder().fleet(Share::with_evidence(1));
    here.register("payments", settings).expect("valid");
    here.breaker("users");
    let one = Arc::new(fleet(&here, &store, "web-1"));
    let other = Arc::new(fleet(&there, &store, "web-2"));
    let status = one.clone();
    let panel = Panel::builder()
        .fleet(move || status.status())
        .build(&here)
        .expect("valid");
    let view = get(&panel, "/api/v1/breakers").await.json();
    assert_eq!(view["fleet"]["link"], "degraded");
    assert!(view["fleet"]["why"].is_string());

    assert!(one.ready(Duration::from_secs(5)).await && other.ready(Duration::from_secs(5)).await);
    let mut client = Client::open(&panel, "state=open").await;
    client.next_of("view").await;
    let users = there.breaker("users");
    for _ in 0..5 {
        let _ = users.call(|| Err::<(), _>("failed"));
    }
    while here.breaker("users").state() != State::Open {
        pass(Duration::from_millis(10)).await;
    }
    let rows = client.next_of("rows").await.data;
    let cause = rows["rows"][0]["cause"]
        .as_str()
        .expect("a cause")
        .to_owned();
    assert!(cause.starts_with("opened by the fleet: "), "{cause}");
    let fleet = &rows["fleet"];
    assert_eq!(
        (&fleet["link"], &fleet["node"]),
        (&"connected".into(), &"web-1".into())
    );
    assert_eq!(
        (&fleet["open"], &fleet["counters"]["adopted"]),
        (&1.into(), &1.into())
    );

    let details = get(&panel, "/api/v1/breaker?name=payments").await.json();
    assert_eq!(details["fleet"]["policy"], "evidence:1");
    assert_eq!(details["fleet"]["summary"]["link"], "connected");
    let details = get(&panel, "/api/v1/breaker?name=users").await.json();
    let fleet = &details["fleet"];
    assert_eq!(
        (&fleet["policy"], &fleet["lease"]),
        (&"always".into(), &false.into())
    );
    assert_eq!(fleet["from"], "fleet, default");
    // After the open period, one of both tries for the fleet.
    pass(Duration::from_secs(35)).await;
    let mut trials = Vec::new();
    for registry in [&here, &there] {
        trials.extend(registry.breaker("users").try_acquire());
    }
    pass(Duration::from_secs(1)).await;
    let leased = [&one, &other].map(|fleet| fleet.status().leased);
    let names: Vec<_> = leased.concat();
    assert_eq!(
        names.iter().map(|name| &**name).collect::<Vec<_>>(),
        ["users"]
    );
    let shown = get(&panel, "/api/v1/breaker?name=users").await.json();
    assert_eq!(shown["fleet"]["lease"], !leased[0].is_empty());
}

#[tokio::test(start_paused = true)]
async fn panic_of_status_hides_fleet_only() {
    let registry = BreakerRegistry::new();
    registry.breaker("users");
    let message: fn() -> FleetStatus = || panic!("no fleet");
    let bomb: fn() -> FleetStatus = || std::panic::panic_any(Bomb);
    for status in [message, bomb] {
        let panel = Panel::builder().fleet(status).build(&registry);
        let panel = panel.expect("valid");
        let view = get(&panel, "/api/v1/breakers").await.json();
        assert!(view["fleet"].is_null());
        assert_eq!(view["total"], 1);
    }
}

#[tokio::test(start_paused = true)]
async fn change_of_fleet_reaches_idle_stream() {
    let registry = BreakerRegistry::new();
    let fleet = Arc::new(fleet(&registry, &Memory::new(), "web-1"));
    let status = fleet.clone();
    let panel = Panel::builder()
        .fleet(move || status.status())
        .build(&registry)
        .expect("valid");
    let mut client = Client::open(&panel, "").await;
    assert_eq!(
        client.next_of("view").await.data["fleet"]["link"],
        "degraded"
    );
    assert!(fleet.ready(Duration::from_secs(5)).await);
    let rows = client.next_of("rows").await.data;
    assert_eq!(
        (&rows["fleet"]["link"], &rows["rows"]),
        (&"connected".into(), &serde_json::json!([]))
    );
}
