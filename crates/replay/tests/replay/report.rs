//! The report as HTML.

use breakerbox::presets::Balanced;
use breakerbox::{CircuitBreaker, Preset};
use breakerbox_replay::{Candidate, Instances, Replay, Replayed, Scenario, Survey};

fn replayed(label: &str, threads: usize) -> Replayed {
    let scenario = Scenario::steady(20.0)
        .outage(60..180, 0.5)
        .outage(400..460, 1.0);
    let calls: Vec<_> = scenario.calls().collect();
    Replay::new(&Survey::of(&calls))
        .candidate(Candidate::new(label, CircuitBreaker::builder()).unwrap())
        .candidate(Candidate::new("balanced", Balanced::preset()).unwrap())
        .instances(Instances::Dealt { count: 2, seed: 1 })
        .threads(threads)
        .run(&calls)
}

#[test]
fn same_results_give_same_bytes() {
    let html = replayed("default", 1).to_html("Title");
    assert_eq!(html, replayed("default", 2).to_html("Title"));
}

#[test]
fn report_loads_nothing_and_runs_no_script() {
    let html = replayed("default", 1).to_html("Title");
    for forbidden in [
        "<script", "http:", "https:", "url(", "@import", "src=", "NaN", "inf",
    ] {
        assert!(!html.contains(forbidden), "{forbidden}");
    }
    assert_eq!(html.matches("<svg").count(), 3);
    assert_eq!(html.matches("<svg").count(), html.matches("</svg>").count());
    for class in [
        "outage",
        "open",
        "half-open",
        "detected",
        "saved",
        "wrong",
        "calls",
        "bad",
    ] {
        assert!(html.contains(&format!("class=\"{class}\"")), "{class}");
    }
}

#[test]
fn print_rules_come_last() {
    // They have the specificity of the rules that they override.
    let html = replayed("default", 1).to_html("Title");
    let style = html.split_once("</style>").unwrap().0;
    let (_, print) = style.split_once("@media print").unwrap();
    assert!(
        !print.contains("\n}\n\n") && !print.contains("@media"),
        "{print}"
    );
    assert!(print.trim_end().ends_with("}\n}"), "{print}");
    assert!(html.contains("@media screen and (prefers-color-scheme: dark)"));
}

#[test]
fn labels_are_escaped() {
    let html = replayed("<b>\"R&D\"", 1).to_html("<i>");
    assert!(!html.contains("<b>") && !html.contains("<i>"));
    assert!(html.contains("&lt;b&gt;&quot;R&amp;D&quot;"));
}

#[test]
fn empty_traffic_has_a_report() {
    let calls: [breakerbox_replay::Call; 0] = [];
    let replay = Replay::new(&Survey::of(&calls));
    let candidate = Candidate::new("default", CircuitBreaker::builder()).unwrap();
    let html = replay.candidate(candidate).run(&calls).to_html("Nothing");
    assert!(html.contains("0 calls"));
}

#[test]
fn net_counts_wrong_refusals_at_their_cost() {
    let calls: Vec<_> = Scenario::steady(50.0)
        .outage(60..180, 0.34)
        .calls()
        .collect();
    let replayed = Replay::new(&Survey::of(&calls))
        .candidate(Candidate::new("default", CircuitBreaker::builder()).unwrap())
        .wrong_refusal_costs(3.0)
        .run(&calls);
    let html = replayed.to_html("Title");
    let net = replayed.candidates[0].spread(|figures| figures.net_percent(3.0));
    let cell = format!("<td>{} % (", net.median.round());
    assert!(html.contains(&cell), "{cell}");
    assert!(html.contains("minus 3 times the good calls refused"));
    assert!(html.contains(" calls, 1 breaker.</p>"));
}
