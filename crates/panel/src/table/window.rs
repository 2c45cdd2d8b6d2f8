//! [`Window`]: the rows that a viewer sees, and their selection.

use super::row::{Row, RowText};
use crate::query::{Filter, STATES, Sort, folded, rank};
use breakerbox::watch::Watched;
use std::cmp::Ordering;
use std::sync::Arc;

/// The rows that match a filter, in its order and within its limit. Viewers with equal filters share
/// one window.
#[derive(Debug)]
pub(crate) struct Window {
    /// The number of all breakers.
    pub(crate) total: usize,
    /// The number of breakers that match the filter.
    pub(crate) matched: usize,
    /// The number of all breakers in each of the [`STATES`].
    pub(crate) by_state: [usize; STATES.len()],
    pub(crate) rows: Vec<(Arc<str>, RowText)>,
    /// The last name, if more rows follow.
    pub(crate) after: Option<Arc<str>>,
    /// Whether the filter continues after a row that no longer matches.
    pub(crate) is_lost: bool,
}

/// A filter in use, with what it has selected.
#[derive(Debug)]
pub(super) struct Selection {
    pub(super) filter: Filter,
    /// The sample at which the filter was last used.
    pub(super) used_at: u64,
    /// The rows whose names match, and the names for which this holds.
    matching: Vec<usize>,
    names: Option<u64>,
    /// The window, and the table for which it holds.
    window: Option<(u64, Arc<Window>)>,
}

/// The rows of a page.
pub(super) struct Page {
    pub(super) rows: Vec<usize>,
    pub(super) matched: usize,
    pub(super) has_more: bool,
    pub(super) is_lost: bool,
}

impl Selection {
    pub(super) fn new(filter: Filter) -> Self {
        Self {
            filter,
            used_at: 0,
            matching: Vec::new(),
            names: None,
            window: None,
        }
    }

    pub(super) fn window(&self, epoch: u64) -> Option<Arc<Window>> {
        let (of, window) = self.window.as_ref()?;
        (*of == epoch).then(|| window.clone())
    }

    pub(super) fn set_window(&mut self, epoch: u64, window: Arc<Window>) {
        self.window = Some((epoch, window));
    }

    /// Selects the rows of the page.
    ///
    /// # Errors
    ///
    /// Returns the breakers of which a snapshot is needed to sort them.
    pub(super) fn page(
        &mut self,
        rows: &[Row],
        names: u64,
        is_final: bool,
    ) -> Result<Page, Vec<Watched>> {
        let filter = &self.filter;
        // Names are compared only when there are other names. States and figures change all the time.
        if self.names.replace(names) != Some(names) {
            let matches = |row: &Row| {
                filter.text.is_empty() || folded(row.watched.name()).contains(&filter.text)
            };
            let found = rows.iter().enumerate().filter(|(_, row)| matches(row));
            self.matching = found.map(|(at, _)| at).collect();
        }
        let shows =
            |at: &usize| filter.states.is_empty() || filter.states.contains(&rank(rows[*at].state));
        let mut picked: Vec<usize> = self.matching.iter().copied().filter(shows).collect();
        if filter.sort == Sort::Since && !is_final {
            let needed: Vec<_> = picked.iter().map(|at| &rows[*at]).collect();
            let needed = needed.iter().filter(|row| row.needs_detail());
            let needed: Vec<_> = needed.map(|row| row.watched.clone()).collect();
            if !needed.is_empty() {
                return Err(needed);
            }
        }
        let matched = picked.len();
        let order = |one: &usize, other: &usize| {
            let order = compare(filter.sort, &rows[*one], &rows[*other]);
            let order = if filter.reversed {
                order.reverse()
            } else {
                order
            };
            // The rows are sorted by name.
            order.then(if filter.sort == Sort::Name && filter.reversed {
                other.cmp(one)
            } else {
                one.cmp(other)
            })
        };
        if filter.after.is_none() && picked.len() > filter.limit {
            picked.select_nth_unstable_by(filter.limit - 1, order);
            picked.truncate(filter.limit);
        }
        picked.sort_unstable_by(order);
        let (start, is_lost) = self.start(rows, &picked);
        let end = picked.len().min(start + self.filter.limit);
        let page = picked[start..end].to_vec();
        Ok(Page {
            has_more: start + page.len() < matched,
            rows: page,
            matched,
            is_lost,
        })
    }

    /// Returns where the page begins, and whether the row before it is missing.
    fn start(&self, rows: &[Row], picked: &[usize]) -> (usize, bool) {
        let Some(after) = self.filter.after.as_deref() else {
            return (0, false);
        };
        let name = |at: &usize| &**rows[*at].watched.name();
        match picked.iter().position(|at| name(at) == after) {
            Some(position) => (position + 1, false),
            None if self.filter.sort == Sort::Name => {
                let is_before = |at: &usize| (name(at) < after) != self.filter.reversed;
                (picked.partition_point(is_before), false)
            }
            None => (0, true),
        }
    }
}

fn compare(sort: Sort, one: &Row, other: &Row) -> Ordering {
    match sort {
        Sort::Name => Ordering::Equal,
        Sort::State => rank(one.state).cmp(&rank(other.state)),
        Sort::Since => one.since().cmp(&other.since()),
        Sort::Failing => one.rates[1].total_cmp(&other.rates[1]),
        Sort::Refused => one.rates[2].total_cmp(&other.rates[2]),
    }
}
