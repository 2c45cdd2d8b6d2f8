use crate::support::{csv, format, importer, mapping, ms, ndjson, read, source};
use breakerbox_replay::import::{EnvoyFormat, Importer, Mapping, NginxFormat, OtlpFormat};
use proptest::collection::vec;
use proptest::prelude::*;

fn line() -> impl Strategy<Value = String> {
    prop_oneof![
        "[ -~]{0,40}",
        "\\PC{0,20}",
        r#"\{"ts":[0-9]{1,14},"ok":(true|false),"d":[0-9.]{0,6}\}"#,
        r#"\{"t":[0-9]{1,16},"b":"[a-z]{1,3}","d":[0-9]{1,6},"o":"(success|failure)"\}"#,
        r"[0-9]{1,4}\.[0-9]{3} [0-9]{3}(, [0-9]{3})? [0-9]\.[0-9](, [0-9]\.[0-9])?",
        r#"[0-9]{1,6},(true|false|"[a-z\n,]{0,5}"?),[0-9]{0,4}"#,
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Whatever the text is, calls are in order, and each line is accounted for.
    #[test]
    fn any_text_is_read_in_order(lines in vec(line(), 0..40), window in 0_u64..5_000) {
        let text = lines.join("\n");
        let importer = importer().reorder_within(ms(window));
        let fields = || mapping("time=ms:ts,ok=ok,duration=ms:d");
        for import in [
            importer.recorded(source(&text)),
            importer.ndjson(source(&text), fields()),
            importer.csv(source(&text), mapping("time=ms:1,ok=2,duration=3")),
            importer.nginx(source(&text), format("$msec $upstream_status $upstream_response_time")),
            importer.rates(source(&text), mapping("time=ms:1,calls=2,failures=3")),
            importer.envoy(source(&text), "%START_TIME(%s)% %RESPONSE_CODE% %DURATION%".parse().unwrap()),
        ]
        .into_iter()
        .flatten()
        {
            let (calls, counts) = read(import);
            prop_assert_eq!(calls.len() as u64, counts.calls);
            prop_assert!(counts.bad <= counts.lines);
            prop_assert!(counts.broken.is_none());
        }
    }

    #[test]
    fn any_bytes_are_read_without_panic(bytes in vec(any::<u8>(), 0..2_000)) {
        for import in [
            importer().recorded(source(&bytes)),
            importer().ndjson(source(&bytes), mapping("time=ts,ok=ok")),
            importer().header(false).csv(source(&bytes), mapping("time=1,ok=2")),
            importer().nginx(source(&bytes), format("$time_local $status")),
            importer().envoy(source(&bytes), EnvoyFormat::default()),
            importer().envoy(source(&bytes), EnvoyFormat::json()),
            importer().otlp(source(&bytes), OtlpFormat::new()),
        ] {
            read(import.unwrap());
        }
    }

    /// The same calls in CSV and in NDJSON are the same calls.
    #[test]
    fn formats_agree(calls in vec((0_u64..10_000, 0_u64..100, any::<bool>(), "[a-z\",\n ]{1,6}"), 0..50)) {
        let mut as_csv = String::from("ts,d,ok,name\n");
        let mut as_json = String::new();
        for (start, duration, ok, name) in &calls {
            let quoted = name.replace('"', "\"\"");
            as_csv += &format!("{start},{duration},{ok},\"{quoted}\"\n");
            let object = serde_json::json!({"ts": start, "d": duration, "ok": ok, "name": name});
            as_json += &format!("{object}\n");
        }
        let fields = "time=ms:ts,duration=ms:d,ok=ok,name=name";
        let (from_csv, counts) = read(csv(as_csv, fields));
        prop_assert_eq!(counts.bad, 0);
        prop_assert_eq!(&from_csv, &read(ndjson(as_json, fields)).0);
        prop_assert_eq!(from_csv.len(), calls.len());
    }

    /// Sorting agrees with a stable sort while no call is later than the window.
    #[test]
    fn order_is_a_stable_sort(starts in vec(0_u64..1_000, 0..200)) {
        let line = |(n, start): (usize, &u64)| format!("{{\"ts\":{start},\"ok\":true,\"d\":{n}}}\n");
        let log: String = starts.iter().enumerate().map(line).collect();
        let importer = importer().reorder_within(ms(1_000));
        let import = importer.ndjson(source(log), mapping("time=ms:ts,ok=ok,duration=ms:d")).unwrap();
        let mut expected: Vec<_> = starts.iter().copied().zip(0_u64..).collect();
        expected.sort_by_key(|(start, _)| *start);
        let calls = read(import).0;
        let read: Vec<_> = calls.iter().map(|call| (call.start, call.duration.unwrap())).collect();
        let expected: Vec<_> = expected.iter().map(|(start, n)| (ms(*start), ms(*n))).collect();
        prop_assert_eq!(read, expected);
    }

    #[test]
    fn any_settings_text_is_parsed_or_refused(text in "\\PC{0,60}") {
        let _ = text.parse::<Mapping>();
        let _ = text.parse::<NginxFormat>();
        let _ = text.parse::<EnvoyFormat>();
        let _ = EnvoyFormat::default().name(&text);
        let _ = mapping("time=a").only(&text);
        let _ = format("$msec $status").ok(&text);
    }

    #[test]
    fn any_nginx_format_reads_any_line(
        pieces in vec(("\\$(msec|status|upstream_status|upstream_response_time|time_local|x)", "[ \\[\\]|,:-]{0,3}"), 1..6),
        line in "[0-9., :\\[\\]|x-]{0,60}",
    ) {
        let text: String = pieces.iter().map(|(variable, text)| format!("{variable}{text}")).collect();
        if let Ok(parsed) = text.parse::<NginxFormat>() {
            read(Importer::new().instances(1).nginx(source(&line), parsed).unwrap());
        }
    }
}
