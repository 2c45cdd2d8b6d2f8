use super::View;
use std::error::Error;
use std::fmt;

/// Why [`Port::apply`](crate::fleet::Port::apply) changed nothing.
///
/// The view is as of the moment of the comparison, so the caller can decide again without another
/// look-up.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum NotApplied {
    /// The registry has no breaker of this name, or was dropped.
    ///
    /// An order creates no breaker, and there is nothing to view.
    Unknown,
    /// The circuit changed after the mark was taken, or the name belongs to another breaker now.
    Changed(Box<View>),
    /// The mark is that of the circuit, but its state takes no such [order](crate::fleet::Order).
    Rejected(Box<View>),
}

impl NotApplied {
    /// Returns what the circuit is like instead, or `None` if there is no such breaker.
    pub fn view(&self) -> Option<&View> {
        match self {
            Self::Unknown => None,
            Self::Changed(view) | Self::Rejected(view) => Some(view),
        }
    }
}

impl fmt::Display for NotApplied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => f.write_str("the registry has no breaker of this name"),
            Self::Changed(view) => write!(f, "the circuit has changed, and is {}", view.state),
            Self::Rejected(view) => {
                write!(f, "a circuit that is {} takes no such order", view.state)
            }
        }
    }
}

impl Error for NotApplied {}
