use crate::support::{brief, calls, read, reasons, recorded};
use breakerbox_replay::Outcome::{Cancelled, Failure, Ignored, Refused, Success};
use breakerbox_replay::import::Caveat;

const HEADER: &str = "{\"recorder\":1,\"instance\":\"web-1\",\"breakers\":1.0}\n";

#[test]
fn lines_of_a_recording_are_calls() {
    let log = format!(
        "{HEADER}{}",
        r#"{"t":1000000,"b":"users","d":12500,"o":"success"}
{"t":1100000,"b":"users","d":30000,"o":"failure","e":"503","h":5000000}
{"t":1200000,"b":"users","d":0,"o":"refused"}
{"t":1300000,"b":"pay\n","d":1,"o":"cancelled"}
{"t":1400000,"b":"users","d":1,"o":"ignored","future":{"x":[1]}}
"#
    );
    let calls = calls(recorded(log));
    assert_eq!(
        brief(&calls),
        [
            (1_000, Some(12), "users", Success),
            (1_100, Some(30), "users", Failure),
            (1_200, Some(0), "users", Refused),
            (1_300, Some(0), "pay\n", Cancelled),
            (1_400, Some(0), "users", Ignored),
        ]
    );
    assert_eq!(calls[1].error.as_deref(), Some("503"));
    assert!(
        calls
            .iter()
            .all(|call| call.instance.as_deref() == Some("web-1"))
    );
}

#[test]
fn lost_calls_are_counted_and_a_caveat() {
    let log = format!("{HEADER}{{\"lost\":3}}\n{{\"lost\":4}}\n");
    let mut import = recorded(log);
    assert_eq!(import.by_ref().count(), 0);
    assert_eq!(import.counts().lost, 7);
    assert_eq!(import.caveats(), [Caveat::Lost(7)]);
    assert!(
        import.caveats()[0]
            .to_string()
            .starts_with("The recorder lost 7 calls")
    );
}

#[test]
fn truncated_last_line_is_bad() {
    let log = format!(
        "{HEADER}{{\"t\":1,\"b\":\"users\",\"d\":1,\"o\":\"success\"}}\n{{\"t\":2,\"b\":\"us"
    );
    let (calls, counts) = read(recorded(log));
    assert_eq!((calls.len(), counts.bad, counts.lines), (1, 1, 3));
}

#[test]
fn incomplete_lines_are_bad() {
    let log = "{\"b\":\"x\",\"o\":\"success\"}\n{\"t\":1,\"o\":\"success\"}\n{\"t\":1,\"b\":\"x\"}\n{\"t\":1,\"b\":\"x\",\"o\":\"up\"}\n{\"recorder\":9}\n";
    let (calls, counts) = read(recorded(log));
    assert_eq!(calls.len(), 0);
    assert_eq!(
        reasons(&counts),
        [
            (1, "no start `t`"),
            (2, "no breaker `b`"),
            (3, "no outcome `o`"),
            (4, "no outcome `o`"),
            (5, "the recording has the newer format 9"),
        ]
    );
}

#[test]
fn appended_recording_has_its_own_instance() {
    let call = "{\"t\":1000000,\"b\":\"users\",\"d\":1,\"o\":\"success\"}\n";
    let log = format!("{HEADER}{call}{}{call}", HEADER.replace("web-1", "web-2"));
    let instances: Vec<_> = calls(recorded(log))
        .into_iter()
        .filter_map(|call| call.instance)
        .collect();
    assert_eq!(
        instances.iter().map(|name| &**name).collect::<Vec<_>>(),
        ["web-1", "web-2"]
    );
}
