//! The rules of the state machine, one test each.
//!
//! Names that begin with `m_` belong to rules of which a small model showed that the service breaks if they are turned
//! round: such a test falls when its rule in `core` is flipped. Rules about slots, sessions, queues and sockets are
//! proven where those are, in the server.

mod course;
mod rules {
    mod attempts;
    mod details;
    mod jobs;
    mod rounds;
}
mod support;
