//! [`Shares`]: how far the circuits of each prefix are shared.

use crate::error::ConfigError;
use crate::protocol::MAX_QUORUM;
pub use breakerbox::fleet::Share;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The policy of each name: that of the longest prefix, or the default.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shares {
    default: Share,
    prefixes: BTreeMap<Arc<str>, Share>,
}

impl Shares {
    pub(crate) fn set_default(&mut self, share: Share) {
        self.default = share;
    }

    pub(crate) fn set(&mut self, prefix: &str, share: Share) {
        self.prefixes.insert(prefix.into(), share);
    }

    /// Returns the policy of each prefix, and that of the empty prefix: the default.
    pub(crate) fn list(&self) -> Vec<(Arc<str>, Share)> {
        let mut prefixes = self.prefixes.clone();
        prefixes.entry("".into()).or_insert(self.default);
        prefixes.into_iter().collect()
    }

    pub(crate) fn of(&self, name: &str) -> Share {
        let ends = (0..=name.len()).rev();
        let mut found = ends
            .filter(|end| name.is_char_boundary(*end))
            .filter_map(|end| self.prefixes.get(&name[..end]));
        if self.prefixes.is_empty() {
            return self.default;
        }
        found.next().copied().unwrap_or(self.default)
    }

    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        check("share", self.default)?;
        self.prefixes
            .values()
            .try_for_each(|share| check("share_for", *share))
    }
}

fn check(field: &'static str, share: Share) -> Result<(), ConfigError> {
    if !(1..=MAX_QUORUM).contains(&share.needed()) {
        return Err(ConfigError::new(field, share, "quorum:1 to quorum:64"));
    }
    if share == Share::with_evidence(0) {
        return Err(ConfigError::new(field, share, "evidence:1 or more"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn check_agrees_with_settings_of_breakers() {
        let mut shares: Vec<_> = [0, 1, 2, MAX_QUORUM, MAX_QUORUM + 1, u16::MAX]
            .map(Share::quorum)
            .into();
        shares.extend([0, 1, u32::MAX].map(Share::with_evidence));
        shares.extend([Share::always(), Share::observe(), Share::local()]);
        for share in shares {
            let breaker = breakerbox::CircuitBreaker::builder().fleet(share).build();
            assert_eq!(check("share", share).is_ok(), breaker.is_ok(), "{share}");
        }
    }

    #[test]
    fn longest_prefix_decides() {
        let mut shares = Shares::default();
        shares.set("pay", Share::always());
        shares.set("payments:", Share::local());
        shares.set("é", Share::observe());
        assert_eq!(shares.of("payments:card"), Share::local());
        assert_eq!(shares.of("payout"), Share::always());
        assert_eq!(shares.of("élan"), Share::observe());
        assert_eq!(shares.of("search"), Share::quorum(2));
    }
}
