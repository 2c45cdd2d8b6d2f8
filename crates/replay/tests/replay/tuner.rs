//! The tuner finds settings that are better than the default, and says how far to trust them.

use breakerbox::settings::Settings;
use breakerbox::{BreakerRegistry, CircuitBreaker};
use breakerbox_replay::{
    Call, Figures, Outage, Outcome, Scenario, Survey, TriedCandidate, Tuned, Tuner,
};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

const MINUTE: u64 = 60;

/// Three partial outages of one replica of three, and as many total ones.
fn mixed() -> Scenario {
    (0..3).fold(Scenario::steady(6.0), |scenario, at| {
        let start = (2 + 5 * at) * MINUTE;
        let total = start + 2 * MINUTE + 30;
        let scenario = scenario.outage(start..start + MINUTE, 0.34);
        scenario.outage(total..total + MINUTE, 1.0)
    })
}

/// The result for these outages, which several tests examine.
static MIXED: LazyLock<Tuned> = LazyLock::new(|| tune(&mixed()));

fn tune(scenario: &Scenario) -> Tuned {
    let survey = scenario.survey();
    let tuner = Tuner::new(&survey, "scenario").unwrap();
    tuner.tune(scenario.calls())
}

#[test]
fn tuned_settings_beat_default_in_mixed_outages() {
    let (scenario, tuned) = (mixed(), &*MIXED);
    let better = scenario.replay(tuned.settings());
    let default = scenario.replay(CircuitBreaker::builder());
    let net = |figures: &Figures| figures.net_percent(1.0);
    assert!(
        net(&better) > net(&default),
        "{tuned:?} {better:?} {default:?}"
    );
    assert!(tuned.tried > 50, "{}", tuned.tried);
    assert!(
        tuned
            .fitted
            .starts_with("fitted to 6 outages; fitted to all but one"),
        "{}",
        tuned.fitted
    );
    assert_eq!(tuned.left_out.len(), 6);
    // No candidate can win in a partial outage; leaving one out must not lose much.
    assert!(
        tuned.left_out.iter().all(|left| left.net_percent > -25.0),
        "{:?}",
        tuned.left_out
    );
}

#[test]
fn choice_is_not_beaten_where_neighbours_differ() {
    let scenario = Scenario::steady(20.0).outage(200..250, 0.8);
    let tuned = tune(&scenario.outage(375..425, 0.8));
    let chosen = &tuned.chosen;
    let beats = |other: &&TriedCandidate| {
        other.bad_admitted < chosen.bad_admitted && other.good_refused < chosen.good_refused
    };
    assert_eq!(tuned.front.iter().find(beats), None, "{chosen:?}");
}

#[test]
fn refused_calls_are_a_caveat() {
    let scenario = Scenario::steady(5.0).outage(120..180, 1.0);
    let calls = scenario.calls().zip(0..).map(|(mut call, at)| {
        if at % 4 == 0 {
            call.outcome = Outcome::Refused;
        }
        call
    });
    let calls: Vec<Call> = calls.collect();
    let survey = Survey::of(&calls);
    let tuned = Tuner::new(&survey, "scenario").unwrap().tune(&calls);
    let first = &tuned.caveats[0];
    assert!(
        first.starts_with("25.0 % of the calls never ran"),
        "{first}"
    );
}

#[test]
fn document_is_applied_and_means_chosen_settings() {
    let scenario = mixed().named("say \"users\"\\api");
    let tuned = Tuner::new(&scenario.survey(), "say \"users\"\\api")
        .unwrap()
        .tune(scenario.calls());
    let settings: Settings = toml::from_str(&tuned.toml).unwrap();
    let registry = BreakerRegistry::new();
    registry.apply(&settings).unwrap();
    let applied = registry.breaker("say \"users\"\\api").config();
    let chosen = tuned.settings().build().unwrap().config();
    assert_eq!(applied.trip_rules(), chosen.trip_rules());
    assert_eq!(applied.recovery_backoff(), chosen.recovery_backoff());
    let first = tuned.toml.lines().next().unwrap();
    assert!(
        first.contains("fitted to 6 outages") && first.contains("candidates"),
        "{first}"
    );
}

#[test]
fn front_contains_no_beaten_candidate() {
    let front = &MIXED.front;
    assert!(!front.is_empty());
    for pair in front.windows(2) {
        assert!(pair[0].bad_admitted < pair[1].bad_admitted, "{pair:?}");
        assert!(pair[0].good_refused > pair[1].good_refused, "{pair:?}");
    }
}

#[test]
fn best_candidates_are_verified_in_several_runs() {
    let tuned = &*MIXED;
    let spread = |tried: &TriedCandidate| {
        let net = tried.net_percent;
        assert!(net.min <= net.median && net.median <= net.max, "{tried:?}");
        net.max - net.min
    };
    let spreads: Vec<f64> = tuned.front.iter().map(spread).collect();
    assert!(spreads.iter().any(|spread| *spread > 1.0), "{spreads:?}");
    spread(&tuned.chosen);
}

#[test]
fn progress_grows_to_one() {
    let scenario = Scenario::steady(6.0).outage(30..50, 1.0).lasting(90);
    let seen: Arc<Mutex<Vec<f64>>> = Arc::default();
    let told = seen.clone();
    let tuner = Tuner::new(&scenario.survey(), "scenario").unwrap();
    let tuner = tuner.on_progress(move |share| told.lock().unwrap().push(share));
    let _ = tuner.tune(scenario.calls());
    let seen = seen.lock().unwrap();
    assert!(seen.is_sorted() && seen.len() >= 3, "{seen:?}");
    assert_eq!((seen[0], seen.last()), (0.0, Some(&1.0)));
}

#[test]
fn few_outages_verify_nothing() {
    let one = Scenario::steady(6.0).outage(120..240, 1.0);
    let tuned = tune(&one);
    assert_eq!(tuned.fitted, "fitted to 1 outage, not verified");
    assert!(tuned.toml.starts_with("# fitted to 1 outage, not verified"));
    assert_eq!(tuned.left_out, []);
    let quiet = tune(&Scenario::steady(6.0));
    assert!(
        quiet.fitted.contains("there was no outage"),
        "{}",
        quiet.fitted
    );
}

#[test]
fn cost_of_wrong_refusals_moves_choice() {
    let scenario = Scenario::steady(6.0)
        .outage(120..420, 0.5)
        .outage(900..1_200, 0.5);
    let survey = scenario.survey();
    let refused = |cost| {
        let tuner = Tuner::new(&survey, "scenario")
            .unwrap()
            .wrong_refusal_costs(cost);
        tuner.tune(scenario.calls()).chosen.good_refused
    };
    assert!(
        refused(0.1) > refused(5.0),
        "{} {}",
        refused(0.1),
        refused(5.0)
    );
}

#[test]
fn slow_calls_get_a_rule() {
    let scenario = Scenario::steady(6.0).slow(120..240, 0.9, Duration::from_secs(2));
    let tuned = tune(&scenario);
    assert!(
        tuned
            .toml
            .contains("slow_calls = 0.5, slower_than = \"2000ms\""),
        "{}",
        tuned.toml
    );
    assert!(scenario.replay(tuned.settings()).detected < Duration::from_secs(60));
}

#[test]
fn impossible_detection_is_reported() {
    let scenario = Scenario::steady(6.0).outage(120..240, 1.0);
    let survey = scenario.survey();
    let impatient = Tuner::new(&survey, "scenario")
        .unwrap()
        .detect_within(Duration::from_nanos(1));
    let caveats = impatient.tune(scenario.calls()).caveats;
    assert!(
        caveats
            .iter()
            .any(|caveat| caveat.contains("detects all outages"))
    );
}

#[test]
fn unknown_name_has_no_tuner() {
    let calls = [Call::new("a", Duration::ZERO, Outcome::Success)];
    let survey = Survey::of(&calls);
    assert!(Tuner::new(&survey, "b").is_none());
    let given = Outage::new(Duration::ZERO, Duration::from_secs(1));
    let tuned = Tuner::new(&survey, "a")
        .unwrap()
        .outages([given])
        .tune(&calls);
    assert_eq!(tuned.fitted, "fitted to 1 outage, not verified");
}

#[test]
fn instance_field_sets_minimum_calls() {
    let scenario = Scenario::steady(18.0).slow(60..120, 0.9, Duration::from_secs(2));
    let calls: Vec<Call> = (0..)
        .zip(scenario.calls())
        .map(|(at, mut call): (u32, Call)| {
            call.instance = Some(format!("web-{}", at % 6).into());
            call
        })
        .collect();
    let mut survey = Survey::new().bad_from(Duration::from_secs(1));
    survey.extend(&calls);
    let tuned = Tuner::new(&survey, "scenario").unwrap().tune(&calls);
    let (_, rest) = tuned.toml.split_once("minimum_calls = ").unwrap();
    let digits = rest.split_once(' ').unwrap().0;
    // Each instance makes three calls per second, and all of them 90 in the shortest window.
    assert!(digits.parse::<u32>().unwrap() < 15, "{}", tuned.toml);
}
