//! When a job may run: windows, blackouts, and the moments of recurring jobs.

pub mod calendar;
pub mod cron;
mod cron_field;
pub mod policy;
pub mod recurrence;
mod wall_clock;
