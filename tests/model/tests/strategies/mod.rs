//! Random settings and steps.

use breakerbox::{Mode, Outcome};
use breakerbox_model::settings::{Kind, Recovery, Rule, Settings, Span, distinct};
use breakerbox_model::steps::{Change, Command, Ending, Order, RuleMix, Side};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use std::time::Duration;

#[derive(Clone, Debug)]
pub(crate) enum Step {
    Begin,
    /// Ends one of the calls in flight, if any.
    End(usize, Ending),
    /// Runs one of the calls in flight, with a call of the same breaker inside it.
    EndWithNestedCall(usize, Ending, Ending),
    Advance(Duration),
    /// Advances the clock to one of the next boundaries, or one nanosecond before or after it.
    AdvanceTo(usize, Side),
    Command(Command),
    Order(Order),
    /// Gives an order that was decided on an earlier view.
    LateOrder(Order),
    Configure(Box<Change>),
}

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// A few lengths only, so that deadlines and windows often end at the same time.
fn length() -> impl Strategy<Value = Duration> {
    select(vec![
        ms(1),
        ms(3),
        ms(10),
        ms(10),
        ms(37),
        ms(100),
        ms(1_000),
        ms(3_600_000),
    ])
}

fn kind() -> impl Strategy<Value = Kind> {
    let rate = || select(vec![0.01, 0.25, 1.0 / 3.0, 0.5, 0.7, 1.0]);
    prop_oneof![
        (1..=6_u32).prop_map(Kind::Consecutive),
        (1..=6_u32).prop_map(Kind::Failures),
        rate().prop_map(Kind::FailureRate),
        rate().prop_map(Kind::SlowCalls),
    ]
}

fn span() -> impl Strategy<Value = Span> {
    let time =
        (1..=200_u64, select(vec![1, 2, 3, 5, 10, 60])).prop_map(|(millis, buckets)| Span::Time {
            length: ms(millis.max(u64::from(buckets))),
            buckets,
        });
    prop_oneof![
        (1..=5_u32).prop_map(Span::Calls),
        select(vec![10, 20, 64, 65, 1_000]).prop_map(Span::Calls),
        time,
        select(vec![ms(1_000), ms(60_000), ms(31_000_000_000)]).prop_map(|length| Span::Time {
            length,
            buckets: 10
        }),
    ]
}

/// One to three rules. Later settings may be combined with earlier ones.
fn rules() -> impl Strategy<Value = Vec<Rule>> {
    let rule = (kind(), span(), option::of(1..=6_u32), length()).prop_map(
        |(kind, span, minimum_calls, limit)| Rule::clamped(kind, span, minimum_calls, limit),
    );
    vec(rule, 1..=3).prop_map(distinct)
}

fn recovery() -> impl Strategy<Value = Recovery> {
    // Without a maximum, delays are whole seconds, which `f64` represents exactly.
    let unbounded = select(vec![ms(1_000), ms(30_000)]).prop_map(|first| Recovery {
        first,
        factor: 2,
        max: None,
    });
    let bounded =
        (select(vec![ms(5), ms(10), ms(50)]), 1..=3_u32).prop_map(|(first, factor)| Recovery {
            first,
            factor,
            max: Some(ms(5_000)),
        });
    prop_oneof![1 => unbounded, 3 => bounded]
}

fn mode() -> impl Strategy<Value = Mode> {
    prop_oneof![
        8 => Just(Mode::Enforcing),
        2 => Just(Mode::MetricsOnly),
        1 => Just(Mode::Disabled),
        1 => Just(Mode::ForcedOpen),
    ]
}

pub(crate) fn settings() -> impl Strategy<Value = Settings> {
    let cancelled = select(vec![Outcome::Ignored, Outcome::Failure, Outcome::Success]);
    let trials = (1..=5_u32, option::of(1..=5_u32), option::of(length()));
    let calls = (cancelled, option::weighted(0.3, length()), any::<bool>());
    let trips = (
        recovery(),
        length(),
        mode(),
        option::weighted(0.3, length()),
        option::weighted(0.5, length()),
    );
    (rules(), trials, calls, trips).prop_map(|(rules, trials, calls, trips)| Settings {
        rules,
        half_open_calls: trials.0,
        success_threshold: trials.1.map(|successes| successes.min(trials.0)),
        trial_timeout: trials.2,
        cancelled_as: calls.0,
        cancelled_after: calls.1,
        count_successes: calls.2,
        recovery: trips.0,
        max_trip_for: trips.1,
        mode: trips.2,
        reset_backoff_after: trips.3,
        ramp_up: trips.4,
    })
}

/// Durations to advance the clock. Some exceed the range of clocks and deadlines.
pub(crate) fn time() -> impl Strategy<Value = Duration> {
    prop_oneof![
        2 => Just(Duration::ZERO),
        20 => length(),
        10 => (1..=30_u64).prop_map(Duration::from_millis),
        1 => (0..=5_u64).prop_map(|hours| Duration::from_secs(hours * 3_600)),
        1 => select(vec![u64::MAX, u64::MAX - 5_000_000, u64::MAX / 2]).prop_map(Duration::from_nanos),
    ]
}

fn requested_time() -> impl Strategy<Value = Duration> {
    prop_oneof![30 => time(), 1 => Just(Duration::MAX)]
}

fn ending() -> impl Strategy<Value = Ending> {
    prop_oneof![
        8 => Just(Ending::Success),
        8 => Just(Ending::Failure),
        2 => Just(Ending::Ignored),
        1 => requested_time().prop_map(Ending::TripFor),
        3 => Just(Ending::Dropped),
    ]
}

/// Endings of a call that returns.
fn returned() -> impl Strategy<Value = Ending> {
    prop_oneof![Just(Ending::Success), Just(Ending::Failure)]
}

pub(crate) fn command() -> impl Strategy<Value = Command> {
    prop_oneof![
        3 => Just(Command::Trip),
        3 => requested_time().prop_map(Command::TripFor),
        4 => Just(Command::HalfOpen),
        1 => Just(Command::ForceOpen),
        1 => Just(Command::Disable),
        2 => Just(Command::MetricsOnly),
        3 => Just(Command::Reset),
    ]
}

fn order() -> impl Strategy<Value = Order> {
    prop_oneof![
        2 => (time(), 0..=4_u32).prop_map(|(time, attempt)| Order::OpenFor(time, attempt)),
        2 => time().prop_map(Order::Extend),
        2 => Just(Order::Try),
        2 => Just(Order::Close),
        1 => Just(Order::Disable),
        2 => Just(Order::Enable),
    ]
}

fn change() -> impl Strategy<Value = Change> {
    let rules = select(vec![
        RuleMix::Old,
        RuleMix::New,
        RuleMix::OldThenNew,
        RuleMix::NewThenOld,
        RuleMix::NewKinds,
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
        14 => (any::<usize>(), ending()).prop_map(|(which, ending)| Step::End(which, ending)),
        4 => (any::<usize>(), returned(), returned())
            .prop_map(|(which, inner, outer)| Step::EndWithNestedCall(which, inner, outer)),
        3 => time().prop_map(Step::Advance),
        4 => (any::<usize>(), side).prop_map(|(which, side)| Step::AdvanceTo(which, side)),
        2 => command().prop_map(Step::Command),
        2 => order().prop_map(Step::Order),
        1 => order().prop_map(Step::LateOrder),
        1 => change().prop_map(|change| Step::Configure(Box::new(change))),
    ]
}
