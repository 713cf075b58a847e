//! A fleet in a process of its own, so that what the devices cost can be told apart from what the server costs, and so
//! that more devices can be connected than one process may open files.
//!
//! The two processes speak JSON, one line at a time: first a [`FleetPlan`], then for each [`FleetRequest`] one line of
//! [`Counts`]. [`FleetProcess`] is the end that asks, [`serve_fleet`] the end that has the devices. The fleet ends with
//! its standard input, and so with the process that started it, however that ends.

mod child;
mod parent;
mod usage;

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

pub use self::child::serve_fleet;
pub use self::parent::FleetProcess;
pub use self::usage::Usage;
use crate::Counts;

/// What a fleet in a process of its own consists of and how it behaves.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FleetPlan {
    /// Where the devices connect.
    pub mqtt: SocketAddr,
    /// The service that they subscribe to, as a plain broker needs it; without one commands are pushed to them.
    pub subscribes: Option<String>,
    /// Within how many milliseconds they answer, at random: from the first to the second.
    pub pause_ms: (u64, u64),
    /// How often they answer with a failure, from 0 to 1.
    pub failing: f64,
    /// Devices that wait for their CONNACK at the same time, at most.
    pub parallel_connects: usize,
    /// Product key, device key and secret of each.
    pub devices: Vec<(String, String, String)>,
}

impl FleetPlan {
    /// Devices that succeed at once.
    #[must_use]
    pub fn new(mqtt: SocketAddr) -> Self {
        Self {
            mqtt,
            subscribes: None,
            pause_ms: (0, 0),
            failing: 0.0,
            parallel_connects: PARALLEL_CONNECTS,
            devices: Vec::new(),
        }
    }
}

const PARALLEL_CONNECTS: usize = 200;

/// What is asked of a fleet. The answer is its figures, after what was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum FleetRequest {
    /// The figures now.
    Now,
    /// Wait until this many devices are connected, or one was refused.
    Connected(u64),
    /// Wait until the server has accepted this many logins altogether.
    Accepted(u64),
    /// Wait until the server has acknowledged this many replies altogether.
    Acknowledged(u64),
    /// Let all devices take their leave.
    GoOffline,
    /// Let all devices connect again.
    GoOnline,
}

impl FleetRequest {
    /// Whether the figures answer it.
    fn is_met(self, counts: &Counts) -> bool {
        match self {
            Self::Connected(wanted) => counts.connected >= wanted || counts.refused > 0,
            Self::Accepted(wanted) => counts.accepted >= wanted,
            Self::Acknowledged(wanted) => counts.replies_acknowledged >= wanted,
            Self::Now | Self::GoOffline | Self::GoOnline => true,
        }
    }
}

#[cfg(test)]
mod tests;
