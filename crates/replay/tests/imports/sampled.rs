use crate::support::{importer, mapping, source};
use breakerbox::{TripRule, Window};
use breakerbox_replay::import::{Caveat, check_sampled};
use std::time::Duration;

#[test]
fn rules_that_count_calls_are_refused() {
    let minute = Window::time(Duration::from_secs(60));
    for rule in [
        TripRule::consecutive_failures(5),
        TripRule::consecutive_failures(1),
        TripRule::failures(3).over(minute),
        TripRule::failures(3).over(Window::calls(10)),
        TripRule::failure_rate(0.5).over(Window::calls(100)),
        TripRule::failure_rate(0.5).over(Window::calls(1)),
        TripRule::slow_calls(0.5)
            .slower_than(Duration::from_secs(1))
            .over(Window::calls(100)),
    ] {
        let rate = TripRule::failure_rate(0.5).over(minute);
        let error = check_sampled(&[rate, rule]).unwrap_err();
        assert_eq!(error.rule, rule);
        assert!(
            error
                .to_string()
                .starts_with(&format!("the rule \"{rule}\" counts calls"))
        );
    }
    let rates = [
        TripRule::failure_rate(0.5).over(minute),
        TripRule::failure_rate(0.5).over(minute.buckets(1)),
        TripRule::slow_calls(0.5)
            .slower_than(Duration::from_secs(1))
            .over(minute),
    ];
    assert_eq!(check_sampled(&rates), Ok(()));
}

#[test]
fn sampled_import_says_so() {
    let fields = "time=ms:ts,ok=ok";
    let sampled = importer()
        .sampled(true)
        .ndjson(source(""), mapping(fields))
        .unwrap();
    assert!(sampled.is_sampled());
    assert!(sampled.caveats().contains(&Caveat::Sampled));
    assert!(
        !importer()
            .ndjson(source(""), mapping(fields))
            .unwrap()
            .is_sampled()
    );
}
