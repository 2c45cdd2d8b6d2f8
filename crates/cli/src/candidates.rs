//! [`Candidates`]: the settings that are compared: presets by name, and documents.

use crate::table::escaped;
use breakerbox::settings::Settings;
use breakerbox::{BreakerBuilder, BreakerRegistry, CircuitBreaker, Preset, presets};
use breakerbox_replay::Candidate;
use breakerbox_replay::import::check_sampled;
use std::error::Error;
use std::path::Path;

/// A preset and its name.
type Named = (&'static str, fn() -> BreakerBuilder);

/// The presets by name.
const PRESETS: [Named; 4] = [
    ("default", CircuitBreaker::builder),
    ("balanced", presets::Balanced::preset),
    ("rare-calls", presets::RareCalls::preset),
    ("fail-fast", presets::FailFast::preset),
];

/// The settings that are compared.
#[derive(Debug)]
pub(crate) struct Candidates(Vec<Settled>);

/// One of them. A preset is the default of a registry.
#[derive(Debug)]
struct Settled {
    label: String,
    registry: BreakerRegistry,
}

impl Candidates {
    /// Returns the presets and documents with these names, or all presets.
    pub(crate) fn new(names: &[String]) -> Result<Self, Box<dyn Error>> {
        let all = || PRESETS.iter().map(|(name, _)| (*name).to_owned()).collect();
        let names: Vec<String> = if names.is_empty() {
            all()
        } else {
            names.to_vec()
        };
        let mut candidates: Vec<Settled> = Vec::new();
        for name in names {
            if candidates.iter().all(|candidate| candidate.label != name) {
                let registry = registry_of(&name)?;
                candidates.push(Settled {
                    label: name,
                    registry,
                });
            }
        }
        Ok(Self(candidates))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = Candidate> {
        self.0
            .iter()
            .map(|it| Candidate::of_registry(escaped(&it.label), &it.registry))
    }

    /// Returns `true` if a rule for slow calls applies to the breaker called `name`.
    pub(crate) fn notice_slow_calls(&self, name: &str) -> bool {
        let mut rules = self.0.iter().flat_map(|candidate| {
            let config = candidate.registry.breaker(name).config();
            config.trip_rules().to_vec()
        });
        rules.any(|rule| rule.to_string().starts_with("slow-call rate"))
    }

    /// Refuses rules that count calls for the breakers with these names, because the traffic is sampled.
    pub(crate) fn check_sampled(&self, names: &[&str]) -> Result<(), Box<dyn Error>> {
        for candidate in &self.0 {
            for name in names {
                let config = candidate.registry.breaker(name).config();
                check_sampled(config.trip_rules()).map_err(|error| {
                    let label = escaped(&candidate.label);
                    format!("{label}: {error}. Give other settings with --candidate FILE.toml")
                })?;
            }
        }
        Ok(())
    }
}

fn registry_of(name: &str) -> Result<BreakerRegistry, Box<dyn Error>> {
    if let Some((_, preset)) = PRESETS.iter().find(|(preset, _)| *preset == name) {
        let registry = BreakerRegistry::builder().default_preset(preset());
        return Ok(registry.build()?);
    }
    let shown = escaped(name);
    if !Path::new(name).exists() {
        let names = PRESETS.map(|(name, _)| name).join(", ");
        return Err(format!(
            "there is no file {shown}, and no such preset: the presets are {names}"
        )
        .into());
    }
    let text = std::fs::read_to_string(name).map_err(|error| format!("{shown}: {error}"))?;
    let settings: Settings = toml::from_str(&text).map_err(|error| format!("{shown}: {error}"))?;
    let registry = BreakerRegistry::new();
    registry
        .apply(&settings)
        .map_err(|error| format!("{shown}: {error}"))?;
    Ok(registry)
}
