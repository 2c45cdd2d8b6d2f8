//! `breakerbox replay`.

use crate::support::{Directory, MAP, csv};

fn directory() -> Directory {
    Directory::new().with("calls.csv", csv())
}

#[test]
fn caveats_come_before_figures() {
    let out = directory()
        .run(&format!("replay calls.csv --instances 1 --map {MAP}"))
        .ok();
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!(
        lines[0],
        "note: one instance makes all calls of a name; with several, every figure is wrong"
    );
    assert!(lines[1].starts_with("note: open loop"), "{out}");
    assert_eq!(
        lines[3],
        "calls.csv: csv (guessed), 2,401 lines, 2,400 calls"
    );
    assert_eq!(
        lines[4],
        "2,400 calls in 239.9 s, from 2026-03-01T10:00:00Z to 2026-03-01T10:03:59Z"
    );
    let words = |start: &str| {
        let line = lines.iter().find(|line| line.starts_with(start));
        line.unwrap_or_else(|| panic!("{start}: {out}"))
            .split_whitespace()
            .collect::<Vec<_>>()
    };
    assert_eq!(
        words("users-api  2,400")[..4],
        ["users-api", "2,400", "10.0", "25"]
    );
    assert_eq!(
        words("users-api        2026")[1..4],
        ["2026-03-01T10:01:00Z", "2026-03-01T10:01:59Z", "59.9"]
    );
    for preset in ["default", "balanced", "rare-calls", "fail-fast"] {
        words(preset);
    }
}

#[test]
fn json_has_figures_of_library() {
    let json = directory()
        .run(&format!(
            "replay calls.csv --instances 1 --map {MAP} --json -c default"
        ))
        .json();
    let figures = &json["replayed"]["candidates"][0]["shifts"][10];
    // The fifth failure opens the circuit, which tries again after 30 s and fails once.
    assert_eq!(figures["bad_admitted"], 6, "{figures}");
    assert_eq!(figures["bad_refused"], 594);
    assert_eq!(figures["false_trips"], 0);
    assert_eq!(json["traffic"]["files"][0]["calls"], 2_400);
    assert_eq!(json["traffic"]["files"][0]["guessed"], true);
    assert_eq!(json["traffic"]["names"][0]["bad"], 600);
    assert_eq!(json["replayed"]["outages"][0]["name"], "users-api");
    assert!(json.get("closed_loop").is_none());
}

#[test]
fn merged_logs_need_number_of_processes() {
    let directory = directory();
    let map = format!("replay calls.csv --map {MAP}");
    directory
        .run(&map)
        .fails(1, "state the number of processes with --instances N");
    let breakers = |options: &str| {
        directory
            .run(&format!("{map} --json -c default {options}"))
            .json()["replayed"]["breakers"]
            .clone()
    };
    assert_eq!(breakers("--instances 1"), 1);
    assert_eq!(breakers("--instances 3"), 3);
    assert_eq!(breakers("--instance pod"), 2);
    directory
        .run(&format!("{map} --instances 2 --instance pod"))
        .fails(64, "cannot be used with");
    directory
        .run(&format!("{map} --instances 0"))
        .fails(64, "--instances");
}

#[test]
fn threads_change_no_byte() {
    let directory = directory();
    let run = |threads| {
        directory
            .run(&format!(
                "replay calls.csv --instances 2 --map {MAP} --json --threads {threads}"
            ))
            .ok()
    };
    assert_eq!(run(1), run(3));
}

#[test]
fn stated_outages_replace_found_ones() {
    let directory = directory();
    let run = |outage: &str| {
        directory.run(&format!(
            "replay calls.csv --instances 1 --map {MAP} -c default --json {outage}"
        ))
    };
    let json = run("--outage 10:00:30..10:01:30 --outage users-api=150s..160s").json();
    let outages = json["replayed"]["outages"].as_array().unwrap();
    assert_eq!(outages[0]["name"], serde_json::Value::Null);
    assert_eq!(outages[0]["start"], 1_772_359_230.0);
    assert_eq!(outages[1]["name"], "users-api");
    assert_eq!(outages[1]["end"], 1_772_359_360.0);
    run("--outage 11:00..11:10").fails(1, "the calls are from 2026-03-01T10:00:00Z");
    run("--outage search=10:01..10:02").fails(1, "no breaker \"search\"");
}

#[test]
fn documents_are_candidates() {
    let document = "[breakers.users-api]\nfailure_threshold = 2\n";
    let directory = directory()
        .with("breakers.toml", document)
        .with("wrong.toml", "[default]\nfailure_treshold = 2\n");
    let run = |candidate: &str| {
        directory.run(&format!(
            "replay calls.csv --instances 1 --map {MAP} --json -c {candidate}"
        ))
    };
    let json = run("breakers.toml").json();
    assert_eq!(json["replayed"]["candidates"][0]["label"], "breakers.toml");
    assert_eq!(
        json["replayed"]["candidates"][0]["shifts"][10]["bad_admitted"],
        3
    );
    run("wrong.toml").fails(1, "failure_threshold");
    run("patient").fails(
        1,
        "the presets are default, balanced, rare-calls, fail-fast",
    );
}

#[test]
fn sampled_traffic_refuses_rules_that_count() {
    let rate =
        "[default]\ntrip_rules = [{ failure_rate = 0.5, over = \"10s\", minimum_calls = 10 }]\n";
    let directory = directory().with("rate.toml", rate);
    let run = |options: &str| {
        directory.run(&format!(
            "replay calls.csv --instances 1 --map {MAP} --sampled {options}"
        ))
    };
    run("").fails(
        1,
        "default: the rule \"5 consecutive failures\" counts calls",
    );
    run("").fails(1, "Give other settings with --candidate FILE.toml");
    let out = run("-c rate.toml").ok();
    assert!(out.starts_with("note: The traffic is sampled"), "{out}");
}

#[test]
fn slow_calls_without_slow_rule_are_a_caveat() {
    let slow = csv().replace(",503,20,", ",200,3000,");
    let rule = "[default]\ntrip_when = [{ slow_calls = 0.5, slower_than = \"1s\", over = \"10s\", minimum_calls = 10 }]\n";
    let directory = Directory::new()
        .with("calls.csv", slow)
        .with("slow.toml", rule);
    let run = |options: &str| {
        directory
            .run(&format!(
                "replay calls.csv --instances 1 --map {MAP} {options}"
            ))
            .ok()
    };
    assert!(run("").contains("no outages found"));
    let out = run("--slow-from 1s");
    assert!(
        out.starts_with("note: Slow calls count as bad, but no candidate"),
        "{out}"
    );
    let with_rule = directory.run(&format!(
        "replay calls.csv --instances 1 --map {MAP} --slow-from 1s -c slow.toml --json"
    ));
    let json = with_rule.json();
    assert!(
        json["replayed"]["candidates"][0]["shifts"][10]["bad_refused"].as_u64() > Some(400),
        "{json}"
    );
}

#[test]
fn costs_change_net_figure() {
    let directory = directory();
    let net = |cost: &str| {
        let map = format!(
            "replay calls.csv --instances 1 --map {MAP} --json -c default --wrong-refusal-costs {cost}"
        );
        directory.run(&map).json()["net_percent"][0]["median"]
            .as_f64()
            .unwrap()
    };
    let (cheap, dear) = (net("0"), net("3"));
    assert!(cheap > dear, "{cheap} {dear}");
    directory
        .run(&format!(
            "replay calls.csv --instances 1 --map {MAP} --wrong-refusal-costs=-1"
        ))
        .fails(64, "wrong-refusal-costs");
}

#[test]
fn closed_loop_is_printed_apart() {
    let directory = directory();
    let run = |options: &str| {
        directory.run(&format!(
            "replay calls.csv --instances 1 --map {MAP} -c default {options}"
        ))
    };
    let out = run("--closed-loop capacity=100,cold=0.4:500,lasting=300").ok();
    let at = out
        .find("Closed-loop model: a server that returns cold, not the traffic above")
        .unwrap();
    assert!(out[at..].contains("no breaker"), "{out}");
    let json = run("--json --closed-loop lasting=300").json();
    assert_eq!(json["closed_loop"][0]["label"], "no breaker");
    assert_eq!(json["closed_loop"].as_array().unwrap().len(), 2);
    run("--closed-loop speed=1").fails(1, "the keys are offered");
}

#[test]
fn report_is_one_page() {
    let directory = directory();
    directory
        .run(&format!(
            "replay calls.csv --instances 1 --map {MAP} --report report.html"
        ))
        .ok();
    let page = directory.read("report.html");
    assert!(
        page.starts_with("<!doctype html>") && page.contains("<svg"),
        "{page}"
    );
    assert!(page.contains("calls.csv"));
    directory
        .run(&format!(
            "replay calls.csv --instances 1 --map {MAP} --json --report none/report.html"
        ))
        .report_failed();
}

impl crate::support::Ran {
    #[track_caller]
    fn report_failed(self) {
        assert_eq!(self.code, 1);
        assert!(self.err.contains("none/report.html"), "{}", self.err);
    }
}

#[test]
fn several_files_are_merged_by_time() {
    let text = csv();
    let lines: Vec<&str> = text.lines().collect();
    let part = |rows: &mut dyn Iterator<Item = &&str>| {
        let rows: String = rows.flat_map(|line| [line, "\n"]).collect();
        format!("{}\n{rows}", lines[0])
    };
    // Rotated, and then by process.
    let (early, late) = (
        part(&mut lines[1..900].iter()),
        part(&mut lines[900..].iter()),
    );
    let even = part(&mut lines[1..].iter().filter(|line| line.ends_with('0')));
    let odd = part(&mut lines[1..].iter().filter(|line| line.ends_with('1')));
    let directory = Directory::new()
        .with("all", &text)
        .with("early", early)
        .with("late", late);
    let directory = directory.with("even", even).with("odd", odd);
    let candidates = |files: &str| {
        let map = format!("replay {files} --instance pod --map {MAP} --json");
        directory.run(&map).json()["replayed"].clone()
    };
    let all = candidates("all");
    assert_eq!(candidates("late early"), all);
    assert_eq!(candidates("odd even"), all);
}

#[test]
fn breakers_can_be_selected() {
    let directory =
        Directory::new().with("calls.csv", csv().replace("users-api,503", "search,503"));
    let map = format!("replay calls.csv --instances 1 --map {MAP} --json -c default");
    assert_eq!(directory.run(&map).json()["replayed"]["breakers"], 2);
    let json = directory.run(&format!("{map} --breaker search")).json();
    assert_eq!(json["replayed"]["calls"], 600);
    directory
        .run(&format!("{map} --breaker mail"))
        .fails(1, "--breaker left out all of them");
    directory
        .run(&format!("{map} --most-breakers 1"))
        .fails(1, "more than 1 breakers (2 names)");
    let out = directory
        .run(&format!(
            "replay calls.csv --instances 1 --map {MAP} -c default --by-name"
        ))
        .ok();
    assert!(out.lines().any(|line| line.starts_with("search ")), "{out}");
}

#[test]
fn tables_fit_columns() {
    let directory = directory();
    let map = format!("replay calls.csv --instances 1 --map {MAP}");
    let mut command = directory.command(&map.split(' ').collect::<Vec<_>>());
    let out = crate::support::Ran::of(&command.env("COLUMNS", "80").output().unwrap()).ok();
    let table = out
        .lines()
        .skip_while(|line| !line.starts_with("candidate"));
    for line in table.take_while(|line| !line.is_empty()) {
        assert!(line.chars().count() <= 80, "{line}");
    }
    assert!(!out.contains('\u{1b}'), "{out}");
}
