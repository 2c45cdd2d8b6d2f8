//! `breakerbox tune`.

use crate::support::{Directory, MAP, csv};
use breakerbox::BreakerRegistry;
use breakerbox::settings::Settings;

/// Three outages, of which one is partial.
fn directory() -> Directory {
    let directory = Directory::new();
    let outages = "--outage 120..180=1 --outage 480..540=0.9 --outage 840..900=1 --lasting 1020";
    directory
        .run(&format!(
            "scenario {outages} --rate 10 --name users-api --write calls.ndjson"
        ))
        .ok();
    directory
}

#[test]
fn document_can_be_applied() {
    let directory = directory();
    let ran = directory.run("tune calls.ndjson");
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(
        ran.out.starts_with("# Settings for 1 breaker, from "),
        "{}",
        ran.out
    );
    assert!(
        ran.out
            .contains("\n# fitted to 3 outages; fitted to all but one, "),
        "{}",
        ran.out
    );
    // The first line of the report says what the settings are worth.
    assert!(
        ran.err.starts_with("users-api: fitted to 3 outages"),
        "{}",
        ran.err
    );
    assert!(ran.err.contains("outage left out"), "{}", ran.err);

    let settings: Settings = toml::from_str(&ran.out).unwrap();
    let registry = BreakerRegistry::new();
    let applied = registry.apply(&settings).unwrap();
    assert_eq!(applied.to_string(), "created \"users-api\"");
    let breaker = registry.breaker("users-api");
    assert!(!breaker.config().trip_rules().is_empty());

    // The command takes its own document as a candidate, which is as good as it said.
    let directory = directory.with("tuned.toml", &ran.out);
    let json = directory
        .run("replay calls.ndjson -c tuned.toml -c default --json")
        .json();
    let least = |at: usize| json["net_percent"][at]["least"].as_f64().unwrap();
    assert!(
        least(0) > 70.0 && least(0) > least(1),
        "{} {}",
        least(0),
        least(1)
    );
}

#[test]
fn output_file_leaves_report_on_standard_output() {
    let directory = directory();
    let out = directory.run("tune calls.ndjson --output tuned.toml").ok();
    assert!(out.contains("chosen: "), "{out}");
    let json = directory
        .run("tune calls.ndjson --json --threads 1 --output again.toml")
        .json();
    assert_eq!(
        json["document"].as_str().unwrap(),
        directory.read("tuned.toml")
    );
    assert_eq!(directory.read("again.toml"), directory.read("tuned.toml"));
    assert_eq!(json["tuned"][0]["name"], "users-api");
    directory
        .run("tune calls.ndjson --output none/tuned.toml")
        .fails(1, "none/tuned.toml");
}

#[test]
fn single_outage_is_not_verified() {
    let directory = Directory::new().with("calls.csv", csv());
    let ran = directory.run(&format!("tune calls.csv --instances 2 --map {MAP}"));
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(
        ran.err
            .starts_with("users-api: fitted to 1 outage, not verified\n"),
        "{}",
        ran.err
    );
    assert!(
        ran.out.contains("# fitted to 1 outage, not verified"),
        "{}",
        ran.out
    );
    assert!(
        ran.out
            .contains("# Note: calls were dealt to 2 processes at random"),
        "{}",
        ran.out
    );
}

#[test]
fn slow_outage_gets_rule_for_slow_calls() {
    let slow = csv().replace(",503,20,", ",200,3000,");
    let directory = Directory::new().with("calls.csv", slow);
    let ran = directory.run(&format!(
        "tune calls.csv --instances 1 --map {MAP} --slow-from 1s"
    ));
    assert!(
        ran.out
            .contains("slow_calls = 0.5, slower_than = \"1000ms\""),
        "{}",
        ran.out
    );
}

#[test]
fn traffic_that_cannot_be_tuned_on_is_refused() {
    let few: String = csv()
        .lines()
        .take(50)
        .flat_map(|line| [line, "\n"])
        .collect();
    let directory = Directory::new()
        .with("calls.csv", csv())
        .with("few.csv", few);
    directory
        .run(&format!(
            "tune calls.csv --instances 1 --map {MAP} --sampled"
        ))
        .fails(1, "sampled traffic cannot be tuned on");
    directory
        .run(&format!("tune few.csv --instances 1 --map {MAP}"))
        .fails(1, "no breaker has 100 calls");
}

#[test]
fn strict_limit_of_detection_is_a_caveat() {
    let directory = directory();
    let ran = directory.run("tune calls.ndjson --detect-within 1ms");
    assert_eq!(ran.code, 0);
    assert!(
        ran.out
            .contains("no candidate detects all outages within 1ms"),
        "{}",
        ran.out
    );
}
