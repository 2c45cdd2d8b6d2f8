use crate::support::{brief, calls, format, importer, nginx, read, reasons, source};
use breakerbox_replay::Outcome::{Cancelled, Failure, Success};
use breakerbox_replay::import::{Caveat, Importer, NginxFormat};

const UPSTREAM: &str = "$msec $proxy_host $status $upstream_status $upstream_response_time";

#[test]
fn single_upstream_is_one_call_that_ends_at_the_line() {
    let calls = calls(nginx("1000.500 users 200 200 0.200\n", UPSTREAM));
    assert_eq!(brief(&calls), [(1_000_300, Some(200), "users", Success)]);
    assert_eq!(calls[0].error.as_deref(), Some("200"));
}

#[test]
fn lists_are_one_call_for_each_attempt() {
    let log = "1000.000 users 200 502, 504 : 200 0.100, 0.200 : 0.300\n";
    assert_eq!(
        brief(&calls(nginx(log, UPSTREAM))),
        [
            (999_400, Some(100), "users", Failure),
            (999_500, Some(200), "users", Failure),
            (999_700, Some(300), "users", Success),
        ]
    );
}

#[test]
fn lists_end_where_the_format_says() {
    let line = "1000.000 [502, 200] \"0.100, 0.200\" 10.0.0.1:80, 10.0.0.2:80;200\n";
    let log_format = "$msec [$upstream_status] \"$upstream_response_time\" $upstream_addr;$status";
    assert_eq!(
        brief(&calls(nginx(line, log_format))),
        [
            (999_700, Some(100), "10.0.0.1:80", Failure),
            (999_800, Some(200), "10.0.0.2:80", Success),
        ]
    );
}

#[test]
fn other_servers_have_space_after_date() {
    let log =
        "api.log 2026-03-01 10:00:01.500 7 INFO \"GET /v2/x\" status: 200 len: 9 time: 0.250\n";
    let log_format = "$file $time_iso8601 $pid $level \"$request\" status: $status len: $bytes time: $request_time";
    let calls = calls(nginx(log, log_format));
    assert_eq!(
        brief(&calls),
        [(1_772_359_201_250, Some(250), "nginx", Success)]
    );
}

#[test]
fn request_without_upstream_never_ran() {
    let log = "1.000 users 404 - -\n2.000 users 499 - -\n3.000 users 200 200 0.001\n";
    let (calls, counts) = read(nginx(log, UPSTREAM));
    assert_eq!((calls.len(), counts.never_ran, counts.bad), (1, 2, 0));
}

#[test]
fn client_that_closed_makes_a_cancelled_call() {
    let log = "10.000 users 499 499 2.000\n11.000 users 499 - 3.000\n12.000 users 499 502, - 1.000, 2.000\n";
    let outcomes: Vec<_> = calls(nginx(log, UPSTREAM))
        .iter()
        .map(|call| call.outcome)
        .collect();
    assert_eq!(outcomes, [Cancelled, Cancelled, Failure, Cancelled]);
}

#[test]
fn attempts_without_statuses_failed_if_nginx_went_on() {
    let log = "1000.000 users 200 0.100, 0.200\n1001.000 users 503 0.100\n";
    let log_format = "$msec $proxy_host $status $upstream_response_time";
    let outcomes: Vec<_> = calls(nginx(log, log_format))
        .iter()
        .map(|call| call.outcome)
        .collect();
    assert_eq!(outcomes, [Failure, Success, Failure]);
}

#[test]
fn lists_of_different_lengths_are_bad() {
    let (calls, counts) = read(nginx("1.000 users 200 502, 200 0.100\n", UPSTREAM));
    assert_eq!(calls.len(), 0);
    let reason = "the lists of the upstream variables have different lengths";
    assert_eq!(reasons(&counts), [(1, reason)]);
}

#[test]
fn access_log_has_a_caveat() {
    let combined = "$remote_addr - $remote_user [$time_local] \"$request\" $status \
                    $body_bytes_sent \"$http_referer\" \"$http_user_agent\" $request_time";
    let log = "203.0.113.9 - - [01/Mar/2026:11:00:01 +0100] \"GET / HTTP/1.1\" 503 12 \"-\" \"curl \\x22x\\x22\" 0.250\n";
    let import = nginx(log, combined);
    assert_eq!(import.caveats(), [Caveat::ServerLog, Caveat::OneInstance]);
    let caveat = import.caveats()[0].to_string();
    assert!(
        caveat.contains("no failed connections and no timeouts"),
        "{caveat}"
    );
    assert_eq!(
        brief(&calls(import)),
        [(1_772_359_200_750, Some(250), "nginx", Failure)]
    );
    assert!(!nginx("", UPSTREAM).caveats().contains(&Caveat::ServerLog));
}

#[test]
fn local_time_may_precede_a_space() {
    let calls = calls(nginx(
        "01/Mar/2026:10:00:01 +0000 200\n",
        "$time_local $status",
    ));
    assert_eq!(brief(&calls), [(1_772_359_201_000, None, "nginx", Success)]);
    let iso = "[2026-03-01T10:00:01+00:00] 200\n";
    assert_eq!(
        crate::support::calls(nginx(iso, "[$time_iso8601] $status")),
        calls
    );
}

#[test]
fn directive_of_a_configuration_is_read() {
    let directive = r#"
        log_format  upstream  escape=default
            '$msec "$request" '
            "$status ${upstream_status}|"
            '$upstream_response_time';
    "#;
    let log = "1.000 \"GET /a b HTTP/1.1\" 200 200|0.5\n";
    assert_eq!(
        brief(&calls(nginx(log, directive))),
        [(500, Some(500), "nginx", Success)]
    );
}

#[test]
fn name_instance_request_and_condition_are_settings() {
    let log = "1.000 h1 a.example r-1 404 0.1\n";
    let text = "$msec $hostname $http_host $request_id $upstream_status $upstream_response_time";
    let named = format(text)
        .name("$http_host")
        .unwrap()
        .ok("status<400")
        .unwrap();
    let call = &calls(Importer::new().nginx(source(log), named).unwrap())[0];
    assert_eq!((&*call.name, call.outcome), ("a.example", Failure));
    assert_eq!(call.instance.as_deref(), Some("h1"));
    assert_eq!(call.request.as_deref(), Some("r-1"));

    let fixed = format(text).name("users").unwrap();
    assert_eq!(
        &*calls(importer().nginx(source(log), fixed).unwrap())[0].name,
        "users"
    );
    assert!(format(text).name("$host").is_err());
    assert!(format(text).instance("$pod").is_err());
    assert!(
        format(text)
            .ok("took<5")
            .unwrap_err()
            .to_string()
            .contains("not about `status`")
    );
}

#[test]
fn formats_without_calls_are_explained() {
    for (text, expected) in [
        ("", "no variables"),
        ("plain", "no variables"),
        ("$status", "has no time"),
        ("$msec", "has no outcome"),
        ("$msec$status", "there must be text between $status"),
        ("$msec $ $status", "names no variable"),
        ("log_format main '$msec", "is not closed"),
        ("log_format main;", "no quoted format"),
    ] {
        let error = text.parse::<NginxFormat>().unwrap_err().to_string();
        assert!(error.contains(expected), "{text}: {error}");
    }
}

#[test]
fn other_lines_are_bad() {
    let log = "\n2026/03/01 10:00:00 [error] 7#7: *1 upstream timed out\nx users 200 200 0.1\n1.0 users 200 200 fast\n1.0 users 200 200 0.1\n";
    let (calls, counts) = read(nginx(log, UPSTREAM));
    assert_eq!(calls.len(), 1);
    assert_eq!(
        reasons(&counts)
            .iter()
            .map(|(at, _)| *at)
            .collect::<Vec<_>>(),
        [2, 3, 4]
    );
}

#[test]
fn attempt_without_live_server_never_ran() {
    // The address is the name of the group then, and the status is that of nginx.
    let log_format = "$msec $proxy_host [$upstream_addr] [$upstream_status] $status";
    let log = "1.000 users [backend] [502] 502\n\
               2.000 users [10.0.0.1:80, backend] [504, 502] 502\n\
               3.000 users [unix:/run/x] [200] 200\n4.000 users [-] [-] 404\n";
    let (calls, counts) = read(nginx(log, log_format));
    let labels: Vec<_> = calls.iter().map(|call| call.error.as_deref()).collect();
    assert_eq!(labels, [Some("504"), Some("200")]);
    assert_eq!((counts.never_ran, counts.bad), (3, 0));
}

#[test]
fn text_instead_of_status_is_bad() {
    let (calls, counts) = read(nginx(
        "1.000 200 2x0\n2.000 2x0 -\n",
        "$msec $status $upstream_status",
    ));
    assert_eq!(calls.len(), 0);
    assert_eq!(reasons(&counts), [(1, "no status")]);
    let (_, counts) = read(nginx("1.000 HTTP/1.1\n", "$msec $status"));
    assert_eq!(reasons(&counts), [(1, "no status")]);
    // Words are compared if the condition has one.
    let words = format("$msec $status").ok("status=OK").unwrap();
    let import = importer().nginx(source("1.0 OK\n2.0 down\n"), words);
    let outcomes: Vec<_> = calls_of(import.unwrap());
    assert_eq!(outcomes, [Success, Failure]);
}

fn calls_of(import: breakerbox_replay::import::Import) -> Vec<breakerbox_replay::Outcome> {
    calls(import).iter().map(|call| call.outcome).collect()
}

#[test]
fn request_that_was_never_answered_is_cancelled() {
    let log = "1.000 users 000 - 1.000\n";
    assert_eq!(calls_of(nginx(log, UPSTREAM)), [Cancelled]);
}

#[test]
fn escaped_quotes_do_not_end_values() {
    // As Apache and `escape=json` write them.
    let log = r#"1.000 "GET /\" 503 \\" 200 0.5"#;
    let log_format = "$msec \"$request\" $status $request_time";
    let expected = [(500, Some(500), "nginx", Success)];
    assert_eq!(brief(&calls(nginx(log, log_format))), expected);
    let log = r#"{"t":"1.000","agent":"\",\"status\":\"503\"","status":"200","took":"0.5"}"#;
    let directive = r#"log_format json escape=json
        '{"t":"$msec","agent":"$http_user_agent",' "\"status\":\"$status\",\"took\":\"$request_time\"}";"#;
    assert_eq!(brief(&calls(nginx(log, directive))), expected);
    // Without escapes, a backslash is text.
    let log = r#"1.000 "C:\" 200 0.5"#;
    let directive =
        r#"log_format plain escape=none '$msec "$http_user_agent" $status $request_time';"#;
    assert_eq!(brief(&calls(nginx(log, directive))), expected);
}
