use crate::support::{calls, importer, mapping, ndjson, read, source};
use breakerbox_replay::Outcome::{Failure, Success};
use breakerbox_replay::import::{ImportError, Mapping};

#[track_caller]
fn assert_refused(text: &str, expected: &str) {
    let error = text.parse::<Mapping>().unwrap_err().to_string();
    assert!(error.contains(expected), "{text}: {error}");
}

#[test]
fn mistakes_are_explained() {
    assert_refused("", "does not say when a call started");
    assert_refused("ok=a", "does not say when a call started");
    assert_refused("time", "`time` is no pair");
    assert_refused("time=", "`time` names no field");
    assert_refused("time=a,time=b", "`time` occurs twice");
    assert_refused("time=a,end=b", "`end` occurs twice");
    assert_refused("time=a,colour=b", "`colour` is no key");
    assert_refused("time=a,ok='status<high'", "\"high\", which is no number");
    assert_refused("time=a,ok='<500'", "has no field");
    assert_refused("time=a,ok='a!5'", "has no operator");
    assert_refused("time='a", "is not closed");
}

#[test]
fn outcome_must_be_given_exactly_once() {
    for (text, expected) in [
        ("time=a", "does not say which calls succeeded"),
        ("time=a,ok=b,outcome=c", "both `ok` and `outcome`"),
        ("time=a,ok=b,calls=c", "belong to a source of rates"),
    ] {
        let opened = importer().ndjson(source(""), mapping(text));
        let Err(ImportError::Mapping(error)) = opened else {
            panic!("{text} was taken");
        };
        assert!(error.to_string().contains(expected), "{text}: {error}");
    }
}

#[test]
fn comparisons_compare_numbers_and_texts() {
    let log = r#"{"ts":1000,"n":200,"s":"404","w":"down"}"#;
    for (condition, expected) in [
        ("n<500", true),
        ("n<200", false),
        ("n<=200", true),
        ("n>199.5", true),
        ("n>=201", false),
        ("n=200", true),
        ("n==200.0", true),
        ("n!=200", false),
        ("s<500", true),
        ("s=404", true),
        ("w=down", true),
        ("w!=down", false),
        ("w!=up", true),
        ("w<500", false),
    ] {
        let outcome = calls(ndjson(log, &format!("time=ms:ts,ok='{condition}'")))[0].outcome;
        assert_eq!(
            outcome,
            if expected { Success } else { Failure },
            "{condition}"
        );
    }
}

#[test]
fn all_conditions_must_hold() {
    let log = "{\"ts\":1000,\"n\":0}\n{\"ts\":2000,\"n\":200}\n{\"ts\":3000,\"n\":500}\n";
    let fields = "time=ms:ts,ok='n>0',ok='n<500'";
    let outcomes: Vec<_> = calls(ndjson(log, fields))
        .iter()
        .map(|call| call.outcome)
        .collect();
    assert_eq!(outcomes, [Failure, Success, Failure]);
    let only = mapping(fields)
        .only("n>100")
        .unwrap()
        .only("n<500")
        .unwrap();
    let (calls, counts) = read(importer().ndjson(source(log), only).unwrap());
    assert_eq!((calls.len(), counts.filtered), (1, 2));
}

#[test]
fn name_is_a_field_or_fixed() {
    let log = r#"{"ts":1000,"ok":true,"up":"users"}"#;
    let name = |fields: &str| calls(ndjson(log, fields))[0].name.to_string();
    assert_eq!(name("time=ms:ts,ok=ok"), "calls");
    assert_eq!(name("time=ms:ts,ok=ok,name=up"), "users");
    assert_eq!(name("time=ms:ts,ok=ok,name=\"up, there\""), "up, there");
}

#[test]
fn end_minus_duration_is_start() {
    let log = r#"{"ts":1000,"ok":true,"took":0.25}"#;
    let calls = calls(ndjson(log, "end=ms:ts,ok=ok,duration=s:took"));
    assert_eq!(calls[0].start.as_millis(), 750);
    assert_eq!(calls[0].end().as_millis(), 1_000);
}
