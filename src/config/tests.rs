use super::*;
use crate::CircuitBreaker;

#[test]
fn the_last_word_on_rules_counts() {
    let rules = |builder: BreakerBuilder| BreakerConfig::check(builder.settings).map(|c| c.rules);
    let builder = CircuitBreaker::builder();
    let three = [TripRule::consecutive_failures(3)];
    assert_eq!(rules(builder.clone()).unwrap(), [TripRule::consecutive_failures(5)]);
    assert_eq!(rules(builder.clone().failure_threshold(9).failure_threshold(3)).unwrap(), three);
    assert_eq!(rules(builder.failure_threshold(9).trip_rules(three)).unwrap(), three);
}
