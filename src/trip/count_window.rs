use super::Figures;

/// The last so many outcomes, exactly: a ring of bits and their sums.
#[derive(Clone, Debug)]
pub(super) struct CountWindow {
    capacity: u32,
    next: u32,
    figures: Figures,
    failed: Vec<u64>,
    /// Empty for a rule that does not ask for slow calls.
    slow: Vec<u64>,
}

impl CountWindow {
    pub(super) fn new(capacity: u32, times_calls: bool) -> Self {
        let words = capacity.div_ceil(64) as usize;
        Self {
            capacity,
            next: 0,
            figures: Figures::default(),
            failed: vec![0; words],
            slow: vec![0; if times_calls { words } else { 0 }],
        }
    }

    pub(super) fn record(&mut self, failed: bool, slow: bool) {
        let at = self.next;
        let failed_before = replace(&mut self.failed, at, failed);
        let slow_before = replace(&mut self.slow, at, slow);
        let Figures { recorded, failed: failures, slow: slows } = &mut self.figures;
        // A bit that was never written is zero, so that an unfilled place takes nothing away.
        *failures = *failures + u32::from(failed) - u32::from(failed_before);
        *slows = *slows + u32::from(slow && !self.slow.is_empty()) - u32::from(slow_before);
        *recorded = (*recorded + 1).min(self.capacity);
        self.next = if at + 1 == self.capacity { 0 } else { at + 1 };
    }

    pub(super) fn figures(&self) -> Figures {
        self.figures
    }

    /// Full, and of nothing but quick successes: one more changes nothing.
    pub(super) fn is_sated(&self) -> bool {
        let Figures { recorded, failed, slow } = self.figures;
        recorded == self.capacity && failed == 0 && slow == 0
    }

    pub(super) fn clear(&mut self) {
        self.failed.fill(0);
        self.slow.fill(0);
        self.next = 0;
        self.figures = Figures::default();
    }
}

/// Sets bit `at` and tells what it was; a ring that is not kept has no bits.
fn replace(bits: &mut [u64], at: u32, value: bool) -> bool {
    let Some(word) = bits.get_mut((at / 64) as usize) else {
        return false;
    };
    let bit = 1_u64 << (at % 64);
    let before = *word & bit != 0;
    *word = if value { *word | bit } else { *word & !bit };
    before
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::VecDeque;

    #[test]
    fn it_holds_exactly_the_last_outcomes_at_any_size() {
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
                let count = |of: fn(&(bool, bool)) -> bool| {
                    u32::try_from(model.iter().filter(|call| of(call)).count()).unwrap()
                };
                let expected = Figures {
                    recorded: count(|_| true),
                    failed: count(|call| call.0),
                    slow: count(|call| call.1),
                };
                assert_eq!(window.figures(), expected, "at {step} of {capacity}");
            }
        }
    }
}
