//! Compares all layers, added in any order, with a model that merges them by brute force.

use breakerbox::prelude::*;
use breakerbox::settings::Settings;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const NAMES: [&str; 3] = ["a", "abc", "ac"];
const PREFIXES: [&str; 4] = ["", "a", "ab", "z"];

#[derive(Debug, thiserror::Error)]
#[error("a")]
struct ErrorA;

#[derive(Debug, thiserror::Error)]
#[error("b")]
struct ErrorB;

/// The settings of one layer.
#[derive(Clone, Debug, Default, PartialEq)]
struct Partial {
    trip_rules: Option<Vec<TripRule>>,
    failure_threshold: Option<u32>,
    trip_when: Vec<TripRule>,
    recovery: Option<u64>,
    trials: Option<u32>,
    successes: Option<u32>,
    cancelled: Option<Outcome>,
    own_error_rules: bool,
    expected: [bool; 2],
    ignored: [bool; 2],
}

fn rate() -> TripRule {
    TripRule::failure_rate(0.5).over(Window::calls(10))
}

fn count() -> TripRule {
    TripRule::failures(3).over(Window::calls(10))
}

impl Partial {
    fn builder(&self) -> BreakerBuilder {
        self.apply_to(CircuitBreaker::builder())
    }

    fn apply_to(&self, mut builder: BreakerBuilder) -> BreakerBuilder {
        if let Some(rules) = &self.trip_rules {
            builder = builder.trip_rules(rules.iter().copied());
        }
        if let Some(failures) = self.failure_threshold {
            builder = builder.failure_threshold(failures);
        }
        for rule in &self.trip_when {
            builder = builder.trip_when(*rule);
        }
        if let Some(seconds) = self.recovery {
            builder = builder.recovery_timeout(Duration::from_secs(seconds));
        }
        if let Some(calls) = self.trials {
            builder = builder.half_open_calls(calls);
        }
        if let Some(successes) = self.successes {
            builder = builder.success_threshold(successes);
        }
        if let Some(outcome) = self.cancelled {
            builder = builder.cancelled_as(outcome);
        }
        if self.own_error_rules {
            builder = builder.own_error_rules();
        }
        if self.expected[0] {
            builder = builder.expected_error::<ErrorA>();
        }
        if self.expected[1] {
            builder = builder.expected_error::<ErrorB>();
        }
        if self.ignored[0] {
            builder = builder.ignored_error::<ErrorA>();
        }
        if self.ignored[1] {
            builder = builder.ignored_error::<ErrorB>();
        }
        builder
    }

    /// Returns the settings that a document can contain.
    fn data(mut self) -> Self {
        self.own_error_rules = false;
        (self.expected, self.ignored) = ([false; 2], [false; 2]);
        self
    }

    /// Formats the settings as an inline table.
    fn toml(&self) -> String {
        let rule = |rule: &TripRule| match rule {
            rule if *rule == rate() => "{ failure_rate = 0.5, over = '10 calls' }".to_owned(),
            rule if *rule == count() => "{ failures = 3, over = '10 calls' }".to_owned(),
            _ => "{ consecutive_failures = 9 }".to_owned(),
        };
        let list = |rules: &[TripRule]| {
            let rules: Vec<_> = rules.iter().map(rule).collect();
            format!("[{}]", rules.join(", "))
        };
        let mut keys = Vec::new();
        let mut put = |key: &str, value: Option<String>| {
            keys.extend(value.map(|value| format!("{key} = {value}")));
        };
        put("trip_rules", self.trip_rules.as_deref().map(list));
        let threshold = self.failure_threshold;
        put("failure_threshold", threshold.map(|n| n.to_string()));
        let when = (!self.trip_when.is_empty()).then(|| list(&self.trip_when));
        put("trip_when", when);
        put("recovery_timeout", self.recovery.map(|n| format!("'{n}s'")));
        put("half_open_calls", self.trials.map(|n| n.to_string()));
        put("success_threshold", self.successes.map(|n| n.to_string()));
        let cancelled = self.cancelled.map(|outcome| match outcome {
            Outcome::Failure => "'failure'".to_owned(),
            _ => "'success'".to_owned(),
        });
        put("cancelled_as", cancelled);
        format!("{{ {} }}", keys.join(", "))
    }

    fn has_rules(&self) -> bool {
        self.trip_rules.is_some() || self.failure_threshold.is_some() || !self.trip_when.is_empty()
    }

    /// Applies the rules of this layer to those below.
    fn change_rules(&self, rules: &mut Option<Vec<TripRule>>) {
        if !self.has_rules() {
            return;
        }
        let mut changed = match &self.trip_rules {
            Some(rules) => rules.clone(),
            None => rules.take().unwrap_or_default(),
        };
        if let Some(failures) = self.failure_threshold {
            let is_consecutive =
                |rule: &TripRule| (1..10).any(|n| *rule == TripRule::consecutive_failures(n));
            changed.retain(|rule| !is_consecutive(rule));
            changed.push(TripRule::consecutive_failures(failures));
        }
        for rule in &self.trip_when {
            if !changed.contains(rule) {
                changed.push(*rule);
            }
        }
        *rules = Some(changed);
    }

    /// Adds the settings of a later call site, and returns whether they contradict earlier ones.
    ///
    /// The first site that sets a value wins.
    fn add_site(&mut self, later: &Self) -> bool {
        fn first<T: PartialEq + Copy>(earlier: &mut Option<T>, later: Option<T>) -> bool {
            let contradicts = earlier.is_some() && later.is_some() && *earlier != later;
            *earlier = earlier.or(later);
            contradicts
        }
        let mut contradicts = first(&mut self.recovery, later.recovery)
            | first(&mut self.trials, later.trials)
            | first(&mut self.successes, later.successes)
            | first(&mut self.cancelled, later.cancelled);
        if self.has_rules() && (self.trip_rules.is_some() || later.trip_rules.is_some()) {
            let rules = |partial: &Self| {
                let mut rules = None;
                partial.change_rules(&mut rules);
                (partial.trip_rules.is_some(), rules)
            };
            contradicts |= later.has_rules() && rules(self) != rules(later);
        } else {
            self.trip_rules.clone_from(&later.trip_rules);
            contradicts |= first(&mut self.failure_threshold, later.failure_threshold);
            for rule in &later.trip_when {
                if !self.trip_when.contains(rule) {
                    self.trip_when.push(*rule);
                }
            }
        }
        self.own_error_rules |= later.own_error_rules;
        for at in 0..2 {
            self.expected[at] |= later.expected[at];
            self.ignored[at] |= later.ignored[at];
        }
        contradicts
    }
}

prop_compose! {
    fn partial()(
        trip_rules in prop_oneof![
            5 => Just(None),
            1 => Just(Some(vec![count()])),
            1 => Just(Some(vec![rate(), TripRule::consecutive_failures(9)])),
        ],
        failure_threshold in prop::option::weighted(0.3, 1..5_u32),
        trip_when in prop_oneof![4 => Just(vec![]), 1 => Just(vec![rate()]), 1 => Just(vec![count(), rate()])],
        recovery in prop::option::weighted(0.3, 1..9_u64),
        trials in prop::option::weighted(0.3, 1..5_u32),
        successes in prop::option::weighted(0.1, 1..4_u32),
        cancelled in prop::option::weighted(0.3, prop::sample::select(vec![Outcome::Failure, Outcome::Success])),
        own_error_rules in prop::bool::weighted(0.2),
        expected in any::<[bool; 2]>(),
        ignored in any::<[bool; 2]>(),
        errors in prop::bool::weighted(0.3),
    ) -> Partial {
        let if_errors = |rules: [bool; 2]| if errors { rules } else { [false; 2] };
        Partial {
            trip_rules, failure_threshold, trip_when, recovery, trials, successes, cancelled,
            own_error_rules, expected: if_errors(expected), ignored: if_errors(ignored),
        }
    }
}

#[derive(Clone, Debug, Default)]
struct Document {
    default: Partial,
    prefixes: BTreeMap<&'static str, Partial>,
    names: BTreeMap<&'static str, Partial>,
}

prop_compose! {
    fn document()(
        default in partial(),
        prefixes in prop::collection::btree_map(prop::sample::select(&PREFIXES), partial(), 0..3),
        names in prop::collection::btree_map(prop::sample::select(&NAMES), partial(), 0..3),
    ) -> Document {
        let data = |entries: BTreeMap<&'static str, Partial>| {
            entries.into_iter().map(|(key, entry)| (key, entry.data())).collect()
        };
        Document { default: default.data(), prefixes: data(prefixes), names: data(names) }
    }
}

impl Document {
    fn settings(&self) -> Option<Settings> {
        let mut text = format!("default = {}\n", self.default.toml());
        for (table, entries) in [("prefixes", &self.prefixes), ("breakers", &self.names)] {
            for (key, entry) in entries {
                writeln!(text, "{table}.'{key}' = {}", entry.toml()).unwrap();
            }
        }
        toml::from_str(&text).ok()
    }
}

#[derive(Clone, Debug)]
enum Step {
    PresetFor(&'static str, Partial),
    Apply(Document),
    LookUp(&'static str),
    Site(&'static str, usize),
    BreakerWith(&'static str, Partial),
    Register(&'static str, Partial),
    Configure(&'static str, Partial, bool),
    ConfigureHandle(&'static str, Partial, bool),
    Remove(&'static str),
}

fn step() -> impl Strategy<Value = Step> {
    let name = || prop::sample::select(&NAMES);
    let inherits = || prop::bool::weighted(0.2);
    prop_oneof![
        1 => (prop::sample::select(&PREFIXES), partial()).prop_map(|(p, s)| Step::PresetFor(p, s)),
        2 => document().prop_map(Step::Apply),
        1 => name().prop_map(Step::LookUp),
        3 => (name(), 0..SITES.len()).prop_map(|(name, site)| Step::Site(name, site)),
        2 => (name(), partial()).prop_map(|(name, s)| Step::BreakerWith(name, s)),
        2 => (name(), partial()).prop_map(|(name, s)| Step::Register(name, s)),
        2 => (name(), partial(), inherits()).prop_map(|(name, s, i)| Step::Configure(name, s, i)),
        1 => (name(), partial(), inherits()).prop_map(|(name, s, i)| Step::ConfigureHandle(name, s, i)),
        1 => name().prop_map(Step::Remove),
    ]
}

type Answer = Result<(), BreakerError>;

#[circuit(name = name, registry = registry, failure_threshold = 3, half_open_calls = 2)]
fn site_0(registry: &BreakerRegistry, name: &str) -> Answer {
    Ok(())
}

#[circuit(name = name, registry = registry, failure_threshold = 4, recovery_timeout = "9s", expected = ErrorA)]
fn site_1(registry: &BreakerRegistry, name: &str) -> Answer {
    Ok(())
}

#[circuit(
    name = name, registry = registry, half_open_calls = 2, success_threshold = 2, ignored = ErrorB,
    trip_when = count(), builder = CircuitBreaker::builder().own_error_rules()
)]
fn site_2(registry: &BreakerRegistry, name: &str) -> Answer {
    Ok(())
}

const SITES: [fn(&BreakerRegistry, &str) -> Answer; 3] = [site_0, site_1, site_2];

fn site(at: usize) -> Partial {
    match at {
        0 => Partial {
            failure_threshold: Some(3),
            trials: Some(2),
            ..Partial::default()
        },
        1 => Partial {
            failure_threshold: Some(4),
            recovery: Some(9),
            expected: [true, false],
            ..Partial::default()
        },
        _ => Partial {
            trials: Some(2),
            successes: Some(2),
            trip_when: vec![count()],
            own_error_rules: true,
            ignored: [false, true],
            ..Partial::default()
        },
    }
}

/// The presets and the document that were last applied to a breaker.
#[derive(Clone, Debug, Default)]
struct Shared {
    default: Partial,
    prefixes: BTreeMap<&'static str, Partial>,
    document: Document,
}

/// The settings from code for one name.
#[derive(Clone, Debug, Default)]
struct Code {
    /// The settings of each call site, with its kind.
    sites: Vec<(&'static str, Partial)>,
    register: Option<Partial>,
    configure: Vec<Partial>,
}

#[derive(Clone, Debug, Default)]
struct Live {
    code: Code,
    shared: Shared,
    seen_sites: BTreeSet<usize>,
    permanent: bool,
    only_in_document: bool,
}

type Layers = Vec<(String, Partial)>;

impl Shared {
    /// Returns the layers of the default and of the prefixes of `name`, the lowest first.
    fn shared_layers(&self, name: &str) -> Layers {
        let mut layers = vec![
            ("default_preset".to_owned(), self.default.clone()),
            (
                "document: default".to_owned(),
                self.document.default.clone(),
            ),
        ];
        for prefix in PREFIXES.iter().filter(|prefix| name.starts_with(**prefix)) {
            let code = self.prefixes.get(prefix).cloned().unwrap_or_default();
            layers.push((format!("preset_for({prefix:?})"), code));
            let document = self.document.prefixes.get(prefix).cloned();
            layers.push((
                "document: prefixes".to_owned(),
                document.unwrap_or_default(),
            ));
        }
        layers
    }

    fn layers(&self, name: &str, code: &Code) -> Layers {
        let mut layers = self.shared_layers(name);
        let mut sites = Partial::default();
        for (_, site) in &code.sites {
            sites.add_site(site);
        }
        layers.push(("site".to_owned(), sites));
        layers.extend(
            code.register
                .clone()
                .map(|layer| ("register".to_owned(), layer)),
        );
        let configured = code.configure.iter();
        layers.extend(configured.map(|layer| ("configure".to_owned(), layer.clone())));
        let document = self.document.names.get(name).cloned().unwrap_or_default();
        layers.push(("document: breakers".to_owned(), document));
        layers
    }

    /// Returns whether the default, every prefix and every name are valid without code for a name.
    fn is_valid(&self) -> bool {
        let names = self.document.names.keys();
        // The default must be valid without the prefix "", which matches every name.
        are_valid(&self.shared_layers("-")[..2])
            && PREFIXES
                .iter()
                .all(|prefix| are_valid(&self.shared_layers(prefix)))
            && names
                .into_iter()
                .all(|name| are_valid(&self.layers(name, &Code::default())))
    }
}

fn topmost<T: Clone>(
    layers: &[(String, Partial)],
    get: impl Fn(&Partial) -> Option<T>,
) -> Option<(T, String)> {
    let mut from_top = layers.iter().rev();
    from_top.find_map(|(origin, layer)| get(layer).map(|value| (value, origin.clone())))
}

/// Returns whether the builder accepts the merged layers.
fn are_valid(layers: &[(String, Partial)]) -> bool {
    let trials = topmost(layers, |layer| layer.trials).map_or(1, |(trials, _)| trials);
    topmost(layers, |layer| layer.successes).is_none_or(|(successes, _)| successes <= trials)
}

/// Returns which errors are expected, and which are ignored.
fn error_rules(layers: &Layers) -> ([bool; 2], [bool; 2]) {
    let (mut expected, mut ignored) = ([false; 2], [false; 2]);
    for (_, layer) in layers {
        for at in 0..2 {
            expected[at] = expected[at] && !layer.own_error_rules || layer.expected[at];
            ignored[at] = ignored[at] && !layer.own_error_rules || layer.ignored[at];
        }
    }
    (expected, ignored)
}

fn check(breaker: &CircuitBreaker, layers: &Layers) -> Result<(), TestCaseError> {
    let config = breaker.config();
    let explanation = config.explain();
    let mut rules = None;
    for (_, layer) in layers {
        layer.change_rules(&mut rules);
    }
    let rules = rules.unwrap_or_else(|| vec![TripRule::consecutive_failures(5)]);
    let sorted = |rules: &[TripRule]| {
        let mut rules: Vec<_> = rules.iter().map(ToString::to_string).collect();
        rules.sort();
        rules
    };
    prop_assert_eq!(sorted(config.trip_rules()), sorted(&rules));

    let assert_explained = |key: &str, value: Option<(String, String)>, default: &str| {
        let (value, origin) = value.unwrap_or((default.to_owned(), "default".to_owned()));
        let (text, layer) = explanation.get(key).unwrap();
        prop_assert_eq!(text, value.as_str(), "{}", explanation);
        let is_site = layer.starts_with("#[circuit] at") || layer.starts_with("breaker_with at");
        let matches = if origin == "site" {
            is_site
        } else {
            layer.starts_with(&origin)
        };
        prop_assert!(matches, "{key} from {layer}, not {origin}");
        Ok(())
    };
    let text =
        |value: Option<(u32, String)>| value.map(|(value, origin)| (value.to_string(), origin));
    let trials = topmost(layers, |layer| layer.trials);
    let default = trials.clone().map_or(1, |(trials, _)| trials).to_string();
    assert_explained("half_open_calls", text(trials), "1")?;
    assert_explained(
        "success_threshold",
        text(topmost(layers, |layer| layer.successes)),
        &default,
    )?;
    let recovery = topmost(layers, |layer| layer.recovery);
    let recovery = recovery.map(|(seconds, origin)| (format!("{seconds}s"), origin));
    assert_explained("recovery", recovery, "30s")?;
    let cancelled = topmost(layers, |layer| layer.cancelled);
    prop_assert_eq!(
        config.cancelled_as(),
        cancelled.map_or(Outcome::Ignored, |(outcome, _)| outcome)
    );

    let (expected, ignored) = error_rules(layers);
    let fails = |at: usize| !ignored[at] && (expected == [false; 2] || expected[at]);
    breaker.reset();
    let _ = breaker.call(|| Err::<(), _>(ErrorA));
    prop_assert_eq!(breaker.failure_count() > 0, fails(0), "{:?}", layers);
    breaker.reset();
    let _ = breaker.call(|| Err::<(), _>(ErrorB));
    prop_assert_eq!(breaker.failure_count() > 0, fails(1), "{:?}", layers);
    breaker.reset();
    Ok(())
}

struct Model {
    registry: BreakerRegistry,
    ignored: Arc<Mutex<u32>>,
    shared: Shared,
    live: BTreeMap<&'static str, Live>,
}

impl fmt::Debug for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.live.fmt(f)
    }
}

impl Model {
    fn new(default: Partial) -> Option<Self> {
        let ignored = Arc::new(Mutex::new(0));
        let counter = ignored.clone();
        let registry = BreakerRegistry::builder()
            .default_preset(default.builder())
            .on_event(move |event| {
                if matches!(event, Event::SettingsIgnored { .. }) {
                    *counter.lock().unwrap() += 1;
                }
            })
            .build();
        let shared = Shared {
            default,
            ..Shared::default()
        };
        assert_eq!(registry.is_ok(), shared.is_valid());
        Some(Self {
            registry: registry.ok()?,
            ignored,
            shared,
            live: BTreeMap::new(),
        })
    }

    /// Adds the settings of a call site to the breaker. Returns whether an event must report a
    /// contradiction.
    fn add_site(&mut self, name: &'static str, place: &'static str, settings: &Partial) -> bool {
        let shared = self.shared.clone();
        let created = !self.live.contains_key(name);
        let live = self.live.entry(name).or_default();
        let mut code = live.code.clone();
        let mut sites = Partial::default();
        for (_, site) in &code.sites {
            sites.add_site(site);
        }
        let contradicts = sites.add_site(settings);
        code.sites.push((place, settings.clone()));
        if are_valid(&shared.layers(name, &code)) {
            live.code = code;
            live.shared = shared;
            return contradicts;
        }
        if created {
            live.shared = shared;
        }
        false
    }

    fn create(&mut self, name: &'static str) {
        let shared = self.shared.clone();
        self.live.entry(name).or_insert(Live {
            shared,
            ..Live::default()
        });
    }

    #[expect(clippy::too_many_lines, reason = "an arm for each kind of step")]
    fn step(&mut self, step: Step) -> Result<(), TestCaseError> {
        let mut ignored = Some(0);
        match step {
            Step::LookUp(name) => {
                self.registry.breaker(name);
                self.create(name);
            }
            Step::Remove(name) => {
                let removed = self.registry.remove(name).is_some();
                prop_assert_eq!(removed, self.live.remove(name).is_some());
            }
            Step::PresetFor(prefix, settings) => {
                let mut shared = self.shared.clone();
                shared.prefixes.insert(prefix, settings.clone());
                let result = self.registry.preset_for(prefix, settings.builder());
                prop_assert_eq!(result.is_ok(), shared.is_valid(), "{:?}", result);
                if result.is_ok() {
                    self.shared = shared;
                }
            }
            Step::Apply(document) => {
                let Some(settings) = document.settings() else {
                    return Ok(());
                };
                let mut shared = self.shared.clone();
                shared.document = document;
                let mut live = self.live.iter();
                let is_valid = shared.is_valid()
                    && live.all(|(name, live)| are_valid(&shared.layers(name, &live.code)));
                let result = self.registry.apply(&settings);
                prop_assert_eq!(result.is_ok(), is_valid, "{:?}", result);
                if is_valid {
                    self.shared = shared.clone();
                    for name in shared.document.names.keys() {
                        self.live.entry(name).or_insert(Live {
                            only_in_document: true,
                            ..Live::default()
                        });
                    }
                    for live in self.live.values_mut() {
                        live.shared = shared.clone();
                    }
                }
            }
            Step::Site(name, at) => {
                SITES[at](&self.registry, name).unwrap();
                let seen = self
                    .live
                    .get(name)
                    .is_some_and(|live| live.seen_sites.contains(&at));
                if !seen {
                    ignored = Some(u32::from(self.add_site(name, "site", &site(at))));
                }
                let live = self.live.get_mut(name).unwrap();
                live.seen_sites.insert(at);
                live.only_in_document = false;
            }
            Step::BreakerWith(name, settings) => {
                let expected = self.live.get(name).is_none_or(|live| live.only_in_document);
                let mut called = false;
                self.registry.breaker_with(name, || {
                    called = true;
                    settings.builder()
                });
                prop_assert_eq!(called, expected);
                if expected {
                    ignored = Some(u32::from(self.add_site(name, "breaker_with", &settings)));
                    self.live.get_mut(name).unwrap().only_in_document = false;
                }
            }
            Step::Register(name, settings) => {
                let live = self.live.get(name).cloned().unwrap_or_default();
                let mut code = live.code;
                code.register = Some(settings.clone());
                let is_valid = !live.permanent && are_valid(&self.shared.layers(name, &code));
                let result = self.registry.register(name, settings.builder());
                prop_assert_eq!(result.is_ok(), is_valid, "{:?}", result);
                if is_valid {
                    self.set(name, code);
                }
            }
            Step::Configure(name, settings, inherits) => {
                let mut code = self.live.get(name).cloned().unwrap_or_default().code;
                if inherits {
                    code = Code::default();
                }
                code.configure.push(settings.clone());
                let is_valid = are_valid(&self.shared.layers(name, &code));
                let builder = CircuitBreaker::builder();
                let builder = if inherits { builder.inherit() } else { builder };
                let builder = settings.apply_to(builder);
                let result = self.registry.configure(name, builder);
                prop_assert_eq!(result.is_ok(), is_valid, "{:?}", result);
                if is_valid {
                    self.set(name, code);
                    let document = self.shared.document.names.get(name).cloned();
                    let overrides = document.unwrap_or_default().add_site(&settings);
                    ignored = Some(u32::from(overrides));
                }
            }
            Step::ConfigureHandle(name, settings, inherits) => {
                self.configure_handle(name, &settings, inherits)?;
                // `configure` of a handle only reports settings that have changed, which the model
                // does not predict.
                ignored = None;
            }
        }
        let reported = std::mem::take(&mut *self.ignored.lock().unwrap());
        prop_assert_eq!(reported, ignored.unwrap_or(reported));
        Ok(())
    }

    fn configure_handle(
        &mut self,
        name: &'static str,
        settings: &Partial,
        inherits: bool,
    ) -> Result<(), TestCaseError> {
        let breaker = self.registry.breaker(name);
        self.create(name);
        let live = self.live.get_mut(name).unwrap();
        let mut code = if inherits {
            Code::default()
        } else {
            live.code.clone()
        };
        // A setting with an unchanged value stays in its old layer.
        let mut layer = settings.clone();
        let code_layers = Shared::default().layers(name, &code);
        let before =
            |get: fn(&Partial) -> Option<u32>| topmost(&code_layers, get).map(|(value, _)| value);
        layer.trials = layer
            .trials
            .filter(|new| before(|layer| layer.trials) != Some(*new));
        layer.successes = layer
            .successes
            .filter(|new| before(|layer| layer.successes) != Some(*new));
        let before = topmost(&code_layers, |layer| layer.recovery).map(|(value, _)| value);
        layer.recovery = layer.recovery.filter(|new| before != Some(*new));
        layer.own_error_rules &= !code_layers.iter().any(|(_, layer)| layer.own_error_rules);
        if layer.own_error_rules {
            // The closure receives all settings from code, so their error rules belong to the builder.
            let (expected, ignored) = error_rules(&code_layers);
            for at in 0..2 {
                layer.expected[at] |= expected[at];
                layer.ignored[at] |= ignored[at];
            }
        }
        code.configure.push(layer);
        let is_valid = are_valid(&live.shared.layers(name, &code));
        let result = breaker
            .configure(|code| settings.apply_to(if inherits { code.inherit() } else { code }));
        prop_assert_eq!(result.is_ok(), is_valid, "{:?}", result);
        if is_valid {
            live.code = code;
            (live.permanent, live.only_in_document) = (true, false);
        }
        Ok(())
    }

    /// Applies a successful `register` or `configure`.
    fn set(&mut self, name: &'static str, code: Code) {
        let shared = self.shared.clone();
        let live = self.live.entry(name).or_default();
        (live.code, live.shared) = (code, shared);
        (live.permanent, live.only_in_document) = (true, false);
    }

    fn check(&self) -> Result<(), TestCaseError> {
        prop_assert_eq!(self.registry.len(), self.live.len());
        for (name, live) in &self.live {
            let breaker = self.registry.get(name).unwrap();
            check(&breaker, &live.shared.layers(name, &live.code))?;
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn layers_merge_as_in_the_model(
        default in partial(),
        steps in prop::collection::vec(step(), 1..14),
    ) {
        let Some(mut model) = Model::new(default) else {
            return Ok(());
        };
        for step in steps {
            let description = format!("{step:?}");
            model.step(step)
                .and_then(|()| model.check())
                .map_err(|error| TestCaseError::fail(format!("{description}\n{error}\n{model:#?}")))?;
        }
    }
}
