//! The JSON of the panel, as far as it is used here. Unknown members are skipped.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The answer of `api/v1/breakers`.
#[derive(Debug, Deserialize)]
pub(super) struct Breakers {
    pub(super) instance: String,
    pub(super) at: u64,
    pub(super) matched: u64,
    pub(super) by_state: BTreeMap<String, u64>,
    pub(super) rows: Vec<Row>,
    pub(super) after: Option<String>,
}

/// One breaker.
#[derive(Debug, Deserialize)]
pub(super) struct Row {
    pub(super) name: String,
    pub(super) state: String,
    pub(super) since: u64,
    pub(super) open_until: Option<u64>,
    pub(super) cause: Option<String>,
    pub(super) success_per_s: Option<f64>,
    pub(super) failing_per_s: f64,
    pub(super) refused_per_s: f64,
    pub(super) last_failure: Option<String>,
}

impl Row {
    pub(super) fn is_open(&self) -> bool {
        matches!(&*self.state, "open" | "forced_open")
    }
}

/// The answer of `api/v1/breaker`.
#[derive(Debug, Deserialize)]
pub(super) struct Breaker {
    pub(super) instance: String,
    pub(super) at: u64,
    pub(super) row: Row,
    pub(super) settings: Vec<Setting>,
    pub(super) rules: Vec<Rule>,
    pub(super) events: Vec<Entry>,
}

/// The part of this answer that a command needs.
#[derive(Debug, Deserialize)]
pub(super) struct Instance {
    pub(super) instance: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct Setting {
    pub(super) name: String,
    pub(super) value: String,
    pub(super) from: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct Rule {
    pub(super) text: String,
    pub(super) recorded: u64,
    pub(super) failed: u64,
    pub(super) slow: u64,
    pub(super) rate: Option<f64>,
}

/// The answer of `api/v1/events`.
#[derive(Debug, Deserialize)]
pub(super) struct Events {
    pub(super) events: Vec<serde_json::Value>,
    pub(super) missed: u64,
}

/// An entry of the log.
#[derive(Debug, Deserialize)]
pub(super) struct Entry {
    pub(super) at: u64,
    pub(super) name: Option<String>,
    pub(super) kind: String,
    pub(super) from: Option<String>,
    pub(super) to: Option<String>,
    pub(super) text: String,
}

/// The body of `api/v1/commands`.
#[derive(Debug, Serialize)]
pub(super) struct Command<'a> {
    pub(super) name: &'a str,
    #[serde(rename = "command")]
    pub(super) verb: &'a str,
    pub(super) instance: &'a str,
    pub(super) reason: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) seconds: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) if_state: Option<&'a str>,
}

/// The answer of `api/v1/commands`.
#[derive(Debug, Deserialize)]
pub(super) struct Done {
    pub(super) instance: String,
    pub(super) before: String,
    pub(super) after: String,
}
