use crate::support::{brief, calls, envoy, importer, read, reasons, source};
use breakerbox_replay::Outcome::{Cancelled, Failure, Ignored, Success};
use breakerbox_replay::import::{Caveat, EnvoyFormat, Import, Importer};
use breakerbox_replay::{Call, Outcome};

fn open(text: &str, format: EnvoyFormat) -> Import {
    importer().envoy(source(text), format).unwrap()
}

/// A line of the default format, one minute after the epoch.
fn line(code: &str, flags: &str, duration: &str, upstream: &str, host: &str) -> String {
    format!(
        "[1970-01-01T00:01:00.500Z] \"GET /v1/a HTTP/2\" {code} {flags} 0 91 {duration} {upstream} \"-\" \
         \"curl/8 (x, y)\" \"7c1f\" \"users-api:443\" \"{host}\"\n"
    )
}

#[test]
fn default_format_is_read() {
    let log = line("200", "-", "250", "200", "10.0.0.1:80")
        + &line("503", "UF,URX", "1000", "-", "10.0.0.1:80");
    let calls = calls(open(&log, EnvoyFormat::default()));
    assert_eq!(
        brief(&calls),
        [
            // The time of the upstream is preferred.
            (60_500, Some(200), "users-api:443", Success),
            (60_500, Some(1_000), "users-api:443", Failure),
        ]
    );
    let labels: Vec<_> = calls.iter().map(|call| call.error.as_deref()).collect();
    assert_eq!(labels, [Some("200"), Some("UF")]);
}

#[test]
fn format_of_istio_has_more_values() {
    let log = "[2026-03-01T10:00:00.250Z] \"GET /status HTTP/1.1\" 503 UC upstream_reset_before_response_started{connection_termination} - \"-\" 0 95 7 - \"-\" \"curl\" \"844f\" \"httpbin:8000\" \"127.0.0.1:80\" inbound|8000|| 127.0.0.6:41854 10.44.1.27:80 10.44.1.23:37652 outbound_.8000_._.httpbin default\n";
    let calls = calls(open(log, EnvoyFormat::istio()));
    assert_eq!(
        brief(&calls),
        [(1_772_359_200_250, Some(7), "inbound|8000||", Failure)]
    );
}

/// Returns what becomes of a line with these flags: a call, or nothing if it never ran.
fn flagged(flags: &str, code: &str) -> Option<Outcome> {
    let log = line(code, flags, "5", "-", "10.0.0.1:80");
    let (calls, counts) = read(open(&log, EnvoyFormat::default()));
    assert_eq!(counts.bad, 0, "{flags}: {:?}", counts.bad_lines);
    assert_eq!(calls.len() as u64 + counts.never_ran, 1, "{flags}");
    calls.first().map(|call| call.outcome)
}

#[test]
fn flags_tell_outcomes() {
    for flag in ["UF", "UC", "UR", "UT", "LR", "UPE", "UMSDR", "URX", "DF"] {
        assert_eq!(flagged(flag, "503"), Some(Failure), "{flag}");
    }
    let never_called = [
        "UH", "UO", "DO", "NR", "NC", "NFCF", "LH", "RL", "RLSE", "UAEX", "FI", "IH", "DPE", "OM",
        "RFCF",
    ];
    for flag in never_called {
        assert_eq!(flagged(flag, "503"), None, "{flag}");
    }
    assert_eq!(flagged("DC", "0"), Some(Cancelled));
    assert_eq!(flagged("DT", "200"), Some(Ignored));
    assert_eq!(flagged("SI", "408"), Some(Ignored));
    assert_eq!(flagged("SI", "504"), Some(Failure));
    for flag in ["DI", "MYFLAG", "-"] {
        assert_eq!(flagged(flag, "200"), Some(Success), "{flag}");
        assert_eq!(flagged(flag, "500"), Some(Failure), "{flag}");
    }
    // An attempt failed before the circuit breaker of Envoy forbade another one.
    assert_eq!(flagged("UO,UF", "503"), Some(Failure));
    assert_eq!(flagged("UpstreamRequestTimeout", "504"), Some(Failure));
    assert_eq!(flagged("NoHealthyUpstream", "503"), None);
    assert_eq!(
        flagged("DownstreamConnectionTermination", "0"),
        Some(Cancelled)
    );
}

#[test]
fn request_without_upstream_never_ran() {
    let log = line("301", "-", "0", "-", "-");
    let (calls, counts) = read(open(&log, EnvoyFormat::default()));
    assert_eq!((calls.len(), counts.never_ran), (0, 1));

    let log = "1.5 503 - 0\n1.5 503 - 2\n";
    let format =
        "%START_TIME(%s.%3f)% %RESPONSE_CODE% %RESPONSE_FLAGS% %UPSTREAM_REQUEST_ATTEMPT_COUNT%";
    let (calls, counts) = read(envoy(log, format));
    assert_eq!((calls.len(), counts.never_ran), (1, 1));
}

#[test]
fn answer_of_the_upstream_overrides_flags() {
    let format = "%START_TIME% %RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS%";
    let log = "2026-03-01T10:00:00Z 503 UO via_upstream\n2026-03-01T10:00:00Z 503 UO overflow\n";
    let (calls, counts) = read(envoy(log, format));
    assert_eq!((calls.len(), counts.never_ran), (1, 1));
    assert_eq!(calls[0].outcome, Failure);
}

#[test]
fn connections_have_no_code() {
    let tcp = "[2026-03-01T10:00:00Z] \"- - -\" 0 - 12 34 5000 - \"-\" \"-\" \"-\" \"-\" \"10.0.0.1:5432\"\n\
               [2026-03-01T10:00:00Z] \"- - -\" 0 UF,URX 0 0 5000 - \"-\" \"-\" \"-\" \"-\" \"10.0.0.1:5432\"\n";
    let calls = calls(open(tcp, EnvoyFormat::default()));
    let brief: Vec<_> = calls.iter().map(|it| (&*it.name, it.outcome)).collect();
    assert_eq!(
        brief,
        [("10.0.0.1:5432", Success), ("10.0.0.1:5432", Failure)]
    );
    assert_eq!(flagged("-", "0"), Some(Cancelled));
}

#[test]
fn grpc_status_decides_after_the_code() {
    let format = "%START_TIME(%s)% %RESPONSE_CODE% %GRPC_STATUS%";
    let outcomes = |status: &str, code: u16| {
        let calls = calls(envoy(format!("100 {code} {status}\n"), format));
        calls[0].outcome
    };
    for (status, expected) in [
        ("OK", Success),
        ("NotFound", Success),
        ("RESOURCE_EXHAUSTED", Success),
        ("Unavailable", Failure),
        ("DEADLINE_EXCEEDED", Failure),
        ("14", Failure),
        ("0", Success),
        ("Canceled", Ignored),
        ("99", Failure),
        ("-", Success),
    ] {
        assert_eq!(outcomes(status, 200), expected, "{status}");
    }
    assert_eq!(outcomes("OK", 503), Failure);
}

#[test]
fn grpc_status_decides_without_a_code() {
    let format = "%START_TIME(%s.%3f)% %GRPC_STATUS% %RESPONSE_FLAGS%";
    let log = "100.000 Unavailable -\n101.000 OK -\n102.000 Canceled -\n103.000 - -\n";
    let (calls, counts) = read(envoy(log, format));
    let outcomes: Vec<_> = calls.iter().map(|call| call.outcome).collect();
    assert_eq!(outcomes, [Failure, Success, Ignored, Success]);
    assert_eq!(calls[0].error.as_deref(), Some("Unavailable"));
    assert_eq!(counts.bad, 0, "{:?}", counts.bad_lines);
}

#[test]
fn times_in_whole_seconds_are_read() {
    let format = "%START_TIME(%s)% %RESPONSE_CODE% %DURATION%";
    let calls = calls(envoy("1772359200 503 7\n", format));
    assert_eq!(
        brief(&calls),
        [(1_772_359_200_000, Some(7), "envoy", Failure)]
    );
}

#[test]
fn arguments_of_operators_may_have_parentheses_and_colons() {
    let format = "%START_TIME% %CEL(has(a) ? f(b):c)% %REQ(X-ID):36% %RESPONSE_CODE%";
    let log = "2026-03-01T10:00:00.250Z yes 7c1f 503\n";
    let calls = calls(envoy(log, format));
    assert_eq!(brief(&calls), [(1_772_359_200_250, None, "envoy", Failure)]);
}

#[test]
fn objects_of_a_dictionary_are_read() {
    let dictionary = r#"{
        "time": "%START_TIME%", "pod": "%ENVIRONMENT(POD_NAME)%", "text": "took %DURATION% ms", "version": 1,
        "http": {"code": "%RESPONSE_CODE%", "flags": "%RESPONSE_FLAGS%", "took": "%DURATION%"},
        "cluster": "%UPSTREAM_CLUSTER%", "host": "%UPSTREAM_HOST%"
    }"#;
    // `typed_json_format` has numbers and null, `json_format` has texts.
    let log = r#"{"time":"2026-03-01T10:00:00.5Z","pod":"web-1","http":{"code":200,"flags":null,"took":12},"cluster":"users","host":"10.0.0.1:80"}
{"time":"2026-03-01T10:00:01.5Z","pod":"web-2","http":{"code":"503","flags":"UT","took":"15"},"cluster":"users","host":"10.0.0.1:80"}
{"time":"2026-03-01T10:00:02.5Z","pod":"web-2","http":{"code":404,"flags":"NR"}}
{"time":"2026-03-01T10:00:02.5Z","pod":"web-2","http":{"code":200,"flags":null},"cluster":"users","host":null}
"#;
    let format: EnvoyFormat = dictionary.parse().unwrap();
    // The format says which process made a call.
    let (calls, counts) = read(Importer::new().envoy(source(log), format).unwrap());
    assert_eq!((counts.bad, counts.never_ran), (0, 2));
    let start = 1_772_359_200_500;
    assert_eq!(
        brief(&calls),
        [
            (start, Some(12), "users", Success),
            (start + 1_000, Some(15), "users", Failure),
        ]
    );
    let instances: Vec<_> = calls
        .iter()
        .filter_map(|it| it.instance.as_deref())
        .collect();
    assert_eq!(instances, ["web-1", "web-2"]);
}

#[test]
fn objects_have_usual_names() {
    let log = r#"{"start_time":"2026-03-01T10:00:00Z","response_code":200,"response_flags":"-","duration":7,"authority":"users"}
{"start_time":"2026-03-01T10:00:00Z","response_code":503,"response_flags":"UH","duration":7,"authority":"users"}
{"start_time":"2026-03-01T10:00:00Z","response_code":301,"response_flags":"-","upstream_host":"-","authority":"users"}
[1]
"#;
    let (calls, counts) = read(open(log, EnvoyFormat::json()));
    // A value that a line lacks says nothing.
    assert_eq!((calls.len(), counts.never_ran, counts.bad), (1, 2, 1));
    assert_eq!(&*calls[0].name, "users");
}

#[test]
fn name_instance_and_condition_are_settings() {
    let text =
        "%START_TIME(%s)% %RESPONSE_CODE:3% %% %REQ(X-POD?X-HOST):9% %ROUTE_NAME% (%PROTOCOL%)\\n";
    let format = |text: &str| text.parse::<EnvoyFormat>().unwrap();
    let log = "100 404 % web-1 v1 (HTTP/2)\n";
    let call = |format: EnvoyFormat| -> Call {
        calls(importer().envoy(source(log), format).unwrap()).remove(0)
    };
    assert_eq!(&*call(format(text)).name, "envoy");
    let named = format(text).name("%ROUTE_NAME%").unwrap();
    let named = named.ok("status<400").unwrap();
    let named = named.instance("%REQ(x-pod?x-host)%").unwrap();
    let call_of_route = call(named);
    assert_eq!(&*call_of_route.name, "v1");
    assert_eq!(call_of_route.instance.as_deref(), Some("web-1"));
    assert_eq!(call_of_route.outcome, Failure);
    assert_eq!(&*call(format(text).name("users").unwrap()).name, "users");
    let error = format(text).name("%UPSTREAM_HOST%").unwrap_err();
    assert_eq!(
        error.to_string(),
        "the format has no operator %UPSTREAM_HOST%"
    );
    assert!(format(text).ok("took<5").is_err());
}

#[test]
fn log_without_upstream_has_a_caveat() {
    let caveats = |text: &str| envoy("", text).caveats();
    let plain = caveats("%START_TIME% %RESPONSE_CODE%");
    assert_eq!(plain, [Caveat::ServerLog, Caveat::OneInstance]);
    let flags = caveats("%START_TIME% %RESPONSE_CODE% %RESPONSE_FLAGS%");
    assert_eq!(flags, [Caveat::OneInstance]);
}

#[test]
fn formats_without_calls_are_explained() {
    for (text, expected) in [
        ("", "has no variables"),
        ("plain", "has no variables"),
        ("%RESPONSE_CODE%", "has no time"),
        ("%START_TIME%", "has no outcome"),
        ("%START_TIME%%RESPONSE_CODE%", "must be text between"),
        ("%START_TIME %RESPONSE_CODE%", "begins no operator"),
        ("%START_TIME(%s %RESPONSE_CODE%", "begins no operator"),
        ("100 %", "begins no operator"),
        ("{\"a\":", "is no dictionary"),
        ("{\"a\": \"%START_TIME%\"}", "has no outcome"),
    ] {
        let error = text.parse::<EnvoyFormat>().unwrap_err().to_string();
        assert!(error.contains(expected), "{text}: {error}");
    }
}

#[test]
fn other_lines_are_bad() {
    let log = "\n[x] \"GET / HTTP/2\" 200 - 0 1 2 3 \"-\" \"-\" \"-\" \"a\" \"b:1\"\nplain\n"
        .to_owned()
        + &line("OK", "-", "5", "-", "b:1")
        + &line("200", "-", "soon", "-", "b:1")
        + "[1970-01-01T00:01:00.500Z] \"GET / HTTP/2\" 200 - 0 1 2 3 \"-\" \"-\" \"-\" \"a\" \"b:1";
    let (calls, counts) = read(open(&log, EnvoyFormat::default()));
    assert_eq!(calls.len(), 0);
    let expected = [
        (2, "no time"),
        (3, "the line does not have the format"),
        (4, "no response code"),
        (5, "no duration"),
        (6, "the line does not have the format"),
    ];
    assert_eq!(reasons(&counts), expected);
}
