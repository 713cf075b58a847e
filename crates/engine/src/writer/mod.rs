//! The one writer: it collects what has come in, decides turn by turn, commits, and only then hands out what follows.
//!
//! [`Writer`] is the handle that `app` and `gateway` hold; the object behind it is driven by a thread of its own, or by
//! a simulation. What arrives during a commit goes into the next one.

mod handle;
mod inbox;
mod request;

pub use handle::{Writer, WriterError};
pub use inbox::{Inbox, Received};
pub use request::{AnswerSender, Retried, TaskEntry, WholeJob, WriterRequest};
