//! Outcomes of gRPC statuses, as text.

use crate::Outcome;
use breakerbox::http::grpc::judge_code;

/// The names of the codes from 0 to 16, without underscores.
const NAMES: [&str; 17] = [
    "ok",
    "cancelled",
    "unknown",
    "invalidargument",
    "deadlineexceeded",
    "notfound",
    "alreadyexists",
    "permissiondenied",
    "resourceexhausted",
    "failedprecondition",
    "aborted",
    "outofrange",
    "unimplemented",
    "internal",
    "unavailable",
    "dataloss",
    "unauthenticated",
];

/// Returns the outcome of a status, which is a number or a name in any spelling: `14`, `UNAVAILABLE` or
/// `DeadlineExceeded`. `None` if it is no status of gRPC.
///
/// The outcomes are those of [`judge_code`].
pub(super) fn outcome_of(status: &str) -> Option<Outcome> {
    let name: String = status
        .chars()
        .filter(|character| *character != '_')
        .map(|character| character.to_ascii_lowercase())
        .collect();
    let by_name = || {
        let name = if name == "canceled" {
            "cancelled"
        } else {
            &name
        };
        NAMES.iter().position(|other| *other == name)
    };
    let code = name.parse::<usize>().ok().or_else(by_name)?;
    if code >= NAMES.len() {
        return None;
    }
    Some(match judge_code(i32::try_from(code).ok()?) {
        breakerbox::Outcome::Failure => Outcome::Failure,
        breakerbox::Outcome::Ignored => Outcome::Ignored,
        _ => Outcome::Success,
    })
}
