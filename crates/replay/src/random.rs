//! [`Random`]: a seeded generator, whose numbers depend on no library.

/// `SplitMix64` (Steele, Lea and Flood 2014).
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Returns a number less than `limit`, or 0 if `limit` is 0.
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        let product = u128::from(self.next()) * u128::from(limit);
        u64::try_from(product >> 64).unwrap_or(u64::MAX)
    }

    /// Returns a number from 0 to 1, exclusive.
    #[allow(clippy::cast_precision_loss)] // 53 bits are exact
    pub(crate) fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / 9_007_199_254_740_992.0
    }
}

/// Returns the number from 0 to 1, exclusive, that belongs to `index` in the sequence of `seed`.
pub(crate) fn unit_at(seed: u64, index: u64) -> f64 {
    Random::new(seed ^ index.wrapping_mul(0x2545_f491_4f6c_dd1d)).unit()
}
