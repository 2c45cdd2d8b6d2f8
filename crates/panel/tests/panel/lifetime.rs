//! Lifetime: when the task of a panel begins and ends, and what a panel keeps alive.

use crate::support::{Client, command, commanding, get, get_request, pass, registry, row, send};
use breakerbox::{BreakerRegistry, State};
use breakerbox_panel::{Body, Panel, PanelBuilder, ResponseFuture};
use serde_json::json;
use std::time::Duration;
use tokio::runtime::Handle;

fn tasks() -> usize {
    Handle::current().metrics().num_alive_tasks()
}

#[tokio::test(start_paused = true)]
async fn task_ends_with_last_clone() {
    let (registry, _) = registry();
    let before = tasks();
    let panel = Panel::new(&registry);
    let clone = panel.clone();
    assert_eq!(tasks(), before + 1);
    get(&clone, "/api/v1/breakers").await;
    assert_eq!(tasks(), before + 1, "one task per panel");
    drop(panel);
    pass(Duration::from_millis(1)).await;
    assert_eq!(tasks(), before + 1);
    drop(clone);
    pass(Duration::from_millis(1)).await;
    assert_eq!(tasks(), before);
}

#[tokio::test(start_paused = true)]
async fn stream_keeps_task_of_dropped_panel() {
    let (registry, _) = registry();
    let before = tasks();
    let panel = Panel::new(&registry);
    let mut client = Client::open(&panel, "").await;
    client.next_of("view").await;
    drop(panel);
    registry.breaker("users").trip();
    assert_eq!(client.next_of("log").await.data["name"], "users");
    drop(client);
    pass(Duration::from_millis(1)).await;
    assert_eq!(tasks(), before);
}

#[test]
fn task_begins_with_first_request() {
    let (registry, _) = registry();
    let users = registry.breaker("users");
    let panel = Panel::new(&registry);
    let runtime = || {
        let builder = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build();
        builder.expect("a runtime")
    };
    // A panel outlives the runtime of its task.
    for _ in 0..2 {
        runtime().block_on(async {
            get(&panel, "/api/v1/health").await;
            assert_eq!(tasks(), 1);
            pass(Duration::from_millis(10)).await;
            let failed = users.call(|| Err::<(), _>("failed"));
            assert!(failed.is_err());
            pass(Duration::from_secs(2)).await;
            let points = row(&panel, "users").await["history"]["failure"].clone();
            assert_eq!(
                points.as_array().and_then(|points| points.last()),
                Some(&1.into())
            );
        });
    }
}

#[test]
fn panel_without_timers_answers_without_panic() {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    let runtime = runtime.expect("a runtime");
    let (registry, _) = registry();
    let users = registry.breaker("users-api");
    runtime.block_on(async {
        let panel = commanding(&registry);
        let (status, sentence) = get(&panel, "/api/v1/stream").await.error();
        assert!(status == 503 && sentence.contains("timers"), "{sentence}");
        assert_eq!(command(&panel, json!({})).await.status, 200);
        assert_eq!(users.state(), State::Open);
        assert_eq!(row(&panel, "users-api").await["state"], "open");
        for path in ["/", "/api/v1/breaker?name=users-api", "/api/v1/events"] {
            assert_eq!(get(&panel, path).await.status, 200, "{path}");
        }
        assert_eq!(tasks(), 0);
    });
}

#[tokio::test(start_paused = true)]
async fn panel_keeps_no_registry_alive() {
    let registry = BreakerRegistry::new();
    let users = registry.breaker("users");
    let mut events = registry.subscribe_changes();
    let panel = Panel::new(&registry);
    let _client = Client::open(&panel, "").await;
    drop((registry, users));
    pass(Duration::from_secs(3)).await;
    assert!(events.recv().await.is_none(), "the registry has ended");
    for path in ["/", "/api/v1/breakers", "/api/v1/health", "/api/v1/stream"] {
        assert_eq!(
            send(&panel, get_request(path)).await.status(),
            503,
            "{path}"
        );
    }
}

#[test]
fn types_have_expected_auto_traits() {
    fn all<T: Send + Sync + Unpin + 'static>() {}
    fn send<T: Send + Unpin + 'static>() {}
    all::<Panel>();
    all::<PanelBuilder>();
    send::<Body>();
    send::<ResponseFuture>();
    #[cfg(feature = "serve")]
    send::<breakerbox_panel::Server>();
}
