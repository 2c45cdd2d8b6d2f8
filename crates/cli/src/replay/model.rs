//! The closed-loop model on the command line.

use crate::candidates::Candidates;
use crate::values::duration;
use breakerbox_replay::{ClosedLoop, ClosedLoopFigures, Survey};
use std::ops::Range;

/// What the model shows: without a breaker, and for each candidate.
pub(crate) type Modelled = Vec<(String, ClosedLoopFigures)>;

/// Parses `capacity=100,cold=0.4:3000`.
pub(crate) fn parse(text: &str) -> Result<ClosedLoop, String> {
    let mut model = ClosedLoop::new();
    for pair in text.split(',').filter(|pair| !pair.trim().is_empty()) {
        let wrong = |why: &str| format!("--closed-loop {}: {why}", pair.trim());
        let (key, value) = pair
            .trim()
            .split_once('=')
            .ok_or_else(|| wrong("no pair KEY=VALUE"))?;
        let rate = || number(value, 0.0..=1_000.0).ok_or_else(|| wrong("no number from 0 to 1000"));
        model = match key {
            "offered" => model.offered(rate()?),
            "capacity" => model.capacity(rate()?),
            "cold" => {
                let (share, answers) = value.split_once(':').unwrap_or((value, "3000"));
                let share =
                    number(share, 0.0..=1.0).ok_or_else(|| wrong("no share from 0 to 1"))?;
                let answers = answers
                    .parse()
                    .map_err(|_| wrong("no number of answers after the colon"))?;
                model.cold(share, answers)
            }
            "patience" => model.patience(duration(value).map_err(|error| wrong(&error))?),
            "down" => model.down(seconds(value).ok_or_else(|| wrong("no seconds, as in 60..120"))?),
            "lasting" => {
                let seconds = value.parse().ok().filter(|seconds| *seconds <= 86_400);
                model.lasting(seconds.ok_or_else(|| wrong("no seconds up to 86400"))?)
            }
            _ => {
                return Err(wrong(
                    "the keys are offered, capacity, cold, patience, down and lasting",
                ));
            }
        };
    }
    Ok(model)
}

fn number(text: &str, range: std::ops::RangeInclusive<f64>) -> Option<f64> {
    text.parse().ok().filter(|number| range.contains(number))
}

fn seconds(text: &str) -> Option<Range<u64>> {
    let (from, until) = text.split_once("..")?;
    let (from, until): (u64, u64) = (from.parse().ok()?, until.parse().ok()?);
    (from < until && until <= 86_400).then_some(from..until)
}

/// Runs the model with the settings that the breaker with the most calls has.
pub(crate) fn run(model: ClosedLoop, candidates: &Candidates, survey: &Survey) -> Modelled {
    let names = survey.names();
    let name = names.iter().max_by_key(|found| found.calls);
    let name = name.map_or("calls", |found| &*found.name);
    let mut modelled = vec![("no breaker".to_owned(), model.run_without_breaker())];
    for candidate in candidates.iter() {
        modelled.push((
            candidate.label().to_owned(),
            model.run_candidate(&candidate, name),
        ));
    }
    modelled
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn model_has_keys() {
        assert!(parse("").is_ok());
        assert!(
            parse("offered=80, capacity=100,cold=0.5:100,patience=500ms,down=10..20,lasting=100")
                .is_ok()
        );
        for (text, why) in [
            ("speed=1", "the keys are"),
            ("capacity", "no pair"),
            ("capacity=nan", "no number"),
            ("cold=2", "no share"),
            ("cold=0.5:x", "no number of answers"),
            ("down=20..10", "no seconds"),
            ("lasting=1000000", "no seconds"),
            ("patience=soon", "expected number"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(why), "{error}");
        }
    }
}
