//! Cost of listeners, streams and snapshots.
#![allow(missing_docs)]

mod support;

use breakerbox::EventStream;
use breakerbox::prelude::*;
use divan::Bencher;
use std::fmt;
use support::{CALLS, Case, Rule, Scene, cases, work};

fn main() {
    divan::main();
}

#[derive(Clone, Copy)]
enum Observer {
    None,
    Listener,
    Stream,
    Recorder,
}

/// A scene under the default rule, with an observer.
#[derive(Clone, Copy)]
struct Observed(Scene, Observer);

impl fmt::Display for Observed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let observer = match self.1 {
            Observer::None => "none",
            Observer::Listener => "listener",
            Observer::Stream => "stream",
            Observer::Recorder => "recorder",
        };
        write!(
            f,
            "{}, observer: {observer}",
            Case(self.0, Rule::Consecutive)
        )
    }
}

fn observed() -> impl Iterator<Item = Observed> {
    let observers = [
        Observer::None,
        Observer::Listener,
        Observer::Stream,
        Observer::Recorder,
    ];
    [Scene::Closed, Scene::OneInTen, Scene::Open]
        .into_iter()
        .flat_map(move |scene| observers.map(|observer| Observed(scene, observer)))
}

/// Measures calls with an observer.
///
/// The stream is never read, so it soon is full and only counts further events.
#[divan::bench(args = observed(), threads = [1, 2], sample_size = CALLS)]
fn call(bencher: Bencher<'_, '_>, Observed(scene, observer): Observed) {
    let case = Case(scene, Rule::Consecutive);
    let stage = case.stage();
    let breaker = &stage.breaker;
    let mut stream: Option<EventStream> = None;
    let mut recording = None;
    match observer {
        Observer::None => {}
        Observer::Listener => {
            let listened = breaker.configure(|settings| {
                settings.on_event(|event: &Event| {
                    divan::black_box(event);
                })
            });
            listened.expect("valid settings");
        }
        Observer::Stream => stream = Some(breaker.subscribe()),
        Observer::Recorder => {
            recording = Some(stage.registry.record_calls(|call| {
                divan::black_box(call);
            }));
        }
    }
    let calls = bencher.with_inputs(|| case.input());
    calls.bench_values(|input| breaker.call(|| work(input)));
    drop((stream, recording));
}

#[divan::bench(args = cases())]
fn snapshot(bencher: Bencher<'_, '_>, case: Case) {
    let breaker = case.stage().breaker;
    bencher.bench(|| breaker.snapshot());
}

#[divan::bench(args = cases(), threads = [1, 2], sample_size = CALLS)]
fn state(bencher: Bencher<'_, '_>, case: Case) {
    let stage = case.stage();
    bencher.bench(|| stage.breaker.state());
}

#[divan::bench]
fn snapshot_as_text(bencher: Bencher<'_, '_>) {
    let snapshot = Case(Scene::Open, Rule::TimeWindow)
        .stage()
        .breaker
        .snapshot();
    bencher.bench(|| snapshot.to_string());
}
