//! Compiles and runs the examples on the pages of the guide.
#![cfg(doctest)]

macro_rules! pages {
    ($($module:ident = $path:literal,)*) => {$(
        #[doc = include_str!(concat!("../../../docs/", $path))]
        pub mod $module {}
    )*};
}

pages! {
    cancellation = "cancellation.md",
    choosing_settings = "choosing-settings.md",
    classification = "classification.md",
    coming_from_python = "coming-from-python.md",
    composition = "composition.md",
    configuration = "configuration.md",
    decorator = "decorator.md",
    ecosystem = "ecosystem.md",
    errors = "errors.md",
    events = "events.md",
    getting_started = "getting-started.md",
    health = "health.md",
    http = "http.md",
    internals = "internals.md",
    internals_registry = "internals/registry.md",
    internals_state_machine = "internals/state-machine.md",
    internals_windows = "internals/windows.md",
    metrics = "metrics.md",
    opentelemetry = "opentelemetry.md",
    operations = "operations.md",
    panel = "panel.md",
    performance = "performance.md",
    presets = "presets.md",
    recovery = "recovery.md",
    several_providers = "several-providers.md",
    sharing_circuits = "sharing-circuits.md",
    stability = "stability.md",
    streams = "streams.md",
    testing = "testing.md",
    tower = "tower.md",
    tracing = "tracing.md",
    trip_rules = "trip-rules.md",
    tuning = "tuning.md",
    when_not_to_use = "when-not-to-use.md",
}
