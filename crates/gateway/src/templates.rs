//! Commands prepared for sending. A job's devices all get the same one, so it is prepared once and not for each of
//! them.

use std::collections::VecDeque;
use std::sync::Arc;

use aldis_core::command::Command;
use aldis_protocol::payload::CommandBody;
use aldis_protocol::topic::command_path;

/// Commands that stay prepared: those of the jobs that are being sent at a time, and each may have a large input.
const PREPARED_MAX: usize = 32;

/// What all devices get of a command.
pub(super) struct Template {
    /// The end of its topic.
    pub(super) path: String,
    pub(super) body: CommandBody,
}

/// The commands prepared last, the latest used first.
#[derive(Default)]
pub(super) struct Templates(VecDeque<(Arc<Command>, Template)>);

impl Templates {
    pub(super) fn of(&mut self, command: &Arc<Command>) -> &Template {
        let prepared = &mut self.0;
        match prepared.iter().position(|(known, _)| Arc::ptr_eq(known, command)) {
            Some(0) => {}
            Some(at) => prepared.swap(0, at),
            None => {
                prepared.truncate(PREPARED_MAX - 1);
                prepared.push_front((Arc::clone(command), prepare(command)));
            }
        }
        &prepared[0].1
    }
}

fn prepare(command: &Command) -> Template {
    Template {
        path: command_path(command),
        body: CommandBody::prepare(command),
    }
}
