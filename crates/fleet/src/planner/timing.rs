//! The fixed times and bounds of a fleet.

use std::time::Duration;

/// The time of the registry's clock, since its origin.
pub(crate) type Time = Duration;

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// How long a request may take. Two requests in a row that take longer end the connection.
pub(crate) const REQUEST_TIMEOUT: Duration = ms(1_000);
/// The time between pulls.
pub(crate) const PULL_INTERVAL: Duration = ms(5_000);
/// One in this number of pulls is a full one.
pub(crate) const PULLS_PER_FULL_PULL: u32 = 12;
/// The number of records in a page of a pull. Halved, down to the minimum, for each page that is not
/// answered, and increased by the step for each page that is.
pub(crate) const PULL_LIMIT: usize = 500;
pub(crate) const MIN_PULL_LIMIT: usize = 50;
pub(crate) const PULL_LIMIT_STEP: usize = 50;
/// The pages of one pull that are requested without a wait in between.
pub(crate) const PROMPT_PAGES: u32 = 200;
/// The number of operations in a batch.
pub(crate) const MAX_BATCH: usize = 256;
/// The time between batches, and between pulls after gaps.
pub(crate) const BATCH_INTERVAL: Duration = ms(50);
/// How often the demand and the evidence of a circuit are compared.
pub(crate) const TICK: Duration = ms(250);
/// The longest time between comparisons of the demand of a circuit that stays idle.
pub(crate) const MAX_IDLE_TICK: Duration = ms(2_000);
/// The wait of a node that asks for a lease.
pub(crate) const ASK_WAIT: (Duration, Duration) = (ms(5), ms(60));
/// The additional wait of a node whose last trial failed.
pub(crate) const FAILED_LAST_WAIT: Duration = ms(700);
/// The longest planned wait between the end of an open period and a request for its lease.
pub(crate) const LONGEST_WAIT: Duration = ms(760);
/// How far the deadline of a circuit is beyond a planned request, apart from the request itself.
pub(crate) const SLACK: Duration = ms(250);
/// The end of an opening that lasts until a command. Earlier than the end of a registry's clock, at
/// which such an opening ends, and far enough from it for sums.
pub(crate) const ENDLESS: Time = Duration::from_secs(200 * 365 * 24 * 60 * 60);
/// Deadlines that differ by less than this time are equal.
pub(crate) const TOLERANCE: Duration = ms(50);
/// The wait of nodes that restore the record of another node.
pub(crate) const RESTORE_WAIT: (Duration, Duration) = (ms(500), ms(2_000));
/// A holder without trials gives its lease back after this time, even if no other node waits.
pub(crate) const IDLE_LEASE: Duration = ms(10_000);
/// When an operation that failed is sent again.
pub(crate) const RETRY: Duration = ms(1_000);
/// A node that was the only one for this time needs no quorum.
pub(crate) const ALONE_AFTER: Duration = ms(60_000);
/// How long a circuit that a command has forced open stays open without a look of the task.
pub(crate) const FORCED_FOR: Duration = ms(60_000);
/// The number of commands that a node remembers. A store has half of them at most.
pub(crate) const MAX_KNOWN_COMMANDS: usize = 2 * crate::protocol::MAX_COMMANDS;
/// When a command that the store did not take is given back again.
pub(crate) const COMMAND_RETRY: Duration = ms(30_000);
/// The shortest life of a vote.
pub(crate) const MIN_VOTE: Duration = ms(10_000);
/// The number of names without a breaker that a node remembers.
pub(crate) const MAX_FOREIGN: usize = 10_000;

/// How far a deadline must be beyond the moment at which a request is sent.
pub(crate) const REQUEST_MARGIN: Duration = ms(2_250);

const _: () = assert!(
    REQUEST_MARGIN.as_millis() == 2 * REQUEST_TIMEOUT.as_millis() + SLACK.as_millis()
        && LONGEST_WAIT.as_millis() == ASK_WAIT.1.as_millis() + FAILED_LAST_WAIT.as_millis()
);
