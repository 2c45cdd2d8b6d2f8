use breakerbox::clock::ManualClock;
use breakerbox::prelude::*;
use breakerbox::settings::Settings;
use std::sync::{Arc, Mutex};

pub(crate) type EventLog = Arc<Mutex<Vec<String>>>;

pub(crate) fn toml(text: &str) -> Settings {
    toml::from_str(text).unwrap()
}

/// Returns a registry that logs events about settings, states and the addition of breakers.
pub(crate) fn logging_registry(
    builder: RegistryBuilder,
) -> (BreakerRegistry, EventLog, ManualClock) {
    let clock = ManualClock::new();
    let log = EventLog::default();
    let writer = log.clone();
    let registry = builder
        .clock(clock.clone())
        .on_event(move |event| {
            let what = match event {
                Event::Configured { .. } => "configured",
                Event::BreakerAdded { .. } => "added",
                Event::BreakerAdopted { .. } => "adopted",
                Event::BreakerEvicted { .. } => "evicted",
                Event::SettingsRefused { .. } => "refused",
                Event::StateChanged { .. } => "state",
                _ => return,
            };
            writer
                .lock()
                .unwrap()
                .push(format!("{} {what}", event.breaker()));
        })
        .build()
        .unwrap();
    (registry, log, clock)
}

pub(crate) fn take_events(log: &EventLog) -> Vec<String> {
    std::mem::take(&mut log.lock().unwrap())
}

#[track_caller]
pub(crate) fn assert_opens_after(breaker: &CircuitBreaker, failures: u32) {
    assert_eq!(
        breaker.config().trip_rules(),
        [TripRule::consecutive_failures(failures)]
    );
}

pub(crate) fn fail(breaker: &CircuitBreaker) {
    let _ = breaker.call(|| Err::<(), _>("down"));
}
