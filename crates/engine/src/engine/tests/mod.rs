//! The engine under test: every rule of the design that it keeps, one test each.

mod bench;
mod link;
mod observers;
mod operator;
mod sample;
mod stored;

mod attempts;
mod bulk;
mod cancelling;
mod clock;
mod commands;
mod devices;
mod failures;
mod fairness;
mod gateways;
mod jobs;
mod logins;
mod presence;
mod queues;
mod restart;
mod retries;
mod slots;
mod turns;
mod windows;
