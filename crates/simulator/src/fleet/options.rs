//! How a fleet behaves apart from its reactions to commands.

use std::time::Duration;

use crate::{Behaviour, Handler, Journal, Received, Recipient};

/// The choices of a fleet. The default is a fleet of perfect devices with the manners of the vendor's Python library.
pub struct FleetOptions {
    /// Decides what a device does with a command.
    pub handler: Box<dyn Handler>,
    /// Notes every command.
    pub journal: Option<Journal>,
    /// Devices that wait for their CONNACK at the same time, at most.
    pub parallel_connects: usize,
    /// The pauses before connecting again.
    pub back_off: BackOff,
    /// The longest silence towards the server in seconds; 0 for any, and then no PINGREQ is sent.
    pub keep_alive_secs: u16,
    /// Replies go with QoS 1 and are repeated after a reconnect until acknowledged; otherwise with QoS 0.
    pub replies_with_qos_1: bool,
    /// Whether devices ask for their commands.
    pub subscribes: Subscribes,
}

/// Whether devices subscribe to their command topics.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Subscribes {
    /// They do not: commands are pushed to them.
    #[default]
    Never,
    /// After their first CONNACK, one after another and with QoS 0, and they lose what comes before the SUBACK, as with
    /// the vendor's C library.
    LikeC,
    /// To this service alone with QoS 1, as a broker that is no device gateway needs it.
    Service(String),
}

/// Enough to be quick, and far less than the server's backlog of connections.
const PARALLEL_CONNECTS: usize = 200;
/// What every vendor library chooses.
const KEEP_ALIVE_SECS: u16 = 60;

impl FleetOptions {
    /// The default with this handler.
    #[must_use]
    pub fn with(handler: impl Handler + 'static) -> Self {
        Self {
            handler: Box::new(handler),
            ..Self::default()
        }
    }
}

impl Default for FleetOptions {
    fn default() -> Self {
        Self {
            handler: Box::new(|_: &Recipient<'_>, _: &Received| Behaviour::code(crate::SUCCESS)),
            journal: None,
            parallel_connects: PARALLEL_CONNECTS,
            back_off: BackOff::default(),
            keep_alive_secs: KEEP_ALIVE_SECS,
            replies_with_qos_1: true,
            subscribes: Subscribes::default(),
        }
    }
}

/// Pauses before connecting again, each twice as long as the one before. A device waits between half of a pause and all
/// of it, so that a fleet does not come back in step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BackOff {
    /// The first pause after a lost link.
    pub first: Duration,
    /// The longest pause.
    pub longest: Duration,
}

impl Default for BackOff {
    /// The pauses of the vendor's Python library.
    fn default() -> Self {
        Self {
            first: Duration::from_secs(1),
            longest: Duration::from_secs(60),
        }
    }
}

impl BackOff {
    /// The longest pause after a number of failures in a row.
    pub(super) fn pause(&self, failures: u32) -> Duration {
        let factor = 2_u32.saturating_pow(failures.saturating_sub(1));
        self.first.saturating_mul(factor).min(self.longest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest() {
        let back_off = BackOff::default();
        let secs = |failures| back_off.pause(failures).as_secs();
        assert_eq!([1, 2, 3, 6, 7, 8, u32::MAX].map(secs), [1, 2, 4, 32, 60, 60, 60]);
    }
}
