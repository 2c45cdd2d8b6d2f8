//! What has been counted under which name.
//!
//! A breaker's own totals begin at zero with it, and go with it. Here they are added up by name, so
//! that a name whose breaker was evicted and made again goes on where it was: counters never go back.

use crate::circuit::{Circuit, TransitionCounts};
use crate::clock::Moment;
use crate::rules::RuleKind;
use crate::snapshot::{Snapshot, Totals};
use crate::state::State;
use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

/// Everything counted so far.
#[derive(Debug, Default)]
pub(super) struct Books {
    /// At most twice as many as the registry keeps breakers.
    accounts: HashMap<Arc<str>, Account>,
    /// For names that have no account of their own.
    common: Figures,
    /// What each breaker had counted when somebody last looked, by its address. The weak reference
    /// keeps the address from being another's.
    seen: HashMap<usize, (Weak<Circuit>, Figures)>,
}

/// What is shown under one name.
#[derive(Clone, Debug, Default)]
pub(super) struct Account {
    pub(super) figures: Figures,
    /// `None` when its breaker has left.
    pub(super) present: Option<Present>,
    /// Whether a failure rate was ever shown, which cannot be taken back but by saying that there is
    /// none.
    pub(super) rated: bool,
    /// Since when its end has been shown.
    ended: Option<Moment>,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Present {
    breaker: usize,
    pub(super) state: State,
    pub(super) rate: Option<f64>,
    pub(super) counts_successes: bool,
}

/// What only grows.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Figures {
    pub(super) totals: Totals,
    pub(super) changes: TransitionCounts,
}

/// A breaker as somebody saw it.
pub(super) struct Sight {
    breaker: usize,
    name: Arc<str>,
    weak: Weak<Circuit>,
    figures: Figures,
    present: Present,
}

/// What a report is to show.
pub(super) struct Page {
    now: Moment,
    pub(super) accounts: Vec<(Arc<str>, Account)>,
    pub(super) common: Figures,
}

impl Sight {
    /// Reads clocks: never called under a lock.
    pub(super) fn of(circuit: &Arc<Circuit>) -> Self {
        let snapshot = circuit.snapshot();
        let breaker = address(circuit);
        Self {
            breaker,
            weak: Arc::downgrade(circuit),
            present: Present {
                breaker,
                state: snapshot.state,
                rate: failure_rate(&snapshot),
                counts_successes: snapshot.totals.success.is_some(),
            },
            figures: Figures {
                totals: snapshot.totals,
                changes: circuit.transition_counts(),
            },
            name: snapshot.name,
        }
    }
}

fn address(circuit: &Arc<Circuit>) -> usize {
    Arc::as_ptr(circuit).addr()
}

/// The highest that a failure-rate rule of the breaker compares.
fn failure_rate(snapshot: &Snapshot) -> Option<f64> {
    let rates = snapshot
        .rules
        .iter()
        .filter_map(|rule| match rule.rule.kind {
            RuleKind::FailureRate(_) => rule.rate,
            _ => None,
        });
    rates.reduce(f64::max)
}

impl Books {
    /// Makes room for the names of today, by what ended at least `idle` ago.
    pub(super) fn tidy(&mut self, idle: Option<Duration>, now: Moment) {
        let Some(idle) = idle else { return };
        self.accounts
            .retain(|_, account| account.ended.is_none_or(|ended| now.since(ended) < idle));
    }

    /// Opens an account for `name`, if there is one or there is room.
    pub(super) fn open(&mut self, name: &Arc<str>, most: usize) -> Option<&mut Account> {
        if !self.accounts.contains_key(name) {
            if self.accounts.len() >= most {
                return None;
            }
            self.accounts.insert(name.clone(), Account::default());
        }
        self.accounts.get_mut(name)
    }

    /// Adds what the breaker has counted since it was last looked at.
    pub(super) fn add(&mut self, sight: Sight, most: usize) {
        let Sight {
            breaker,
            name,
            weak,
            figures,
            present,
        } = sight;
        let news = self.news(breaker, weak, &figures);
        match self.open(&name, most) {
            Some(account) => {
                account.figures.add(&news);
                account.present = Some(present);
                account.ended = None;
            }
            None => self.common.add(&news),
        }
    }

    /// Adds the last that a breaker counted which has left. A name that came and went between two
    /// reports gets no account for that.
    pub(super) fn close(&mut self, circuit: &Arc<Circuit>, figures: &Figures) {
        let breaker = address(circuit);
        let news = self.news(breaker, Weak::new(), figures);
        self.seen.remove(&breaker);
        let Some(account) = self.accounts.get_mut(&circuit.name) else {
            self.common.add(&news);
            return;
        };
        account.figures.add(&news);
        // It may have come and gone since its end was shown.
        account.ended = None;
        // Its successor may have come before the news of its end.
        if account
            .present
            .is_some_and(|present| present.breaker == breaker)
        {
            account.present = None;
        }
    }

    fn news(&mut self, breaker: usize, weak: Weak<Circuit>, figures: &Figures) -> Figures {
        let (_, seen) = self
            .seen
            .entry(breaker)
            .or_insert_with(|| (weak, Figures::default()));
        let news = figures.since(seen);
        seen.add(&news);
        news
    }

    /// What there is to show at `now`: those who are there, and those whose end was not shown yet.
    pub(super) fn page(&mut self, now: Moment) -> Page {
        let accounts = self.accounts.iter_mut().filter_map(|(name, account)| {
            let rate = account.present.and_then(|present| present.rate);
            account.rated |= rate.is_some();
            let news = account.ended.is_none();
            news.then(|| (name.clone(), account.clone()))
        });
        Page {
            now,
            accounts: accounts.collect(),
            common: self.common.clone(),
        }
    }

    /// That was shown: who has left need not be shown again, unless there is news of that name.
    pub(super) fn shown(&mut self, page: &Page) {
        for (name, shown) in &page.accounts {
            if shown.present.is_some() {
                continue;
            }
            if let Some(account) = self.accounts.get_mut(name) {
                let same = account.present.is_none() && account.figures == shown.figures;
                account.ended = same.then_some(page.now);
            }
        }
    }
}

impl Figures {
    fn add(&mut self, news: &Self) {
        each(&mut self.totals, &news.totals, |sum, more| sum + more);
        for (from, to, times) in news.changes.iter() {
            self.changes.add(from, to, times);
        }
    }

    /// What came since `before`. Of two who looked at the same time the later one may come first; the
    /// other finds nothing new then.
    fn since(&self, before: &Self) -> Self {
        let mut news = self.clone();
        each(&mut news.totals, &before.totals, u64::saturating_sub);
        news.changes = TransitionCounts::default();
        for (from, to, times) in self.changes.iter() {
            let more = times.saturating_sub(before.changes.get(from, to));
            news.changes.add(from, to, more);
        }
        news
    }

    pub(super) fn is_empty(&self) -> bool {
        let none = Totals {
            success: self.totals.success.map(|_| 0),
            ..Totals::default()
        };
        self.totals == none && self.changes.iter().next().is_none()
    }
}

/// The totals that are shown, each with the like of it. Successes that are not counted stay as they
/// were.
fn each(totals: &mut Totals, others: &Totals, with: impl Fn(u64, u64) -> u64) {
    totals.success = match (totals.success, others.success) {
        (Some(one), Some(other)) => Some(with(one, other)),
        (one, other) => one.or(other.map(|other| with(0, other))),
    };
    let pairs = [
        (&mut totals.failure, others.failure),
        (&mut totals.ignored, others.ignored),
        (&mut totals.cancelled, others.cancelled),
        (&mut totals.late, others.late),
        (&mut totals.refused, others.refused),
        (&mut totals.timed_out, others.timed_out),
        (&mut totals.slow, others.slow),
        (&mut totals.would_trip, others.would_trip),
    ];
    for (one, other) in pairs {
        *one = with(*one, other);
    }
}
