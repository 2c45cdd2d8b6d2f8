//! What it costs to be watched, and to look.
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
enum Watcher {
    Nobody,
    Listener,
    Stream,
}

/// A scene under the default rule, and who watches.
#[derive(Clone, Copy)]
struct Show(Scene, Watcher);

impl fmt::Display for Show {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let who = match self.1 {
            Watcher::Nobody => "nobody",
            Watcher::Listener => "a listener",
            Watcher::Stream => "a stream",
        };
        write!(f, "{}, watched by {who}", Case(self.0, Rule::Consecutive))
    }
}

fn shows() -> impl Iterator<Item = Show> {
    let watchers = [Watcher::Nobody, Watcher::Listener, Watcher::Stream];
    [Scene::Closed, Scene::OneInTen, Scene::Open]
        .into_iter()
        .flat_map(move |scene| watchers.map(|watcher| Show(scene, watcher)))
}

/// The stream is never read, as by a dashboard that hangs: it keeps the newest, and counts the others.
#[divan::bench(args = shows(), threads = [1, 2], sample_size = CALLS)]
fn call(bencher: Bencher<'_, '_>, Show(scene, watcher): Show) {
    let case = Case(scene, Rule::Consecutive);
    let breaker = case.stage().breaker;
    let mut stream: Option<EventStream> = None;
    match watcher {
        Watcher::Nobody => {}
        Watcher::Listener => {
            let listened = breaker.configure(|settings| {
                settings.on_event(|event: &Event| {
                    divan::black_box(event);
                })
            });
            listened.expect("settings that work");
        }
        Watcher::Stream => stream = Some(breaker.subscribe()),
    }
    let calls = bencher.with_inputs(|| case.order());
    calls.bench_values(|order| breaker.call(|| work(order)));
    drop(stream);
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
