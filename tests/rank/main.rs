//! The choice of a candidate, on values: figures, objectives, affinity, lots. What of it Envoy sees is tested there.

#![expect(clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests fail by panicking")]

mod affinity;
mod figures;
mod fixture;
mod learning;
mod objectives;
mod policy;
