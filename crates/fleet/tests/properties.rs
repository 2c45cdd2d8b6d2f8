//! What holds after any operation on any record.

use breakerbox_fleet::protocol::{
    Answer, Change, LeaseRequest, MAX_ATTEMPT, Message, Micros, NodeId, Op, Opening, Phase,
    RETENTION, Record, RecordView, Restoration, Trip, Version, Why, Word, transition,
};
use breakerbox_fleet::store::{Hello, Table};
use proptest::prelude::*;
use std::collections::HashMap;
use std::time::Duration;

const NOW: Micros = Micros(1_790_000_000_000_000);
const MAX_OPEN: Duration = Duration::from_secs(600);

fn config() -> ProptestConfig {
    ProptestConfig {
        cases: 400,
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

fn duration() -> impl Strategy<Value = Duration> {
    let usual = (0_u64..1_000).prop_map(Duration::from_secs);
    let edge = prop_oneof![
        Just(RETENTION),
        Just(RETENTION + Duration::from_micros(1)),
        Just(Duration::from_nanos(999)),
        Just(Duration::MAX),
    ];
    prop_oneof![8 => usual, 1 => edge]
}

fn instant() -> impl Strategy<Value = u64> {
    let hour = 3_600_000_000;
    prop_oneof![
        4 => (NOW.0 - 60_000_000)..(NOW.0 + 60_000_000),
        1 => (NOW.0 - 2 * hour)..(NOW.0 + 2 * hour),
        1 => prop_oneof![Just(0), Just(NOW.0), Just((1 << 53) - 1)],
    ]
}

fn attempt() -> impl Strategy<Value = u32> {
    prop_oneof![8 => 0_u32..5, 1 => Just(MAX_ATTEMPT), 1 => any::<u32>()]
}

fn token() -> impl Strategy<Value = String> {
    prop_oneof![8 => "t[12]", 1 => "[ -~]{0,70}", 1 => any::<String>()]
}

fn why() -> impl Strategy<Value = Why> {
    prop_oneof![Just(Why::Rate), Just(Why::Asked), Just(Why::Trial)]
}

fn op() -> impl Strategy<Value = Op> {
    let name = || prop_oneof![8 => "[ab]", 1 => any::<String>()];
    let trip = (
        duration(),
        instant(),
        attempt(),
        why(),
        0_u16..5,
        any::<bool>(),
        duration(),
        duration(),
    );
    let trip = trip.prop_map(
        |(duration, at, attempt, why, quorum, alone, vote_ttl, reset)| Trip {
            duration,
            at: Micros(at),
            attempt,
            why,
            quorum,
            alone,
            vote_ttl,
            reset_backoff_after: reset,
        },
    );
    let request = (
        token(),
        duration(),
        any::<bool>(),
        prop::option::of(attempt()),
    );
    let request = request.prop_map(|(token, duration, demand, opened_by_fleet)| LeaseRequest {
        token,
        duration,
        demand,
        opened_by_fleet,
    });
    let opening = (duration(), attempt(), why());
    let opening = opening.prop_map(|(duration, attempt, why)| Opening {
        duration,
        attempt,
        why,
    });
    let restoration = (duration(), attempt(), token(), token(), 0_u64..3);
    let restoration = restoration.prop_map(|(left, attempt, by, why, version)| Restoration {
        left,
        attempt,
        by,
        why,
        version: Version(version),
    });
    prop_oneof![
        4 => (name(), trip).prop_map(|(name, trip)| Op::Trip { name, trip }),
        4 => (name(), request).prop_map(|(name, request)| Op::Lease { name, request }),
        1 => (name(), token()).prop_map(|(name, token)| Op::Yield { name, token }),
        2 => (name(), token(), prop::option::of(opening))
            .prop_map(|(name, token, opening)| Op::Done { name, token, opening }),
        1 => name().prop_map(|name| Op::Unvote { name }),
        1 => (name(), restoration).prop_map(|(name, restoration)| Op::Restore { name, restoration }),
        1 => name().prop_map(|name| Op::Close { name }),
    ]
}

/// Returns the text of a record, most often a well-formed one.
fn text() -> impl Strategy<Value = String> {
    let votes = prop::collection::vec(("n[1-4]", instant(), instant()), 0..4);
    let votes = votes.prop_map(|votes| {
        let votes = votes
            .iter()
            .map(|(node, cast, until)| format!("{node}/{cast}/{until}"));
        let votes: Vec<_> = votes.collect();
        if votes.is_empty() {
            "-".to_owned()
        } else {
            votes.join(",")
        }
    });
    let first = (
        instant(),
        "[cohv]",
        instant(),
        instant(),
        attempt(),
        "i[12]|-",
        "rate|-",
    );
    let second = (
        "t[12]|-",
        instant(),
        instant(),
        instant(),
        "[01]",
        votes,
        "( later)?",
    );
    let lengths = (0_u64..900_000_000, 0_u64..9_000_000);
    let well_formed = (first, second, lengths).prop_map(|(first, second, lengths)| {
        let (version, phase, until, _, attempt, by, why) = first;
        let (token, lease_until, _, closed_at, wanted, votes, rest) = second;
        let (duration, lease_duration) = lengths;
        format!(
            "{version} {phase} {until} {duration} {attempt} {by} {why} {token} {lease_until} \
             {lease_duration} {closed_at} {wanted} {votes}{rest}"
        )
    });
    prop_oneof![8 => well_formed, 1 => "[ -~]{0,80}", 1 => any::<String>()]
}

fn node() -> NodeId {
    NodeId::new("n1", "i1").unwrap()
}

fn written(change: &Change) -> Option<&Record> {
    match change {
        Change::Keep(record) | Change::Publish(record) => Some(record),
        Change::None | Change::Remove => None,
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn read_record_is_within_its_bounds(text in text()) {
        let record = Record::read(&text, NOW, MAX_OPEN);
        prop_assert!(record.left(NOW) <= MAX_OPEN);
        prop_assert!(record.closed_at <= NOW);
        prop_assert!(record.attempt <= MAX_ATTEMPT);
        prop_assert!(!record.version.is_ahead_of(NOW));
        let again = Record::read(&record.to_string(), NOW, MAX_OPEN);
        prop_assert_eq!(again, record);
    }

    #[test]
    fn written_record_can_be_read(text in text(), op in op(), quorum in 1_u16..4) {
        let record = Record::read(&text, NOW, MAX_OPEN);
        let (change, _) = transition(&record, &op, NOW, &node(), quorum);
        if let Some(written) = written(&change) {
            let mut written = written.clone();
            if let Change::Publish(_) = change {
                written.version = Version::next(record.version, Version(0), NOW);
            }
            let written = written.cut(NOW, MAX_OPEN);
            prop_assert_eq!(&Record::read(&written.to_string(), NOW, MAX_OPEN), &written);
            prop_assert_eq!(&written.rest, &record.rest);
        }
    }

    #[test]
    fn opening_lasts_no_longer_than_its_duration(text in text(), op in op()) {
        let record = Record::read(&text, NOW, MAX_OPEN);
        let (change, word) = transition(&record, &op, NOW, &node(), 1);
        if let (Some(written), Word::Opened | Word::Restored) = (written(&change), &word) {
            prop_assert_eq!(written.phase, Phase::Open);
            prop_assert!(written.left(NOW) <= Duration::from_micros(written.duration));
            prop_assert!(written.votes.is_empty() && written.token.is_empty());
        }
    }

    #[test]
    fn only_verdict_or_command_closes(text in text(), op in op(), quorum in 1_u16..4) {
        let record = Record::read(&text, NOW, MAX_OPEN);
        let (change, _) = transition(&record, &op, NOW, &node(), quorum);
        if let Change::Publish(closed) = &change {
            if closed.phase == Phase::Closed {
                let is_done = matches!(op, Op::Done { opening: None, .. });
                let is_command = matches!(op, Op::Close { .. }) && !record.phase.is_unknown();
                prop_assert!(is_done || is_command);
                prop_assert_eq!(closed.closed_at, NOW);
                prop_assert!(closed.votes.is_empty());
            }
        }
        prop_assert!(change != Change::Remove || record.phase == Phase::Votes);
    }

    #[test]
    fn verdict_without_the_token_is_fenced(text in text(), op in op()) {
        let record = Record::read(&text, NOW, MAX_OPEN);
        if let Op::Done { token, .. } | Op::Yield { token, .. } = &op {
            let is_holder = record.phase == Phase::Leased && record.token == *token;
            let (change, word) = transition(&record, &op, NOW, &node(), 1);
            if !is_holder && !record.phase.is_unknown() {
                prop_assert_eq!(change, Change::None);
                prop_assert!(matches!(word, Word::Fenced | Word::Bad));
            }
        }
    }

    #[test]
    fn lease_is_granted_only_when_it_is_free(text in text(), op in op()) {
        let record = Record::read(&text, NOW, MAX_OPEN);
        let (change, word) = transition(&record, &op, NOW, &node(), 1);
        if let (Op::Lease { request, .. }, Change::Publish(leased)) = (&op, &change) {
            if word == Word::Granted {
                prop_assert!(!record.holds(NOW) && record.phase != Phase::Closed);
                prop_assert_eq!(&leased.token, &request.token);
            } else {
                prop_assert_eq!(word, Word::Taken);
                prop_assert_eq!(&leased.token, &record.token);
            }
        }
    }

    #[test]
    fn trip_below_the_quorum_publishes_nothing(text in text(), op in op(), quorum in 2_u16..64) {
        let record = Record::read(&text, NOW, MAX_OPEN);
        if let Op::Trip { trip, .. } = &op {
            let (change, word) = transition(&record, &op, NOW, &node(), quorum);
            if let Word::Voting(votes) = word {
                prop_assert!(votes < quorum);
                prop_assert!(matches!(change, Change::Keep(_)));
            }
            if trip.at < record.closed_at && word != Word::Bad {
                prop_assert_eq!((change, word), (Change::None, Word::Stale));
            }
        }
    }

    #[test]
    fn texts_of_answers_and_messages_survive(
        text in text(),
        ops in prop::collection::vec(op(), 1..6),
    ) {
        let hello = Hello::new("test", node(), MAX_OPEN).unwrap();
        let mut table = Table::default();
        table.put("a", &text, Version(7));
        let (submitted, message) = table.submit(&hello, Version(0), &ops, NOW);
        for (answer, op) in submitted.answers.iter().zip(&ops) {
            if matches!(op.name().len(), 1..=256) {
                prop_assert_eq!(&Answer::parse(&answer.to_string()).unwrap(), answer);
            }
        }
        if let Some(message) = message {
            prop_assert_eq!(&Message::parse(&message.to_string()).unwrap(), &message);
            prop_assert_eq!(message.version, submitted.head);
        }
    }

    #[test]
    fn versions_rise_and_messages_form_a_chain(
        steps in prop::collection::vec((prop::collection::vec(op(), 0..4), 0_u64..40), 1..20),
    ) {
        let hello = Hello::new("test", node(), MAX_OPEN).unwrap();
        let (mut table, mut now) = (Table::default(), NOW);
        let mut head = Version(0);
        let mut versions: HashMap<String, Version> = HashMap::new();
        for (ops, seconds) in steps {
            now = now.after(Duration::from_secs(seconds));
            let (submitted, message) = table.submit(&hello, Version(0), &ops, now);
            if let Some(message) = message {
                prop_assert_eq!(message.previous, head);
                let mut previous = head;
                for record in &message.records {
                    prop_assert!(record.version > previous && record.version.0 >= now.0);
                    previous = record.version;
                    let known = versions.insert(record.name.clone(), record.version);
                    prop_assert!(known.is_none_or(|known| known < record.version));
                }
                head = message.version;
            }
            prop_assert_eq!(submitted.head, head);
            // A pull shows the latest version of each name.
            let pulled = table.pull(&hello, Version(0), 1_000, now);
            for record in pulled.records {
                prop_assert_eq!(versions[&record.name], record.version);
            }
        }
    }

    #[test]
    fn any_text_is_parsed_or_rejected(text in any::<String>()) {
        let _ = Message::parse(&text);
        let _ = Answer::parse(&text);
        let _ = Word::parse(&text);
        if let Ok(view) = RecordView::parse(&text) {
            prop_assert_eq!(RecordView::parse(&view.to_string()), Ok(view));
        }
    }
}
