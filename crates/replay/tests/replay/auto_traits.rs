//! All public types can be sent to and shared between threads.

use breakerbox_replay::import::{Caveat, EnvoyFormat, Importer, Mapping, NginxFormat, OtlpFormat};
use breakerbox_replay::{
    Call, Candidate, CandidateResults, ClosedLoop, Figures, Instances, Outage, Replay, Replayed,
    Scenario, Survey, Tuned, Tuner,
};

fn assert_shareable<T: Send + Sync + Unpin + 'static>() {}

#[test]
fn public_types_are_send_and_sync() {
    assert_shareable::<(Call, Outage, Instances, Figures)>();
    assert_shareable::<(Candidate, Replay, Replayed, CandidateResults)>();
    assert_shareable::<(Scenario, Survey, Tuner, Tuned, ClosedLoop)>();
    assert_shareable::<(
        Importer,
        Mapping,
        NginxFormat,
        EnvoyFormat,
        OtlpFormat,
        Caveat,
    )>();
}
