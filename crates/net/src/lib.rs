//! What both listeners share: which idle connection gives its place up, how a stop reaches tasks, and socket options.

pub mod idle;
pub mod shutdown;
pub mod socket_options;
