//! Commands: what a viewer may do, and what each viewer sees of it.

use crate::site::{Site, read_only, with_controls};
use crate::{Browsers, until};
use breakerbox::{BreakerRegistry, State};
use breakerbox_panel::{Action, Actor, Command, Controls};
use http::StatusCode;

/// Returns a registry with the closed circuit users-api.
fn registry() -> BreakerRegistry {
    let registry = BreakerRegistry::new();
    let _ = registry.breaker("users-api").call(|| Ok::<_, ()>(()));
    registry
}

/// The body of a script that sends a command, and returns the status and the text of the answer.
fn post(body: &str) -> String {
    format!(
        "const answer = await fetch(location.pathname + '/api/v1/commands', {{ method: 'POST', body: \
         JSON.stringify({body}), headers: {{ 'content-type': 'application/json', \
         'x-breakerbox-panel': '1' }} }}); return [answer.status, await answer.text()];"
    )
}

async fn state_becomes(registry: &BreakerRegistry, state: State) {
    let breaker = registry.breaker("users-api");
    until("the state of users-api", async || {
        (breaker.state() == state).then_some(())
    })
    .await;
}

pub(crate) async fn trip_with_reason_opens_circuit(browsers: &Browsers) -> Site {
    let site = Site::start(&registry(), with_controls()).await;
    let page = &browsers.light;
    page.open(&format!("{}#breaker=users-api", site.url()))
        .await;
    page.wait("document.querySelector('[data-command=trip]')")
        .await;
    page.type_into("#reason", "INC-123: <b>restored</b>").await;
    page.type_into("#seconds", "600").await;
    page.click("[data-command=trip]").await;
    state_becomes(&site.registry, State::Open).await;
    page.wait_for(
        "document.querySelector('#answer').textContent",
        "Was closed, is open.",
    )
    .await;
    let snapshot = site.registry.breaker("users-api").snapshot();
    let cause = snapshot.cause.expect("a cause").to_string();
    assert!(
        cause.contains("alice") && cause.contains("INC-123: <b>restored</b>"),
        "{cause}"
    );
    let remaining = snapshot.open_remaining.expect("a time").as_secs();
    assert!((500..=600).contains(&remaining), "{remaining}");
    // Table, facts and log say who did what, and why.
    for place in ["#breakers tbody .c-why", "#drawerFacts", "#drawerLog"] {
        let text = format!("document.querySelector('{place}').textContent");
        page.wait(&format!(
            "{text}.includes('INC-123: <b>restored</b>') && {text}.includes('alice')"
        ))
        .await;
    }
    page.wait_for(
        "document.querySelector('#breakers tbody tr').dataset.state",
        "open",
    )
    .await;
    // Each of the others has its effect, too.
    for (command, state) in [
        ("half_open", State::HalfOpen),
        ("force_open", State::ForcedOpen),
        ("disable", State::Disabled),
        ("watch", State::MetricsOnly),
        ("reset", State::Closed),
    ] {
        if command != "half_open" {
            page.type_into("#reason", "INC-123").await;
        }
        page.click(&format!("[data-command={command}]")).await;
        state_becomes(&site.registry, state).await;
        let shown = format!("shown.state === '{}' && !shown.isSending", state.as_str());
        page.wait(&shown).await;
    }
    site
}

pub(crate) async fn late_answer_names_its_breaker(browsers: &Browsers) -> Site {
    let registry = registry();
    registry.breaker("orders");
    let site = Site::start(&registry, with_controls()).await;
    let page = &browsers.light;
    page.open(&format!("{}#breaker=users-api", site.url()))
        .await;
    page.wait("document.querySelector('[data-command=trip]')")
        .await;
    page.type_into("#reason", "INC-1").await;
    // The drawer shows another breaker before the answer comes.
    page.eval(
        "(document.querySelector('[data-command=trip]').click(), location.hash = '#breaker=orders', \
         arrive(), ui.reason.value = 'INC-2')",
    )
    .await;
    page.wait_for(
        "document.querySelector('#answer').textContent",
        "users-api: Was closed, is open.",
    )
    .await;
    assert_eq!(page.eval("ui.reason.value").await, "INC-2");
    assert_eq!(site.registry.breaker("orders").state(), State::Closed);
    site
}

pub(crate) async fn command_without_reason_is_not_sent(browsers: &Browsers) -> Site {
    let site = Site::start(&registry(), with_controls()).await;
    let page = &browsers.light;
    page.expect_refusals();
    page.open(&format!("{}#breaker=users-api", site.url()))
        .await;
    page.wait("document.querySelector('[data-command=trip]')")
        .await;
    page.click("[data-command=trip]").await;
    page.wait("document.querySelector('#answer').textContent.includes('reason')")
        .await;
    assert_eq!(page.eval("document.activeElement.id").await, "reason");
    let answer = page
        .run(&post(
            "{ name: 'users-api', command: 'trip', instance: 'web-1', reason: ' ' }",
        ))
        .await;
    assert_eq!(answer[0], 422, "{answer}");
    // The server's reason is shown as it is.
    page.type_into("#reason", "tab").await;
    page.eval("document.querySelector('#reason').value = 'bell \\u0007'")
        .await;
    page.click("[data-command=trip]").await;
    page.wait("document.querySelector('#answer.failed') && !shown.isSending")
        .await;
    assert_eq!(site.registry.breaker("users-api").state(), State::Closed);
    site
}

pub(crate) async fn command_for_other_state_is_refused(browsers: &Browsers) -> Site {
    let site = Site::start(&registry(), with_controls()).await;
    let page = &browsers.light;
    page.expect_refusals();
    page.open(&format!("{}#breaker=users-api", site.url()))
        .await;
    page.wait("document.querySelector('[data-command=reset]')")
        .await;
    page.type_into("#reason", "INC-123").await;
    // As if the state had changed after the last answer.
    page.eval("(shown.state = 'half_open', document.querySelector('[data-command=trip]').click())")
        .await;
    page.wait("document.querySelector('#answer.failed') && !shown.isSending")
        .await;
    assert_eq!(site.registry.breaker("users-api").state(), State::Closed);
    let command = "{ name: 'users-api', command: 'trip', reason: 'x', instance: 'web-9' }";
    let answer = page.run(&post(command)).await;
    assert_eq!(answer[0], 409, "{answer}");
    assert_eq!(site.registry.breaker("users-api").state(), State::Closed);
    site
}

pub(crate) async fn two_viewers_see_each_command(browsers: &Browsers) -> Site {
    let site = Site::start(&registry(), with_controls()).await;
    let (first, second) = (&browsers.light, &browsers.dark);
    for page in [first, second] {
        page.open(&site.url()).await;
        page.wait_for_names(&["users-api"]).await;
    }
    first.click("a[data-name=users-api]").await;
    first
        .wait("document.querySelector('[data-command=trip]')")
        .await;
    first.type_into("#reason", "INC-123").await;
    first.click("[data-command=trip]").await;
    second
        .wait_for(
            "document.querySelector('#breakers tbody tr').dataset.state",
            "open",
        )
        .await;
    second.click("a[data-name=users-api]").await;
    second
        .wait("document.querySelector('#drawerLog').textContent.includes('INC-123')")
        .await;
    second.type_into("#reason", "INC-124").await;
    second.click("[data-command=reset]").await;
    first
        .wait_for(
            "document.querySelector('#breakers tbody tr').dataset.state",
            "closed",
        )
        .await;
    first
        .wait("document.querySelector('#drawerLog').textContent.includes('INC-124')")
        .await;
    site
}

pub(crate) async fn read_only_panel_has_no_buttons(browsers: &Browsers) -> Site {
    let site = Site::start(&registry(), read_only()).await;
    let page = &browsers.light;
    page.expect_refusals();
    page.open(&format!("{}#breaker=users-api", site.url()))
        .await;
    page.wait("document.querySelector('#drawerFacts dl')").await;
    assert_eq!(
        page.eval("document.querySelectorAll('[data-command]').length")
            .await,
        0
    );
    assert_eq!(
        page.eval("document.querySelector('#reason').checkVisibility()")
            .await,
        false
    );
    let answer = page
        .run(&post(
            "{ name: 'users-api', command: 'trip', instance: 'web-1', reason: 'INC-123' }",
        ))
        .await;
    assert_eq!(answer[0], 403, "{answer}");
    assert_eq!(site.registry.breaker("users-api").state(), State::Closed);
    site
}

pub(crate) async fn actor_sees_own_controls(browsers: &Browsers) -> Site {
    let panel = read_only()
        .controls(Controls::TRIP | Controls::RESET)
        .authorize(|_, what| match what {
            Action::Command {
                command: Command::Reset,
                ..
            } => Err(StatusCode::FORBIDDEN),
            _ => Ok(Actor::named("bob")),
        });
    let site = Site::start(&registry(), panel).await;
    let page = &browsers.light;
    page.open(&format!("{}#breaker=users-api", site.url()))
        .await;
    let buttons =
        "[...document.querySelectorAll('[data-command]')].map((button) => button.textContent)";
    page.wait_for(buttons, vec!["Trip"]).await;
    assert_eq!(
        page.eval("document.querySelector('#actor').textContent")
            .await,
        "bob"
    );
    site
}
