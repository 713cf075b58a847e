//! The API as its callers see it: requests into the router, answers out, over the in-memory store.

mod access;
mod audit;
mod device_topos;
mod devices;
mod envelope;
mod error_pages;
mod fleet;
mod fuzz;
mod job_refusals;
mod jobs;
mod large_pages;
mod managing_access;
mod openapi;
mod organizations_apart;
mod products;
mod rate_limit;
mod secrets;
mod single_commands;
mod sockets;
mod strict;
mod task_actions;
mod tasks;
mod thing_models;
mod updates_together;
mod who_did_it;
mod world;
