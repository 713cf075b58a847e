//! What holds whatever happens, in any order, to tasks under one job.

mod invariants {
    mod extremes;
    mod happening;
    mod properties;
    mod world;
}
mod support;
