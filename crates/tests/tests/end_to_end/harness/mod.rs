//! What every test here is made of: the program `aldis serve` as a process of its own, HTTP as bytes on a socket,
//! devices as MQTT sockets, and waiting that ends with a sentence instead of hanging.
//!
//! Nothing of the server is linked in: what these tests see, a script, an application and a device would see.

mod binary;
mod http;
mod job;
mod server;
mod tunnel;
mod wait;
mod world;

pub(crate) use binary::program;
pub(crate) use http::{Answered, Api, COMMANDS, exchange, request, token};
pub(crate) use job::Plan;
pub(crate) use server::{Server, Start, now_ms};
pub(crate) use tunnel::{Offers, Tls, Trust, tunnel};
pub(crate) use wait::eventually;
pub(crate) use world::{World, product};
