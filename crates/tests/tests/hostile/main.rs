//! Hostile and broken peers against the real `aldis serve`: each is answered as its protocol demands or cut off, memory
//! stays within a stated bound, and everybody else is served throughout (docs/reliability.md, "Hostile input").
//!
//! What a body or a packet of the wrong shape is told stands in `end_to_end`; here it is about what it costs.

#![expect(clippy::unwrap_used, reason = "a test that meets what it did not expect has to end")]
#![expect(clippy::print_stderr, reason = "a failing test shows the log of its server")]

#[expect(dead_code, unused_imports, reason = "shared with `end_to_end`, which uses all of it")]
#[path = "../end_to_end/harness/mod.rs"]
mod harness;

mod bodies;
mod device_topics;
mod encodings;
mod expressions;
mod floods;
mod fuzzing;
mod idle;
mod packed;
mod packets;
mod secrets;
mod slow;
mod strangers;
mod unread;
mod web_sockets;
