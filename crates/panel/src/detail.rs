//! The details of one breaker: `GET api/v1/breaker`.

use crate::guard::Refusal;
use crate::log::EntryJson;
use crate::query::parameter;
use crate::settings::Viewer;
use crate::shared::Shared;
use crate::view::Head;
use breakerbox::{BreakerConfig, RuleSnapshot, Snapshot};
use http::StatusCode;
use serde::Serialize;
use serde_json::Value;

/// The most entries of the log.
const MOST_EVENTS: usize = 50;

#[derive(Serialize)]
struct Details<'a> {
    #[serde(flatten)]
    head: Head<'a>,
    row: Value,
    snapshot: &'a Snapshot,
    settings: Vec<Setting>,
    rules: Vec<Rule>,
    events: Vec<EntryJson<'a>>,
    #[cfg(feature = "fleet")]
    fleet: Option<crate::fleet::Circuit>,
    #[cfg(not(feature = "fleet"))]
    fleet: Option<()>,
}

/// A setting, its value, and the layer that has set it.
#[derive(Serialize)]
struct Setting {
    name: String,
    value: String,
    from: String,
}

/// A rule with the figures of its window.
#[derive(Serialize)]
struct Rule {
    text: String,
    recorded: u32,
    failed: u32,
    slow: u32,
    rate: Option<f64>,
}

/// Returns the details of the breaker that the query names.
pub(crate) fn details(
    shared: &Shared,
    viewer: &Viewer,
    query: Option<&str>,
) -> Result<String, Refusal> {
    let bad = |message: String| (StatusCode::BAD_REQUEST, message);
    let name = parameter(query, "name").map_err(bad)?;
    let name = name.ok_or_else(|| bad("say which breaker: `?name=…`".to_owned()))?;
    let missing = || {
        let message = "there is no breaker of this name; it may have been evicted";
        (StatusCode::NOT_FOUND, message.to_owned())
    };
    let watched = shared.watch.find(&name).ok_or_else(missing)?;
    shared.touch(watched.name());
    shared.refresh(true);
    let row = shared.row(&name).ok_or_else(missing)?;
    let mut row_json = String::new();
    row.write(&mut row_json, viewer.shows_failures);
    let mut snapshot = watched.snapshot().ok_or_else(missing)?;
    if !viewer.shows_failures {
        snapshot.last_failure = None;
    }
    // The handle is dropped at once, because it prevents an eviction.
    let config = watched.breaker().map(|breaker| breaker.config());
    let config = config.ok_or_else(missing)?;
    let events = shared.with_log(|log| log.of(&name, MOST_EVENTS));
    let events = events
        .iter()
        .map(|entry| entry.json(&shared.settings.instance));
    let details = Details {
        head: Head::of(shared, viewer),
        row: serde_json::from_str(&row_json).unwrap_or_default(),
        settings: settings(&config),
        rules: snapshot.rules.iter().map(Rule::of).collect(),
        snapshot: &snapshot,
        events: events.collect(),
        #[cfg(feature = "fleet")]
        fleet: crate::fleet::circuit(shared.settings.fleet.as_ref(), &name, &config),
        #[cfg(not(feature = "fleet"))]
        fleet: None,
    };
    Ok(serde_json::to_string(&details).unwrap_or_default())
}

fn settings(config: &BreakerConfig) -> Vec<Setting> {
    let explained = config.explain();
    let settings = explained.settings().map(|(name, value, from)| Setting {
        name: name.to_owned(),
        value: value.to_owned(),
        from: from.to_owned(),
    });
    settings.collect()
}

impl Rule {
    fn of(rule: &RuleSnapshot) -> Self {
        Self {
            text: rule.rule.to_string(),
            recorded: rule.recorded,
            failed: rule.failed,
            slow: rule.slow,
            rate: rule.rate,
        }
    }
}
