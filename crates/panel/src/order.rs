//! Commands to breakers: `POST api/v1/commands`.

use crate::access::{Action, Command};
use crate::answer;
use crate::body::Body;
use crate::guard::Refusal;
use crate::log::{Draft, Kind};
use crate::query::STATES;
use crate::shared::Shared;
use crate::text::{LONGEST, checked};
use breakerbox::{CircuitBreaker, State};
use http::request::Parts;
use http::{Response, StatusCode};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;

/// Follows the name of the actor in the cause.
const BY_PANEL: &str = " by panel";
/// The longest name of an actor: the core keeps 256 bytes.
const LONGEST_ACTOR: usize = LONGEST - BY_PANEL.len();
/// The longest time for which a command opens a circuit: a week.
const LONGEST_TRIP: f64 = 7.0 * 24.0 * 3_600.0;
/// How often a command is tried if the state changes meanwhile.
const TRIES: usize = 8;

/// A command as it is sent. A field that is not known may be a misspelled condition, so it is an
/// error.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Order {
    name: String,
    command: String,
    instance: String,
    seconds: Option<f64>,
    reason: Option<String>,
    if_state: Option<String>,
}

#[derive(Serialize)]
struct Done<'a> {
    instance: &'a str,
    name: &'a str,
    command: &'static str,
    actor: &'a str,
    before: State,
    after: State,
}

/// What a checked order does.
struct Change {
    command: Command,
    time: Option<Duration>,
    reason: Option<String>,
    actor: String,
}

/// Gives the command in `body`.
pub(crate) fn give(shared: &Shared, head: &Parts, body: &[u8]) -> Response<Body> {
    match try_give(shared, head, body) {
        Ok(response) => response,
        Err(refusal) => answer::error(&shared.settings, &refusal),
    }
}

/// Refuses all commands if the panel has no controls.
pub(crate) fn check_enabled(shared: &Shared) -> Result<(), Refusal> {
    if shared.settings.controls.is_empty() {
        let message = "the panel is read-only; the program enables commands with `controls`";
        return Err((StatusCode::FORBIDDEN, message.to_owned()));
    }
    Ok(())
}

fn try_give(shared: &Shared, head: &Parts, body: &[u8]) -> Result<Response<Body>, Refusal> {
    let settings = &shared.settings;
    let order: Order = serde_json::from_slice(body).map_err(|error| {
        // The position says enough; a message could repeat parts of the body.
        let place = format!("line {}, column {}", error.line(), error.column());
        (
            StatusCode::BAD_REQUEST,
            format!(
                "the command is not a JSON object with `name`, `command`, `instance` and optionally \
                 `reason`, `seconds` and `if_state` ({place})"
            ),
        )
    })?;
    if *order.instance != *settings.instance {
        let message = format!(
            "this is the instance {}; load the page again, or send the command to the instance that \
             it names",
            settings.instance
        );
        return Err((StatusCode::CONFLICT, message));
    }
    let expected = order.if_state.as_deref().map(state).transpose()?;
    let command = Command::parse(&order.command).ok_or_else(|| {
        let message = "`command` must be trip, half_open, reset, force_open, disable or watch";
        (StatusCode::BAD_REQUEST, message.to_owned())
    })?;
    if !settings.controls.contains(command) {
        let message = format!(
            "the panel does not offer {}; the program enables it with `controls`",
            command.as_str()
        );
        return Err((StatusCode::FORBIDDEN, message));
    }
    let name: Arc<str> = order.name.as_str().into();
    let action = Action::Command {
        command,
        breaker: Some(name.clone()),
    };
    let actor = settings.authorize(head, action)?;
    let change = Change {
        command,
        time: time(command, order.seconds)?,
        reason: reason(command, order.reason.as_deref())?,
        actor: actor_text(actor.name())?,
    };
    // Looked up, and never created.
    let watched = shared.watch.find(&name);
    let breaker = watched
        .and_then(|watched| watched.breaker())
        .ok_or_else(|| {
            let message = "there is no breaker of this name; it may have been evicted";
            (StatusCode::NOT_FOUND, message.to_owned())
        })?;
    let (before, after) = match change.apply(&breaker, expected) {
        Ok(states) => states,
        Err(found) => {
            let message = "the breaker is in another state; look at it again before you decide";
            let found = Some(found.as_str());
            let status = StatusCode::CONFLICT;
            return Ok(answer::error_with_state(settings, status, message, found));
        }
    };
    shared.touch(&name);
    if before == after {
        // The core emits no event, but the command has replaced the cause. Earlier events come first.
        shared.absorb();
        shared.write(Draft {
            name: name.clone(),
            kind: Kind::Command,
            from: Some(before.as_str()),
            to: Some(after.as_str()),
            text: change.text(),
        });
    }
    let done = Done {
        instance: &settings.instance,
        name: &name,
        command: command.as_str(),
        actor: actor.name().unwrap_or_default(),
        before,
        after,
    };
    Ok(answer::value(settings, StatusCode::OK, &done))
}

fn state(name: &str) -> Result<State, Refusal> {
    let found = STATES.into_iter().find(|state| state.as_str() == name);
    found.ok_or_else(|| {
        let message =
            "`if_state` must be open, half_open, forced_open, metrics_only, disabled or closed";
        (StatusCode::BAD_REQUEST, message.to_owned())
    })
}

fn time(command: Command, seconds: Option<f64>) -> Result<Option<Duration>, Refusal> {
    let Some(seconds) = seconds else {
        return Ok(None);
    };
    if command != Command::Trip || !(seconds > 0.0 && seconds <= LONGEST_TRIP) {
        let message = "`seconds` belongs to trip, and must be above 0 and at most 604800";
        return Err((StatusCode::UNPROCESSABLE_ENTITY, message.to_owned()));
    }
    Ok(Some(Duration::from_secs_f64(seconds)))
}

fn reason(command: Command, reason: Option<&str>) -> Result<Option<String>, Refusal> {
    // Half-opening is what time does, too: it needs no explanation.
    if command == Command::HalfOpen && reason.is_none_or(|reason| reason.trim().is_empty()) {
        return Ok(None);
    }
    let checked = checked(reason.unwrap_or_default(), LONGEST).map_err(|why| {
        let message = format!("`reason` {why}; say in 1 to 256 bytes why you give the command");
        (StatusCode::UNPROCESSABLE_ENTITY, message)
    })?;
    Ok(Some(checked.to_owned()))
}

fn actor_text(name: Option<&str>) -> Result<String, Refusal> {
    let Some(name) = name else {
        let message = "a command needs an actor with a name; log in, or let `authorize` return one";
        return Err((StatusCode::FORBIDDEN, message.to_owned()));
    };
    let name = checked(name, LONGEST_ACTOR).map_err(|why| {
        let message =
            format!("the name of the actor {why}; it must have 1 to {LONGEST_ACTOR} bytes");
        (StatusCode::UNPROCESSABLE_ENTITY, message)
    })?;
    Ok(format!("{name}{BY_PANEL}"))
}

impl Change {
    /// Gives the command, and returns the states before and after it. With an expected state, fails
    /// in any other one.
    fn apply(
        &self,
        breaker: &CircuitBreaker,
        expected: Option<State>,
    ) -> Result<(State, State), State> {
        let mut before = expected.unwrap_or_else(|| breaker.state());
        for _ in 0..TRIES {
            // The condition makes `before` the state that the command really found.
            match self.give(breaker, before) {
                Ok(()) => return Ok((before, breaker.state())),
                Err(found) if expected.is_some() => return Err(found),
                Err(found) => before = found,
            }
        }
        Err(before)
    }

    fn give(&self, breaker: &CircuitBreaker, expected: State) -> Result<(), State> {
        let reason = self.reason.as_deref().unwrap_or_default();
        let order = breaker.by(&self.actor).because(reason).if_state(expected);
        match (self.command, self.time) {
            (Command::Trip, Some(time)) => order.trip_for(time),
            (Command::Trip, None) => order.trip(),
            (Command::HalfOpen, _) => order.half_open(),
            (Command::Reset, _) => order.reset(),
            (Command::ForceOpen, _) => order.force_open(),
            (Command::Disable, _) => order.disable(),
            (Command::Watch, _) => order.metrics_only(),
        }
    }

    fn text(&self) -> String {
        match &self.reason {
            Some(reason) => format!("a command by {}: {reason}", self.actor),
            None => format!("a command by {}", self.actor),
        }
    }
}
