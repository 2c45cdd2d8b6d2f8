//! [`Layer`], partial settings with their place of origin, and [`Level`], the layers of one
//! default, prefix or name.

#[cfg(feature = "serde")]
use super::Overruled;
use super::partial::Setting;
use super::{BreakerBuilder, BreakerConfig, PartialSettings};
use crate::clock::ClockSource;
use crate::error::ConfigError;
use crate::event::Event;
use std::fmt;
use std::panic::Location;
use std::sync::Arc;

/// Partial settings and the place where they were written.
#[derive(Clone, Debug)]
pub(crate) struct Layer {
    pub(crate) settings: PartialSettings,
    /// Does not merge like a setting, because a breaker keeps the clock with which it was created.
    pub(crate) clock: Option<ClockSource>,
    pub(crate) origin: Origin,
}

/// Where the settings of a layer were written.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Origin {
    Build(&'static Location<'static>),
    DefaultPreset(&'static Location<'static>),
    Prefix(Arc<str>, &'static Location<'static>),
    /// `src/users.rs:12`.
    Site(&'static str),
    BreakerWith(&'static Location<'static>),
    Register(&'static Location<'static>),
    Configure(&'static Location<'static>),
    /// The path of the table, and its line number if the document format provides one.
    #[cfg_attr(
        not(feature = "serde"),
        expect(dead_code, reason = "documents need serde")
    )]
    Document(Arc<str>, Option<usize>),
}

impl Origin {
    /// Returns the path of the layer for error messages.
    ///
    /// Returns `None` for settings of one name, because the caller has just passed that name.
    fn error_prefix(&self) -> Option<String> {
        match self {
            Self::DefaultPreset(_) => Some("default_preset".to_owned()),
            Self::Prefix(prefix, _) => Some(preset_for(prefix)),
            Self::Document(path, _) => Some(path.to_string()),
            _ => None,
        }
    }

    /// Returns the location in code, such as `src/users.rs:12`, or in the document.
    pub(crate) fn place(&self) -> String {
        match self {
            Self::Build(place)
            | Self::DefaultPreset(place)
            | Self::Prefix(_, place)
            | Self::BreakerWith(place)
            | Self::Register(place)
            | Self::Configure(place) => format!("{}:{}", place.file(), place.line()),
            Self::Site(place) => (*place).to_owned(),
            Self::Document(path, None) => path.to_string(),
            Self::Document(path, Some(line)) => format!("{path} (line {line})"),
        }
    }

    fn locate(&self, error: ConfigError) -> ConfigError {
        match self.error_prefix() {
            Some(prefix) => error.with_prefix(&prefix),
            None => error,
        }
    }

    /// Returns the rank of the layer among the layers of one name. Call sites and `breaker_with`
    /// share a rank.
    fn rank(&self) -> u8 {
        match self {
            Self::Register(_) => 1,
            Self::Configure(_) => 2,
            _ => 0,
        }
    }
}

fn preset_for(prefix: &str) -> String {
    format!("preset_for({:?})", crate::text::prefix(prefix, 48))
}

/// Formats the source of the settings and its location, such as `register at src/main.rs:12`.
impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = self.place();
        match self {
            Self::Build(_) => write!(f, "build at {place}"),
            Self::DefaultPreset(_) => write!(f, "default_preset at {place}"),
            Self::Prefix(prefix, _) => write!(f, "{} at {place}", preset_for(prefix)),
            Self::Site(_) => write!(f, "#[circuit] at {place}"),
            Self::BreakerWith(_) => write!(f, "breaker_with at {place}"),
            Self::Register(_) => write!(f, "register at {place}"),
            Self::Configure(_) => write!(f, "configure at {place}"),
            Self::Document(..) => write!(f, "document: {place}"),
        }
    }
}

impl Layer {
    pub(crate) fn new(builder: BreakerBuilder, origin: Origin) -> Self {
        Self {
            settings: builder.settings,
            clock: builder.clock,
            origin,
        }
    }

    fn is_empty(&self) -> bool {
        self.settings.named().next().is_none() && self.clock.is_none()
    }

    /// Checks each setting independently of other settings and layers.
    pub(super) fn check_each(&self) -> Result<(), ConfigError> {
        let checked = self.settings.check_each();
        checked.map_err(|error| self.origin.locate(error))
    }
}

/// The layers of the default, of one prefix or of one name, and the merged configuration below.
#[derive(Clone, Debug, Default)]
pub(crate) struct Level {
    /// The next more general level, or `None` for the default.
    pub(crate) beneath: Option<Arc<BreakerConfig>>,
    pub(crate) code: NameLayers,
    /// The presets that the document entry inherits, followed by the entry.
    pub(crate) document: Vec<Arc<Layer>>,
    /// Whether the level belongs to a name.
    pub(crate) is_of_name: bool,
}

impl Level {
    /// Returns the layers from lowest to highest.
    pub(super) fn layers(&self) -> impl DoubleEndedIterator<Item = &Arc<Layer>> {
        self.code.0.iter().chain(&self.document)
    }

    /// Returns the settings of the code layer `layer` that the document of this level overrides.
    pub(super) fn overridden_by_document(&self, layer: &PartialSettings) -> Option<Contradiction> {
        if !self.is_of_name {
            return None;
        }
        let (_, settings) = layer.split_by(&NameLayers::merge(&self.document));
        Contradiction::of(settings, &self.document)
    }

    /// Returns the code settings of this level that the document of this level overrides.
    ///
    /// Parts of a value that code and document share are left out.
    #[cfg(feature = "serde")]
    pub(super) fn overruled(&self) -> Vec<Overruled> {
        let top = self.document.last().map(|layer| &layer.origin);
        let Some(Origin::Document(path, _)) = top.filter(|_| !self.code.is_empty()) else {
            return Vec::new();
        };
        let code = self.code.merged();
        let mut merged = code.clone();
        self.document
            .iter()
            .for_each(|layer| merged.merge(&layer.settings));
        let overruled = code.named().filter_map(|key| {
            let (old, new) = (code.describe(key)?, merged.describe(key)?);
            let without = |parts: &[String], others: &[String]| {
                let rest = parts.iter().filter(|part| !others.contains(part));
                rest.map(String::as_str).collect::<Vec<_>>().join("; ")
            };
            let (lost, gained) = (without(&old, &new), without(&new, &old));
            (!lost.is_empty()).then(|| Overruled {
                path: path.clone(),
                setting: key,
                code: lost,
                document: gained,
            })
        });
        overruled.collect()
    }

    /// Prefixes an error about the merged settings with the path of this level.
    pub(super) fn locate(&self, error: ConfigError) -> ConfigError {
        match self.layers().next_back() {
            Some(top) => top.origin.locate(error),
            None => error,
        }
    }
}

/// The layers that code defined for one level, from lowest to highest.
#[derive(Clone, Debug, Default)]
pub(crate) struct NameLayers(Vec<Arc<Layer>>);

/// Settings of a call site that conflict with those of an earlier one.
#[derive(Debug)]
pub(crate) struct Contradiction {
    pub(crate) settings: Vec<&'static str>,
    /// Where the settings that remain in force were written.
    pub(crate) kept: Origin,
}

impl Contradiction {
    /// Creates the event that reports the settings from `origin` as ignored.
    pub(crate) fn event(&self, breaker: Arc<str>, origin: &Origin) -> Event {
        Event::SettingsIgnored {
            breaker,
            settings: self.settings.join(", ").into(),
            place: origin.place().into(),
            first: self.kept.place().into(),
        }
    }

    /// Returns the conflict with the first of `layers` that sets one of `settings`.
    fn of(settings: Vec<&'static str>, layers: &[Arc<Layer>]) -> Option<Self> {
        let is_named =
            |layer: &&Arc<Layer>| layer.settings.named().any(|key| settings.contains(&key));
        let kept = layers.iter().find(is_named)?.origin.clone();
        Some(Self { settings, kept })
    }
}

impl From<Layer> for NameLayers {
    fn from(layer: Layer) -> Self {
        if layer.is_empty() {
            return Self::default();
        }
        Self(vec![Arc::new(layer)])
    }
}

impl NameLayers {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the settings of all layers, merged into one set.
    pub(crate) fn merged(&self) -> PartialSettings {
        Self::merge(&self.0)
    }

    fn merge(layers: &[Arc<Layer>]) -> PartialSettings {
        let mut merged = PartialSettings::default();
        for layer in layers {
            merged.merge(&layer.settings);
        }
        merged
    }

    /// Adds the settings of a call site or of `breaker_with`. Settings of earlier call sites take
    /// precedence.
    pub(crate) fn add_site(&mut self, mut layer: Layer) -> Option<Contradiction> {
        let end = self.0.partition_point(|other| other.origin.rank() == 0);
        let (mut added, settings) = layer.settings.split_by(&Self::merge(&self.0[..end]));
        let contradiction = Contradiction::of(settings, &self.0[..end]);
        // All call sites share one level. `is_own` therefore moves to the first call site, where it
        // discards the rules of lower levels, but not those of earlier call sites.
        if let (Some(first), Some(rules)) = (self.0[..end].first_mut(), &mut added.error_rules) {
            if std::mem::take(&mut rules.is_own) {
                let first = Arc::make_mut(first);
                first.settings.error_rules.get_or_insert_default().is_own = true;
            }
        }
        layer.settings = added;
        if !layer.is_empty() {
            self.0.insert(end, Arc::new(layer));
        }
        contradiction
    }

    /// Adds the settings of `register` or `configure`, which override lower layers.
    pub(crate) fn add(&mut self, layer: Layer) {
        let rank = layer.origin.rank();
        let end = self.0.partition_point(|other| other.origin.rank() <= rank);
        // Removes settings that can never apply again, so that repeated `configure` calls do not
        // accumulate layers.
        for other in &mut self.0[..end] {
            if other.origin.rank() == rank {
                Arc::make_mut(other)
                    .settings
                    .remove_overridden(&layer.settings);
            }
        }
        self.0.insert(end, Arc::new(layer));
        self.0.retain(|layer| !layer.is_empty());
    }

    /// Replaces the settings from code with those of `layer`.
    ///
    /// Settings with unchanged values keep their original layers and thus their places of origin,
    /// unless `inherits` requests inheritance from lower levels.
    pub(crate) fn replace(&mut self, layer: Layer, inherits: bool) {
        let mut layers = self.clone();
        let before = self.merged();
        let mut settings = layer.settings.changed_since(&before);
        // The layers that discard inherited rules stay below. If the new layer discarded them again,
        // it would also discard the rules of call sites that are added later.
        if let (Some(rules), Some(before)) = (&settings.error_rules, &before.error_rules) {
            if before.is_own {
                settings.error_rules = rules.split_by(before).0;
            }
        }
        layers.add(Layer {
            settings,
            ..layer.clone()
        });
        // Over the layers below, some settings would merge into other values, such as rules in another
        // order. The new layer alone names these settings.
        let settings = layer.settings.changed_since(&layers.merged());
        if settings != PartialSettings::default() {
            for other in &mut layers.0 {
                Arc::make_mut(other).settings.remove_named_in(&settings);
            }
            layers.add(Layer {
                settings,
                ..layer.clone()
            });
        }
        // The merged settings still differ if another thread added settings meanwhile: the new layer wins.
        *self = if inherits || layers.merged() != layer.settings {
            layer.into()
        } else {
            layers
        };
    }

    /// Adds the settings of `configure`. With `inherits`, the settings replace all layers of this
    /// level.
    pub(crate) fn configure(&mut self, layer: Layer, inherits: bool) {
        if inherits {
            self.0.clear();
        }
        self.add(layer);
    }
}
