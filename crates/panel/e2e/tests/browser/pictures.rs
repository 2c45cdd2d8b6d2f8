//! Pictures of the panel for its page in the guide.

use crate::site::{Site, with_controls};
use crate::{Browsers, until};
use breakerbox::prelude::*;
use breakerbox::{Mode, State, TripRule, Window};
use std::path::Path;
use std::time::{Duration, Instant};

/// How long the calls run before a picture is taken: what a drawing of two minutes shows.
const STORY: Duration = Duration::from_secs(110);

/// Calls six dependencies for two minutes, some of which fail, and takes pictures of the panel.
///
/// Runs instead of the tests if the variable `BREAKERBOX_PICTURES` has the path of a folder.
pub(crate) async fn take(browsers: &Browsers, folder: &Path) {
    let registry = registry();
    let site = Site::start(&registry, with_controls()).await;
    let (light, dark) = (&browsers.light, &browsers.dark);
    light.resize(1280, 640).await;
    dark.resize(1280, 800).await;
    light.open(&site.url()).await;
    dark.open(&format!("{}#breaker=users-api", site.url()))
        .await;
    let began = Instant::now();
    let mut step = 0_u32;
    let mut trial = None;
    while began.elapsed() < STORY {
        let share = began.elapsed().as_secs_f64() / STORY.as_secs_f64();
        call_all(&registry, step, share);
        if share > 0.45 && registry.breaker("recommendations").state() == State::Closed {
            let breaker = registry.breaker("recommendations");
            breaker
                .by("alice by panel")
                .because("INC-4711: the vendor asks for less load")
                .force_open();
        }
        if share > 0.95 && trial.is_none() {
            let payments = registry.breaker("payments");
            payments
                .by("alice by panel")
                .because("INC-4712: the bank says it is back")
                .half_open();
            // The trial lasts as long as the picture.
            trial = payments.try_acquire().ok();
        }
        step += 1;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    light
        .wait("document.querySelectorAll('#breakers tbody tr').length === 6")
        .await;
    dark.wait("document.querySelector('#drawerTotals dl')")
        .await;
    until("an open circuit", async || {
        let is_open = registry.breaker("users-api").state() == State::Open;
        call_all(&registry, step, 1.0);
        is_open.then_some(())
    })
    .await;
    for (page, name) in [(light, "panel-light.png"), (dark, "panel-dark.png")] {
        page.wait("document.querySelector('#linkWord').textContent === 'Live'")
            .await;
        let path = folder.join(name);
        std::fs::write(&path, page.picture().await).expect("a file");
        eprintln!("wrote {}", path.display());
    }
    for (page, name) in [(light, "light"), (dark, "dark")] {
        for width in [400, 1600] {
            page.resize(width, 900).await;
            page.wait("document.documentElement.scrollWidth <= innerWidth")
                .await;
            let path = std::env::temp_dir().join(format!("panel-{name}-{width}.png"));
            std::fs::write(&path, page.picture().await).expect("a file");
        }
    }
}

fn registry() -> BreakerRegistry {
    let registry = BreakerRegistry::builder()
        .preset_for(
            "users-api",
            CircuitBreaker::builder().recovery_timeout(Duration::from_secs(45)),
        )
        .preset_for(
            "payments",
            CircuitBreaker::builder()
                .trip_when(
                    TripRule::failure_rate(0.5)
                        .over(Window::calls(100))
                        .minimum_calls(20),
                )
                .recovery_timeout(Duration::from_secs(600)),
        )
        .build()
        .expect("valid settings");
    let _ = registry.register("mail", CircuitBreaker::builder().mode(Mode::MetricsOnly));
    registry
}

/// A dependency: its breaker, the usual calls in a step, when it is down, and its error.
type Dependency = (&'static str, u32, std::ops::Range<f64>, &'static str);

const DEPENDENCIES: [Dependency; 6] = [
    (
        "users-api",
        4,
        0.5..9.0,
        "ConnectionRefused { host: \"users.internal\" }",
    ),
    (
        "payments",
        2,
        0.7..9.0,
        "Status { code: 503, bank: \"north\" }",
    ),
    ("search", 6, 9.0..9.0, ""),
    ("recommendations", 3, 9.0..9.0, ""),
    ("mail", 1, 0.2..0.4, "SmtpError { code: 421 }"),
    ("inventory:eu-west", 2, 9.0..9.0, ""),
];

/// Calls each dependency some times. `share` is the part of the story that is over.
fn call_all(registry: &BreakerRegistry, step: u32, share: f64) {
    // Traffic comes in waves.
    let more = [0, 0, 1, 1, 2, 2, 1, 1];
    for (name, usual, down, error) in &DEPENDENCIES {
        let wave = more[(step / 20 + usual) as usize % more.len()];
        for call in 0..usual + wave {
            let is_slow = *name == "search" && (step + call) % 37 == 0;
            let failure = if down.contains(&share) {
                Some(*error)
            } else {
                is_slow.then_some("Timeout { after: 800ms }")
            };
            let work = || failure.map_or(Ok(()), |error| Err(Failure(error)));
            let _ = registry.breaker(*name).call(work);
        }
    }
}

/// An error whose `Debug` text is that of a client's error.
struct Failure(&'static str);

impl std::fmt::Debug for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0)
    }
}
