use super::WindowCounts;
use crate::clock::Moment;
use std::time::Duration;

/// The calls of the last period: a ring buffer of buckets, whose expiry is checked when they are
/// read.
///
/// Time is divided into steps of the length of a bucket, counted from the origin. A bucket stores
/// the number of its step, and counts as empty for every other step. Therefore no timer has to
/// clear buckets.
#[derive(Clone, Debug)]
pub(super) struct TimeWindow {
    origin: Moment,
    step: Duration,
    buckets: Vec<Bucket>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Bucket {
    /// The number of the step plus one. Zero for a bucket that was never written.
    step: u64,
    counts: WindowCounts,
}

impl TimeWindow {
    pub(super) fn new(origin: Moment, length: Duration, buckets: u32) -> Self {
        Self {
            origin,
            step: length / buckets,
            buckets: vec![Bucket::default(); buckets as usize],
        }
    }

    pub(super) fn record(&mut self, now: Moment, failed: bool, slow: bool) {
        self.add(now, WindowCounts::of_call(failed, slow));
    }

    pub(super) fn add(&mut self, now: Moment, calls: WindowCounts) {
        let step = self.step_of(now);
        let bucket = self.bucket_of(step);
        if bucket.step < step {
            *bucket = Bucket {
                step,
                ..Bucket::default()
            };
        }
        // A thread that read the clock earlier than another thread may arrive after it. If a newer
        // step has already reused the bucket, the call counts in that step.
        bucket.counts = bucket.counts.plus(calls);
    }

    /// Returns the end of the bucket that contains `now`.
    pub(super) fn bucket_end(&self, now: Moment) -> Moment {
        let steps = self.step_of(now);
        Moment::from_nanos(self.nanos().saturating_mul(steps))
            .after(self.origin.since(Moment::ORIGIN))
    }

    pub(super) fn counts(&self, now: Moment) -> WindowCounts {
        let step = self.step_of(now);
        let oldest = (step + 1).saturating_sub(self.buckets.len() as u64).max(1);
        self.buckets
            .iter()
            .filter(|bucket| bucket.step >= oldest)
            .fold(WindowCounts::default(), |sum, bucket| {
                sum.plus(bucket.counts)
            })
    }

    pub(super) fn clear(&mut self) {
        self.buckets.fill(Bucket::default());
    }

    fn step_of(&self, now: Moment) -> u64 {
        (now.as_nanos().saturating_sub(self.origin.as_nanos()) / self.nanos()).saturating_add(1)
    }

    fn nanos(&self) -> u64 {
        u64::try_from(self.step.as_nanos())
            .unwrap_or(u64::MAX)
            .max(1)
    }

    fn bucket_of(&mut self, step: u64) -> &mut Bucket {
        // A window has at least one bucket.
        let at = usize::try_from(step % self.buckets.len() as u64).unwrap_or(0);
        &mut self.buckets[at]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Moment {
        Moment::ORIGIN.after(Duration::from_millis(millis))
    }

    #[test]
    fn buckets_expire_after_any_idle_time() {
        let mut window = TimeWindow::new(at(0), Duration::from_secs(5), 5);
        for millis in [0, 100, 800] {
            window.record(at(millis), true, false);
        }
        assert_eq!(window.counts(at(4_800)).failed, 3);
        assert_eq!(window.counts(at(5_000)).failed, 0);
        assert_eq!(window.counts(at(u64::MAX / 2_000_000)).failed, 0);
        window.record(at(3_600_000), true, false);
        assert_eq!(window.counts(at(3_600_000)).recorded, 1);
    }

    #[test]
    fn bucket_ends_where_next_begins() {
        let window = TimeWindow::new(at(7), Duration::from_secs(5), 5);
        for (now, edge) in [(0, 1_007), (7, 1_007), (1_006, 1_007), (1_007, 2_007)] {
            assert_eq!(window.bucket_end(at(now)), at(edge), "{now} ms");
        }
        let last = Moment::from_nanos(u64::MAX - 1);
        assert_eq!(window.bucket_end(last), Moment::NEVER);
    }
}
