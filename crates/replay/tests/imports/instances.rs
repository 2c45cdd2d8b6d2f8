use crate::support::{calls, format, mapping, source};
use breakerbox_replay::import::{Caveat, ImportError, Importer};
use std::collections::BTreeMap;
use std::fmt::Write;

const FIELDS: &str = "time=ms:ts,ok=ok";

fn log(lines: u64) -> String {
    (0..lines).fold(String::from("ts,ok\n"), |mut log, n| {
        writeln!(log, "{},true", 1_000 + n).unwrap();
        log
    })
}

#[test]
fn number_of_processes_must_be_stated() {
    let importer = Importer::new();
    let csv = importer.csv(source(log(1)), mapping(FIELDS));
    let ndjson = importer.ndjson(source(""), mapping(FIELDS));
    let nginx = importer.nginx(source(""), format("$msec $status"));
    let rates = importer.rates(source(""), mapping("time=t,calls=n,failures=f"));
    let none = importer
        .clone()
        .instances(0)
        .ndjson(source(""), mapping(FIELDS));
    for opened in [csv, ndjson, nginx, rates, none] {
        let Err(error) = opened else {
            panic!("it was opened")
        };
        assert!(matches!(error, ImportError::InstancesNotStated));
        assert!(
            error
                .to_string()
                .contains("does not say which process made a call")
        );
    }
}

#[test]
fn calls_are_dealt_evenly_and_by_the_seed() {
    let deal = |seed| {
        let importer = Importer::new().instances(4).seed(seed);
        let import = importer.csv(source(log(8_000)), mapping(FIELDS)).unwrap();
        assert_eq!(import.caveats(), [Caveat::DealtInstances(4)]);
        calls(import)
    };
    let calls = deal(1);
    let mut counts = BTreeMap::new();
    for call in &calls {
        *counts.entry(call.instance.as_deref().unwrap()).or_insert(0) += 1;
    }
    assert_eq!(
        counts.keys().copied().collect::<Vec<_>>(),
        ["1", "2", "3", "4"]
    );
    assert!(
        counts.values().all(|count| (1_800..2_200).contains(count)),
        "{counts:?}"
    );
    assert_eq!(calls, deal(1));
    assert_ne!(calls, deal(2));
}

#[test]
fn one_process_is_a_stated_assumption() {
    let import = Importer::new()
        .instances(1)
        .csv(source(log(3)), mapping(FIELDS))
        .unwrap();
    assert_eq!(import.caveats(), [Caveat::OneInstance]);
    assert!(
        calls(import)
            .iter()
            .all(|call| call.instance.as_deref() == Some("1"))
    );
}

#[test]
fn field_of_the_process_wins_over_the_number() {
    let log = "ts,ok,pod\n1000,true,web-1\n";
    let fields = mapping("time=ms:ts,ok=ok,instance=pod");
    let import = Importer::new()
        .instances(9)
        .csv(source(log), fields)
        .unwrap();
    assert_eq!(import.caveats(), []);
    assert_eq!(calls(import)[0].instance.as_deref(), Some("web-1"));
}
