use crate::support::{calls, importer, mapping, read, reasons, source};
use breakerbox_replay::import::{Caveat, Import, ImportError, Importer};
use breakerbox_replay::{Call, Outcome};
use std::time::Duration;

const FIELDS: &str = "time=t,name=name,calls=calls,failures=failed,p50=ms:p50,p99=ms:p99";

fn open(importer: &Importer, log: &str) -> Import {
    importer.rates(source(log), mapping(FIELDS)).unwrap()
}

fn failures(calls: &[Call]) -> usize {
    calls
        .iter()
        .filter(|call| call.outcome == Outcome::Failure)
        .count()
}

const LOG: &str = "t,name,calls,failed,p50,p99\n\
                   1772000000,users,1000,10,20,200\n\
                   1772000060,users,2000,1000,50,50\n\
                   1772000060,payments,500,0,,\n\
                   1772000000,payments,500,500,,\n";

#[test]
fn each_interval_has_its_calls_and_failures() {
    let import = open(&importer(), LOG);
    assert_eq!(import.caveats()[0], Caveat::Modelled);
    assert!(
        import.caveats()[0]
            .to_string()
            .contains("failures in a row")
    );
    let calls = calls(import);
    let split = Duration::from_secs(1_772_000_060);
    for (name, first, expected) in [
        ("users", true, (1_000, 10)),
        ("users", false, (2_000, 1_000)),
        ("payments", true, (500, 500)),
        ("payments", false, (500, 0)),
    ] {
        let of = |call: &&Call| &*call.name == name && (call.start < split) == first;
        let part: Vec<_> = calls.iter().filter(of).cloned().collect();
        assert_eq!((part.len(), failures(&part)), expected, "{name} {first}");
        let half = if first {
            Duration::from_secs(1_772_000_030)
        } else {
            split + Duration::from_secs(30)
        };
        let early = part.iter().filter(|call| call.start < half).count();
        assert!(
            (early * 100 / part.len()).abs_diff(50) < 10,
            "{name} {first}: {early}"
        );
    }
    let last = calls.last().unwrap().start;
    assert!(last < split + Duration::from_secs(60) && last > split + Duration::from_secs(55));
}

#[test]
fn durations_follow_the_percentiles() {
    let log = "t,name,calls,failed,p50,p99\n1772000000,users,20000,0,20,200\n";
    let mut durations: Vec<_> = calls(open(&importer(), log))
        .iter()
        .map(|call| call.duration.unwrap())
        .collect();
    durations.sort();
    let near = |at: usize, expected: u64| {
        let millis = u64::try_from(durations[at].as_millis()).unwrap();
        assert!(
            millis.abs_diff(expected) * 100 / expected < 10,
            "{at}: {millis}"
        );
    };
    near(10_000, 20);
    near(19_800, 200);
}

#[test]
fn seed_decides_the_draws() {
    let draw = |seed| calls(open(&importer().seed(seed), LOG));
    assert_eq!(draw(1), draw(1));
    assert_ne!(draw(1), draw(2));
}

#[test]
fn fractions_add_up() {
    let rows: String = (0..100)
        .map(|n| format!("{},users,0.75,0.25,,\n", 1_772_000_000 + 10 * n))
        .collect();
    let calls = calls(open(
        &importer(),
        &format!("t,name,calls,failed,p50,p99\n{rows}"),
    ));
    assert_eq!((calls.len(), failures(&calls)), (75, 25));
}

#[test]
fn objects_are_rates_too() {
    // As jq writes the result of a query_range of Prometheus.
    let log = "{\"t\":1772000000,\"name\":\"users\",\"calls\":600,\"failed\":3}\n";
    assert_eq!(calls(open(&importer(), log)).len(), 600);
    assert_eq!(
        calls(open(&importer(), &format!("\u{FEFF}\n{log}"))).len(),
        600
    );
}

#[test]
fn impossible_rates_are_bad() {
    let log = "t,name,calls,failed,p50,p99\n\
               1772000000,users,10,11,20,200\n\
               1772000001,users,-1,0,20,200\n\
               1772000002,users,x,0,20,200\n\
               1772000003,users,1e12,0,20,200\n\
               1772000004,users,10,0,200,20\n\
               1772000005,users,10,0,fast,20\n\
               1772000006,users,0,0,1,1\n\
               1772000007,users,NaN,0,1,1\n\
               ,users,1,0,1,1\n";
    let (calls, counts) = read(open(&importer(), log));
    assert_eq!(calls.len(), 0);
    assert_eq!(
        reasons(&counts),
        [
            (2, "more failures than calls"),
            (3, "no number in the field `calls`"),
            (4, "no number in the field `calls`"),
            (5, "more than a billion calls in an interval"),
            (6, "p99 is shorter than p50"),
            (7, "no duration in the field `p50`"),
            (9, "no number in the field `calls`"),
            (10, "no time in the field `t`"),
        ]
    );
}

#[test]
fn large_interval_is_drawn_as_a_stream() {
    let log = "t,name,calls,failed,p50,p99\n1772000000,users,1000000000,0,20,200\n";
    let mut import = open(&importer().reorder_within(Duration::ZERO), log);
    assert_eq!(import.by_ref().take(10_000).count(), 10_000);
}

#[test]
fn gap_of_a_night_between_intervals_is_kept() {
    let log = "t,name,calls,failed,p50,p99\n1772000000,users,50,0,,\n1772000060,users,50,0,,\n\
               1772040000,users,50,0,,\n";
    let calls = calls(open(&importer(), log));
    assert_eq!(calls.len(), 150);
    assert!(calls[100].start >= Duration::from_secs(1_772_040_000));
}

#[test]
fn mapping_must_name_calls_and_failures() {
    for (fields, expected) in [
        ("time=t,calls=n", "needs the calls and failures"),
        (
            "time=t,calls=n,failures=f,ok=x",
            "belong to a source of single calls",
        ),
        ("time=t,calls=n,failures=f,p99=x", "p99 needs p50"),
        ("end=t,calls=n,failures=f", "is the start of their interval"),
    ] {
        let Err(ImportError::Mapping(error)) = importer().rates(source(""), mapping(fields)) else {
            panic!("{fields} was taken");
        };
        assert!(error.to_string().contains(expected), "{fields}: {error}");
    }
}
