use breakerbox::clock::ManualClock;
use breakerbox::prelude::*;
use breakerbox::settings::Settings;
use std::sync::{Arc, Mutex};

pub(crate) type Heard = Arc<Mutex<Vec<String>>>;

pub(crate) fn toml(text: &str) -> Settings {
    toml::from_str(text).unwrap()
}

/// A registry that notes the events about settings and membership.
pub(crate) fn listening(builder: RegistryBuilder) -> (BreakerRegistry, Heard, ManualClock) {
    let clock = ManualClock::new();
    let heard = Heard::default();
    let notes = heard.clone();
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
            notes
                .lock()
                .unwrap()
                .push(format!("{} {what}", event.breaker()));
        })
        .build()
        .unwrap();
    (registry, heard, clock)
}

pub(crate) fn take(heard: &Heard) -> Vec<String> {
    std::mem::take(&mut heard.lock().unwrap())
}

#[track_caller]
pub(crate) fn opens_after(breaker: &CircuitBreaker, failures: u32) {
    assert_eq!(
        breaker.config().trip_rules(),
        [TripRule::consecutive_failures(failures)]
    );
}

pub(crate) fn fail(breaker: &CircuitBreaker) {
    let _ = breaker.call(|| Err::<(), _>("down"));
}
