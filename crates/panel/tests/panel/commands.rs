//! Commands: what they need, what they change, and where they can be seen afterwards.

use crate::support::{ask, command, command_request, commanding, get, registry, row};
use breakerbox::{BreakerRegistry, State};
use breakerbox_panel::{Action, Actor, BuildError, Controls, Panel};
use http::StatusCode;
use serde_json::json;
use std::sync::{Arc, Mutex};

#[tokio::test(start_paused = true)]
async fn command_changes_state_and_leaves_audit() {
    let (registry, _) = registry();
    let panel = commanding(&registry);
    let users = registry.breaker("users-api");
    let mut events = registry.subscribe_changes();
    let done = command(&panel, json!({})).await;
    let expected = json!({
        "instance": "web-1", "name": "users-api", "command": "trip", "actor": "alice",
        "before": "closed", "after": "open",
    });
    assert_eq!((done.status.as_u16(), done.json()), (200, expected));
    assert_eq!(users.state(), State::Open);
    let audit = "a command by alice by panel: INC-123";
    let cause = users.snapshot().cause.expect("a cause").to_string();
    assert_eq!(cause, audit);
    let Some(breakerbox::Event::StateChanged { cause, .. }) = events.try_next() else {
        panic!("an event");
    };
    assert_eq!(cause.to_string(), audit);
    assert_eq!(row(&panel, "users-api").await["cause"], audit);
    let log = get(&panel, "/api/v1/events").await.json();
    assert_eq!(
        (&log["events"][0]["kind"], &log["events"][0]["text"]),
        (&"command".into(), &audit.into())
    );
}

#[tokio::test(start_paused = true)]
async fn each_command_enters_its_state() {
    let (registry, clock) = registry();
    let panel = commanding(&registry);
    let users = registry.breaker("users-api");
    for (name, state) in [
        ("trip", State::Open),
        ("half_open", State::HalfOpen),
        ("force_open", State::ForcedOpen),
        ("disable", State::Disabled),
        ("watch", State::MetricsOnly),
        ("reset", State::Closed),
    ] {
        let before = users.state();
        let done = command(&panel, json!({ "command": name })).await.json();
        assert_eq!(done["before"], before.as_str(), "{name}");
        assert_eq!(
            (done["after"].as_str(), users.state()),
            (Some(state.as_str()), state)
        );
    }
    let done = command(&panel, json!({ "seconds": 90.5 })).await;
    assert_eq!(done.status, 200);
    clock.advance(std::time::Duration::from_secs(90));
    assert_eq!(users.state(), State::Open);
    clock.advance(std::time::Duration::from_secs(1));
    assert_eq!(users.state(), State::HalfOpen);
}

#[tokio::test(start_paused = true)]
async fn command_without_new_state_is_logged() {
    let (registry, _) = registry();
    let panel = commanding(&registry);
    registry.breaker("users-api").force_open();
    let done = command(
        &panel,
        json!({ "command": "force_open", "reason": "still down" }),
    )
    .await;
    assert_eq!(done.json()["before"], done.json()["after"]);
    let audit = "a command by alice by panel: still down";
    let log = get(&panel, "/api/v1/events").await.json();
    assert_eq!(
        log["events"]
            .as_array()
            .and_then(|events| events.last())
            .expect("an event")["text"],
        audit
    );
    assert_eq!(row(&panel, "users-api").await["cause"], audit);
}

#[tokio::test(start_paused = true)]
async fn refused_commands_change_nothing() {
    let (registry, _) = registry();
    let panel = commanding(&registry);
    let users = registry.breaker("users-api");
    let long = "x".repeat(257);
    for (fields, status, word) in [
        (json!({ "name": "unknown-api" }), 404, "no breaker"),
        (json!({ "command": "explode" }), 400, "`command`"),
        (json!({ "command": "Trip" }), 400, "`command`"),
        (json!({ "reason": null }), 422, "`reason`"),
        (json!({ "reason": "  " }), 422, "`reason`"),
        (json!({ "reason": long }), 422, "`reason`"),
        (json!({ "reason": "a\nb" }), 422, "`reason`"),
        (json!({ "reason": "a\u{202e}b" }), 422, "`reason`"),
        (json!({ "instance": "web-2" }), 409, "web-1"),
        (json!({ "instance": null }), 400, "`instance`"),
        (json!({ "name": null }), 400, "`name`"),
        (json!({ "if_state": "broken" }), 400, "`if_state`"),
        (json!({ "if_state": "open" }), 409, "another state"),
        (json!({ "if_sate": "open" }), 400, "JSON object"),
        (json!({ "seconds": 0 }), 422, "`seconds`"),
        (json!({ "seconds": -1 }), 422, "`seconds`"),
        (json!({ "seconds": 604_801 }), 422, "`seconds`"),
        (json!({ "seconds": 1e300 }), 422, "`seconds`"),
        (json!({ "seconds": "5" }), 400, "JSON object"),
        (
            json!({ "seconds": 5, "command": "reset" }),
            422,
            "`seconds`",
        ),
    ] {
        let refused = command(&panel, fields.clone()).await.error();
        assert_eq!(refused.0, status, "{fields}: {}", refused.1);
        assert!(refused.1.contains(word), "{fields}: {}", refused.1);
        assert!(!refused.1.contains("xxx"), "no echo: {}", refused.1);
    }
    for body in ["", "[]", "null", "{", "\u{0}", "{\"name\":1}"] {
        assert_eq!(
            ask(&panel, command_request(body)).await.error().0,
            400,
            "{body}"
        );
    }
    assert_eq!(
        ask(&panel, command_request(vec![0xff; 10])).await.error().0,
        400
    );
    assert_eq!(users.state(), State::Closed);
    assert!(users.snapshot().cause.is_none());
    assert_eq!(registry.len(), 1, "no command creates a breaker");
}

#[tokio::test(start_paused = true)]
async fn condition_reports_state_that_it_found() {
    let (registry, _) = registry();
    let panel = commanding(&registry);
    registry.breaker("users-api").force_open();
    let refused = command(&panel, json!({ "if_state": "open", "command": "reset" })).await;
    assert_eq!(refused.status, StatusCode::CONFLICT);
    assert_eq!(refused.json()["state"], "forced_open");
    let done = command(
        &panel,
        json!({ "if_state": "forced_open", "command": "reset" }),
    )
    .await;
    assert_eq!(done.status, StatusCode::OK);
}

#[tokio::test(start_paused = true)]
async fn half_open_needs_no_reason() {
    let (registry, _) = registry();
    let panel = commanding(&registry);
    let users = registry.breaker("users-api");
    let done = command(&panel, json!({ "command": "half_open", "reason": null })).await;
    assert_eq!(done.status, 200);
    let cause = users.snapshot().cause.expect("a cause").to_string();
    assert_eq!(cause, "a command by alice by panel");
}

#[tokio::test(start_paused = true)]
async fn texts_of_full_length_are_kept_whole() {
    let (registry, _) = registry();
    let (actor, reason) = ("a".repeat(247), "r".repeat(256));
    let name = actor.clone();
    let panel = Panel::builder().instance("web-1").controls(Controls::TRIP);
    let panel = panel.authorize(move |_, _| Ok(Actor::named(&name)));
    let panel = panel.build(&registry).expect("valid");
    let users = registry.breaker("users-api");
    let done = command(&panel, json!({ "reason": format!(" {reason} ") })).await;
    assert_eq!(done.status, 200);
    let cause = users.snapshot().cause.expect("a cause").to_string();
    assert_eq!(cause, format!("a command by {actor} by panel: {reason}"));
}

#[tokio::test(start_paused = true)]
async fn actors_with_unusable_names_give_no_commands() {
    let (registry, _) = registry();
    registry.breaker("users-api");
    for (actor, status) in [
        (Actor::anonymous(), 403),
        (Actor::named(""), 422),
        (Actor::named("a".repeat(248)), 422),
        (Actor::named("al\u{202e}ice"), 422),
        (Actor::named("al\nice"), 422),
    ] {
        let panel = Panel::builder().instance("web-1").controls(Controls::TRIP);
        let given = actor.clone();
        let panel = panel
            .authorize(move |_, _| Ok(given.clone()))
            .build(&registry)
            .expect("valid");
        assert_eq!(
            command(&panel, json!({})).await.error().0,
            status,
            "{actor:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn panel_is_read_only_without_controls() {
    let (registry, _) = registry();
    let users = registry.breaker("users-api");
    let panel = Panel::builder()
        .instance("web-1")
        .build(&registry)
        .expect("valid");
    let refused = command(&panel, json!({})).await.error();
    assert_eq!(refused.0, 403);
    assert!(refused.1.contains("read-only"));
    let one = Panel::builder().instance("web-1").controls(Controls::RESET);
    let one = one
        .authorize(|_, _| Ok(Actor::named("alice")))
        .build(&registry)
        .expect("valid");
    assert_eq!(command(&one, json!({})).await.error().0, 403);
    assert_eq!(
        command(&one, json!({ "command": "reset" })).await.status,
        200
    );
    assert_eq!(users.state(), State::Closed);
}

#[tokio::test(start_paused = true)]
async fn authorize_decides_by_command_and_breaker() {
    let (registry, _) = registry();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let seen = asked.clone();
    let panel = Panel::builder()
        .instance("web-1")
        .controls(Controls::TRIP | Controls::RESET);
    let panel = panel.authorize(move |_, action| {
        seen.lock().expect("no panic").push(action.clone());
        match action {
            Action::Command {
                breaker: Some(name),
                ..
            } if *name != *"users-api" => Err(StatusCode::FORBIDDEN),
            Action::Command {
                command,
                breaker: None,
                ..
            } if command.as_str() == "reset" => Err(StatusCode::FORBIDDEN),
            _ => Ok(Actor::named("alice")),
        }
    });
    let panel = panel.build(&registry).expect("valid");
    registry.breaker("users-api");
    registry.breaker("payments");
    let view = get(&panel, "/api/v1/breakers").await.json();
    assert_eq!(
        (&view["actor"], &view["controls"]),
        (&"alice".into(), &json!(["trip"]))
    );
    assert_eq!(
        command(&panel, json!({ "name": "payments" })).await.status,
        403
    );
    assert_eq!(command(&panel, json!({})).await.status, 200);
    let asked = asked.lock().expect("no panic");
    let commands = asked.iter().filter(|action| {
        matches!(
            action,
            Action::Command {
                breaker: Some(_),
                ..
            }
        )
    });
    assert_eq!(commands.count(), 2);
    assert!(!asked.contains(&Action::Health));
}

#[test]
fn controls_need_authorize_and_no_frame() {
    let registry = BreakerRegistry::new();
    let built = Panel::builder().controls(Controls::TRIP).build(&registry);
    assert_eq!(built.unwrap_err(), BuildError::ControlsWithoutAuthorize);
    let built = Panel::builder()
        .controls(Controls::TRIP)
        .authorize(|_, _| Ok(Actor::anonymous()));
    let built = built.embed_in(["https://ops.example.com"]).build(&registry);
    assert_eq!(built.unwrap_err(), BuildError::ControlsInFrame);
    for instance in ["", "a b", "a\n", "\u{e9}", &"x".repeat(65)] {
        assert!(
            Panel::builder()
                .instance(instance)
                .build(&registry)
                .is_err(),
            "{instance}"
        );
    }
    assert!(
        Panel::builder()
            .allowed_hosts(["http://x"])
            .build(&registry)
            .is_err()
    );
    assert!(Panel::builder().origins(["x"]).build(&registry).is_err());
    assert!(
        Panel::builder()
            .embed_in(["https://a; script-src *"])
            .build(&registry)
            .is_err()
    );
}
