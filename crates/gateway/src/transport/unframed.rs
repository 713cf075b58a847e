//! Takes the frames of a WebSocket off what they carry, in place and as it comes: where frames begin and end says
//! nothing, so no frame has to be whole, and nothing is kept but the beginning of a header and of a control frame.

use std::io::{self, Cursor};

use tungstenite::protocol::frame::FrameHeader;
use tungstenite::protocol::frame::coding::{Control, Data, OpCode};

/// Largest control frame that the standard allows.
const CONTROL_MAX_BYTES: u64 = 125;
/// Longest header of a client's frame.
const HEADER_MAX_BYTES: usize = 14;

/// What frames say beside what they carry.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Said {
    Ping(Vec<u8>),
    Close(Vec<u8>),
}

/// Where in its frames a peer is.
#[derive(Default)]
pub(super) struct Unframed {
    /// The beginning of a header.
    header: Vec<u8>,
    frame: Option<Frame>,
    /// What a control frame has carried so far.
    control: Vec<u8>,
    /// The message goes on in another frame.
    goes_on: bool,
}

/// The rest of a frame.
struct Frame {
    code: OpCode,
    left: u64,
    mask: [u8; 4],
}

impl Unframed {
    /// What these bytes carry is moved to their beginning; how much it is. What frames say is handed over.
    ///
    /// # Errors
    /// `InvalidData` for what is no client's frame, or is text.
    pub(super) fn take(&mut self, bytes: &mut [u8], mut hear: impl FnMut(Said)) -> io::Result<usize> {
        let (mut from, mut to) = (0, 0);
        while from < bytes.len() {
            let Some(frame) = &mut self.frame else {
                from += self.begin(&bytes[from..])?;
                self.end_if_empty(&mut hear);
                continue;
            };
            let count = usize::try_from(frame.left)
                .unwrap_or(usize::MAX)
                .min(bytes.len() - from);
            let part = from..from + count;
            frame.unmask(&mut bytes[part.clone()]);
            match frame.code {
                OpCode::Control(_) => self.control.extend_from_slice(&bytes[part]),
                OpCode::Data(_) => {
                    bytes.copy_within(part, to);
                    to += count;
                }
            }
            from += count;
            self.end_if_empty(&mut hear);
        }
        Ok(to)
    }

    /// Reads a header, or as much of it as there is; how many bytes that are.
    fn begin(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let before = self.header.len();
        let some = bytes.len().min(HEADER_MAX_BYTES - before);
        self.header.extend_from_slice(&bytes[..some]);
        let mut cursor = Cursor::new(&self.header);
        let Some((header, length)) = FrameHeader::parse(&mut cursor).map_err(invalid)? else {
            return Ok(some);
        };
        let used = usize::try_from(cursor.position()).unwrap_or(usize::MAX);
        self.header = Vec::new();
        self.frame = Some(self.check(&header, length)?);
        Ok(used - before)
    }

    fn check(&mut self, header: &FrameHeader, length: u64) -> io::Result<Frame> {
        let Some(mask) = header.mask else {
            return Err(invalid("a client's frame without a mask"));
        };
        if header.rsv1 || header.rsv2 || header.rsv3 {
            return Err(invalid("a frame of an extension that was not agreed on"));
        }
        match header.opcode {
            OpCode::Control(_) if header.is_final && length <= CONTROL_MAX_BYTES => {}
            OpCode::Control(_) => return Err(invalid("a control frame that is too long, or in pieces")),
            OpCode::Data(Data::Text) => return Err(invalid("expected MQTT, found text")),
            OpCode::Data(data) if (data == Data::Continue) == self.goes_on => self.goes_on = !header.is_final,
            OpCode::Data(_) => return Err(invalid("pieces of a message out of their order")),
        }
        Ok(Frame {
            code: header.opcode,
            left: length,
            mask,
        })
    }

    fn end_if_empty(&mut self, hear: &mut impl FnMut(Said)) {
        let Some(frame) = self.frame.take_if(|frame| frame.left == 0) else {
            return;
        };
        let control = std::mem::take(&mut self.control);
        match frame.code {
            OpCode::Control(Control::Ping) => hear(Said::Ping(control)),
            OpCode::Control(Control::Close) => hear(Said::Close(control)),
            OpCode::Control(_) | OpCode::Data(_) => {}
        }
    }
}

impl Frame {
    fn unmask(&mut self, bytes: &mut [u8]) {
        for (byte, mask) in bytes.iter_mut().zip(self.mask.iter().cycle()) {
            *byte ^= mask;
        }
        self.mask.rotate_left(bytes.len() % 4);
        self.left -= bytes.len() as u64;
    }
}

pub(super) fn invalid(what: impl ToString) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_string())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tungstenite::Message;
    use tungstenite::protocol::{Role, WebSocket, WebSocketConfig};

    use super::*;

    /// What a library's client sends.
    fn sent(messages: &[Message]) -> Vec<u8> {
        let config = WebSocketConfig::default();
        let mut client = WebSocket::from_raw_socket(Cursor::new(Vec::new()), Role::Client, Some(config));
        for message in messages {
            client.send(message.clone()).unwrap();
        }
        client.get_ref().get_ref().clone()
    }

    /// What is carried and said, if the bytes come in pieces that end at these places.
    fn taken(wire: &[u8], cuts: &[usize]) -> io::Result<(Vec<u8>, Vec<Said>)> {
        let (mut unframed, mut carried, mut said) = (Unframed::default(), Vec::new(), Vec::new());
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (wire.len() + 1)).collect();
        cuts.extend([0, wire.len()]);
        cuts.sort_unstable();
        for piece in cuts.windows(2) {
            let mut bytes = wire[piece[0]..piece[1]].to_vec();
            let count = unframed.take(&mut bytes, |heard| said.push(heard))?;
            carried.extend_from_slice(&bytes[..count]);
        }
        Ok((carried, said))
    }

    fn payload() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![
            prop::collection::vec(any::<u8>(), 0..200),
            (65_500..65_600_usize).prop_map(|length| vec![7; length]),
        ]
    }

    proptest! {
        #[test]
        fn whatever_a_library_sends_comes_out_however_it_is_cut(
            payloads in prop::collection::vec((payload(), any::<bool>()), 0..5),
            cuts in prop::collection::vec(any::<usize>(), 0..20),
        ) {
            let messages: Vec<Message> = payloads
                .iter()
                .map(|(payload, ping)| match ping {
                    true => Message::Ping(payload[..payload.len().min(125)].to_vec().into()),
                    false => Message::Binary(payload.clone().into()),
                })
                .collect();
            let (carried, said) = taken(&sent(&messages), &cuts).unwrap();
            let of = |wanted| payloads.iter().filter(move |(_, ping)| *ping == wanted).map(|(payload, _)| payload.clone());
            prop_assert_eq!(carried, of(false).collect::<Vec<_>>().concat());
            let pings = of(true).map(|payload| Said::Ping(payload[..payload.len().min(125)].to_vec()));
            prop_assert_eq!(said, pings.collect::<Vec<_>>());
        }

        #[test]
        fn no_bytes_whatever_make_it_panic(
            wire in prop::collection::vec(any::<u8>(), 0..300),
            cuts in prop::collection::vec(any::<usize>(), 0..5),
        ) {
            drop(taken(&wire, &cuts));
        }
    }
}
