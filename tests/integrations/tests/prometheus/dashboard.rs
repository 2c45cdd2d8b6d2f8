//! The dashboard: its form, the series that it uses, and its data in a run of the example.

use crate::exported::Exported;
use crate::server::{SCRAPE_INTERVAL, Server};
use crate::tools::is_installed;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

const DASHBOARD: &str = include_str!("../../../../docs/grafana-dashboard.json");
const METRICS_PAGE: &str = include_str!("../../../../docs/metrics.md");

/// Grafana computes at least four scrape intervals for `$__rate_interval`.
const RATE_INTERVAL: &str = "1s";

fn dashboard() -> Value {
    serde_json::from_str(DASHBOARD).unwrap()
}

fn list<'a>(value: &'a Value, path: &str) -> &'a [Value] {
    let found = value.pointer(path).and_then(Value::as_array);
    found.unwrap_or_else(|| panic!("no {path} in {value}"))
}

fn text<'a>(value: &'a Value, path: &str) -> &'a str {
    let found = value.pointer(path).and_then(Value::as_str);
    found.unwrap_or_else(|| panic!("no {path} in {value}"))
}

/// Returns the panels that show data. A row is only a title.
fn data_panels(dashboard: &Value) -> impl Iterator<Item = &Value> {
    let panels = list(dashboard, "/panels").iter();
    panels.filter(|panel| text(panel, "/type") != "row")
}

/// Returns all strings in `value`, at any depth.
fn strings<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
    match value {
        Value::String(text) => found.push(text),
        Value::Object(fields) => fields.values().for_each(|value| strings(value, found)),
        Value::Array(values) => values.iter().for_each(|value| strings(value, found)),
        _ => {}
    }
}

#[test]
fn dashboard_is_well_formed() {
    let dashboard = dashboard();
    assert!(dashboard["schemaVersion"].as_u64().unwrap() >= 36);
    assert_eq!(dashboard["id"], Value::Null, "an import assigns the id");
    assert_eq!(text(&dashboard, "/uid"), "breakerbox");

    let (mut ids, mut titles, mut cells) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for panel in list(&dashboard, "/panels") {
        let title = text(panel, "/title");
        assert!(titles.insert(title), "{title}");
        assert!(ids.insert(panel["id"].as_u64().unwrap()), "{title}");
        let [x, y, w, h] =
            ["x", "y", "w", "h"].map(|side| panel["gridPos"][side].as_u64().unwrap());
        assert!(x + w <= 24, "{title}");
        for cell in (x..x + w).flat_map(|x| (y..y + h).map(move |y| (x, y))) {
            assert!(cells.insert(cell), "{title} covers another panel");
        }
    }
    for panel in data_panels(&dashboard) {
        let title = text(panel, "/title");
        assert!(text(panel, "/description").ends_with('.'), "{title}");
        text(panel, "/fieldConfig/defaults/unit");
        let mut references = BTreeSet::new();
        for target in list(panel, "/targets") {
            assert!(references.insert(text(target, "/refId")), "{title}");
            assert_eq!(text(target, "/datasource/uid"), "${datasource}", "{title}");
        }
    }
    // Every variable is defined, or built into Grafana.
    let defined: BTreeSet<_> = list(&dashboard, "/templating/list")
        .iter()
        .map(|variable| text(variable, "/name"))
        .chain(["__rate_interval", "__all"])
        .collect();
    let mut found = Vec::new();
    strings(&dashboard, &mut found);
    for text in found {
        for variable in text.split('$').skip(1) {
            let variable = variable.trim_start_matches('{');
            let end = variable.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
            let name = &variable[..end.unwrap_or(variable.len())];
            assert!(defined.contains(name), "{name}: {text}");
        }
    }
}

#[test]
fn dashboard_shows_every_documented_series() {
    let exported = Exported::new();
    let documented: BTreeSet<_> = METRICS_PAGE
        .lines()
        .filter_map(|line| line.strip_prefix("| `breakerbox_")?.split_once('`'))
        .map(|(name, row)| {
            let suffix = if row.contains("histogram") {
                "_bucket"
            } else {
                ""
            };
            format!("breakerbox_{name}{suffix}")
        })
        .collect();
    assert_eq!(exported.names(), documented, "the table of docs/metrics.md");

    let dashboard = dashboard();
    let mut shown = BTreeSet::new();
    for target in data_panels(&dashboard).flat_map(|panel| list(panel, "/targets")) {
        shown.extend(exported.check(text(target, "/expr")));
    }
    assert_eq!(shown, documented);
    for variable in list(&dashboard, "/templating/list") {
        if text(variable, "/type") == "query" {
            let query = text(variable, "/query/query");
            assert_eq!(query, text(variable, "/definition"));
            exported.check(query);
        }
    }
    for annotation in list(&dashboard, "/annotations/list") {
        exported.check(text(annotation, "/expr"));
    }
}

/// Replaces the variables of a query as Grafana does.
fn with_variables(query: &str, variables: &BTreeMap<String, String>) -> String {
    let mut query = query.replace("$__rate_interval", RATE_INTERVAL);
    for (name, value) in variables {
        query = query.replace(&format!("${name}"), value);
    }
    assert!(!query.contains('$'), "{query}");
    query
}

/// Returns the values of a variable with the query `label_values(series, label)`.
async fn variable_values(server: &Server, query: &str) -> Vec<String> {
    let query = query.strip_prefix("label_values(").unwrap();
    let (series, label) = query.strip_suffix(')').unwrap().rsplit_once(", ").unwrap();
    let path = format!("label/{label}/values");
    let values = server.get(&path, &[("match[]", series)]).await;
    serde_json::from_value(values).unwrap()
}

/// Runs a query from the start of the server until now, as a panel does. Returns what is wrong with
/// its data.
async fn problem_of_data(server: &Server, query: &str, target: &Value) -> Option<String> {
    let times = [server.started, SystemTime::now()];
    let since_epoch = |time: SystemTime| time.duration_since(UNIX_EPOCH).unwrap().as_secs_f64();
    let [start, now] = times.map(|time| since_epoch(time).to_string());
    let (path, values, times) = if target["instant"] == true {
        ("query", "/value/1", vec![("time", &*now)])
    } else {
        let times = vec![
            ("start", &*start),
            ("end", &*now),
            ("step", SCRAPE_INTERVAL),
        ];
        ("query_range", "/values", times)
    };
    let data = server
        .get(path, &[vec![("query", query)], times].concat())
        .await;
    let mut numbers = Vec::new();
    for series in list(&data, "/result") {
        // Each label of the legend is a label of the series.
        for label in target["legendFormat"]
            .as_str()
            .unwrap_or("")
            .split("{{")
            .skip(1)
        {
            let (label, _) = label.split_once("}}").unwrap();
            if series["metric"][label].as_str().is_none() {
                return Some(format!("{query}: no label {label} in {series}"));
            }
        }
        let mut texts = Vec::new();
        strings(series.pointer(values).unwrap(), &mut texts);
        numbers.extend(texts.iter().map(|text| text.parse::<f64>().unwrap()));
    }
    // A constant zero would hide a query that selects nothing.
    let has_data = numbers
        .iter()
        .any(|number| number.is_finite() && *number != 0.0);
    (!has_data).then(|| format!("{query}: no data in {data}"))
}

/// Runs the example, scrapes it with Prometheus, and evaluates all queries of the dashboard and all
/// alert rules.
#[tokio::test]
async fn prometheus_has_data_for_every_panel() {
    if !is_installed("prometheus", "prometheus_has_data_for_every_panel") {
        return;
    }
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let page = listener.local_addr().unwrap();
    let example = tokio::spawn(crate::example::service::run(listener));
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("prometheus");
    let rules = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/prometheus-alerts.yml");
    let server = Server::start(&folder, page, &rules.canonicalize().unwrap()).await;

    let dashboard = dashboard();
    let all: BTreeMap<_, _> = list(&dashboard, "/templating/list")
        .iter()
        .filter(|variable| text(variable, "/type") == "query")
        .map(|variable| {
            let value = text(variable, "/allValue").to_owned();
            (text(variable, "/name").to_owned(), value)
        })
        .collect();
    server
        .wait_until_ok(async || {
            for panel in data_panels(&dashboard) {
                for target in list(panel, "/targets") {
                    let query = with_variables(text(target, "/expr"), &all);
                    if let Some(problem) = problem_of_data(&server, &query, target).await {
                        return Some(format!("{}: {problem}", text(panel, "/title")));
                    }
                }
            }
            for annotation in list(&dashboard, "/annotations/list") {
                let query = with_variables(text(annotation, "/expr"), &all);
                let problem = problem_of_data(&server, &query, annotation).await;
                if problem.is_some() {
                    return problem;
                }
            }
            None
        })
        .await;

    // The lists of the variables, and a query for a selection of two breakers.
    let mut values = BTreeMap::new();
    for variable in list(&dashboard, "/templating/list") {
        if text(variable, "/type") == "query" {
            let query = with_variables(text(variable, "/query/query"), &all);
            let found = variable_values(&server, &query).await;
            values.insert(text(variable, "/name").to_owned(), found);
        }
    }
    let breakers = [
        "audit",
        "catalogue",
        "exports",
        "mail",
        "payments",
        "ratings",
        "search",
        "stock",
    ];
    assert_eq!(values["breaker"], breakers);
    assert_eq!(values["job"], ["shop"]);
    let mut selected = all.clone();
    selected.insert("breaker".to_owned(), "(catalogue|mail)".to_owned());
    let panels = list(&dashboard, "/panels");
    let by_breaker = panels
        .iter()
        .find(|panel| text(panel, "/title") == "States");
    let target = &list(by_breaker.unwrap(), "/targets")[0];
    let query = with_variables(text(target, "/expr"), &selected);
    let data = server.get("query", &[("query", &query)]).await;
    let shown = list(&data, "/result").iter();
    let shown: BTreeSet<_> = shown
        .map(|series| text(series, "/metric/breaker"))
        .collect();
    assert_eq!(shown, BTreeSet::from(["catalogue", "mail"]));

    server
        .wait_until_ok(async || problem_of_rules(&server).await)
        .await;
    assert!(!example.is_finished(), "{:?}", example.await);
    example.abort();
}

/// Returns what is wrong with the state of the rules: all work, and those that match are active.
async fn problem_of_rules(server: &Server) -> Option<String> {
    let data = server.get("rules", &[]).await;
    let rules = list(&data, "/groups/0/rules");
    assert_eq!(rules.len(), crate::alerts::rules().len());
    for rule in rules {
        let (name, state) = (text(rule, "/name"), text(rule, "/state"));
        assert_ne!(text(rule, "/health"), "err", "{rule}");
        let expected = match name {
            "CircuitWouldTrip" | "CircuitTrialsOutlived" => Some("firing"),
            "CircuitCallsCancelled" | "CircuitForcedOpen" | "CircuitNotEnforcing" => {
                Some("pending")
            }
            "CircuitsWithoutSeries"
            | "FleetLeasesLost"
            | "FleetMessagesLost"
            | "FleetStoreSlow" => Some("inactive"),
            _ => None,
        };
        if text(rule, "/health") != "ok" || expected.is_some_and(|expected| state != expected) {
            return Some(rule.to_string());
        }
    }
    None
}
