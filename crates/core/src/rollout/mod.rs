//! How a job reaches its devices step by step: order, stages, gates, rates, rules that stop it, and its control.

pub mod control;
pub mod evidence;
pub mod gate;
pub mod order;
pub mod percent;
pub mod permits;
pub mod policy;
pub mod stage;
pub mod stop;
