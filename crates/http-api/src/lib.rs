//! The HTTP API: decodes requests, calls `app`, encodes answers. The wire's spellings live here and nowhere else in the
//! server.
//!
//! Every action stands in one list ([`actions`]), from which dispatch ([`entry`]) and the API's own description
//! ([`openapi`]) are made. One file per resource holds its actions, their request and answer types, and a few lines
//! each that call `app`. docs/api.md tells the facts in prose.

mod action;
mod audit;
mod body;
mod call;
mod command_info;
mod command_jobs;
mod command_tasks;
mod create_job;
mod decode;
mod device_topos;
mod devices;
mod entry;
mod envelope;
mod error;
mod health;
mod held;
mod ignored;
mod job_info;
mod keys;
mod latest_values;
mod local_only;
mod measurepoints;
mod names;
mod numbers;
mod openapi;
mod organizations;
mod paging;
mod products;
mod projection;
mod query;
mod rate_limit;
mod register_devices;
mod rooms;
mod rotate_secrets;
mod serve;
mod single_commands;
mod small_devices;
mod socket;
mod strict;
mod task_entries;
mod task_info;
#[cfg(test)]
mod tests;
mod thing_models;
mod tokens;
mod traces;

use axum::Router;

pub use self::body::{BYTES_MAX, DEPTH_MAX, RECEIVE_MAX};
pub use self::command_tasks::TASK_IDS_MAX;
pub use self::create_job::TARGETS_MAX;
pub use self::paging::PAGE_SIZE_MAX;
pub use self::register_devices::BATCH_MAX;
pub use self::serve::{HEADERS_MAX, serve};
use aldis_app::App;

/// Every action of every resource.
fn actions() -> Vec<action::Action> {
    let resources = [
        thing_models::actions(),
        products::actions(),
        register_devices::actions(),
        devices::actions(),
        device_topos::actions(),
        command_jobs::actions(),
        command_tasks::actions(),
        single_commands::actions(),
        traces::actions(),
        latest_values::actions(),
        measurepoints::actions(),
        keys::actions(),
        organizations::actions(),
        rotate_secrets::actions(),
        audit::actions(),
    ];
    resources.into_iter().flatten().collect()
}

/// Answers every request to the API.
pub fn router(app: App) -> Router {
    Router::new()
        .fallback(entry::answer)
        .with_state(entry::Entrance::new(app))
}
