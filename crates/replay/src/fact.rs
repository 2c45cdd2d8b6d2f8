//! [`Fact`]: a call, as far as breakers are concerned.

use crate::fate::Fates;

/// The number of the outage of calls that start outside every outage.
pub(crate) const NO_OUTAGE: u32 = u32::MAX;

/// A call, as far as breakers are concerned. Times are nanoseconds since the epoch of the traffic.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fact {
    pub(crate) start: u64,
    pub(crate) duration: u64,
    /// A hash of the request, or zero.
    pub(crate) request: u64,
    /// The number of the breaker.
    pub(crate) key: u32,
    /// The number of the name of the breaker.
    pub(crate) name: u32,
    /// The number of the outage in which the call starts.
    pub(crate) outage: u32,
    pub(crate) fates: Fates,
}
