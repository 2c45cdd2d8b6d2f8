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
    dark.open(&format!("{}#breaker=users-api", site.url())).await;
    let began = Instant::now();
    let mut step = 0_u32;
    let mut trial = None;
    while began.elapsed() < STORY {
        let share = began.elapsed().as_secs_f64() / STORY.as_secs_f64();
        call_all(&registry, step, share);
        if share > 0.45 && registry.breaker("recommendations").state() == State::Closed {
            let breaker = registry.breaker("recommendations");
            breaker.by("alice by panel").because("INC-4711: the vendor asks for less load").force_open();
        }
        if share > 0.95 && trial.is_none() {
            let payments = registry.breaker("payments");
            payments.by("alice by panel").because("INC-4712: the bank says it is back").half_open();
            // The trial lasts as long as the picture.
            trial = payments.try_acquire().ok();
        }
        step += 1;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    light.wait("document.querySelectorAll('#breakers tbody tr').length === 6").await;
    dark.wait("document.querySelector('#drawerTotals dl')").await;
    until("an open circuit", async || {
        let is_open = registry.breaker("users-api").state() == State::Open;
        call_all(&registry, step, 1.0);
        is_open.then_some(())
    })
    .await;
    for (page, name) in [(light, "panel-light.png"), (dark, "panel-dark.png")] {
        page.wait("document.querySelector('#linkWord').textContent === 'Live'").await;
        let path = folder.join(name);
        std::fs::write(&path, page.picture().await).expect("a file");
        eprintln!("wrote {}", path.display());
    }
    for (page, name) in [(light, "light"), (dark, "dark")] {
        for width in [400, 1600] {
            page.resize(width, 900).await;
            page.wait("document.documentElement.scrollWidth <= innerWidth").await;
            let path = std::env::temp_dir().join(format!("panel-{name}-{width}.png"));
            std::fs::write(&path, page.picture().await).expect("a file");
        }
    }
}

fn registry() -> BreakerRegistry {
    let registry = BreakerRegistry::builder()
        .preset_for("users-api", CircuitBreaker::builder().recovery_timeout(Duration::from_secs(45)))
        .preset_for(
            "payments",
            CircuitBreaker::builder()
                .trip_when(TripRule::failure_rate(0.5).over(Window::calls(100)).minimum_calls(20))
                .recovery_timeout(Duration::from_secs(600)),
        )
        .build()
        .expect("valid settings");
    let _ = registry.register("mail", CircuitBreaker::builder().mode(Mode::MetricsOnly));
    registry
}

/// Calls each dependency some times. `share` is the part of the story that is over.
fn call_all(registry: &BreakerRegistry, step: u32, share: f64) {
    let wave = f64::from(step % 400) / 400.0 * std::f64::consts::TAU;
    for (name, calls, is_down, error) in [
        ("users-api", 4.0, share > 0.5, "ConnectError { host: \"users.internal:8080\", source: ConnectionRefused }"),
        ("payments", 2.0, share > 0.7, "Status { code: 503, bank: \"north\" }"),
        ("search", 6.0, false, ""),
        ("recommendations", 3.0, false, ""),
        ("mail", 1.0, (0.2..0.4).contains(&share), "SmtpError { code: 421, text: \"too busy\" }"),
        ("inventory:eu-west", 2.0, false, ""),
    ] {
        let breaker = registry.breaker(name);
        let calls = (calls * (1.0 + 0.4 * (wave + calls).sin())).round();
        for call in 0..calls as u32 {
            let fails = is_down || (name == "search" && (step + call) % 37 == 0);
            let error = if is_down { error } else { "Timeout { after: 800ms }" };
            let _ = breaker.call(|| if fails { Err(error.to_owned()) } else { Ok(()) });
        }
    }
}
