//! Names, pages and requests of an attacker.

use crate::Browsers;
use crate::site::{Site, read_only, with_controls};
use axum::Router;
use axum::response::Html;
use axum::routing::get;
use breakerbox::{BreakerRegistry, State};
use tokio::net::TcpListener;

pub(crate) async fn hostile_names_stay_text(browsers: &Browsers) -> Site {
    let long = "x".repeat(256);
    let names = [
        ("<img src=x onerror=document.title='owned'>", None),
        ("\"><script>document.title='owned'</script>", None),
        ("'\"`${document.title='owned'}", None),
        ("javascript:document.title='owned'", None),
        ("a/b?c=d&e=%00#f", None),
        ("line\nbreak\u{7}", Some("line\\nbreak\\u{7}")),
        ("\u{202e}gpj.exe", Some("\\u{202e}gpj.exe")),
        ("zero\u{200b}width", Some("zero\\u{200b}width")),
        ("\u{5d0}\u{5d1} rtl", None),
        (&*long, None),
    ];
    let registry = BreakerRegistry::new();
    for (name, _) in names {
        let _ = registry
            .breaker(name)
            .call(|| Err::<(), _>(name.to_owned()));
    }
    let site = Site::start(&registry, with_controls()).await;
    let page = &browsers.light;
    page.open(&site.url()).await;
    page.wait_for(
        "document.querySelectorAll('#breakers tbody tr').length",
        names.len(),
    )
    .await;
    let shown = page.names().await;
    for (name, escaped) in names {
        let expected = escaped.unwrap_or(name);
        assert!(
            shown.iter().any(|text| text == expected),
            "{expected:?} is not in {shown:?}"
        );
        let hash = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("breaker", name)
            .finish();
        page.eval(&format!("location.hash = {}", serde_json::json!(hash)))
            .await;
        page.wait_for(
            "document.querySelector('#drawerName').textContent",
            expected,
        )
        .await;
        page.wait("document.querySelector('#drawerFacts dl') && !document.querySelector('#drawerBody').hidden").await;
        page.wait_for("document.querySelector('#drawerProblem').hidden", true)
            .await;
        page.type_into("#reason", "<img src=x onerror=alert(1)>")
            .await;
        page.click("[data-command=trip]").await;
        page.wait("document.querySelector('#drawerLog').textContent.includes('<img src=x onerror=alert(1)>')").await;
        assert_eq!(registry.breaker(name).state(), State::Open, "{name:?}");
        page.click("#drawerClose").await;
    }
    page.eval("document.querySelector('#recent').open = true")
        .await;
    page.wait("document.querySelectorAll('#recentLog li').length >= 10")
        .await;
    assert_eq!(
        page.eval("document.querySelectorAll('img, iframe, script').length")
            .await,
        1
    );
    assert_eq!(
        page.eval("document.querySelectorAll('[style]').length")
            .await,
        0
    );
    assert_eq!(page.eval("document.title.includes('owned')").await, false);
    // One long name does not make the page wider than the window.
    for width in [1280, 400] {
        page.resize(width, 800).await;
        page.wait("document.documentElement.scrollWidth <= innerWidth")
            .await;
    }
    site
}

/// Returns the characters that the page escapes, as numbers.
const ESCAPED: &str = "(() => { const found = []; \
    for (let code = 0; code <= 0x10ffff; code += 1) { \
        const text = String.fromCodePoint(code); \
        if ((code < 0xd800 || code > 0xdfff) && visible(text) !== text) found.push(code); \
    } \
    return found; })()";

pub(crate) async fn escaped_characters_are_those_of_core(browsers: &Browsers) -> Site {
    let site = Site::start(&BreakerRegistry::new(), read_only()).await;
    let page = &browsers.light;
    page.open(&site.url()).await;
    let expected = ('\0'..=char::MAX).filter(|character| breakerbox::needs_escape(*character));
    let expected: Vec<_> = expected.map(u32::from).collect();
    assert_eq!(page.eval(ESCAPED).await, serde_json::json!(expected));
    site
}

/// Sends commands in all ways that a page of another site has.
const ATTACKS: &str = r"
    const target = PANEL + '/api/v1/commands';
    const body = JSON.stringify({ name: 'users-api', command: 'trip', instance: 'web-1', reason: 'owned' });
    const headers = { 'content-type': 'application/json', 'x-breakerbox-panel': '1' };
    const attempts = [
        fetch(target, { method: 'POST', body, headers }),
        fetch(target, { method: 'POST', body, mode: 'no-cors' }),
        fetch(target, { method: 'POST', body, mode: 'no-cors', headers: { 'content-type': 'text/plain' } }),
        fetch(target + '?' + new URLSearchParams(JSON.parse(body)), { mode: 'no-cors' }),
        fetch(PANEL + '/api/v1/breakers'),
        new Promise((resolve) => { const image = new Image(); image.onload = image.onerror = resolve;
            image.src = target + '?name=users-api&command=trip&instance=web-1&reason=owned'; }),
        new Promise((resolve) => { const frame = document.createElement('iframe'); frame.onload = resolve;
            frame.src = PANEL; document.body.append(frame); }),
        Promise.resolve(navigator.sendBeacon(target, body)),
    ];
    const results = await Promise.allSettled(attempts);
    // The answer of the fifth would contain all breakers.
    return results[4].status;
";

pub(crate) async fn page_of_other_origin_changes_nothing(browsers: &Browsers) -> Site {
    let registry = BreakerRegistry::new();
    let _ = registry.breaker("users-api").call(|| Ok::<_, ()>(()));
    let site = Site::start(&registry, with_controls()).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let evil = Router::new().route("/", get(async || Html("<title>evil</title><p>evil")));
    let server = tokio::spawn(async { axum::serve(listener, evil).await });

    let page = &browsers.light;
    page.expect_refusals_of_any_kind();
    page.goto(&format!("http://localhost:{port}/")).await;
    let attacks = ATTACKS.replace("PANEL", &format!("'{}'", site.url()));
    assert_eq!(page.run(&attacks).await, "rejected");
    assert_eq!(registry.breaker("users-api").state(), State::Closed);
    server.abort();
    site
}

pub(crate) async fn forged_requests_change_nothing(_: &Browsers) -> Site {
    let registry = BreakerRegistry::new();
    let _ = registry.breaker("users-api").call(|| Ok::<_, ()>(()));
    let site = Site::start(&registry, with_controls()).await;
    let host = format!("host: {}", site.host());
    let origin = format!("origin: http://{}", site.host());
    let body = r#"{"name":"users-api","command":"trip","instance":"web-1","reason":"owned"}"#;
    let json = "content-type: application/json";
    let mark = "x-breakerbox-panel: 1";
    let post = "POST /breakers/api/v1/commands HTTP/1.1";
    for (status, head) in [
        (421, vec![post, "host: rebound.example", json, mark]),
        (421, vec!["GET /breakers HTTP/1.1", "host: rebound.example"]),
        (
            403,
            vec![post, &host, "origin: http://rebound.example", json, mark],
        ),
        (403, vec![post, &host, "origin: null", json, mark]),
        (
            403,
            vec![
                post,
                &host,
                &origin,
                "sec-fetch-site: cross-site",
                json,
                mark,
            ],
        ),
        (403, vec![post, &host, &origin, json]),
        (
            415,
            vec![post, &host, &origin, "content-type: text/plain", mark],
        ),
        (
            405,
            vec!["GET /breakers/api/v1/commands HTTP/1.1", &host, json, mark],
        ),
        (
            405,
            vec!["PUT /breakers/api/v1/commands HTTP/1.1", &host, json, mark],
        ),
        (
            405,
            vec!["OPTIONS /breakers/api/v1/commands HTTP/1.1", &host, &origin],
        ),
    ] {
        let answer = site.send(&head, body).await;
        assert_eq!(answer.status, status, "{head:?}: {}", answer.body);
        assert_eq!(
            registry.breaker("users-api").state(),
            State::Closed,
            "{head:?}"
        );
    }
    // The same request without a fault is a command: the faults above are what was refused.
    let answer = site.send(&[post, &host, &origin, json, mark], body).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(registry.breaker("users-api").state(), State::Open);
    // Without controls, it is none.
    let site = Site::start(&registry, read_only()).await;
    let host = format!("host: {}", site.host());
    assert_eq!(
        site.send(&[post, &host, json, mark], body).await.status,
        403
    );
    site
}
