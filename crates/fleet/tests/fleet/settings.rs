//! Checks of the settings.

use crate::support::*;
use breakerbox::clock::{ManualClock, SystemClock};
use breakerbox_fleet::StartError;

fn error(set: impl Fn(FleetBuilder) -> FleetBuilder) -> String {
    let registry = BreakerRegistry::new();
    let builder = Fleet::builder(&registry, Memory::new());
    let StartError::Config(error) = set(builder).start().unwrap_err() else {
        panic!("another error");
    };
    error.to_string()
}

#[tokio::test(start_paused = true)]
async fn errors_name_field_value_and_range() {
    let charset = "but must be 1 to 64 characters of `[A-Za-z0-9._:-]`, and not `-`";
    for (error, expected) in [
        (
            error(|builder| builder.grace(ms(1_759))),
            "grace is 1.759s, but must be 1.76s to 60s".to_owned(),
        ),
        (
            error(|builder| builder.lease(ms(999))),
            "lease is 999ms, but must be 1s to 60s".to_owned(),
        ),
        (
            error(|builder| builder.close_spread(secs(11))),
            "close_spread is 11s, but must be 0ns to 10s".to_owned(),
        ),
        (
            error(|builder| builder.max_open(secs(12 * 3_600 + 1))),
            "max_open is 43201s, but must be 1s to 43200s".to_owned(),
        ),
        (
            error(|builder| builder.share(Share::quorum(0))),
            "share is quorum:0, but must be quorum:1 to quorum:64".to_owned(),
        ),
        (
            error(|builder| builder.share_for("search", Share::quorum(65))),
            "share_for is quorum:65, but must be quorum:1 to quorum:64".to_owned(),
        ),
        (
            error(|builder| builder.share(Share::with_evidence(0))),
            "share is evidence:0, but must be evidence:1 or more".to_owned(),
        ),
        (
            error(|builder| builder.namespace("")),
            format!("namespace is , {charset}"),
        ),
        (
            error(|builder| builder.namespace("}x")),
            format!("namespace is }}x, {charset}"),
        ),
        (
            error(|builder| builder.namespace("a*")),
            format!("namespace is a*, {charset}"),
        ),
        (
            error(|builder| builder.node("web 7")),
            format!("node is web 7, {charset}"),
        ),
    ] {
        assert_eq!(error, expected);
    }
}

#[tokio::test(start_paused = true)]
async fn bounds_are_allowed() {
    let registry = BreakerRegistry::new();
    let fleet = Fleet::builder(&registry, Memory::new())
        .grace(ms(1_760))
        .lease(secs(1))
        .close_spread(Duration::ZERO)
        .max_open(secs(12 * 3_600))
        .share(Share::quorum(64))
        .namespace("shop:prod")
        .start()
        .unwrap();
    assert!(fleet.ready(secs(1)).await);
}

#[test]
fn fleet_needs_a_runtime() {
    let registry = BreakerRegistry::new();
    let error = Fleet::builder(&registry, Memory::new())
        .start()
        .unwrap_err();
    assert_eq!(error, StartError::NoRuntime);
}

#[tokio::test(start_paused = true)]
async fn clock_that_moves_while_time_is_paused_is_rejected() {
    // A clock of its own: with the feature `test-util`, the clock of the system follows tokio's.
    struct Wall(std::time::Instant);
    impl breakerbox::clock::Clock for Wall {
        fn now(&self) -> Duration {
            self.0.elapsed()
        }
    }
    let clock = Wall(std::time::Instant::now());
    let registry = BreakerRegistry::builder().clock(clock).build().unwrap();
    let error = Fleet::builder(&registry, Memory::new())
        .start()
        .unwrap_err();
    assert_eq!(error, StartError::OtherClock);
}

#[tokio::test]
async fn clock_that_stands_still_is_rejected() {
    let clock = ManualClock::new();
    let registry = BreakerRegistry::builder().clock(clock).build().unwrap();
    let error = Fleet::builder(&registry, Memory::new())
        .start()
        .unwrap_err();
    assert_eq!(error, StartError::OtherClock);
    let registry = BreakerRegistry::builder()
        .clock(SystemClock)
        .build()
        .unwrap();
    assert!(Fleet::builder(&registry, Memory::new()).start().is_ok());
}

#[tokio::test(start_paused = true)]
async fn registry_has_one_fleet_at_a_time() {
    let registry = BreakerRegistry::new();
    let start = || Fleet::builder(&registry, Memory::new()).start();
    let fleet = start().unwrap();
    assert_eq!(start().unwrap_err(), StartError::HasFleet);
    fleet.shutdown(Duration::from_secs(1)).await;
    let fleet = start().unwrap();
    drop(fleet);
    // The task notices later that its handle was dropped.
    pass(secs(1)).await;
    assert!(start().is_ok());
}

#[test]
fn auto_traits_are_kept() {
    fn check<T: Send + Sync + 'static>() {}
    fn is_clone<T: Clone + std::fmt::Debug + PartialEq>() {}
    check::<Fleet>();
    check::<FleetBuilder>();
    check::<FleetEvent>();
    check::<breakerbox_fleet::FleetStatus>();
    check::<Share>();
    check::<StartError>();
    is_clone::<FleetEvent>();
    is_clone::<breakerbox_fleet::FleetStatus>();
}
