use super::WindowCounts;

/// The last calls by number: ring buffers with one bit for each call, and the sums of the bits.
#[derive(Clone, Debug)]
pub(super) struct CountWindow {
    capacity: u32,
    next: u32,
    counts: WindowCounts,
    failed: Vec<u64>,
    /// Empty unless the window belongs to a slow-call rule.
    slow: Vec<u64>,
}

impl CountWindow {
    pub(super) fn new(capacity: u32, times_calls: bool) -> Self {
        let words = capacity.div_ceil(64) as usize;
        Self {
            capacity,
            next: 0,
            counts: WindowCounts::default(),
            failed: vec![0; words],
            slow: vec![0; if times_calls { words } else { 0 }],
        }
    }

    #[inline]
    pub(super) fn record(&mut self, failed: bool, slow: bool) {
        let at = self.next;
        let failed_before = replace(&mut self.failed, at, failed);
        let slow_before = replace(&mut self.slow, at, slow);
        let WindowCounts {
            recorded,
            failed: failures,
            slow: slows,
        } = &mut self.counts;
        // An unused bit is zero, so that replacing it subtracts nothing.
        *failures = *failures + u32::from(failed) - u32::from(failed_before);
        *slows = *slows + u32::from(slow && !self.slow.is_empty()) - u32::from(slow_before);
        *recorded = (*recorded + 1).min(self.capacity);
        self.next = if at + 1 == self.capacity { 0 } else { at + 1 };
    }

    /// Records successes that were not slow.
    #[inline]
    pub(super) fn record_successes(&mut self, successes: u64) {
        let Some(calls) = u32::try_from(successes)
            .ok()
            .filter(|calls| *calls < self.capacity)
        else {
            self.clear();
            self.counts.recorded = self.capacity;
            return;
        };
        // The successes may wrap around the end of the ring.
        let first = calls.min(self.capacity - self.next);
        for (at, calls) in [(self.next, first), (0, calls - first)] {
            self.counts.failed -= clear(&mut self.failed, at, calls);
            self.counts.slow -= clear(&mut self.slow, at, calls);
        }
        self.counts.recorded = (self.counts.recorded + calls).min(self.capacity);
        self.next = (self.next + calls) % self.capacity;
    }

    /// Records at least one success that was not slow, before the last call. The outcome of the
    /// last call is passed again.
    pub(super) fn record_successes_before(&mut self, successes: u64, failed: bool, slow: bool) {
        let last = self.next.checked_sub(1).unwrap_or(self.capacity - 1);
        self.counts.failed -= u32::from(replace(&mut self.failed, last, false));
        self.counts.slow -= u32::from(replace(&mut self.slow, last, false));
        // The last call was replaced by the first success, and is recorded again after the others.
        self.record_successes(successes - 1);
        self.record(failed, slow);
    }

    pub(super) fn counts(&self) -> WindowCounts {
        self.counts
    }

    pub(super) fn capacity(&self) -> u32 {
        self.capacity
    }

    /// Returns `true` if the window is full of successes that were not slow. One more changes
    /// nothing.
    pub(super) fn is_saturated(&self) -> bool {
        let WindowCounts {
            recorded,
            failed,
            slow,
        } = self.counts;
        recorded == self.capacity && failed == 0 && slow == 0
    }

    pub(super) fn clear(&mut self) {
        self.failed.fill(0);
        self.slow.fill(0);
        self.next = 0;
        self.counts = WindowCounts::default();
    }
}

/// Replaces bit `at`, and returns its previous value. Returns `false` if the ring is empty.
fn replace(bits: &mut [u64], at: u32, value: bool) -> bool {
    let Some(word) = bits.get_mut((at / 64) as usize) else {
        return false;
    };
    let bit = 1_u64 << (at % 64);
    let before = *word & bit != 0;
    *word = if value { *word | bit } else { *word & !bit };
    before
}

/// Clears `number` bits from bit `at` on, and returns how many of them were set.
fn clear(bits: &mut [u64], mut at: u32, mut number: u32) -> u32 {
    let mut cleared = 0;
    while number > 0 {
        let Some(word) = bits.get_mut((at / 64) as usize) else {
            break;
        };
        let here = number.min(64 - at % 64);
        let mask = (u64::MAX >> (64 - here)) << (at % 64);
        cleared += (*word & mask).count_ones();
        *word &= !mask;
        (at, number) = (at + here, number - here);
    }
    cleared
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::VecDeque;

    fn of(calls: &VecDeque<(bool, bool)>) -> WindowCounts {
        let count = |of: fn(&(bool, bool)) -> bool| {
            u32::try_from(calls.iter().filter(|call| of(call)).count()).unwrap()
        };
        WindowCounts {
            recorded: count(|_| true),
            failed: count(|call| call.0),
            slow: count(|call| call.1),
        }
    }

    #[test]
    fn count_window_of_any_size_keeps_last_outcomes() {
        for capacity in [1, 2, 63, 64, 65, 100, 1_000] {
            let mut window = CountWindow::new(capacity, true);
            let mut model = VecDeque::new();
            for step in 0..3 * capacity + 7 {
                let (failed, slow) = (step % 3 == 0 || step % 7 == 1, step % 5 == 0);
                window.record(failed, slow);
                model.push_back((failed, slow));
                if model.len() > capacity as usize {
                    model.pop_front();
                }
                assert_eq!(window.counts(), of(&model), "at {step} of {capacity}");
            }
        }
    }

    #[test]
    fn successes_before_last_outcome_keep_its_place() {
        for capacity in [1, 2, 63, 64, 65, 100] {
            let [mut window, mut model] = [
                CountWindow::new(capacity, true),
                CountWindow::new(capacity, true),
            ];
            for step in 0..400 {
                let (failed, slow) = (step % 2 == 0, step % 3 == 0);
                let successes = u64::from((step * 7) % (capacity + capacity / 2 + 2)) + 1;
                window.record(failed, slow);
                window.record_successes_before(successes, failed, slow);
                model.record_successes(successes);
                model.record(failed, slow);
                assert_eq!(window.counts(), model.counts(), "at {step} of {capacity}");
            }
        }
    }

    #[test]
    fn successes_recorded_together_equal_single_ones() {
        for capacity in [1, 2, 63, 64, 65, 100, 200] {
            let mut model = VecDeque::new();
            let mut window = CountWindow::new(capacity, true);
            for step in 0..400 {
                let (failed, slow) = (step % 2 == 0, step % 3 == 0);
                window.record(failed, slow);
                window.record(failed, slow);
                // From none to more than the capacity.
                let successes = (step * 7) % (capacity + capacity / 2 + 2);
                window.record_successes(successes.into());
                model.extend([(failed, slow); 2]);
                model.extend((0..successes).map(|_| (false, false)));
                model.drain(..model.len().saturating_sub(capacity as usize));
                assert_eq!(window.counts(), of(&model), "at {step} of {capacity}");
            }
            window.record_successes(u64::MAX);
            assert!(window.is_saturated());
        }
    }
}
