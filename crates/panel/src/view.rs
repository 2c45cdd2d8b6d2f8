//! The JSON of views: rows with what surrounds them.

use crate::query::{Filter, STATES};
use crate::settings::Viewer;
use crate::shared::Shared;
use crate::table::{RowText, Window};
use crate::time::unix_millis;
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};
use std::sync::Arc;

/// The version of the interface.
pub(crate) const API: u32 = 1;

/// The first fields of an answer.
#[derive(Serialize)]
pub(crate) struct Head<'a> {
    pub(crate) api: u32,
    pub(crate) instance: &'a str,
    pub(crate) at: u64,
    pub(crate) actor: Option<&'a str>,
    pub(crate) controls: &'a [&'static str],
}

#[derive(Serialize)]
struct ViewHead<'a> {
    #[serde(flatten)]
    head: Head<'a>,
    #[serde(flatten)]
    counts: Counts<'a>,
}

/// The figures about all rows.
#[derive(Serialize)]
struct Counts<'a> {
    total: usize,
    matched: usize,
    by_state: ByState<'a>,
    #[cfg(feature = "fleet")]
    fleet: Option<crate::fleet::Summary>,
    #[cfg(not(feature = "fleet"))]
    fleet: Option<()>,
}

struct ByState<'a>(&'a [usize; STATES.len()]);

impl Serialize for ByState<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut map = to.serialize_map(Some(STATES.len()))?;
        for (state, count) in STATES.iter().zip(self.0) {
            map.serialize_entry(state.as_str(), count)?;
        }
        map.end()
    }
}

impl<'a> Head<'a> {
    pub(crate) fn of(shared: &'a Shared, viewer: &'a Viewer) -> Self {
        Self {
            api: API,
            instance: &shared.settings.instance,
            at: unix_millis(),
            actor: viewer.actor.name(),
            controls: &viewer.controls,
        }
    }
}

impl<'a> Counts<'a> {
    fn of(shared: &'a Shared, window: &'a Window) -> Self {
        #[cfg(not(feature = "fleet"))]
        let _ = shared;
        Self {
            total: window.total,
            matched: window.matched,
            by_state: ByState(&window.by_state),
            #[cfg(feature = "fleet")]
            fleet: crate::fleet::summary(shared.settings.fleet.as_ref()),
            #[cfg(not(feature = "fleet"))]
            fleet: None,
        }
    }
}

/// Returns a view as a JSON object.
pub(crate) fn view(shared: &Shared, viewer: &Viewer, window: &Window) -> String {
    let head = ViewHead {
        head: Head::of(shared, viewer),
        counts: Counts::of(shared, window),
    };
    let mut json = open(&head);
    let texts = window.rows.iter().map(|(_, text)| text);
    write_rows(&mut json, texts, viewer.shows_failures);
    json.push_str(",\"after\":");
    json.push_str(&serde_json::to_string(&window.after.as_deref()).unwrap_or_default());
    json.push('}');
    json
}

#[derive(Serialize)]
struct ChangeHead<'a> {
    at: u64,
    #[serde(flatten)]
    counts: Counts<'a>,
}

/// Returns the changed rows of a window as a JSON object.
pub(crate) fn changes(
    shared: &Shared,
    viewer: &Viewer,
    window: &Window,
    rows: &[&RowText],
    order: Option<&[Arc<str>]>,
) -> String {
    let mut json = open(&ChangeHead {
        at: unix_millis(),
        counts: Counts::of(shared, window),
    });
    write_rows(&mut json, rows.iter().copied(), viewer.shows_failures);
    if let Some(order) = order {
        let names: Vec<&str> = order.iter().map(|name| &**name).collect();
        json.push_str(",\"order\":");
        json.push_str(&serde_json::to_string(&names).unwrap_or_default());
    }
    json.push('}');
    json
}

/// Returns an object without its end.
fn open(head: &impl Serialize) -> String {
    let mut json = serde_json::to_string(head).unwrap_or_default();
    json.pop();
    json
}

fn write_rows<'a>(
    json: &mut String,
    rows: impl Iterator<Item = &'a RowText>,
    shows_failures: bool,
) {
    json.push_str(",\"rows\":[");
    for (at, row) in rows.enumerate() {
        if at > 0 {
            json.push(',');
        }
        row.write(json, shows_failures);
    }
    json.push(']');
}

/// Returns the view that a request for rows asks for.
///
/// # Errors
///
/// Returns a message if the filter continues after a row that no longer matches.
pub(crate) fn page(shared: &Shared, viewer: &Viewer, filter: &Filter) -> Result<String, String> {
    let window = shared.window(filter);
    if window.is_lost {
        let message = "the breaker of `after` no longer matches; begin again without `after`";
        return Err(message.to_owned());
    }
    Ok(view(shared, viewer, &window))
}
