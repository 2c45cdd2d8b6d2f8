//! The alert rules: their tests, their links, and the series that they use.

use crate::exported::Exported;
use crate::tools::is_installed;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;

const RULES: &str = include_str!("../../../../docs/prometheus-alerts.yml");
const TESTS: &str = include_str!("alerts.test.yml");
const OPERATIONS: &str = include_str!("../../../../docs/operations.md");
const RUNBOOK: &str = "https://docs.rs/breakerbox/latest/breakerbox/guide/operations/index.html#";

pub(crate) fn rules() -> Vec<Value> {
    let file: Value = serde_saphyr::from_str(RULES).unwrap();
    let groups = file["groups"].as_array().unwrap();
    let rules = groups.iter().filter_map(|group| group["rules"].as_array());
    let rules: Vec<_> = rules.flatten().cloned().collect();
    assert!(rules.len() > 10, "{RULES}");
    rules
}

/// Returns the test file with only the cases of `alert`.
fn tests_of(alert: &str) -> Value {
    let mut file: Value = serde_saphyr::from_str(TESTS).unwrap();
    let cases = file["tests"].as_array_mut().unwrap();
    cases.retain(|case| {
        let points = case["alert_rule_test"].as_array().unwrap();
        points.iter().any(|point| point["alertname"] == alert)
    });
    file
}

fn run_tests(file: &Path) -> Result<(), String> {
    let mut promtool = Command::new("promtool");
    let output = promtool.args(["test", "rules"]).arg(file).output().unwrap();
    if output.status.success() {
        return Ok(());
    }
    let (stdout, stderr) = (&output.stdout, &output.stderr);
    let texts = [stdout, stderr].map(|text| String::from_utf8_lossy(text));
    Err(texts.concat())
}

#[test]
fn rules_pass_their_tests() {
    if !is_installed("promtool", "rules_pass_their_tests") {
        return;
    }
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/prometheus/alerts.test.yml");
    run_tests(&file).unwrap_or_else(|failures| panic!("{failures}"));
}

#[test]
fn every_alert_has_firing_and_silent_case() {
    let rules = rules();
    let names: BTreeSet<_> = rules
        .iter()
        .map(|rule| rule["alert"].as_str().unwrap())
        .collect();
    assert_eq!(names.len(), rules.len(), "the names of alerts are unique");
    for alert in &names {
        let (mut fires, mut is_silent) = (0, 0);
        for case in tests_of(alert)["tests"].as_array().unwrap() {
            for point in case["alert_rule_test"].as_array().unwrap() {
                assert_eq!(point["alertname"], **alert, "a case is about one alert");
                match point["exp_alerts"].as_array().unwrap().len() {
                    0 => is_silent += 1,
                    _ => fires += 1,
                }
            }
        }
        assert!(fires > 0 && is_silent > 0, "{alert}: {fires} {is_silent}");
    }
    let file: Value = serde_saphyr::from_str(TESTS).unwrap();
    for case in file["tests"].as_array().unwrap() {
        let alert = case["alert_rule_test"][0]["alertname"].as_str().unwrap();
        assert!(names.contains(alert), "there is no alert {alert}");
    }
}

#[test]
fn every_alert_links_to_its_section() {
    let mut sections = BTreeSet::new();
    let (_, alerts) = OPERATIONS.split_once("\n## Alerts\n").unwrap();
    let (alerts, _) = alerts.split_once("\n## ").unwrap();
    let titles = alerts.lines().filter_map(|line| line.strip_prefix("### "));
    sections.extend(titles.map(str::to_owned));

    let mut named = BTreeSet::new();
    for rule in rules() {
        let alert = rule["alert"].as_str().unwrap();
        let annotations = &rule["annotations"];
        let anchor = alert.to_lowercase();
        assert_eq!(annotations["runbook_url"], format!("{RUNBOOK}{anchor}"));
        for text in ["summary", "description"] {
            assert!(
                annotations[text]
                    .as_str()
                    .is_some_and(|text| text.ends_with(['.', '?']))
            );
        }
        // The table of the page has a row with the same severity.
        let severity = rule["labels"]["severity"].as_str().unwrap();
        let row = format!("| [`{alert}`](#{anchor}) | {severity} |");
        assert!(alerts.contains(&row), "not in the table: {row}");
        named.insert(alert.to_owned());
    }
    assert_eq!(named, sections);
}

#[test]
fn rules_use_only_exported_series() {
    let exported = Exported::new();
    for rule in rules() {
        let used = exported.check(rule["expr"].as_str().unwrap());
        assert!(!used.is_empty(), "{rule}");
        // The texts are templates over labels that the expression keeps.
        for text in ["summary", "description"] {
            let text = rule["annotations"][text].as_str().unwrap();
            for label in text.split("$labels.").skip(1) {
                let (label, _) = label.split_once(' ').unwrap();
                assert!(["breaker", "instance", "state"].contains(&label), "{text}");
            }
        }
    }
}

/// Changes each part of each rule. Each change must fail a case, otherwise no case covers the part.
#[test]
fn every_change_of_a_rule_fails_a_case() {
    if !is_installed("promtool", "every_change_of_a_rule_fails_a_case") {
        return;
    }
    let rules = rules();
    let queue = Mutex::new(rules.iter());
    let (mut changes, mut unnoticed) = (0, Vec::new());
    std::thread::scope(|scope| {
        let check_rules = || {
            let next = || queue.lock().unwrap().next();
            std::iter::from_fn(next)
                .map(unnoticed_changes)
                .collect::<Vec<_>>()
        };
        let threads = std::thread::available_parallelism().unwrap().get();
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(check_rules)).collect();
        for (tried, missed) in threads
            .into_iter()
            .flat_map(|thread| thread.join().unwrap())
        {
            changes += tried;
            unnoticed.extend(missed);
        }
    });
    assert!(unnoticed.is_empty(), "{}", unnoticed.join("\n"));
    assert!(changes > 80, "{changes}");
}

/// Returns the number of changes of `rule`, and those that no case notices.
fn unnoticed_changes(rule: &Value) -> (usize, Vec<String>) {
    let alert = rule["alert"].as_str().unwrap();
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join("alerts")
        .join(alert);
    fs::create_dir_all(&folder).unwrap();
    let mut tests = tests_of(alert);
    tests["rule_files"] = json!(["rules.yml"]);
    fs::write(folder.join("tests.yml"), tests.to_string()).unwrap();
    let run = |rule: &Value| {
        let rules = json!({"groups": [{"name": "changed", "rules": [rule]}]});
        fs::write(folder.join("rules.yml"), rules.to_string()).unwrap();
        run_tests(&folder.join("tests.yml"))
    };
    run(rule).unwrap_or_else(|failures| panic!("{failures}"));

    let changed = changed_rules(rule);
    let mut unnoticed = Vec::new();
    for changed in &changed {
        let fields = ["expr", "for"].map(|field| changed[field].as_str().unwrap_or(""));
        match run(changed) {
            Ok(()) => unnoticed.push(format!("{alert}: {}", fields.join("\n"))),
            // A changed rule is valid, so it fails by its alerts.
            Err(failures) => assert!(failures.contains("alertname:"), "{failures}\n{changed}"),
        }
    }
    (changed.len(), unnoticed)
}

/// Returns copies of `rule`, each with a change in one place.
fn changed_rules(rule: &Value) -> Vec<Value> {
    let expr = rule["expr"].as_str().unwrap();
    let mut changed = Vec::new();
    let mut change = |field: &str, value: String| {
        let mut copy = rule.clone();
        copy[field] = value.into();
        changed.push(copy);
    };
    let ways = [changed_thresholds, changed_matchers, without_each_clause];
    for other in ways.into_iter().flat_map(|way| way(expr)) {
        change("expr", other);
    }
    if let Some(time) = rule["for"].as_str() {
        let (number, unit) = time.split_at(time.len() - 1);
        let minutes = match unit {
            "m" => 1,
            "h" => 60,
            "d" => 24 * 60,
            _ => panic!("{time}"),
        };
        let minutes = number.parse::<u32>().unwrap() * minutes;
        change("for", format!("{}m", minutes - 1));
        change("for", format!("{}m", minutes + 1));
    }
    changed
}

/// Moves each threshold by a quarter, includes a threshold of zero, and removes each `== 1` and `== 0`.
fn changed_thresholds(expr: &str) -> Vec<String> {
    let mut changed = Vec::new();
    for comparison in [" == 1", " == 0"] {
        for (at, _) in expr.match_indices(comparison) {
            changed.push([&expr[..at], &expr[at + comparison.len()..]].concat());
        }
    }
    for operator in [" > ", " < ", " >= "] {
        for (at, _) in expr.match_indices(operator) {
            let (before, after) = expr.split_at(at + operator.len());
            let is_part = |c: char| c.is_ascii_digit() || c == '.';
            let end = after.find(|c| !is_part(c)).unwrap_or(after.len());
            let (number, rest) = after.split_at(end);
            let Ok(number) = number.parse::<f64>() else {
                continue;
            };
            if number == 0.0 {
                changed.push(format!("{} >= 0{rest}", &expr[..at]));
                continue;
            }
            for factor in [0.75, 1.25] {
                let moved = number * factor;
                // A count moves by at least one.
                let moved = match number {
                    ..2.0 => moved,
                    _ if factor < 1.0 => moved.min(number - 1.0).floor(),
                    _ => moved.max(number + 1.0).ceil(),
                };
                changed.push(format!("{before}{moved}{rest}"));
            }
        }
    }
    changed
}

/// Removes each matcher of a label, and each alternative of its value.
fn changed_matchers(expr: &str) -> Vec<String> {
    let mut changed = Vec::new();
    for (at, _) in expr.match_indices('{') {
        let (before, after) = expr.split_at(at + 1);
        let (matchers, rest) = after.split_once('}').unwrap();
        let matchers: Vec<_> = matchers.split(',').collect();
        for (index, matcher) in matchers.iter().enumerate() {
            let mut push = |other: Option<String>| {
                let mut all: Vec<_> = matchers.iter().map(|&matcher| matcher.to_owned()).collect();
                all.splice(index..=index, other);
                changed.push(format!("{before}{}}}{rest}", all.join(",")));
            };
            push(None);
            let (label, value) = matcher.split_once('"').unwrap();
            let values: Vec<_> = value.trim_end_matches('"').split('|').collect();
            for removed in (0..values.len()).filter(|_| values.len() > 1) {
                let mut kept = values.clone();
                kept.remove(removed);
                push(Some(format!("{label}\"{}\"", kept.join("|"))));
            }
        }
    }
    changed
}

/// Removes each operand of `and` and `unless`. The operators have lines of their own, or begin the
/// line of their operand.
fn without_each_clause(expr: &str) -> Vec<String> {
    let lines: Vec<_> = expr.lines().collect();
    let is_operator = |line: &&str| ["and", "unless"].contains(line);
    let starts: Vec<_> = (0..lines.len())
        .filter(|line| is_operator(&lines[*line]))
        .collect();
    let mut changed = Vec::new();
    let mut remove = |from: usize, to: usize| {
        changed.push([&lines[..from], &lines[to..]].concat().join("\n"));
    };
    if let Some(first) = starts.first() {
        if lines[*first] == "and" {
            remove(0, first + 1);
        }
    }
    for (index, start) in starts.iter().enumerate() {
        remove(
            *start,
            starts.get(index + 1).copied().unwrap_or(lines.len()),
        );
    }
    for (index, line) in lines.iter().enumerate() {
        if line.trim_start().starts_with("unless ") {
            remove(index, index + 1);
        }
    }
    changed
}
