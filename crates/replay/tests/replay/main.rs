//! Tests of the replay through its public interface.

mod counterfactual;
mod determinism;
mod instances;
mod report;
mod scenarios;
mod tuner;
