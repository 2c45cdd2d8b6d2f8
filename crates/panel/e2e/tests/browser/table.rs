//! The table, its filters, its address, and the drawer.

use crate::site::{Site, read_only, with_controls};
use crate::{Browsers, until};
use breakerbox::BreakerRegistry;
use breakerbox_fleet::Fleet;
use breakerbox_fleet::store::Memory;
use serde_json::json;
use std::sync::Arc;

/// Returns a registry in which users-api is open, search is forced open, and two circuits are closed.
fn registry() -> BreakerRegistry {
    let registry = BreakerRegistry::new();
    for name in ["payments", "prices", "search", "users-api"] {
        let _ = registry.breaker(name).call(|| Ok::<_, ()>(()));
    }
    for _ in 0..5 {
        let _ = registry
            .breaker("users-api")
            .call(|| Err::<(), _>("connection refused"));
    }
    registry.breaker("search").force_open();
    registry
}

pub(crate) async fn row_shows_state_rates_and_failure(browsers: &Browsers) -> Site {
    let site = Site::start(&registry(), read_only()).await;
    let page = &browsers.light;
    page.open(&site.url()).await;
    page.wait_for_names(&["users-api", "search", "payments", "prices"])
        .await;
    let cell =
        |class: &str| format!("document.querySelector('#breakers tbody .{class}').textContent");
    let state = page.eval(&cell("c-state")).await;
    assert!(
        state.as_str().unwrap().starts_with("opentrial in "),
        "{state}"
    );
    assert_eq!(page.eval(&cell("c-why")).await, "5 consecutive failures");
    assert_eq!(
        page.eval(&cell("c-failure")).await,
        "\"connection refused\""
    );
    let refused = "document.querySelectorAll('#breakers tbody .c-rate')[1].textContent";
    until("a rate of refused calls", async || {
        let _ = site.registry.breaker("users-api").try_acquire();
        let rate = page.eval(refused).await;
        (rate != "0.0").then_some(())
    })
    .await;
    // The bars of the drawing are the calls of the last two minutes.
    page.wait("document.querySelector('#breakers .spark .refused').getAttribute('d') !== ''")
        .await;
    let counts = "[...document.querySelectorAll('#states b')].map((count) => count.textContent)";
    page.wait_for(counts, vec!["4", "1", "0", "1", "0", "0", "2"])
        .await;
    assert_eq!(
        page.eval("document.title").await,
        "(2 open) Breakers of web-1"
    );
    assert_eq!(
        page.eval("document.querySelector('#instance').textContent")
            .await,
        "web-1"
    );
    site
}

pub(crate) async fn page_works_with_and_without_slash(browsers: &Browsers) -> Site {
    let site = Site::start(&registry(), read_only()).await;
    for end in ["", "/"] {
        browsers.light.open(&format!("{}{end}", site.url())).await;
        browsers
            .light
            .wait_for("document.querySelectorAll('#breakers tbody tr').length", 4)
            .await;
    }
    site
}

pub(crate) async fn state_button_filters_rows(browsers: &Browsers) -> Site {
    let site = Site::start(&registry(), read_only()).await;
    let page = &browsers.light;
    page.open(&site.url()).await;
    page.click("#states [data-state=open]").await;
    page.wait_for_names(&["users-api"]).await;
    assert_eq!(page.eval("location.hash").await, "#state=open");
    page.click("#states [data-state=closed]").await;
    page.wait_for_names(&["users-api", "payments", "prices"])
        .await;
    let pressed = "[...document.querySelectorAll('[aria-pressed=true]')].map((button) => button.dataset.state)";
    assert_eq!(
        page.eval(pressed).await,
        serde_json::json!(["open", "closed"])
    );
    assert_eq!(
        page.eval("document.querySelector('#summary').textContent")
            .await,
        "3 of 4 breakers match."
    );
    page.click("#states button:first-child").await;
    page.wait_for("document.querySelectorAll('#breakers tbody tr').length", 4)
        .await;
    // A row that stops to match leaves the table, and the counts follow.
    page.click("#states [data-state=open]").await;
    page.wait_for_names(&["users-api"]).await;
    site.registry.breaker("users-api").reset();
    page.wait_for_names(&[]).await;
    page.wait_for(
        "document.querySelector('#emptyText').textContent",
        "No breaker matches the filter.",
    )
    .await;
    page.click("#clear").await;
    page.wait_for("document.querySelectorAll('#breakers tbody tr').length", 4)
        .await;
    site
}

pub(crate) async fn search_narrows_rows(browsers: &Browsers) -> Site {
    let site = Site::start(&registry(), read_only()).await;
    let page = &browsers.light;
    page.open(&site.url()).await;
    page.keys("/").await;
    assert_eq!(page.eval("document.activeElement.id").await, "search");
    page.keys("users").await;
    page.wait_for_names(&["users-api"]).await;
    page.wait_for("location.hash", "#q=users").await;
    // In the field, the key is a character.
    page.keys("/").await;
    page.wait_for("document.querySelector('#search').value", "users/")
        .await;
    page.wait_for_names(&[]).await;
    site
}

pub(crate) async fn sort_button_orders_rows(browsers: &Browsers) -> Site {
    let site = Site::start(&registry(), read_only()).await;
    let page = &browsers.light;
    page.open(&site.url()).await;
    let sorted = "[...document.querySelectorAll('[aria-sort]')].map((head) => [head.dataset.sort, head.ariaSort].join())";
    page.wait_for(sorted, vec!["state,ascending"]).await;
    page.click("[data-sort=name] button").await;
    page.wait_for_names(&["payments", "prices", "search", "users-api"])
        .await;
    page.wait_for(sorted, vec!["name,ascending"]).await;
    page.click("[data-sort=name] button").await;
    page.wait_for_names(&["users-api", "search", "prices", "payments"])
        .await;
    page.wait_for(sorted, vec!["name,descending"]).await;
    // The most recent change first, as one looks for it after an alert.
    page.click("[data-sort=since] button").await;
    page.wait_for(sorted, vec!["since,descending"]).await;
    site.registry.breaker("prices").trip();
    page.wait("document.querySelector('#breakers tbody th').textContent === 'prices'")
        .await;
    site
}

pub(crate) async fn link_reproduces_filter_and_drawer(browsers: &Browsers) -> Site {
    let site = Site::start(&registry(), with_controls()).await;
    let page = &browsers.light;
    page.open(&site.url()).await;
    page.click("#states [data-state=open]").await;
    page.click("#states [data-state=closed]").await;
    page.type_into("#search", "s").await;
    page.wait("location.hash.includes('q=s')").await;
    page.wait_for_names(&["users-api", "payments", "prices"])
        .await;
    page.click("[data-sort=name] button").await;
    page.click("[data-sort=name] button").await;
    page.wait_for_names(&["users-api", "prices", "payments"])
        .await;
    page.click("a[data-name=prices]").await;
    page.wait("document.querySelector('#drawerFacts dl')").await;
    let link = page.eval("location.href").await;
    let link = link.as_str().unwrap();

    let other = &browsers.dark;
    other.open(link).await;
    other
        .wait_for_names(&["users-api", "prices", "payments"])
        .await;
    other
        .wait_for("document.querySelector('#drawer').open", true)
        .await;
    other
        .wait_for(
            "document.querySelector('#drawerName').textContent",
            "prices",
        )
        .await;
    other
        .wait_for("document.querySelector('#search').value", "s")
        .await;
    other
        .wait_for(
            "document.querySelector('[data-sort=name]').ariaSort",
            "descending",
        )
        .await;
    // The way back leads out of the drawer, and the filter stays.
    page.eval("history.back()").await;
    page.wait_for("document.querySelector('#drawer').open", false)
        .await;
    page.wait_for("location.hash", "#state=open%2Cclosed&q=s&sort=-name")
        .await;
    page.wait_for_names(&["users-api", "prices", "payments"])
        .await;
    site
}

pub(crate) async fn drawer_shows_rules_settings_and_log(browsers: &Browsers) -> Site {
    let registry = registry();
    let site = Site::start(&registry, read_only()).await;
    let page = &browsers.light;
    page.open(&site.url()).await;
    page.wait_for("document.querySelectorAll('#breakers tbody tr').length", 4)
        .await;
    for _ in 0..5 {
        let _ = registry.breaker("prices").call(|| Err::<(), _>("no price"));
    }
    page.click("a[data-name=prices]").await;
    let text = |id: &str| format!("document.querySelector('#{id}').textContent");
    page.wait(&format!(
        "{}.includes('5 consecutive failures')",
        text("drawerFacts")
    ))
    .await;
    page.wait(&format!("{}.includes('no price')", text("drawerFacts")))
        .await;
    page.wait(&format!(
        "{}.includes('5 consecutive failures505')",
        text("drawerRules")
    ))
    .await;
    page.wait(&format!("{}.includes('closed → open')", text("drawerLog")))
        .await;
    page.wait(&format!(
        "{}.includes('recovery30sdefault')",
        text("drawerSettings")
    ))
    .await;
    page.wait(&format!("{}.includes('failed5')", text("drawerTotals")))
        .await;
    page.keys("\u{e00c}").await;
    page.wait_for("document.querySelector('#drawer').open", false)
        .await;
    page.wait_for("document.activeElement.dataset.name", "prices")
        .await;
    page.wait_for("location.hash", "").await;
    // A name without a breaker is an answer, too.
    page.expect_refusals();
    page.open(&format!("{}#breaker=unknown", site.url())).await;
    page.wait("!document.querySelector('#drawerProblem').hidden")
        .await;
    page.wait(&text("drawerProblemText")).await;
    site
}

pub(crate) async fn drawer_of_removed_breaker_says_so(browsers: &Browsers) -> Site {
    let registry = BreakerRegistry::new();
    registry.breaker("users-api").trip();
    let site = Site::start(&registry, with_controls()).await;
    let page = &browsers.light;
    page.expect_refusals();
    page.open(&format!("{}#breaker=users-api", site.url()))
        .await;
    page.wait("document.querySelector('#drawerTotals dl')")
        .await;
    registry.remove("users-api");
    let problem = "document.querySelector('#drawerProblem').checkVisibility()";
    page.wait_for(problem, true).await;
    // What is left is old, and its time stands still.
    let filter = "getComputedStyle(document.querySelector('#drawer')).filter";
    assert_eq!(page.eval(filter).await, "grayscale(1)");
    page.eval("(shown.row.since = 0, tick())").await;
    let state = "document.querySelector('#drawerState').textContent.includes(' d ')";
    assert_eq!(page.eval(state).await, false);
    registry.breaker("users-api");
    page.wait_for(problem, false).await;
    assert_eq!(page.eval("shown.state").await, "closed");
    site
}

pub(crate) async fn row_under_focus_stays_in_place(browsers: &Browsers) -> Site {
    let registry = BreakerRegistry::new();
    let site = Site::start(&registry, read_only()).await;
    let page = &browsers.light;
    for name in ["a", "b"] {
        let _ = registry.breaker(name).call(|| Ok::<_, ()>(()));
    }
    page.open(&site.url()).await;
    page.wait_for_names(&["a", "b"]).await;
    page.eval("document.querySelector('a[data-name=a]').focus()")
        .await;
    registry.breaker("b").trip();
    page.wait("!document.querySelector('#held').hidden").await;
    // The figures of the row change, its place does not, and the focus stays.
    page.wait_for(
        "document.querySelectorAll('#breakers tbody tr')[1].dataset.state",
        "open",
    )
    .await;
    assert_eq!(page.names().await, ["a", "b"]);
    assert_eq!(page.eval("document.activeElement.dataset.name").await, "a");
    page.click("#search").await;
    page.wait_for_names(&["b", "a"]).await;
    page.wait("document.querySelector('#held').hidden").await;
    site
}

pub(crate) async fn row_under_pointer_stays_in_place(browsers: &Browsers) -> Site {
    let registry = BreakerRegistry::new();
    let site = Site::start(&registry, read_only()).await;
    let page = &browsers.light;
    for name in ["a", "b"] {
        registry.breaker(name);
    }
    page.open(&site.url()).await;
    page.wait_for_names(&["a", "b"]).await;
    let moved = async |y: u32| {
        let position = json!({"type": "mouseMoved", "x": 300, "y": y});
        page.devtools("Input.dispatchMouseEvent", position).await;
    };
    let row = page.eval("tbody.rows[0].getBoundingClientRect().y").await;
    let row = row.as_f64().expect("a position");
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    moved(row as u32 + 10).await;
    registry.breaker("b").trip();
    page.wait("!document.querySelector('#held').hidden").await;
    assert_eq!(page.names().await, ["a", "b"]);
    moved(5).await;
    page.wait_for_names(&["b", "a"]).await;
    site
}

pub(crate) async fn fleet_is_in_head_and_drawer(browsers: &Browsers) -> Site {
    let registry = registry();
    let fleet = Fleet::builder(&registry, Memory::new()).start();
    let fleet = Arc::new(fleet.expect("a fleet"));
    let status = fleet.clone();
    let site = Site::start(&registry, read_only().fleet(move || status.status())).await;
    let page = &browsers.light;
    page.open(&format!("{}#breaker=users-api", site.url()))
        .await;
    page.wait("document.querySelector('#fleet').textContent.startsWith('connected, 1 member')")
        .await;
    page.wait("!document.querySelector('#fleetLine').hidden")
        .await;
    let drawer = "document.querySelector('#drawerFleet').textContent";
    page.wait(&format!("{drawer}.includes('Linkconnected, for ')"))
        .await;
    page.wait(&format!("{drawer}.includes('one of 1')")).await;
    page.wait(&format!("{drawer}.includes('Leasenot at this node')"))
        .await;
    // A command to the fleet is seen at each of its breakers.
    let command = fleet.command("users*").disable();
    let command = command.because("INC-1 <b>").by("carol");
    command.await.expect("a command");
    page.wait("document.querySelector('#fleet').textContent.endsWith('0 leases, 1 command')")
        .await;
    page.wait(&format!(
        "{drawer}.includes('users* disabled by carol: INC-1 <b>, ')"
    ))
    .await;
    site
}
