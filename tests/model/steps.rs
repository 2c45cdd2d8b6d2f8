//! What may happen to a breaker.

use crate::settings::{Settings, length, settings};
use proptest::prelude::*;
use proptest::sample::select;
use std::time::Duration;

#[derive(Clone, Debug)]
pub(crate) enum Step {
    Begin,
    /// Ends one of the calls in flight, if there is any.
    End(usize, Ending),
    Advance(Duration),
    /// To one of the times at which something changes, or a nanosecond beside it.
    AdvanceTo(usize, Side),
    Command(Command),
    Configure(Box<Change>),
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Ending {
    Success,
    Failure,
    Ignored,
    TripFor(Duration),
    Dropped,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Side {
    Before,
    At,
    After,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Command {
    Trip,
    TripFor(Duration),
    HalfOpen,
    ForceOpen,
    Disable,
    MetricsOnly,
    Reset,
}

/// Other settings, of which some stay what they were.
#[derive(Clone, Debug)]
pub(crate) struct Change {
    pub(crate) settings: Settings,
    /// These rules come beside, or instead of, those there are.
    pub(crate) rules: Mixture,
    pub(crate) keeps_mode: bool,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Mixture {
    Old,
    New,
    OldThenNew,
    NewThenOld,
    /// The old ones with the kinds and thresholds of the new ones, where these suit the windows.
    Rekinded,
}

/// Up to the end of time, where every deadline is too far away.
fn time() -> impl Strategy<Value = Duration> {
    prop_oneof![
        2 => Just(Duration::ZERO),
        20 => length(),
        10 => (1..=30_u64).prop_map(Duration::from_millis),
        1 => (0..=5_u64).prop_map(|hours| Duration::from_secs(hours * 3_600)),
        1 => select(vec![u64::MAX, u64::MAX - 5_000_000, u64::MAX / 2]).prop_map(Duration::from_nanos),
    ]
}

fn asked() -> impl Strategy<Value = Duration> {
    prop_oneof![30 => time(), 1 => Just(Duration::MAX)]
}

fn ending() -> impl Strategy<Value = Ending> {
    prop_oneof![
        8 => Just(Ending::Success),
        8 => Just(Ending::Failure),
        2 => Just(Ending::Ignored),
        1 => asked().prop_map(Ending::TripFor),
        3 => Just(Ending::Dropped),
    ]
}

fn command() -> impl Strategy<Value = Command> {
    prop_oneof![
        3 => Just(Command::Trip),
        3 => asked().prop_map(Command::TripFor),
        4 => Just(Command::HalfOpen),
        1 => Just(Command::ForceOpen),
        1 => Just(Command::Disable),
        2 => Just(Command::MetricsOnly),
        3 => Just(Command::Reset),
    ]
}

fn change() -> impl Strategy<Value = Change> {
    let rules = select(vec![
        Mixture::Old,
        Mixture::New,
        Mixture::OldThenNew,
        Mixture::NewThenOld,
        Mixture::Rekinded,
    ]);
    let change = |(settings, rules, keeps_mode)| Change {
        settings,
        rules,
        keeps_mode,
    };
    (settings(), rules, prop::bool::weighted(0.7)).prop_map(change)
}

pub(crate) fn step() -> impl Strategy<Value = Step> {
    let side = select(vec![Side::Before, Side::At, Side::At, Side::After]);
    prop_oneof![
        16 => Just(Step::Begin),
        14 => (any::<usize>(), ending()).prop_map(|(which, how)| Step::End(which, how)),
        3 => time().prop_map(Step::Advance),
        4 => (any::<usize>(), side).prop_map(|(which, side)| Step::AdvanceTo(which, side)),
        2 => command().prop_map(Step::Command),
        1 => change().prop_map(|change| Step::Configure(Box::new(change))),
    ]
}
