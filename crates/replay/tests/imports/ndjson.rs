use crate::support::{brief, calls, importer, mapping, ndjson, read, reasons, source};
use breakerbox_replay::Outcome::{Cancelled, Failure, Ignored, Refused, Success};

#[test]
fn members_of_nested_objects_are_found() {
    let log = r#"
{"metric":"http_reqs","data":{"time":"2026-03-01T10:00:00Z","value":1}}
{"metric":"http_req_duration","data":{"time":"2026-03-01T10:00:00Z","value":12.5,"tags":{"expected_response":"true","name":"users"}}}
{"metric":"http_req_duration","data":{"time":"2026-03-01T10:00:01Z","value":30,"tags":{"expected_response":"false","name":"users"}}}
"#;
    let fields =
        "time=data.time,duration=data.value,ok=data.tags.expected_response,name=data.tags.name";
    let fields = mapping(fields).only("metric=http_req_duration").unwrap();
    let (calls, counts) = read(importer().ndjson(source(log), fields).unwrap());
    let start = 1_772_359_200_000;
    assert_eq!(
        brief(&calls),
        [
            (start, Some(12), "users", Success),
            (start + 1_000, Some(30), "users", Failure),
        ]
    );
    assert_eq!((counts.filtered, counts.bad), (1, 0));
}

#[test]
fn dots_may_be_part_of_a_name() {
    let log = r#"{"http.time":1000,"http":{"status":{"code":500}},"peer.service":"users"}"#;
    let fields = "time=ms:http.time,ok='http.status.code<500',name=peer.service";
    assert_eq!(
        brief(&calls(ndjson(log, fields))),
        [(1_000, None, "users", Failure)]
    );
}

#[test]
fn escapes_are_decoded() {
    let log = r#"{"t\u0073":1000,"ok":true,"name":"a\"\u00e4\n"}"#;
    let calls = calls(ndjson(log, "time=ms:ts,ok=ok,name=name"));
    assert_eq!(&*calls[0].name, "a\"ä\n");
}

#[test]
fn words_are_outcomes() {
    let words = [
        "success",
        "failure",
        "ignored",
        "cancelled",
        "refused",
        "maybe",
    ];
    let line = |word| format!("{{\"ts\":1000,\"o\":\"{word}\"}}\n");
    let log: String = words.into_iter().map(line).collect();
    let (calls, counts) = read(ndjson(log, "time=ms:ts,outcome=o"));
    let outcomes: Vec<_> = calls.iter().map(|call| call.outcome).collect();
    assert_eq!(outcomes, [Success, Failure, Ignored, Cancelled, Refused]);
    assert_eq!(reasons(&counts), [(6, "no outcome in the field `o`")]);
}

#[test]
fn truth_has_many_words() {
    for (value, expected) in [
        ("true", Success),
        ("1", Success),
        ("\"OK\"", Success),
        ("\"yes\"", Success),
        ("false", Failure),
        ("0", Failure),
        ("\"no\"", Failure),
    ] {
        let log = format!("{{\"ts\":1000,\"up\":{value}}}");
        assert_eq!(
            calls(ndjson(log, "time=ms:ts,ok=up"))[0].outcome,
            expected,
            "{value}"
        );
    }
}

#[test]
fn broken_lines_are_bad_and_others_are_read() {
    let log = "{\"ts\":1000,\"ok\":true}\n[1]\n{\"ts\":\n{\"ts\":1}{\n\"text\"\n{\"ok\":true}\n{\"ts\":2000,\"ok\":true}\n{\"ts\":null,\"ok\":true}\n{\"ts\":3000}\n";
    let (calls, counts) = read(ndjson(log, "time=ms:ts,ok=ok"));
    assert_eq!(calls.len(), 2);
    let numbers: Vec<_> = reasons(&counts).iter().map(|(number, _)| *number).collect();
    assert_eq!(numbers, [2, 3, 4, 5, 6, 8, 9]);
    assert_eq!(reasons(&counts)[4].1, "no time in the field `ts`");
    assert_eq!(reasons(&counts)[6].1, "nothing in the field `ok`");
}

#[test]
fn deep_nesting_is_bad_and_no_overflow() {
    let deep = format!(
        "{{\"ts\":1,\"x\":{}{}}}",
        "[".repeat(100_000),
        "]".repeat(100_000)
    );
    let (calls, counts) = read(ndjson(deep, "time=ms:ts,ok=ok,name=x"));
    assert_eq!((calls.len(), counts.bad), (0, 1));
}

#[test]
fn request_and_instance_are_carried() {
    let log = r#"{"ts":1000,"ok":true,"pod":"web-7","trace":"abc"}"#;
    let fields = mapping("time=ms:ts,ok=ok,instance=pod,request=trace");
    // No number of processes needs to be stated.
    let import = breakerbox_replay::import::Importer::new().ndjson(source(log), fields);
    let calls = calls(import.unwrap());
    assert_eq!(calls[0].instance.as_deref(), Some("web-7"));
    assert_eq!(calls[0].request.as_deref(), Some("abc"));
}
