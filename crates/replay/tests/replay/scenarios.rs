//! What each preset does in a full outage, a partial one, a slow one, and others.

use breakerbox::presets::{Balanced, FailFast, RareCalls};
use breakerbox::{BreakerBuilder, CircuitBreaker, Mode, Preset, TripRule, Window};
use breakerbox_replay::{Figures, Scenario};
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

fn default() -> BreakerBuilder {
    CircuitBreaker::builder()
}

fn presets() -> [(&'static str, BreakerBuilder); 4] {
    [
        ("default", default()),
        ("Balanced", Balanced::preset()),
        ("RareCalls", RareCalls::preset()),
        ("FailFast", FailFast::preset()),
    ]
}

/// The figures account for each call once.
fn assert_consistent(figures: &Figures) {
    let refused = figures.bad_refused + figures.good_refused() + figures.other_refused;
    assert_eq!(figures.refused(), refused);
    assert!(
        figures.bad_admitted + refused <= figures.calls,
        "{figures:?}"
    );
    assert!(
        figures.false_trips + figures.flaps <= figures.openings,
        "{figures:?}"
    );
}

#[test]
fn healthy_traffic_is_not_refused_by_any_preset() {
    for (name, preset) in presets() {
        let figures = Scenario::steady(50.0).replay(preset);
        assert!((14_000..16_000).contains(&figures.calls), "{figures:?}");
        let expected = Figures::default();
        assert_eq!((figures.refused(), figures.openings), (0, 0), "{name}");
        assert_eq!(
            (figures.detected, figures.recovered),
            (Duration::ZERO, Duration::ZERO)
        );
        assert_eq!(
            figures.net_percent(1.0).to_bits(),
            expected.net_percent(1.0).to_bits()
        );
    }
}

#[test]
fn full_outage_is_detected_by_every_preset() {
    let outage = Scenario::steady(50.0).outage(60..180, 1.0);
    for (name, preset) in presets() {
        let figures = outage.replay(preset);
        assert_consistent(&figures);
        // Ten failures in a row take 0.2 s, and the latency.
        assert!(figures.detected < SECOND, "{name} {figures:?}");
        assert!(figures.bad_admitted < 150, "{name} {figures:?}");
        assert!(figures.recovered <= 31 * SECOND, "{name} {figures:?}");
        assert_eq!(
            (figures.openings, figures.flaps),
            (1, 0),
            "{name} {figures:?}"
        );
        assert_eq!(
            (figures.false_trips, figures.good_refused_inside),
            (0, 0),
            "{name}"
        );
        assert!(figures.net_percent(1.0) > 70.0, "{name} {figures:?}");
    }
    let trials = |preset| outage.replay(preset).failed_trials;
    assert!((3..=4).contains(&trials(default())));
    // One, two, four, eight and sixteen seconds, then thirty.
    assert!((6..=8).contains(&trials(Balanced::preset())));
    assert!((12..=16).contains(&trials(FailFast::preset())));
    let recovered = outage.replay(FailFast::preset()).recovered;
    assert!(recovered <= 11 * SECOND, "{recovered:?}");
}

#[test]
fn partial_outage_leaves_only_balanced_closed() {
    let partial = Scenario::steady(50.0).outage(60..180, 0.34);
    let balanced = partial.replay(Balanced::preset());
    assert_eq!(balanced.detected, Duration::MAX);
    assert_eq!((balanced.openings, balanced.refused()), (0, 0));
    for (name, preset) in presets()
        .into_iter()
        .filter(|(name, _)| *name != "Balanced")
    {
        let figures = partial.replay(preset);
        assert_consistent(&figures);
        assert!(
            figures.openings > 0 && figures.net(1.0) < -500.0,
            "{name} {figures:?}"
        );
        assert!(
            figures.good_refused_inside > figures.bad_refused,
            "{name} {figures:?}"
        );
    }
}

#[test]
fn one_replica_of_three_in_turn_opens_only_by_rate() {
    let partial = Scenario::steady(50.0).one_of_many(60..180, 3);
    assert_eq!(partial.replay(default()).openings, 0);
    assert_eq!(partial.replay(Balanced::preset()).openings, 0);
    let figures = partial.replay(FailFast::preset());
    assert!(
        figures.openings > 1 && figures.bad_refused > 0,
        "{figures:?}"
    );
    // With the circuit closed, one call of three fails.
    let failing = partial.replay(default()).bad_admitted;
    assert!((1_900..2_100).contains(&failing), "{failing}");
}

#[test]
fn slow_outage_opens_only_by_slow_calls() {
    let slow = Scenario::steady(50.0).slow(60..180, 0.8, 2 * SECOND);
    for (name, preset) in presets() {
        let figures = slow.replay(preset);
        assert_eq!(figures.openings, 0, "{name} {figures:?}");
        assert!(figures.bad_admitted > 4_500, "{name} {figures:?}");
    }
    let window = Window::time(5 * SECOND);
    let rule = TripRule::slow_calls(0.5)
        .slower_than(SECOND)
        .over(window)
        .minimum_calls(20);
    let figures = slow.replay(Balanced::preset().trip_when(rule));
    assert_consistent(&figures);
    assert!(
        figures.detected > 2 * SECOND && figures.detected < 8 * SECOND,
        "{figures:?}"
    );
    assert!(figures.bad_refused > 3_000, "{figures:?}");
    // Each refused call would have taken between two seconds and three.
    let seconds = figures.busy_saved.as_secs_f64();
    #[allow(clippy::cast_precision_loss)]
    let saved = figures.bad_refused as f64;
    assert!((2.4 * saved..2.6 * saved).contains(&seconds), "{figures:?}");
}

#[test]
fn flapping_reopens_circuit_with_short_timeout() {
    let flapping = Scenario::steady(50.0).flapping(60..180, 7 * SECOND);
    for (name, preset) in presets() {
        let figures = flapping.replay(preset);
        assert_consistent(&figures);
        // All trials of the default fall into failing phases, 30 s apart.
        assert_eq!(figures.flaps > 0, name != "default", "{name} {figures:?}");
    }
    // The default misses most healthy phases: it is open for 30 s after each opening.
    let refused = |preset| flapping.replay(preset).good_refused();
    assert!(refused(default()) > 2 * refused(FailFast::preset()));
}

#[test]
fn gradual_outage_is_detected_late() {
    let gradual = Scenario::steady(50.0).gradual(60..180, 1.0);
    let detected = |preset| gradual.replay(preset).detected;
    // Six of ten fail after 72 s; ten in a row become likely a little later.
    let balanced = detected(Balanced::preset());
    assert!(
        (40 * SECOND..100 * SECOND).contains(&balanced),
        "{balanced:?}"
    );
    assert!(detected(RareCalls::preset()) < balanced);
}

#[test]
fn bursts_raise_number_of_calls() {
    let calls = |scenario: Scenario| scenario.calls().count();
    let steady = Scenario::steady(10.0).lasting(100);
    let bursts = steady.clone().bursts(10 * SECOND, SECOND, 10.0);
    let (steady, bursts) = (calls(steady), calls(bursts));
    assert!((950..1_050).contains(&steady), "{steady}");
    // A tenth of the time has ten times the rate.
    assert!((1_700..2_100).contains(&bursts), "{bursts}");
    assert_eq!(
        Scenario::steady(5.0)
            .bursts(10 * SECOND, SECOND, 20.0)
            .replay(default())
            .openings,
        0
    );
}

#[test]
fn metrics_only_refuses_nothing() {
    let settings = default().mode(Mode::MetricsOnly);
    let figures = Scenario::steady(50.0).outage(60..180, 1.0).replay(settings);
    assert_eq!((figures.openings, figures.refused()), (0, 0));
    assert_eq!(figures.bad_admitted, figures.outage_calls);
}

#[test]
fn failing_calls_that_time_out_delay_detection() {
    let outage = Scenario::steady(50.0)
        .outage(60..180, 1.0)
        .failing_after(10 * SECOND);
    let figures = outage.replay(default());
    assert!(figures.detected > 10 * SECOND, "{figures:?}");
    assert!(figures.detected < 11 * SECOND, "{figures:?}");
    assert_eq!(figures.busy_saved.as_secs(), 10 * figures.bad_refused);
}

/// The table of measured presets: mean and worst of several outages of two minutes, at 50 calls per
/// second. The expected means and the tolerance are those of an independent program.
#[test]
fn presets_agree_with_table() {
    let balanced = || Balanced::preset();
    let in_a_row = |failures| balanced().trip_rules([TripRule::consecutive_failures(failures)]);
    let rate = TripRule::failure_rate(0.6)
        .over(Window::time(5 * SECOND))
        .minimum_calls(20);
    let rows: [(BreakerBuilder, [f64; 6]); 5] = [
        (default(), [0.0, -18.0, -36.0, -3.0, 39.0, 99.0]),
        (in_a_row(5), [0.0, -1.0, -11.0, -5.0, 32.0, 99.0]),
        (in_a_row(10), [0.0, 0.0, 0.0, 0.0, 28.0, 99.0]),
        (
            balanced().trip_rules([rate]),
            [0.0, 0.0, 0.0, 0.0, 29.0, 94.0],
        ),
        (balanced(), [0.0, 0.0, 0.0, 0.0, 29.0, 99.0]),
    ];
    let seeds = if cfg!(debug_assertions) { 4 } else { 40 };
    for (at, (settings, expected)) in rows.into_iter().enumerate() {
        for (share, expected) in [0.1, 0.2, 0.34, 0.5, 0.7, 1.0].into_iter().zip(expected) {
            let net = |seed| {
                let outage = Scenario::steady(50.0).latency(Duration::ZERO);
                let outage = outage.outage(10..130, share).seeded(seed);
                outage.replay(settings.clone()).net_percent(1.0)
            };
            let mean = (1..=seeds).map(net).sum::<f64>() / f64::from(u32::try_from(seeds).unwrap());
            // The worst outages of the table are up to 49 points below the mean.
            assert!(
                (mean - expected).abs() < 25.0,
                "row {at}, share {share}: {mean}"
            );
        }
    }
}
