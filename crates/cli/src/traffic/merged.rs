//! [`Merged`]: the calls of several files in their order.

use breakerbox_replay::Call;
use breakerbox_replay::import::{Caveat, Import, ImportCounts};
use indicatif::ProgressBar;
use std::time::Duration;

/// The calls of several files, in the order of their start.
///
/// A file is read once its first call is due, so only files that overlap are in memory.
#[derive(Debug)]
pub(crate) struct Merged {
    files: Vec<Part>,
    /// The number of files of which a call was read. The files are sorted by their first call.
    begun: usize,
    bar: ProgressBar,
}

#[derive(Debug)]
struct Part {
    first: Duration,
    next: Option<Call>,
    import: Import,
}

impl Merged {
    pub(super) fn new(imports: Vec<(Duration, Import)>, bar: ProgressBar) -> Self {
        let part = |(first, import)| Part {
            first,
            next: None,
            import,
        };
        Self {
            files: imports.into_iter().map(part).collect(),
            begun: 0,
            bar,
        }
    }

    /// Returns what became of the lines of each file, and the limits of all of them.
    pub(super) fn counts(&self) -> (Vec<ImportCounts>, Vec<Caveat>) {
        let counts = self.files.iter().map(|file| file.import.counts().clone());
        let mut caveats: Vec<Caveat> = Vec::new();
        for caveat in self.files.iter().flat_map(|file| file.import.caveats()) {
            if !caveats.contains(&caveat) {
                caveats.push(caveat);
            }
        }
        (counts.collect(), caveats)
    }

    /// Begins to read the files whose first call is due.
    fn begin(&mut self) {
        while let Some(file) = self.files.get(self.begun) {
            let earliest = self.earliest().and_then(|at| self.files[at].next.as_ref());
            if earliest.is_some_and(|call| call.start < file.first) {
                return;
            }
            let file = &mut self.files[self.begun];
            file.next = file.import.next();
            self.begun += 1;
        }
    }

    fn earliest(&self) -> Option<usize> {
        let begun = self.files[..self.begun].iter().enumerate();
        let waiting = begun.filter_map(|(at, file)| Some((file.next.as_ref()?.start, at)));
        waiting.min().map(|(_, at)| at)
    }
}

impl Iterator for Merged {
    type Item = Call;

    fn next(&mut self) -> Option<Call> {
        if let [only] = &mut self.files[..] {
            return only.import.next();
        }
        self.begin();
        let at = self.earliest()?;
        let file = &mut self.files[at];
        let next = file.import.next();
        std::mem::replace(&mut file.next, next)
    }
}

impl Drop for Merged {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
