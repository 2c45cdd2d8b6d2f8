//! The guide, one module a page.
//!
//! The modules exist in the documentation only. The pages are also in the folder `docs` of the repository.

// The definitions of links come first, so that they take precedence over those of the page.
macro_rules! pages {
    ($($module:ident = $page:literal,)*) => {$(
        #[doc = include_str!("../docs/links.md")]
        #[doc = include_str!(concat!("../docs/", $page))]
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
    metrics = "metrics.md",
    migrating = "migrating.md",
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
