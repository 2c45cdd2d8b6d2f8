//! Formats: stated, guessed, and explained if neither is possible.

use crate::support::{Directory, MAP, csv};
use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::Write;

const COMBINED: &str = concat!(
    "10.0.0.1 - - [01/Mar/2026:10:00:00 +0000] \"GET / HTTP/1.1\" 200 12 \"-\" \"curl\"\n",
    "10.0.0.1 - - [01/Mar/2026:10:00:01 +0000] \"GET / HTTP/1.1\" 502 12 \"-\" \"curl\"\n",
    "not a line of this log\n",
);

#[test]
fn combined_log_is_recognized() {
    let directory = Directory::new().with("access.log", COMBINED);
    let out = directory
        .run("replay access.log --instances 1 --name web")
        .ok();
    assert!(
        out.starts_with("note: The source is a log of requests, not of upstream calls"),
        "{out}"
    );
    let slow = directory
        .run("replay access.log --instances 1 --slow-from 1s")
        .ok();
    assert_eq!(slow.lines().next(), out.lines().next());
    assert!(slow.contains("note: Slow calls count as bad"), "{slow}");
    assert!(out.contains("note: 1 of 3 lines left out"), "{out}");
    assert!(
        out.contains("access.log: nginx (guessed), 3 lines, 2 calls, 1 bad\n  line 3: "),
        "{out}"
    );
    assert!(out.contains("note: The source has no durations"), "{out}");
}

#[test]
fn log_format_of_nginx_is_read() {
    let log = "1772359200.500 users 200 502, 200 0.100, 0.200 web-1\n".repeat(3);
    let directory = Directory::new().with("access.log", log);
    let format = "$msec $proxy_host $status $upstream_status $upstream_response_time $host";
    let run = |rest: &[&str]| {
        directory.run_with(
            &[
                &[
                    "replay",
                    "access.log",
                    "--log-format",
                    format,
                    "--json",
                    "-c",
                    "default",
                ],
                rest,
            ]
            .concat(),
        )
    };
    let json = run(&["--instance", "$host", "--name", "$proxy_host"]).json();
    assert_eq!(json["replayed"]["calls"], 6);
    assert_eq!(json["traffic"]["names"][0]["name"], "users");
    assert_eq!(json["traffic"]["names"][0]["bad"], 3);
    run(&["--instances", "1", "--ok", "status<600"]).json();
    run(&["--instances", "1", "--name", "$server_name"]).fails(1, "has no variable $server_name");
    run(&["--instances", "1", "--map", MAP]).fails(1, "--map means nothing for the format nginx");
}

/// A line of Envoy's default format.
fn envoy_line(second: u32, code: &str, flags: &str) -> String {
    format!(
        "[2026-03-01T10:00:{second:02}.310Z] \"GET / HTTP/2\" {code} {flags} 0 91 12 - \"-\" \"curl\" \"7c1f\" \
         \"users-api\" \"10.0.0.1:80\"\n"
    )
}

#[test]
fn logs_of_envoy_are_recognized() {
    let istio = "[2026-03-01T10:00:00.250Z] \"GET / HTTP/1.1\" 503 UC reset - \"-\" 0 95 7 - \"-\" \"curl\" \
                 \"844f\" \"httpbin\" \"127.0.0.1:80\" inbound|80|| 127.0.0.6:1 10.0.0.1:80 10.0.0.2:3 - default\n";
    let json = "{\"start_time\":\"2026-03-01T10:00:00Z\",\"response_code\":503,\"response_flags\":\"UT\",\
                \"upstream_cluster\":\"users\"}\n";
    let directory = Directory::new()
        .with(
            "access.log",
            envoy_line(0, "200", "-") + &envoy_line(1, "503", "UF") + &envoy_line(2, "503", "UO"),
        )
        .with("istio.log", istio)
        .with("envoy.ndjson", json);
    let out = directory
        .run("replay access.log --instances 1 -c default")
        .ok();
    let line = "access.log: envoy (guessed), 3 lines, 2 calls, 1 that reached no server";
    assert!(out.contains(line), "{out}");
    assert!(!out.contains("log of requests"), "{out}");
    let traffic = |arguments: &str| directory.run(arguments).json()["traffic"].clone();
    for (name, expected) in [("istio.log", "inbound|80||"), ("envoy.ndjson", "users")] {
        let traffic = traffic(&format!("replay {name} --instances 1 --json"));
        assert_eq!(traffic["files"][0]["format"], "envoy");
        assert_eq!(traffic["names"][0]["name"], expected);
        assert_eq!(traffic["names"][0]["bad"], 1);
    }
    let named = traffic("replay istio.log --log-format istio --instances 1 --name x --json");
    assert_eq!(named["names"][0]["name"], "x");
    directory.run("replay access.log").fails(1, "--instances N");
}

#[test]
fn log_format_of_envoy_is_read() {
    let directory = Directory::new().with("access.log", "1772359200.5 web-1 503 users 7\n");
    let format =
        "%START_TIME(%s.%1f)% %REQ(X-POD)% %RESPONSE_CODE% %UPSTREAM_CLUSTER% %DURATION%\\n";
    let run = |rest: &[&str]| {
        let start = ["replay", "access.log", "--json", "--log-format", format];
        directory.run_with(&[&start, rest].concat())
    };
    let json = run(&["--instance", "%REQ(X-POD)%", "--ok", "status<600"]).json();
    assert_eq!(json["traffic"]["names"][0]["bad"], 0);
    assert_eq!(json["traffic"]["files"][0]["guessed"], false);
    run(&["--instances", "1", "--name", "%ROUTE_NAME%"]).fails(1, "no operator %ROUTE_NAME%");
    run(&["--instances", "1", "--no-header"]).fails(1, "means nothing for the format envoy");
}

#[test]
fn spans_of_otlp_are_recognized() {
    let span = |kind: u32| {
        format!(
            "{{\"kind\":{kind},\"name\":\"GET\",\"startTimeUnixNano\":\"1772359200000000000\",\
             \"endTimeUnixNano\":\"1772359200020000000\",\"status\":{{\"code\":2}}}}"
        )
    };
    let line = |spans: &[String], instance: &str| {
        format!(
            "{{\"resourceSpans\":[{{\"resource\":{{\"attributes\":[{instance}]}},\"scopeSpans\":[{{\"spans\":[{}]}}]}}]}}\n",
            spans.join(",")
        )
    };
    let instance = "{\"key\":\"service.instance.id\",\"value\":{\"stringValue\":\"web-1\"}}";
    // Longer than what is read of the first line for the guess.
    let long = line(&vec![span(3); 1_000], instance);
    let directory = Directory::new()
        .with("traces.jsonl", line(&[span(2), span(3)], instance) + "x\n")
        .with("long.jsonl", long)
        .with("unnamed.jsonl", line(&[span(3)], ""))
        .with("servers.jsonl", line(&[span(2)], ""));
    let out = directory.run("replay traces.jsonl -c default").ok();
    assert!(out.starts_with("note: Traces are often sampled"), "{out}");
    let text =
        "traces.jsonl: otlp (guessed), 2 lines, 1 call, 1 bad, 1 other than calls\n  line 2: ";
    assert!(out.contains(text), "{out}");
    assert!(out.contains("note: 1 record left out"), "{out}");
    assert!(!out.contains("no durations"), "{out}");
    let json = directory.run("replay long.jsonl --json").json();
    assert_eq!(json["replayed"]["calls"], 1_000);
    directory
        .run("replay unnamed.jsonl")
        .fails(1, "--instances N");
    directory
        .run("replay servers.jsonl --instances 1")
        .fails(1, "no calls in 1 line; 1 other than calls");
    let json = directory
        .run("replay unnamed.jsonl --instances 2 --name \"users\" --json")
        .json();
    assert_eq!(json["traffic"]["names"][0]["name"], "users");
    directory
        .run("replay traces.jsonl --sampled")
        .fails(1, "counts calls, but the traffic is sampled");
}

#[test]
fn fields_without_mapping_are_listed() {
    let directory = Directory::new().with("calls.csv", csv()).with(
        "calls.ndjson",
        "{\"timestamp\":\"2026-03-01T10:00:00Z\",\"http\":{\"status\":200},\"elapsed\":3}\n",
    );
    directory.run("replay calls.csv --instances 1").fails(
        1,
        "The fields are: ts, upstream, status, latency, pod.\nFor example: --map \
         time=ts,duration=ms:latency,ok='status<500',name=upstream\n",
    );
    directory.run("replay calls.ndjson --instances 1").fails(
        1,
        "--map time=timestamp,duration=ms:elapsed,ok='http.status<500'\n",
    );
    directory
        .run("replay calls.csv --instances 1 --map time=when,ok='status<500'")
        .fails(
            1,
            "the file has no column \"when\"; its columns are ts, upstream",
        );
}

#[test]
fn csv_without_header_has_numbers() {
    let rows: String = csv()
        .lines()
        .skip(1)
        .flat_map(|line| [line, "\n"])
        .collect();
    let directory = Directory::new().with("calls.tsv", rows.replace(',', "\t"));
    let json = directory
        .run("replay calls.tsv --instances 1 --no-header --delimiter \\t --map time=1,name=2,ok='3<500',duration=ms:4 --where 5=pod-1 --json")
        .json();
    assert_eq!(json["replayed"]["calls"], 1_200);
    assert_eq!(json["traffic"]["files"][0]["filtered"], 1_200);
}

#[test]
fn options_extend_the_mapping() {
    let directory = Directory::new().with("calls.csv", csv());
    let map = "replay calls.csv --map time=ts --ok status<500 --name pod --instance upstream --json -c default";
    let json = directory.run(map).json();
    let names = json["traffic"]["names"].as_array().unwrap();
    assert_eq!(
        names.iter().map(|name| &name["name"]).collect::<Vec<_>>(),
        ["pod-0", "pod-1"]
    );
}

#[test]
fn rates_are_modelled() {
    let rates = "t,calls,failed\n1772359200,600,3\n1772359260,600,300\n1772359320,600,0\n";
    let directory = Directory::new().with("rates.csv", rates);
    let out = directory
        .run("replay rates.csv --instances 1 --map time=t,calls=calls,failures=failed")
        .ok();
    assert!(out.starts_with("note: The calls are modelled"), "{out}");
    assert!(
        out.contains("rates.csv: rates (guessed), 4 lines, 1,800 calls"),
        "{out}"
    );
}

#[test]
fn gzip_and_standard_input_are_read() {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(csv().as_bytes()).unwrap();
    let gzip = encoder.finish().unwrap();
    let directory = Directory::new()
        .with("calls.csv", csv())
        .with("calls.csv.gz", &gzip);
    let results = |name: &str| {
        directory
            .run(&format!("replay {name} --instances 1 --map {MAP} --json"))
            .json()["replayed"]
            .clone()
    };
    let plain = results("calls.csv");
    assert_eq!(results("calls.csv.gz"), plain);

    let ran =
        directory.run_with_input(&format!("replay - --instances 1 --map {MAP} --json"), &gzip);
    assert_eq!(ran.code, 0);
    assert_eq!(
        ran.err,
        "breakerbox: standard input is copied to a temporary file, because the traffic is read twice\n"
    );
    let json: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(json["replayed"], plain);
    assert_eq!(json["traffic"]["files"][0]["name"], "standard input");
}

#[test]
fn recordings_of_unnamed_processes_are_not_merged() {
    let call = |at: u64| format!("{{\"t\":{at},\"b\":\"users\",\"d\":5,\"o\":\"success\"}}\n");
    let log = |instance: &str| {
        format!(
            "{{\"recorder\":1{instance}}}\n{}",
            call(1_772_359_200_000_000)
        )
    };
    let directory = Directory::new()
        .with("a", log(""))
        .with("b", log(""))
        .with("web-1", log(",\"instance\":\"web-1\""))
        .with("web-2", log(",\"instance\":\"web-2\""));
    directory
        .run("replay a b")
        .fails(1, "a: the recording does not say which process it is of");
    assert_eq!(
        directory.run("replay a b --instances 1 --json").json()["replayed"]["breakers"],
        1
    );
    assert_eq!(
        directory.run("replay web-1 web-2 --json").json()["replayed"]["breakers"],
        2
    );
    directory
        .run("replay a --instances 3")
        .fails(1, "--instances must be 1");
}
