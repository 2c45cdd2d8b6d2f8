//! Tests of the panel in Chromium, against a registry that an axum server shows.
//!
//! ```text
//! apt-get install --no-install-recommends chromium chromium-driver
//! BREAKERBOX_AXE=$(.ci/axe) cargo test --manifest-path crates/panel/e2e/Cargo.toml
//! ```
//!
//! Without a browser, the tests say that they are skipped, unless the variable
//! `BREAKERBOX_REQUIRE_SERVERS` is set. All tests share one driver with two windows: a light and a
//! dark one. They therefore run one after the other.

mod accessibility;
mod browser;
mod commands;
mod connection;
mod driver;
mod hostile;
mod many;
mod pictures;
mod site;
mod table;

use browser::Browser;
use driver::Driver;
use libtest_mimic::{Arguments, Trial};
use site::Site;
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;

/// The browsers of a test.
pub(crate) struct Browsers {
    pub(crate) light: Browser,
    pub(crate) dark: Browser,
}

impl Browsers {
    async fn close(self) {
        self.light.close().await;
        self.dark.close().await;
    }
}

/// A test. It panics if it fails. The site ends after the browsers have left it.
type Case = fn(&Browsers, &Runtime) -> Site;

/// How long a test may take: ten times what it takes on two busy cores.
const PATIENCE: Duration = Duration::from_secs(120);

/// Lists async functions as tests. The name of a test is that of its function.
macro_rules! cases {
    ($($module:ident: $($case:ident),+;)*) => {
        &[$($((
            concat!(stringify!($module), "::", stringify!($case)),
            (|browsers, runtime| {
                runtime.block_on(async {
                    let case = tokio::time::timeout(PATIENCE, $module::$case(browsers));
                    case.await.expect("the test does not end")
                })
            }) as Case,
        )),+),*]
    };
}

const CASES: &[(&str, Case)] = cases! {
    table:
        row_shows_state_rates_and_failure,
        page_works_with_and_without_slash,
        state_button_filters_rows,
        search_narrows_rows,
        sort_button_orders_rows,
        link_reproduces_filter_and_drawer,
        drawer_shows_rules_settings_and_log,
        drawer_of_removed_breaker_says_so,
        row_under_focus_stays_in_place,
        row_under_pointer_stays_in_place,
        fleet_is_in_head_and_drawer;
    commands:
        trip_with_reason_opens_circuit,
        late_answer_names_its_breaker,
        command_without_reason_is_not_sent,
        command_for_other_state_is_refused,
        two_viewers_see_each_command,
        read_only_panel_has_no_buttons,
        actor_sees_own_controls;
    hostile:
        hostile_names_stay_text,
        escaped_characters_are_those_of_core,
        page_of_other_origin_changes_nothing,
        forged_requests_change_nothing;
    connection:
        restarted_server_is_found_again,
        quiet_stream_keeps_figures_fresh,
        other_instance_shows_banner,
        denied_stream_says_why,
        full_server_still_shows_figures,
        hidden_page_closes_stream;
    many:
        ten_thousand_breakers_draw_one_page;
    accessibility:
        keyboard_alone_gives_command,
        counts_are_announced,
        targets_have_24_pixels,
        preferences_are_followed,
        axe_finds_nothing;
};

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    if arguments.list {
        return libtest_mimic::run(&arguments, trials(None)).exit_code();
    }
    if let Some(missing) = driver::missing_program() {
        let is_required = std::env::var_os("BREAKERBOX_REQUIRE_SERVERS").is_some();
        assert!(
            !is_required,
            "the tests need {missing}: install `chromium` and `chromium-driver`"
        );
        let line = format!("!! SKIPPED: panel in a browser: {missing} is not installed\n");
        std::io::stderr().write_all(line.as_bytes()).unwrap();
        return ExitCode::SUCCESS;
    }
    arguments.test_threads = Some(1);

    let runtime = Arc::new(Runtime::new().expect("a runtime"));
    let driver = runtime.block_on(Driver::start());
    let browsers = runtime.block_on(async {
        Browsers {
            light: driver.open(false).await,
            dark: driver.open(true).await,
        }
    });
    if let Some(folder) = std::env::var_os("BREAKERBOX_PICTURES") {
        runtime.block_on(pictures::take(&browsers, folder.as_ref()));
        runtime.block_on(browsers.close());
        return ExitCode::SUCCESS;
    }
    let browsers = Arc::new(browsers);
    let conclusion = libtest_mimic::run(
        &arguments,
        trials(Some(&(browsers.clone(), runtime.clone()))),
    );
    let browsers = Arc::into_inner(browsers).expect("all tests have ended");
    runtime.block_on(browsers.close());
    drop(driver);
    conclusion.exit_code()
}

fn trials(with: Option<&(Arc<Browsers>, Arc<Runtime>)>) -> Vec<Trial> {
    let trials = CASES.iter().map(|(name, case)| {
        let with = with.cloned();
        Trial::test(*name, move || {
            let (browsers, runtime) = with.expect("listed tests do not run");
            let began = Instant::now();
            let site = catch_unwind(AssertUnwindSafe(|| case(&browsers, &runtime)));
            let logged = runtime.block_on(async {
                [browsers.light.leave().await, browsers.dark.leave().await].concat()
            });
            let _site = site.unwrap_or_else(|panic| resume_unwind(panic));
            eprintln!("{name}: {:.1} s", began.elapsed().as_secs_f64());
            // What a page logs, such as a violation of its policy, is a failure of each test.
            logged
                .is_empty()
                .then_some(())
                .ok_or_else(|| logged.join("\n").into())
        })
    });
    trials.collect()
}

/// Waits until `check` returns a value. Panics after a while.
pub(crate) async fn until<T>(what: &str, check: impl AsyncFn() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(value) = check().await {
            return value;
        }
        assert!(began.elapsed() < Duration::from_secs(30), "never: {what}");
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
}
