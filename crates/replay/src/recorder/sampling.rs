//! [`Sampling`]: which breakers are recorded.

use crate::hash::fnv;

/// Records a share of the breakers, and all calls of each of them.
///
/// A single call of ten would say nothing about calls in a row, so calls are never sampled. The name alone
/// decides, so all instances record the same breakers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Sampling {
    share: f64,
    /// Names with a hash up to this one are recorded. `None` for all names.
    limit: Option<u64>,
}

impl Sampling {
    pub(super) const ALL: Self = Self {
        share: 1.0,
        limit: None,
    };

    /// Creates a sampling of this share, from 0.0 to 1.0.
    pub(super) fn new(share: f64) -> Self {
        if share >= 1.0 || share.is_nan() {
            return Self::ALL;
        }
        let share = share.max(0.0);
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_precision_loss,
            clippy::cast_sign_loss
        )] // saturates
        let limit = (share * u64::MAX as f64) as u64;
        Self {
            share,
            limit: Some(limit),
        }
    }

    pub(super) fn share(self) -> f64 {
        self.share
    }

    #[inline]
    pub(super) fn includes(self, name: &str) -> bool {
        self.limit.is_none_or(|limit| hash(name) < limit)
    }
}

/// Mixes the hash, because the upper bits of that of a short name hardly differ.
fn hash(name: &str) -> u64 {
    let hash = fnv(name);
    let hash = (hash ^ (hash >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    hash ^ (hash >> 29)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn share_of_names_is_sampled() {
        for (share, expected) in [(0.0, 0..=0), (0.25, 2_200..=2_800), (0.9, 8_700..=9_300)] {
            let sampling = Sampling::new(share);
            let names = (0..10_000).map(|n| format!("tenant:{n}"));
            let count = names.filter(|name| sampling.includes(name)).count();
            assert!(expected.contains(&count), "{share}: {count}");
        }
        assert_eq!(Sampling::new(1.0), Sampling::ALL);
        assert_eq!(Sampling::new(f64::NAN), Sampling::ALL);
        assert!(!Sampling::new(-1.0).includes("users"));
    }

    #[test]
    fn larger_share_includes_smaller_one() {
        for name in (0..1_000).map(|n| format!("users-{n}")) {
            assert!(!Sampling::new(0.2).includes(&name) || Sampling::new(0.4).includes(&name));
        }
    }
}
