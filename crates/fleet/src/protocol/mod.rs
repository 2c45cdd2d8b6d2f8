//! The protocol of a fleet, version `bb1`: records, operations and messages. Pure: no clock, no I/O.
//!
//! A *record* is what a store knows of one circuit. Nodes never write records. They send *operations*,
//! and the store applies each one atomically with [`transition`], at its own time. The store answers
//! with a [`Word`] and with a [`RecordView`], and publishes changed records in a [`Message`].
//!
//! ```text
//!           trip, with a quorum                lease
//!  Absent ──────────────────────► Open ───────────────────► Leased
//!  Votes       restore             ▲  ▲ (once it has ended)  │  │
//!  Closed                          │  └──── done(open) ──────┘  │ done(closed)
//!     ▲                            └─────── yield               │
//!     └─────────────────────────────────────────────────────────┘
//! ```
//!
//! Commands of operators are no records. A [`CommandTable`] has them all, and nodes read it whole.
//!
//! # Invariants
//!
//! 1. Versions only rise: each published record has a version above the head, above all versions that
//!    the writer has seen, above the previous version of the record, and at or above the time of the
//!    store in microseconds.
//! 2. No instant of a node enters a record. Nodes send durations, and instants of the store's clock.
//! 3. A record never opens for longer than its own duration, counted from the time of the store, and
//!    from its version. Hostile ends, and a failover to a slower clock, therefore lengthen nothing beyond
//!    the first request for a lease, which writes the cut record back.
//! 4. A record that is not well-formed, or whose version is more than an hour ahead, is absent.
//! 5. An absent record closes no circuit: a store that lost its memory answers [`Word::Absent`].
//!
//! # Text
//!
//! Records and messages are fields separated by spaces, in printable ASCII. `-` stands for an absent
//! field. Numbers consist of digits. JSON is not used, because the Lua of stores prints large numbers
//! without their last digits.

mod command;
mod command_table;
mod limits;
mod message;
mod node;
mod op;
mod record;
mod text;
mod transition;
mod units;
mod view;
mod why;
mod word;

pub use command::{Command, Verb};
pub use command_table::{CommandTable, CommandWord};
pub use limits::{
    LONGEST_COMMAND, MAX_ATTEMPT, MAX_COMMANDS, MAX_LEAD, MAX_NAME, MAX_PAGE, MAX_QUORUM, NODE_TTL,
    RETENTION,
};
pub use message::{Message, MessageError};
pub use node::NodeId;
pub use op::{LeaseRequest, Op, Opening, Restoration, Trip};
pub use record::{Phase, Record, Vote};
pub(crate) use text::or_none;
pub use text::{decode_name, encode_name, parse_number};
pub use transition::{Change, transition};
pub use units::{Micros, Version};
pub use view::{RecordView, ViewError};
pub use why::Why;
pub use word::{Answer, Word};
