//! The choice of the first breaker that admits a call, compared with the models.

use crate::pair::Pair;
use breakerbox::{CircuitOpen, Permit, first_ready};

/// Acquires a permit from the first breaker that admits a call, and asserts that the models choose the same
/// one, or give the same refusals.
///
/// Returns the position of the pair, the permit, and the number of the call in the model.
pub fn compare_first_ready(pairs: &mut [Pair]) -> Option<(usize, Permit, usize)> {
    let found = first_ready(pairs.iter().map(|pair| &pair.breaker));
    let mut expected = Vec::new();
    for (position, pair) in pairs.iter_mut().enumerate() {
        match pair.begin_uncounted() {
            Ok(call) => {
                let (chosen, permit) = found.expect("a breaker admits the call");
                assert_eq!(chosen, position, "the first breaker that admits the call");
                return Some((chosen, permit, call));
            }
            Err(refused) => expected.push(refused),
        }
    }
    let all = found.expect_err("every breaker refuses the call");
    assert_eq!(all.refusals().len(), pairs.len());
    for ((pair, found), expected) in pairs.iter().zip(all.refusals()).zip(&expected) {
        pair.assert_refusal(found, expected);
    }
    let soonest = expected
        .iter()
        .filter_map(|refused| refused.retry_after)
        .min();
    assert_eq!(all.retry_after(), soonest, "the soonest of all");
    assert_eq!(CircuitOpen::from(all).retry_after(), soonest);
    None
}
