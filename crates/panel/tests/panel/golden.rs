//! The JSON of the panel, field by field: a change here is a change for every client.

use crate::support::{Client, command, commanding, get, pass, registry};
use breakerbox::CircuitBreaker;
use serde_json::{Value, json};
use std::time::Duration;

/// Replaces wall-clock times and numbers of entries, which differ between runs.
fn steady(value: &mut Value) {
    match value {
        Value::Array(values) => values.iter_mut().for_each(steady),
        Value::Object(fields) => {
            for (key, value) in fields {
                match key.as_str() {
                    "at" | "since" | "open_until" if value.is_u64() => *value = json!("TIME"),
                    "id" => {
                        let id = value.as_str().expect("an id").to_owned();
                        assert!(id.starts_with("web-1:"));
                        *value = json!("ID");
                    }
                    "from" if value.as_str().is_some_and(|from| from.contains(".rs:")) => {
                        *value = json!("PLACE");
                    }
                    _ => steady(value),
                }
            }
        }
        _ => {}
    }
}

fn check(name: &str, mut value: Value) {
    steady(&mut value);
    let text = serde_json::to_string_pretty(&value).expect("JSON") + "\n";
    let path = format!(
        "{}/tests/panel/golden/{name}.json",
        env!("CARGO_MANIFEST_DIR")
    );
    if std::env::var_os("BREAKERBOX_REFRESH").is_some() {
        std::fs::write(&path, &text).expect("written");
    }
    let golden = std::fs::read_to_string(&path).expect("a golden file");
    assert_eq!(
        text, golden,
        "{name}; BREAKERBOX_REFRESH=1 writes the file anew"
    );
}

#[tokio::test(start_paused = true)]
async fn json_matches_golden_files() {
    let (registry, _) = registry();
    let settings = CircuitBreaker::builder().failure_threshold(2);
    registry.register("users-api", settings).expect("valid");
    let users = registry.breaker("users-api");
    registry.breaker("payments");
    let panel = commanding(&registry);
    pass(Duration::from_millis(10)).await;
    let mut client = Client::open(&panel, "").await;
    client.next_of("view").await;
    users.call(|| Ok::<_, ()>(())).expect("closed");
    for _ in 0..3 {
        let _ = users.call(|| Err::<(), _>("secret"));
    }
    pass(Duration::from_secs(2)).await;
    check("rows", client.next_of("rows").await.data);
    check("log", client.next_of("log").await.data);
    check(
        "breakers",
        get(&panel, "/api/v1/breakers?sort=state").await.json(),
    );
    check(
        "breaker",
        get(&panel, "/api/v1/breaker?name=users-api").await.json(),
    );
    check("events", get(&panel, "/api/v1/events").await.json());
    check("health", get(&panel, "/api/v1/health").await.json());
    check(
        "command",
        command(&panel, json!({ "command": "reset" })).await.json(),
    );
    check(
        "conflict",
        command(&panel, json!({ "if_state": "open" })).await.json(),
    );
}
