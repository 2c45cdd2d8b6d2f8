//! What the page says when the server is gone, is another, or refuses.

use crate::Browsers;
use crate::site::{Site, with_controls};
use breakerbox::BreakerRegistry;
use breakerbox_panel::{Actor, Panel};
use http::StatusCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

fn registry() -> BreakerRegistry {
    let registry = BreakerRegistry::new();
    let _ = registry.breaker("users-api").call(|| Ok::<_, ()>(()));
    registry
}

const WORD: &str = "document.querySelector('#linkWord').textContent";
const STALE: &str = "document.body.classList.contains('stale')";
const STATE: &str = "document.querySelector('#breakers tbody tr').dataset.state";

pub(crate) async fn restarted_server_is_found_again(browsers: &Browsers) -> Site {
    let registry = registry();
    let mut site = Site::start(&registry, with_controls()).await;
    let page = &browsers.light;
    page.expect_refusals();
    page.open(&site.url()).await;
    page.wait_for(WORD, "Live").await;
    site.stop();
    page.wait_for(WORD, "Reconnecting").await;
    page.wait_for(STALE, true).await;
    page.wait("document.querySelector('#linkDetail').textContent.includes('old.')")
        .await;
    // The last known figures stay.
    assert_eq!(page.names().await, ["users-api"]);
    registry.breaker("users-api").trip();
    site.restart(with_controls()).await;
    page.wait_for(WORD, "Live").await;
    page.wait_for(STALE, false).await;
    page.wait_for(STATE, "open").await;
    assert_eq!(
        page.eval("document.querySelector('#other').hidden").await,
        true
    );
    site
}

/// Reads a stream that has only a comment, in place of the stream of the server.
const READ_COMMENT: &str = "link.current.abort(); page.viewedAt = 0; const real = fetch; \
    window.fetch = async () => new Response(': keep-alive\\n\\n'); \
    await readStream(new AbortController().signal, () => {}).catch(() => {}); \
    window.fetch = real; return page.viewedAt > 0;";

pub(crate) async fn quiet_stream_keeps_figures_fresh(browsers: &Browsers) -> Site {
    let site = Site::start(&registry(), with_controls()).await;
    let page = &browsers.light;
    page.open(&site.url()).await;
    page.wait_for(WORD, "Live").await;
    assert_eq!(page.run(READ_COMMENT).await, true);
    site
}

pub(crate) async fn other_instance_shows_banner(browsers: &Browsers) -> Site {
    let registry = registry();
    let mut site = Site::start(&registry, with_controls()).await;
    let page = &browsers.light;
    page.expect_refusals();
    page.open(&site.url()).await;
    page.wait_for(WORD, "Live").await;
    registry.breaker("users-api").trip();
    page.wait_for(STATE, "open").await;
    site.stop();
    registry.breaker("users-api").reset();
    site.restart(with_controls().instance("web-2")).await;
    page.wait("!document.querySelector('#other').hidden").await;
    page.wait("document.querySelector('#otherText').textContent.includes('web-2')")
        .await;
    // The figures of the other instance are not mixed with those of the first.
    assert_eq!(page.eval(STATE).await, "open");
    assert_eq!(
        page.eval("document.querySelector('#instance').textContent")
            .await,
        "web-1"
    );
    assert_eq!(page.eval(STALE).await, true);
    // The drawer covers the banner, and says the same.
    page.eval("location.hash = 'breaker=users-api'").await;
    page.wait("document.querySelector('#drawerProblem').textContent.includes('web-2')")
        .await;
    page.click("#drawerClose").await;
    page.click("#otherSwitch").await;
    page.wait_for("document.querySelector('#instance').textContent", "web-2")
        .await;
    page.wait_for(STATE, "closed").await;
    page.wait_for("document.querySelector('#other').hidden", true)
        .await;
    page.wait_for(STALE, false).await;
    site
}

pub(crate) async fn denied_stream_says_why(browsers: &Browsers) -> Site {
    let denied = Arc::new(AtomicBool::new(false));
    let decides = denied.clone();
    let panel = Panel::builder().instance("web-1").authorize(move |_, _| {
        let is_denied = decides.load(Ordering::SeqCst);
        if is_denied {
            Err(StatusCode::UNAUTHORIZED)
        } else {
            Ok(Actor::anonymous())
        }
    });
    let site = Site::start(&registry(), panel).await;
    let page = &browsers.light;
    page.expect_refusals();
    page.open(&site.url()).await;
    page.wait_for(WORD, "Live").await;
    denied.store(true, Ordering::SeqCst);
    page.eval("void follow()").await;
    page.wait_for(WORD, "Reconnecting").await;
    page.wait("document.querySelector('#linkDetail').textContent.includes('Next attempt in')")
        .await;
    assert_eq!(page.eval("link.detail.length > 10").await, true);
    denied.store(false, Ordering::SeqCst);
    page.eval("void follow()").await;
    page.wait_for(WORD, "Live").await;
    site
}

pub(crate) async fn full_server_still_shows_figures(browsers: &Browsers) -> Site {
    let site = Site::start(&registry(), with_controls()).await;
    let mut viewers = Vec::new();
    for _ in 0..32 {
        viewers.push(site.open_stream().await);
    }
    let page = &browsers.light;
    page.expect_refusals();
    page.open(&site.url()).await;
    page.wait_for(WORD, "Reconnecting").await;
    page.wait("document.querySelector('#linkDetail').textContent.includes('Next attempt in')")
        .await;
    // Old figures, and marked as such.
    page.wait_for_names(&["users-api"]).await;
    assert_eq!(page.eval(STALE).await, true);
    drop(viewers);
    page.wait_for(WORD, "Live").await;
    site
}

pub(crate) async fn hidden_page_closes_stream(browsers: &Browsers) -> Site {
    let site = Site::start(&registry(), with_controls()).await;
    let page = &browsers.light;
    page.open(&site.url()).await;
    page.wait_for(WORD, "Live").await;
    let hide = |hidden: bool| {
        format!(
            "(Object.defineProperty(document, 'hidden', {{ value: {hidden}, configurable: true }}), \
             document.dispatchEvent(new Event('visibilitychange')))"
        )
    };
    page.eval(&hide(true)).await;
    page.wait_for("link.current", serde_json::Value::Null).await;
    site.registry.breaker("users-api").trip();
    assert_eq!(page.eval(STATE).await, "closed");
    page.eval(&hide(false)).await;
    page.wait_for(STATE, "open").await;
    // The log has what happened meanwhile, although no stream had sent an entry before.
    page.wait("page.log.some((entry) => entry.to === 'open')")
        .await;
    site
}
