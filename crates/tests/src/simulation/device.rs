//! A device: the commands that it got, and what it says about them.

use aldis_core::command::Command;
use aldis_core::ids::{DeviceNo, WireId};
use aldis_core::task::Reply;
use aldis_engine::link::{AnswerTo, SessionNo};

use super::operation::ReplyKind;

/// A command that arrived.
#[derive(Debug, Clone)]
pub(super) struct Got {
    pub(super) wire: WireId,
    pub(super) session: SessionNo,
    pub(super) to: AnswerTo,
    pub(super) acknowledged: bool,
    pub(super) replied: bool,
}

/// A device of the fleet.
#[derive(Debug)]
pub(super) struct Device {
    pub(super) key: String,
    /// Its number in the store; another one after it was deleted and registered anew.
    pub(super) no: DeviceNo,
    pub(super) got: Vec<Got>,
    pub(super) packets: u16,
}

impl Device {
    pub(super) fn new(key: String, no: DeviceNo) -> Self {
        Self {
            key,
            no,
            got: Vec::new(),
            packets: 0,
        }
    }

    /// The command that it got this many before the last.
    pub(super) fn got_back(&mut self, back: u32) -> Option<&mut Got> {
        let count = self.got.len();
        let back = usize::try_from(back).unwrap_or(0);
        count
            .checked_sub(1 + back % count.max(1))
            .and_then(|index| self.got.get_mut(index))
    }

    pub(super) fn next_packet(&mut self) -> u16 {
        self.packets = self.packets.checked_add(1).unwrap_or(1);
        self.packets
    }
}

/// The topic on which the reply to a command goes.
pub(super) fn reply_topic(command: &Command) -> AnswerTo {
    match command {
        Command::InvokeService { service_id, .. } => AnswerTo::Service(service_id.clone()),
        Command::SetMeasurepoint { .. } => AnswerTo::Points,
    }
}

pub(super) fn reply(answer: ReplyKind) -> Reply {
    let code = match answer {
        ReplyKind::Well => Some(0),
        ReplyKind::Badly(code) => Some(code),
        ReplyKind::Rubbish => None,
    };
    Reply {
        code,
        message: None,
        output: None,
    }
}
