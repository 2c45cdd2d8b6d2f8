//! Outcomes of gRPC statuses, as text.

use crate::Outcome;

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
/// The outcomes are those of `breakerbox::http::grpc`: a code is a failure if it describes the health of the
/// service rather than the request.
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
    match code {
        1 => Some(Outcome::Ignored),
        2 | 4 | 13..=15 => Some(Outcome::Failure),
        0..=16 => Some(Outcome::Success),
        _ => None,
    }
}
