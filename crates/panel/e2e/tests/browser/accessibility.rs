//! The panel without a mouse, without colours, and with a screen reader.

use crate::browser::Browser;
use crate::site::{Site, with_controls};
use crate::{Browsers, until};
use breakerbox::{BreakerRegistry, State};
use serde_json::json;
use std::io::Write;

const TAB: &str = "\u{e004}";
const ENTER: &str = "\u{e007}";
const ESCAPE: &str = "\u{e00c}";

/// Returns a registry with a circuit in each state.
fn registry() -> BreakerRegistry {
    let registry = BreakerRegistry::new();
    let _ = registry.breaker("closed").call(|| Ok::<_, ()>(()));
    for _ in 0..5 {
        let _ = registry
            .breaker("open")
            .call(|| Err::<(), _>("connection refused"));
    }
    registry.breaker("forced-open").force_open();
    registry.breaker("half-open").half_open();
    registry.breaker("disabled").disable();
    registry.breaker("metrics-only").metrics_only();
    registry
}

/// Presses Tab until an expression is true, as a user does.
async fn tab_to(page: &Browser, expression: &str) {
    for _ in 0..40 {
        page.keys(TAB).await;
        if page.eval(expression).await == true {
            return;
        }
    }
    panic!("Tab does not lead to {expression}");
}

pub(crate) async fn keyboard_alone_gives_command(browsers: &Browsers) -> Site {
    let registry = registry();
    let site = Site::start(&registry, with_controls()).await;
    let page = &browsers.light;
    page.open(&site.url()).await;
    page.wait_for("document.querySelectorAll('#breakers tbody tr').length", 6)
        .await;
    tab_to(page, "document.activeElement.dataset.state === 'closed'").await;
    page.keys(ENTER).await;
    page.wait_for_names(&["closed"]).await;
    tab_to(
        page,
        "document.activeElement.closest('[data-sort=name]') !== null",
    )
    .await;
    page.keys(ENTER).await;
    page.wait_for(
        "document.querySelector('[data-sort=name]').ariaSort",
        "ascending",
    )
    .await;
    tab_to(page, "document.activeElement.dataset.name === 'closed'").await;
    page.keys(ENTER).await;
    page.wait("document.querySelector('#drawer').open && document.querySelector('[data-command]')")
        .await;
    // The name is read first.
    assert_eq!(page.eval("document.activeElement.id").await, "drawerName");
    tab_to(page, "document.activeElement.id === 'reason'").await;
    page.keys("INC-123").await;
    tab_to(
        page,
        "document.activeElement.dataset.command === 'force_open'",
    )
    .await;
    page.keys(ENTER).await;
    let breaker = registry.breaker("closed");
    until("a forced open circuit", async || {
        (breaker.state() == State::ForcedOpen).then_some(())
    })
    .await;
    page.wait("document.querySelector('#answer').textContent.startsWith('Was closed')")
        .await;
    // The focus is where it was, in the drawer and after it.
    assert_eq!(
        page.eval("document.activeElement.dataset.command").await,
        "force_open"
    );
    page.keys(ESCAPE).await;
    page.wait_for("document.querySelector('#drawer').open", false)
        .await;
    page.wait("document.activeElement.dataset.name === 'closed' || document.activeElement.id === 'search'").await;
    site
}

pub(crate) async fn counts_are_announced(browsers: &Browsers) -> Site {
    let registry = registry();
    let site = Site::start(&registry, with_controls()).await;
    let page = &browsers.light;
    page.open(&site.url()).await;
    page.wait_for("document.querySelectorAll('#breakers tbody tr').length", 6)
        .await;
    assert_eq!(
        page.eval("document.querySelector('#announcer').textContent")
            .await,
        ""
    );
    registry.breaker("closed").trip();
    page.wait_for(
        "document.querySelector('#announcer').textContent",
        "Now 2 open, 0 closed.",
    )
    .await;
    assert_eq!(
        page.eval("document.querySelector('#announcer').ariaLive")
            .await,
        "polite"
    );
    assert_eq!(
        page.eval("document.querySelector('#breakers').ariaRowCount")
            .await,
        "7"
    );
    site
}

/// Returns links, buttons and fields that are smaller than 24 pixels.
const SMALL_TARGETS: &str = "[...document.querySelectorAll('a, button, input, summary')] \
    .filter((node) => node.checkVisibility()) \
    .map((node) => [node.textContent || node.id, node.getBoundingClientRect()]) \
    .filter(([, box]) => box.height < 24 || box.width < 24) \
    .map(([text, box]) => `${text}: ${box.width} x ${box.height}`)";

pub(crate) async fn targets_have_24_pixels(browsers: &Browsers) -> Site {
    let site = Site::start(&registry(), with_controls()).await;
    for width in [1600, 320] {
        let page = &browsers.light;
        page.resize(width, 900).await;
        for hash in ["", "#breaker=open"] {
            page.open(&format!("{}{hash}", site.url())).await;
            page.wait_for("document.querySelectorAll('#breakers tbody tr').length", 6)
                .await;
            page.eval("document.querySelector('#recent').open = true")
                .await;
            if !hash.is_empty() {
                page.wait("document.querySelector('#drawerTotals dl')")
                    .await;
            }
            assert_eq!(page.eval(SMALL_TARGETS).await, json!([]), "{width} {hash}");
            for scrolled in ["document.documentElement", "drawer"] {
                let fits = format!("{scrolled}.scrollWidth <= {scrolled}.clientWidth");
                assert_eq!(page.eval(&fits).await, true, "{width} {hash} {scrolled}");
            }
        }
    }
    site
}

pub(crate) async fn preferences_are_followed(browsers: &Browsers) -> Site {
    let site = Site::start(&registry(), with_controls()).await;
    let background = "getComputedStyle(document.documentElement).backgroundColor";
    let mut backgrounds = Vec::new();
    for page in [&browsers.light, &browsers.dark] {
        page.open(&format!("{}#breaker=open", site.url())).await;
        page.wait("document.querySelector('#drawer').open").await;
        backgrounds.push(page.eval(background).await);
    }
    assert_eq!(backgrounds, ["rgb(246, 247, 249)", "rgb(17, 20, 24)"]);
    let page = &browsers.light;
    let animation = "getComputedStyle(document.querySelector('#drawer')).animationName";
    for (feature, value, expression, expected) in [
        (
            "prefers-reduced-motion",
            "no-preference",
            animation,
            "slide",
        ),
        ("prefers-reduced-motion", "reduce", animation, "none"),
        (
            "forced-colors",
            "active",
            "String(matchMedia('(forced-colors: active)').matches)",
            "true",
        ),
    ] {
        let media = json!({"features": [{"name": feature, "value": value}]});
        page.devtools("Emulation.setEmulatedMedia", media).await;
        page.wait_for(expression, expected).await;
    }
    // Without colours, a pill still has an outline.
    let outline = "getComputedStyle(document.querySelector('.pill')).borderTopColor";
    page.wait_for(outline, "rgb(0, 0, 0)").await;
    page.devtools("Emulation.setEmulatedMedia", json!({"features": []}))
        .await;
    site
}

pub(crate) async fn axe_finds_nothing(browsers: &Browsers) -> Site {
    let mut site = Site::start(&registry(), with_controls()).await;
    let Some(path) = std::env::var_os("BREAKERBOX_AXE") else {
        let is_required = std::env::var_os("BREAKERBOX_REQUIRE_SERVERS").is_some();
        assert!(!is_required, "set `BREAKERBOX_AXE=$(.ci/axe)`");
        let line = b"!! SKIPPED: axe_finds_nothing: the variable BREAKERBOX_AXE has no path\n";
        std::io::stderr().write_all(line).unwrap();
        return site;
    };
    let axe = std::fs::read_to_string(path).expect("axe.min.js");
    let check = format!(
        "{axe}; const found = await axe.run(document, {{ resultTypes: ['violations'] }}); \
         return found.violations.map((fault) => [fault.id, fault.impact, \
         fault.nodes.map((node) => node.html)]);"
    );
    for (page, table_width, drawer_width) in
        [(&browsers.light, 1280, 400), (&browsers.dark, 400, 1280)]
    {
        page.resize(drawer_width, 900).await;
        page.open(&format!("{}#breaker=open", site.url())).await;
        page.wait("document.querySelector('#drawerTotals dl')")
            .await;
        // Without a reason, the form has an error.
        page.click("[data-command=trip]").await;
        // During an animation, contrast is that of half a picture.
        page.run("await Promise.all(document.getAnimations().map((one) => one.finished));")
            .await;
        assert_eq!(page.run(&check).await, json!([]), "the drawer");
        page.resize(table_width, 900).await;
        page.open(&site.url()).await;
        page.wait_for("document.querySelectorAll('#breakers tbody tr').length", 6)
            .await;
        page.eval("document.querySelector('#recent').open = true")
            .await;
        assert_eq!(page.run(&check).await, json!([]), "the table");
    }
    // Without its server, the page has notices.
    browsers.light.expect_refusals();
    browsers.dark.expect_refusals();
    site.restart(with_controls().instance("web-2")).await;
    for page in [&browsers.light, &browsers.dark] {
        page.wait("!document.querySelector('#other').hidden").await;
        assert_eq!(page.run(&check).await, json!([]), "the notices");
    }
    site
}
