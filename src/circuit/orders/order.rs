use std::time::Duration;

/// A change that the fleet orders at one of its circuits, with
/// [`Port::apply`](crate::fleet::Port::apply).
///
/// A circuit takes an order only in the states that the order names. All other states reject the
/// order and change nothing. Forced open and metrics-only reject every order. Disabled rejects every
/// order, unless an order has disabled the circuit: [`Enable`](Self::Enable) undoes that.
///
/// The state is the one that [`CircuitBreaker::state`](crate::CircuitBreaker::state) returns: an
/// open circuit past its deadline is half-open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Order {
    /// Closed or half-open: opens the circuit for this time, with this attempt of the
    /// [backoff](crate::Backoff).
    ///
    /// Hints of late calls lengthen the opening, as they do for an opening by a rule.
    OpenFor(Duration, u32),
    /// Open: moves the deadline to this time from now, which may be earlier or later than before.
    ///
    /// The cause and the attempt are kept, and no event is sent. Waiting calls are notified.
    Extend(Duration),
    /// Open, also past its deadline: half-opens the circuit now. The backoff continues if the
    /// trials fail.
    Try,
    /// Half-open or open: closes the circuit, as enough successful trials do.
    ///
    /// The attempt is kept for [`reset_backoff_after`](crate::BreakerBuilder::reset_backoff_after),
    /// and a [ramp-up](crate::BreakerBuilder::ramp_up) starts if the settings have one.
    Close,
    /// Closed, open or half-open: disables the circuit, which then admits every call and records
    /// nothing. No time ends this state, but [`Enable`](Self::Enable) and commands do.
    Disable,
    /// Disabled by [`Disable`](Self::Disable): returns the circuit to its configured
    /// [mode](crate::BreakerBuilder::mode).
    Enable,
}
