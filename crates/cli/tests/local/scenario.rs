//! `breakerbox scenario`.

use crate::support::{Directory, exists};

#[test]
fn shapes_show_what_presets_do() {
    let directory = Directory::new();
    let candidate = |arguments: &str, label: &str| {
        let json = directory
            .run(&format!("scenario {arguments} --json --shifts 1"))
            .json();
        let all = json["replayed"]["candidates"].as_array().unwrap().clone();
        let found = all.into_iter().find(|it| it["label"] == label).unwrap();
        found["shifts"][0].clone()
    };
    assert!(candidate("full", "balanced")["detected"].as_f64().unwrap() < 1.0);
    // One replica of three: the default refuses many good calls.
    let refused = |label| {
        let figures = candidate("partial", label);
        figures["good_refused_inside"].as_u64().unwrap()
            + figures["good_refused_outside"].as_u64().unwrap()
    };
    assert!(refused("balanced") < 100);
    assert_eq!(candidate("healthy", "default")["openings"], 0);
    assert_eq!(candidate("bursts --rate 5", "balanced")["openings"], 0);
    assert!(candidate("flapping", "default")["openings"].as_u64() > Some(0));
    assert!(candidate("gradual", "balanced")["bad_refused"].as_u64() > Some(0));
    // No preset has a rule for slow calls.
    let slow = candidate("slow", "balanced");
    assert_eq!(
        (slow["bad_refused"].as_u64(), slow["detected"].as_f64()),
        (Some(0), None)
    );
}

#[test]
fn written_calls_give_the_figures_of_the_scenario() {
    let directory = Directory::new();
    let options = "scenario full --rate 20 --latency 0s --name users-api --seed 7";
    for (name, format, map) in [
        ("calls.ndjson", "recorder", ""),
        (
            "calls.csv",
            "csv",
            "--instances 1 --map time=time,duration=ms:duration_ms,ok='status<500',name=upstream",
        ),
    ] {
        directory
            .run(&format!("{options} --write {name} --written-as {format}"))
            .ok();
        let direct = directory
            .run(&format!("{options} --json -c default"))
            .json();
        let read = format!("replay {name} {map} --seed 7 --json -c default --outage 10:01..10:03");
        let read = directory.run(read.replace("  ", " ").trim()).json();
        let figures = |json: &serde_json::Value| {
            let figures = &json["replayed"]["candidates"][0]["shifts"][10];
            [
                "calls",
                "outage_calls",
                "bad_admitted",
                "bad_refused",
                "openings",
            ]
            .map(|key| figures[key].clone())
        };
        assert_eq!(figures(&read), figures(&direct), "{format}");
    }
}

#[test]
fn same_options_write_same_bytes() {
    let directory = Directory::new();
    let run = |seed| {
        directory
            .run(&format!("scenario mixed --rate 1 --seed {seed} --write -"))
            .ok()
    };
    assert_eq!(run(1), run(1));
    assert_ne!(run(1), run(2));
    assert!(run(1).starts_with(
        "{\"breakers\":1.0,\"instance\":\"scenario\",\"recorder\":1}\n{\"t\":17723592"
    ));
}

#[test]
fn options_add_outages() {
    let directory = Directory::new();
    let json = directory
        .run("scenario --outage 10..20=1 --slow 30..40=0.5:1s --gradual 50..60=1 --flapping 70..80=1s --one-of-many 90..99=2 --lasting 120 --json")
        .json();
    assert_eq!(json["replayed"]["outages"].as_array().unwrap().len(), 5);
    directory
        .run("scenario --outage 20..10=1")
        .fails(64, "no seconds");
    directory
        .run("scenario --rate 0.001 --lasting 1")
        .fails(1, "no calls");
}

#[test]
fn unwritable_file_is_named() {
    let directory = Directory::new();
    directory
        .run("scenario full --write none/calls.ndjson")
        .fails(1, "none/calls.ndjson: No such file");
    directory
        .run("scenario full --written-as csv")
        .fails(64, "--write");
    directory.run("scenario full --report page.html").ok();
    assert!(exists(&directory.path("page.html")));
}

#[test]
fn report_counts_wrong_refusals_at_their_cost() {
    let directory = Directory::new();
    directory
        .run("scenario partial -c default --wrong-refusal-costs 3 --report report.html")
        .ok();
    let report = directory.read("report.html");
    assert!(report.contains("minus 3 times the good calls refused"));
}
