use crate::support::{brief, calls, importer, otlp, read, reasons, source};
use breakerbox_replay::Outcome::{Failure, Ignored, Refused, Success};
use breakerbox_replay::import::{Caveat, ImportError, Importer, OtlpFormat};
use breakerbox_replay::{Call, Outcome};
use serde_json::{Value, json};

/// One second after the epoch.
const START: u64 = 1_000_000_000;

fn attributes(list: &[(&str, Value)]) -> Value {
    let list = list.iter().map(|(key, value)| {
        let value = match value {
            Value::String(_) => json!({"stringValue": value}),
            Value::Bool(_) => json!({"boolValue": value}),
            // As the collector writes them.
            Value::Number(number) => json!({"intValue": number.to_string()}),
            other => other.clone(),
        };
        json!({"key": key, "value": value})
    });
    list.collect()
}

/// A client span of 12 ms.
fn span(list: &[(&str, Value)]) -> Value {
    json!({
        "traceId": "5b8efff798038103d269b633813fc60c", "spanId": "eee19b7ec3c1b174", "flags": 257,
        "name": "GET", "kind": 3,
        "startTimeUnixNano": START.to_string(), "endTimeUnixNano": (START + 12_000_000).to_string(),
        "attributes": attributes(list), "events": [{"name": "x", "attributes": []}], "status": {},
    })
}

fn batch(instance: Option<&str>, spans: &[Value]) -> Value {
    let list: Vec<_> = instance
        .iter()
        .map(|instance| ("service.instance.id", json!(instance)))
        .collect();
    json!({"resource": {"attributes": attributes(&list)}, "scopeSpans": [{"scope": {"name": "http"}, "spans": spans}]})
}

fn line(batches: &[Value]) -> String {
    json!({ "resourceSpans": batches }).to_string() + "\n"
}

/// Imports one span.
fn call(span: &Value) -> Call {
    calls(otlp(line(&[batch(
        Some("web-1"),
        std::slice::from_ref(span),
    )])))
    .remove(0)
}

#[test]
fn client_spans_are_calls() {
    let mut server = span(&[]);
    server["kind"] = json!(2);
    let mut named = span(&[("peer.service", json!("users"))]);
    named["kind"] = json!("SPAN_KIND_CLIENT");
    // Numbers of nanoseconds may be numbers.
    named["startTimeUnixNano"] = json!(START + 500_000_000);
    named["endTimeUnixNano"] = json!(START + 501_000_000);
    let batches = [
        batch(
            Some("web-1"),
            &[server, span(&[("server.address", json!("db"))])],
        ),
        batch(Some("web-2"), &[named]),
    ];
    let (calls, counts) = read(otlp(line(&batches) + "\n"));
    assert_eq!(
        brief(&calls),
        [
            (1_000, Some(12), "db", Success),
            (1_500, Some(1), "users", Success),
        ]
    );
    let instances: Vec<_> = calls
        .iter()
        .filter_map(|it| it.instance.as_deref())
        .collect();
    assert_eq!(instances, ["web-1", "web-2"]);
    assert_eq!((counts.not_calls, counts.bad, counts.lines), (1, 0, 2));
}

#[test]
fn members_may_have_any_order() {
    let text = r#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"endTimeUnixNano":"1500","attributes":[{"value":{"stringValue":"users"},"key":"peer.service"}],"kind":3,"startTimeUnixNano":"1000"}],"scope":{}}],"resource":{"attributes":[{"key":"service.instance.id","value":{"stringValue":"web-1"}}]}}]}"#;
    let calls = calls(otlp(text));
    assert_eq!(calls[0].instance.as_deref(), Some("web-1"));
    assert_eq!(
        (&*calls[0].name, calls[0].start.as_nanos()),
        ("users", 1_000)
    );
    let tempo = text.replace("resourceSpans", "batches");
    assert_eq!(crate::support::calls(otlp(tempo)), calls);
}

#[test]
fn name_is_the_best_attribute_or_the_span() {
    let mut list = vec![
        ("net.peer.name", json!("e")),
        ("server.address", json!("d")),
        ("service.peer.name", json!("c")),
        ("peer.service", json!("b")),
        ("breaker.name", json!("a")),
    ];
    for expected in ["a", "b", "c", "d", "e", "GET"] {
        assert_eq!(&*call(&span(&list)).name, expected);
        list.pop();
    }
}

#[test]
fn status_decides_the_outcome() {
    let outcome = |is_error: bool, list: &[(&str, Value)]| -> Outcome {
        let mut span = span(list);
        if is_error {
            span["status"] = json!({"code": 2, "message": "x"});
        }
        call(&span).outcome
    };
    assert_eq!(outcome(false, &[]), Success);
    assert_eq!(outcome(true, &[]), Failure);
    for key in ["http.response.status_code", "http.status_code"] {
        for (is_error, status, expected) in [
            (false, 200, Success),
            // The answer broke off.
            (true, 200, Failure),
            // By convention, 4xx is an error of a client span.
            (true, 404, Success),
            (true, 503, Failure),
            (false, 503, Failure),
        ] {
            let list = [(key, json!(status))];
            assert_eq!(outcome(is_error, &list), expected, "{key} {status}");
        }
    }
    for (key, status, expected) in [
        ("rpc.grpc.status_code", json!(14), Failure),
        ("rpc.grpc.status_code", json!(5), Success),
        ("rpc.grpc.status_code", json!(1), Ignored),
        ("rpc.response.status_code", json!("NOT_FOUND"), Success),
        ("rpc.response.status_code", json!("UNAVAILABLE"), Failure),
        ("rpc.connect_rpc.error_code", json!("unavailable"), Failure),
        // A status of JSON-RPC.
        ("rpc.response.status_code", json!("-32602"), Failure),
    ] {
        assert_eq!(
            outcome(true, &[(key, status.clone())]),
            expected,
            "{status}"
        );
    }
    assert_eq!(
        outcome(false, &[("breaker.outcome", json!("refused"))]),
        Refused
    );
    assert_eq!(
        outcome(true, &[("breaker.outcome", json!("failure"))]),
        Failure
    );
}

#[test]
fn errors_have_labels() {
    let label = |list: &[(&str, Value)]| call(&span(list)).error.map(|label| label.to_string());
    assert_eq!(label(&[]), None);
    assert_eq!(
        label(&[("error.type", json!("timeout"))]).as_deref(),
        Some("timeout")
    );
    let status = ("http.response.status_code", json!(503));
    assert_eq!(label(&[status]).as_deref(), Some("503"));
}

#[test]
fn processes_must_be_known() {
    let unknown = line(&[batch(None, &[span(&[])])]);
    let known = line(&[batch(Some("web-1"), &[span(&[])])]);
    for text in ["", "{}", "x", &*unknown] {
        let opened = Importer::new().otlp(source(text), OtlpFormat::new());
        assert!(
            matches!(opened, Err(ImportError::InstancesNotStated)),
            "{text}"
        );
    }
    let dealt = Importer::new()
        .instances(3)
        .otlp(source(&unknown), OtlpFormat::new())
        .unwrap();
    assert_eq!(dealt.caveats(), [Caveat::Traces, Caveat::DealtInstances(3)]);
    assert!(calls(dealt)[0].instance.is_some());

    // The first line knows, so all must.
    let import = Importer::new().otlp(source(known + &unknown), OtlpFormat::new());
    let (calls, counts) = read(import.unwrap());
    assert_eq!(calls.len(), 1);
    assert_eq!(reasons(&counts), [(2, "no instance in the span \"GET\"")]);
}

#[test]
fn attributes_are_settings() {
    let mut batch = batch(
        None,
        &[span(&[("route", json!("/v1")), ("pod", json!("p"))])],
    );
    batch["resource"]["attributes"] = attributes(&[("zone", json!("eu")), ("pod", json!("q"))]);
    let text = line(&[batch]);
    let read = |format: OtlpFormat| {
        let call = calls(importer().otlp(source(&text), format).unwrap()).remove(0);
        let instance = call.instance.map(|it| it.to_string());
        (call.name.to_string(), instance.unwrap())
    };
    let owned = |a: &str, b: &str| (a.to_owned(), b.to_owned());
    let format = OtlpFormat::new;
    assert_eq!(
        read(format().name("route").instance("pod")),
        owned("/v1", "p")
    );
    assert_eq!(
        read(format().name("zone").instance("zone")),
        owned("eu", "eu")
    );
    assert_eq!(read(format().name("\"zone\"")), owned("zone", "1"));
    let status = span(&[("http.status_code", json!(404))]);
    let text = line(&[json!({"scopeSpans": [{"spans": [status]}]})]);
    let strict = format().ok("status<400").unwrap();
    let strict = importer().otlp(source(text), strict).unwrap();
    assert_eq!(calls(strict)[0].outcome, Failure);
    assert!(format().ok("code<400").is_err());
}

#[test]
fn bad_spans_do_not_spoil_their_line() {
    let without = |key: &str| {
        let mut span = span(&[]);
        span.as_object_mut().unwrap().remove(key);
        span
    };
    let mut backwards = span(&[]);
    backwards["endTimeUnixNano"] = json!("1");
    let mut zero = span(&[]);
    zero["startTimeUnixNano"] = json!("0");
    let spans = [
        without("startTimeUnixNano"),
        without("endTimeUnixNano"),
        backwards,
        zero,
        without("kind"),
        span(&[("peer.service", json!({"arrayValue": {"values": []}}))]),
        span(&[("peer.service", Value::Null)]),
    ];
    let (calls, counts) = read(otlp(line(&[batch(Some("a"), &spans)])));
    assert_eq!((calls.len(), counts.not_calls), (2, 1));
    assert!(calls.iter().all(|call| &*call.name == "GET"));
    assert_eq!(
        reasons(&counts),
        [
            (1, "no startTimeUnixNano in the span \"GET\""),
            (1, "no endTimeUnixNano in the span \"GET\""),
            (1, "an end before the start in the span \"GET\""),
            (1, "no startTimeUnixNano in the span \"GET\""),
        ]
    );
}

#[test]
fn null_is_the_default_of_a_member() {
    let mut bare = span(&[("peer.service", json!("users"))]);
    for key in ["name", "status", "events"] {
        bare[key] = Value::Null;
    }
    let mut batch = batch(None, &[bare]);
    batch["resource"] = Value::Null;
    let calls = calls(otlp(line(&[batch])));
    assert_eq!(brief(&calls), [(1_000, Some(12), "users", Success)]);
}

#[test]
fn malformed_span_does_not_spoil_its_line() {
    let mut status = span(&[]);
    status["status"] = json!(7);
    let spans = [span(&[]), status, json!(1), span(&[]), json!("x")];
    let text = line(&[batch(Some("a"), &spans)]);
    // A surrogate without its pair.
    let text = text.replacen("\"GET\"", r#""\ud800""#, 1);
    let (calls, counts) = read(otlp(text));
    assert_eq!((calls.len(), counts.bad), (1, 4));
    let all_bad = reasons(&counts);
    assert!(
        all_bad
            .iter()
            .all(|(_, reason)| reason.starts_with("no span")),
        "{all_bad:?}"
    );
}

#[test]
fn other_lines_are_bad() {
    let good = line(&[batch(Some("a"), &[span(&[])])]);
    let text = good.clone()
        + "{\"resourceMetrics\":[]}\n{\"resourceSpans\":{}}\n[]\nx\n{\"resourceSpans\":[1]}\n"
        + good.get(..good.len() / 2).unwrap()
        + "\n{\"resourceSpans\":[]}\n{\"resourceSpans\":[{\"scopeSpans\":null}]}\n{\"resourceSpans\":[{\"scopeSpans\":[{}]}]}";
    let (calls, counts) = read(otlp(text));
    assert_eq!(calls.len(), 1);
    let numbers: Vec<_> = reasons(&counts).iter().map(|(number, _)| *number).collect();
    assert_eq!(numbers, [2, 3, 4, 5, 6, 7]);
    assert!(
        reasons(&counts)[0]
            .1
            .contains("missing field `resourceSpans`")
    );
}

#[test]
fn long_batches_are_read_in_parts() {
    // More spans than are delivered at a time, and out of order.
    let spans: Vec<_> = (0..60_000_u64)
        .map(|n| {
            let start = START + (59_999 - n) * 1_000;
            json!({"kind": 3, "name": n.to_string(), "startTimeUnixNano": start, "endTimeUnixNano": start})
        })
        .collect();
    let text = line(&[batch(Some("a"), &spans)]) + &line(&[batch(Some("a"), &[span(&[])])]);
    let calls = calls(otlp(text));
    assert_eq!(calls.len(), 60_001);
    assert_eq!(&*calls[0].name, "59999");
}

#[test]
fn sampled_traces_say_so() {
    let sampled = importer().sampled(true);
    let sampled = sampled.otlp(source(""), OtlpFormat::new()).unwrap();
    assert_eq!(sampled.caveats(), [Caveat::OneInstance, Caveat::Sampled]);
    assert!(
        otlp("").caveats()[0]
            .to_string()
            .starts_with("Traces are often sampled")
    );
}

#[test]
fn single_span_far_ahead_does_not_spoil_its_line() {
    let at = |start: u64| json!({"kind": 3, "name": "x", "startTimeUnixNano": start, "endTimeUnixNano": start});
    let year = 365 * 86_400 * START;
    let spans = [at(START), at(START + year), at(START + 1), at(START + 2)];
    let (calls, counts) = read(otlp(line(&[batch(Some("a"), &spans)])));
    assert_eq!((calls.len(), counts.bad), (3, 1));
    let reason = "its time is more than an hour after the lines around it";
    assert_eq!(reasons(&counts), [(1, reason)]);
}
