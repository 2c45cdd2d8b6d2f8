use super::Cause;
use crate::rules::RuleKind;
use crate::text::prefix;
use std::fmt;
use std::sync::Arc;

/// Why the state of a circuit changed: the kind of a [`Cause`], without its values.
///
/// Instances exchange these codes instead of texts, which may contain data of a request.
///
/// # Examples
///
/// ```
/// use breakerbox::fleet::CauseKind;
///
/// assert_eq!(CauseKind::FailureRate.code(), "rate");
/// assert_eq!(CauseKind::from_code("rate"), Some(CauseKind::FailureRate));
/// assert_eq!(CauseKind::from_code("moon phase"), None);
/// assert_eq!(CauseKind::FailureRate.to_string(), "failure rate");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CauseKind {
    /// A rule for consecutive failures tripped. Code: `consecutive`.
    Consecutive,
    /// A rule for failures in a window tripped. Code: `failures`.
    Failures,
    /// A rule for the failure rate tripped. Code: `rate`.
    FailureRate,
    /// A rule for slow calls tripped. Code: `slow`.
    SlowCalls,
    /// Too many trials failed. Code: `trial`.
    TrialFailed,
    /// A call asked for the opening. Code: `asked`.
    Asked,
    /// A command. Code: `manual`.
    Manual,
    /// Enough trials succeeded. Code: `recovered`.
    TrialsSucceeded,
    /// The circuit may try again. Code: `recovering`.
    Recovering,
    /// New settings changed the mode. Code: `configured`.
    Configured,
}

impl CauseKind {
    const ALL: [Self; 10] = [
        Self::Consecutive,
        Self::Failures,
        Self::FailureRate,
        Self::SlowCalls,
        Self::TrialFailed,
        Self::Asked,
        Self::Manual,
        Self::TrialsSucceeded,
        Self::Recovering,
        Self::Configured,
    ];

    /// Returns the code, which never changes: lower-case ASCII letters.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Consecutive => "consecutive",
            Self::Failures => "failures",
            Self::FailureRate => "rate",
            Self::SlowCalls => "slow",
            Self::TrialFailed => "trial",
            Self::Asked => "asked",
            Self::Manual => "manual",
            Self::TrialsSucceeded => "recovered",
            Self::Recovering => "recovering",
            Self::Configured => "configured",
        }
    }

    /// Returns the value with this [code](Self::code), or `None` if there is none.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.code() == code)
    }

    pub(super) const fn verb(self) -> &'static str {
        match self {
            Self::TrialsSucceeded => "closed",
            Self::Recovering => "half-opened",
            Self::Manual | Self::Configured => "changed",
            _ => "opened",
        }
    }
}

/// Writes a few words: `failure rate`.
impl fmt::Display for CauseKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Consecutive => "consecutive failures",
            Self::Failures => "number of failures",
            Self::FailureRate => "failure rate",
            Self::SlowCalls => "slow calls",
            Self::TrialFailed => "a trial failed",
            Self::Asked => "a call asked for it",
            Self::Manual => "a command",
            Self::TrialsSucceeded => "enough trials succeeded",
            Self::Recovering => "its turn to try",
            Self::Configured => "new settings",
        })
    }
}

/// The maximum length of the label of an instance, in bytes. Longer labels are cut.
const LONGEST_NODE: usize = 256;

impl Cause {
    /// Returns the cause of an [order](crate::fleet::Order): the circuit of the instance `node`
    /// changed, for the reason `why`. `node` is cut to 256 bytes.
    ///
    /// # Examples
    ///
    /// ```
    /// use breakerbox::Cause;
    /// use breakerbox::fleet::CauseKind;
    ///
    /// let cause = Cause::fleet("web-7", CauseKind::FailureRate);
    /// assert_eq!(cause.to_string(), "opened by the fleet: web-7, failure rate");
    /// ```
    pub fn fleet(node: impl Into<Arc<str>>, why: CauseKind) -> Self {
        let node = node.into();
        let cut = prefix(&node, LONGEST_NODE);
        let node = if cut.len() == node.len() {
            node
        } else {
            cut.into()
        };
        Self::Fleet { node, why }
    }

    /// Returns the cause without its values. For [`Cause::Fleet`], this is why the circuit of the
    /// other instance changed.
    pub fn kind(&self) -> CauseKind {
        match self {
            Self::Rule(figures) => match figures.rule.kind {
                RuleKind::Consecutive(_) => CauseKind::Consecutive,
                RuleKind::Failures(_) => CauseKind::Failures,
                RuleKind::FailureRate(_) => CauseKind::FailureRate,
                RuleKind::SlowCalls(_) => CauseKind::SlowCalls,
            },
            Self::TrialFailed => CauseKind::TrialFailed,
            Self::TrialsSucceeded => CauseKind::TrialsSucceeded,
            Self::Recovering => CauseKind::Recovering,
            Self::Asked(_) => CauseKind::Asked,
            Self::Manual { .. } => CauseKind::Manual,
            Self::Configured => CauseKind::Configured,
            Self::Fleet { why, .. } => *why,
        }
    }
}
