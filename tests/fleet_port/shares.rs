//! The setting `fleet`.

use crate::support::*;
use breakerbox::fleet::Share;
use std::error::Error;
use std::hash::Hash;

#[test]
fn share_of_most_specific_layer_wins() {
    let registry = BreakerRegistry::builder()
        .default_preset(CircuitBreaker::builder().fleet(Share::always()))
        .preset_for(
            "tenant:",
            CircuitBreaker::builder().fleet(Share::with_evidence(3)),
        )
        .build()
        .unwrap();
    let own = CircuitBreaker::builder().fleet(Share::local());
    registry.register("tenant:7", own).unwrap();
    let port = Port::attach(&registry, |_| ());
    for (name, share, value, layer) in [
        ("search", Share::always(), "always", "default_preset at "),
        (
            "tenant:1",
            Share::with_evidence(3),
            "evidence:3",
            "preset_for(\"tenant:\") at ",
        ),
        ("tenant:7", Share::local(), "local", "register at "),
    ] {
        let config = registry.breaker(name).config();
        assert_eq!(config.fleet(), Some(share));
        assert_eq!(port.view(name).unwrap().share, Some(share));
        let explanation = config.explain();
        let (found, origin) = explanation.get("fleet").unwrap();
        assert_eq!(found, value);
        assert!(origin.starts_with(layer), "{origin}");
    }
}

#[test]
fn share_is_none_without_setting() {
    let fixture = Fixture::new();
    let config = fixture.breaker.config();
    assert_eq!((config.fleet(), fixture.view().share), (None, None));
    let explanation = config.explain();
    let expected = Some(("that of the fleet", "default"));
    assert_eq!(explanation.get("fleet"), expected);
}

#[test]
fn changed_share_is_reported_once() {
    let fixture = Fixture::new();
    let configure = |settings| fixture.registry.configure(NAME, settings).unwrap();
    let mark = fixture.view().mark;
    configure(CircuitBreaker::builder().fleet(Share::local()));
    assert_eq!(fixture.told(), ["users share"]);
    let view = fixture.view();
    assert_eq!(view.share, Some(Share::local()));
    assert_eq!(view.mark, mark, "the circuit has not changed");
    configure(CircuitBreaker::builder().half_open_calls(2));
    assert!(fixture.told().is_empty(), "the share is the same");
    let (local, inherited) = (Share::local(), CircuitBreaker::builder().inherit());
    assert_eq!(fixture.breaker.config().fleet(), Some(local));
    configure(inherited.mode(Mode::ForcedOpen));
    assert_eq!(
        fixture.told(),
        ["users share", "users closed to forced_open"]
    );
    assert_eq!(fixture.view().share, None);
}

#[test]
fn share_out_of_range_is_refused() {
    let allowed = "quorum:1 to quorum:64, always, evidence:1 or more, observe or local";
    for (share, value) in [
        (Share::quorum(0), "quorum:0"),
        (Share::quorum(65), "quorum:65"),
        (Share::with_evidence(0), "evidence:0"),
    ] {
        let error = CircuitBreaker::builder().fleet(share).build().unwrap_err();
        assert_eq!(error.field(), "fleet");
        assert_eq!((error.value(), error.allowed()), (value, allowed));
    }
}

struct Quiet;

impl Preset for Quiet {
    fn customize(settings: BreakerBuilder) -> BreakerBuilder {
        settings.fleet(Share::observe())
    }
}

#[test]
fn preset_type_sets_share() {
    let registry = BreakerRegistry::new();
    let quiet = registry.register("quiet", Quiet::preset()).unwrap();
    assert_eq!(quiet.config().fleet(), Some(Share::observe()));
}

#[circuit(name = "shares-attribute", fleet = Share::quorum(3))]
fn guarded() -> Result<(), BreakerError> {
    Ok(())
}

#[test]
fn attribute_sets_share() {
    guarded().unwrap();
    let breaker = BreakerRegistry::global().get("shares-attribute").unwrap();
    assert_eq!(breaker.config().fleet(), Some(Share::quorum(3)));
}

#[test]
fn share_is_plain_value() {
    fn check<T: Send + Sync + Unpin + Copy + Eq + Hash + 'static>() {}
    fn is_error<T: Error>() {}
    check::<Share>();
    is_error::<<Share as std::str::FromStr>::Err>();
}
