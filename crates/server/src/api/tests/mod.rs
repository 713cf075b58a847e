//! The API as its callers see it: requests into the router, answers out, over the in-memory store.

mod access;
mod devices;
mod envelope;
mod managing_access;
mod openapi;
mod products;
mod sockets;
mod thing_models;
mod world;
