//! The rules of the state machine, one test each.
//!
//! Most of them guard a rule of which a small model showed that the service breaks when it is turned round. Rules about
//! slots, sessions, queues and sockets are tested in the engine and the gateway.

mod course;
mod rules {
    mod attempts;
    mod details;
    mod jobs;
    mod rounds;
}
mod support;
