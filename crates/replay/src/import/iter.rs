//! [`Import`]: the calls of one source.

use super::caveat::Caveat;
use super::counts::ImportCounts;
use super::sink::{Format, Sink};
use crate::call::Call;
use crate::instances::dealt;
use std::fmt;
use std::sync::Arc;

/// The calls of one source, in the order of their start.
///
/// The source is read while the import is iterated. At most a bounded number of calls is in memory.
/// Opened by an [`Importer`](super::Importer).
pub struct Import {
    format: Box<dyn Format>,
    sink: Sink,
    dealer: Option<Dealer>,
    caveats: Vec<Caveat>,
    is_sampled: bool,
    ended: bool,
}

/// Deals calls to processes at random, as [`Instances::Dealt`](crate::Instances::Dealt) does.
pub(super) struct Dealer {
    seed: u64,
    /// The number of calls that were dealt.
    dealt: u64,
    instances: Vec<Arc<str>>,
}

impl Dealer {
    /// All names are in memory.
    const MAX: u32 = 100_000;

    pub(super) fn new(instances: u32, seed: u64) -> Self {
        Self {
            seed,
            dealt: 0,
            instances: (1..=instances.min(Self::MAX))
                .map(|number| number.to_string().into())
                .collect(),
        }
    }

    fn deal(&mut self) -> Option<Arc<str>> {
        // At most `MAX`.
        let count = u32::try_from(self.instances.len()).unwrap_or(Self::MAX);
        let index = dealt(count, self.seed, self.dealt);
        self.dealt += 1;
        self.instances.get(index as usize).cloned()
    }
}

impl Import {
    pub(super) fn new(
        format: Box<dyn Format>,
        sink: Sink,
        dealer: Option<Dealer>,
        caveats: Vec<Caveat>,
    ) -> Self {
        Self {
            format,
            sink,
            dealer,
            is_sampled: caveats.contains(&Caveat::Sampled),
            caveats,
            ended: false,
        }
    }

    /// Returns what became of the lines that were read so far.
    pub fn counts(&self) -> &ImportCounts {
        &self.sink.counts
    }

    /// Returns the limits of the source, which a report must state before all figures. Complete once the
    /// import has ended.
    pub fn caveats(&self) -> Vec<Caveat> {
        let mut caveats = self.caveats.clone();
        let counts = self.counts();
        if counts.lost > 0 {
            caveats.push(Caveat::Lost(counts.lost));
        }
        if counts.broken.is_some() {
            caveats.push(Caveat::Truncated);
        }
        caveats
    }

    /// Returns `true` if the traffic is sampled. Rules that count calls mean nothing then: see
    /// [`check_sampled`](super::check_sampled).
    pub fn is_sampled(&self) -> bool {
        self.is_sampled
    }
}

impl Iterator for Import {
    type Item = Call;

    fn next(&mut self) -> Option<Call> {
        let mut call = loop {
            if let Some(call) = self.sink.pop(self.ended) {
                break call;
            }
            if self.ended {
                return None;
            }
            self.ended = !self.format.read(&mut self.sink);
        };
        if let Some(dealer) = &mut self.dealer {
            call.instance = dealer.deal();
        }
        Some(call)
    }
}

impl fmt::Debug for Import {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Import")
            .field("counts", &self.sink.counts)
            .field("caveats", &self.caveats)
            .finish_non_exhaustive()
    }
}
