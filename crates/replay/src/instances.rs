//! [`Instances`]: which process made a call.

use crate::call::Call;
use crate::names::Names;
use crate::random::unit_at;

/// Which process made a call. Each process has breakers of its own.
///
/// A log of a gateway holds the calls of all processes. Replayed through one breaker, its figures
/// are wrong, and the log does not show this.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Instances {
    /// The [`instance`](Call::instance) of the call. Calls without one share an instance.
    #[default]
    OfTraffic,
    /// As many as stated. Calls are dealt to them at random, which is an assumption.
    Dealt {
        /// The number of instances, at least 1.
        count: u32,
        /// The seed from which the dealing follows.
        seed: u64,
    },
}

/// The number of the only instance.
const ONLY: u32 = u32::MAX;

/// Returns the number of the instance that made the call at `line`.
pub(crate) fn instance_of(instances: &Instances, call: &Call, line: u64, names: &mut Names) -> u32 {
    match (instances, &call.instance) {
        (Instances::OfTraffic, None) => ONLY,
        (Instances::OfTraffic, Some(instance)) => names.number(instance),
        (Instances::Dealt { count, seed }, _) => dealt(*count, *seed, line),
    }
}

/// Returns the number of the instance, less than `count`, to which the call at `line` is dealt.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // less than `count`
pub(crate) fn dealt(count: u32, seed: u64, line: u64) -> u32 {
    (unit_at(seed, line) * f64::from(count.max(1))) as u32
}
