//! Ten thousand breakers.

use crate::Browsers;
use crate::site::{Site, read_only};
use breakerbox::BreakerRegistry;
use std::time::Instant;

pub(crate) async fn ten_thousand_breakers_draw_one_page(browsers: &Browsers) -> Site {
    let registry = BreakerRegistry::builder().capacity(20_000).build().unwrap();
    for number in 0..10_000 {
        let breaker = registry.breaker(format!("service-{number:05}"));
        let _ = breaker.call(|| Ok::<_, ()>(()));
    }
    let site = Site::start(&registry, read_only()).await;
    let page = &browsers.light;
    let began = Instant::now();
    page.open(&site.url()).await;
    page.wait_for(
        "document.querySelectorAll('#breakers tbody tr').length",
        200,
    )
    .await;
    eprintln!(
        "10,000 breakers: first rows after {:.2} s",
        began.elapsed().as_secs_f64()
    );
    assert_eq!(
        page.eval("document.querySelector('#summary').textContent")
            .await,
        "10,000 breakers. 200 shown."
    );
    let answer = page
        .run("return (await fetch(location.pathname + '/api/v1/breakers')).text();")
        .await;
    let bytes = answer.as_str().unwrap().len();
    let view: serde_json::Value = serde_json::from_str(answer.as_str().unwrap()).unwrap();
    assert!(view["rows"].as_array().unwrap().len() <= 200);
    eprintln!("10,000 breakers: {bytes} bytes for 200 rows without history");
    assert!(bytes < 300 * 1024, "{bytes}");

    // An opened circuit comes to the first page by the order of states.
    registry.breaker("service-09999").trip();
    page.wait("document.querySelector('#breakers tbody th').textContent === 'service-09999'")
        .await;
    page.click("#next").await;
    page.wait_for(
        "document.querySelector('#breakers tbody th').textContent",
        "service-00199",
    )
    .await;
    page.wait("location.hash.includes('after=')").await;
    page.click("#previous").await;
    page.wait_for(
        "document.querySelector('#breakers tbody th').textContent",
        "service-09999",
    )
    .await;
    page.type_into("#search", "service-0500").await;
    page.wait_for("document.querySelectorAll('#breakers tbody tr').length", 10)
        .await;
    let rows = page.eval("document.querySelectorAll('tr').length").await;
    assert!(rows.as_u64().unwrap() < 250, "{rows}");
    site
}
