use super::*;
use crate::{CircuitBreaker, Window};

#[test]
fn builder_repeated_rule_setters_keep_last() {
    let rules = |builder: BreakerBuilder| BreakerConfig::from_builder(builder).map(|c| c.rules);
    let builder = CircuitBreaker::builder();
    let three = [TripRule::consecutive_failures(3)];
    assert_eq!(
        rules(builder.clone()).unwrap(),
        [TripRule::consecutive_failures(5)]
    );
    assert_eq!(
        rules(builder.clone().failure_threshold(9).failure_threshold(3)).unwrap(),
        three
    );
    assert_eq!(
        rules(builder.failure_threshold(9).trip_rules(three)).unwrap(),
        three
    );
}

#[test]
fn rule_summary_reports_windows_and_time() {
    let consecutive_failures = TripRule::consecutive_failures(3);
    let over = |window| TripRule::failures(1).over(window);
    let calls = over(Window::calls(1));
    let seconds = over(Window::time(Duration::from_secs(1)));
    for (rules, windows, time) in [
        (&[consecutive_failures][..], false, false),
        (&[consecutive_failures, calls], true, false),
        (&[consecutive_failures, calls, seconds], true, true),
    ] {
        let builder = CircuitBreaker::builder().trip_rules(rules.iter().copied());
        let config = BreakerConfig::from_builder(builder).unwrap();
        assert_eq!(
            (config.has_windows(), config.is_over_time()),
            (windows, time)
        );
        assert_eq!(config.failure_threshold(), Some(3));
    }
}
