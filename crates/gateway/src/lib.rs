//! The device gateway: MQTT 3.1.1 and 5 over TCP, plain, under TLS or in a WebSocket (docs/device-protocol.md).
//!
//! Not a broker: nothing is routed between devices, nothing retained, no subscription decides what is delivered. One
//! task per connection logs the device in, tells the engine about it and reports what the device says; one for all
//! writes what the engine orders. A reply's PUBACK goes out only when the engine says that it is durable.
//!
//! `listener` accepts · `transport` carries bytes, `upgrade` lays them into a WebSocket, `tls` and `certificate` say
//! what protects them · `login` and `admission` say who comes in, `acknowledgements` answer it · `connection` lives a connection, `guest_connection` one that is
//! no device's presence, of which `guest_quota` bounds the number · `input` reads from its socket, `packets` takes the
//! bytes apart, `mqtt5` and `properties` those of MQTT 5, `compression` decompresses payloads, `upstream` says what a message
//! means · `warm_up` says when the device may be sent what · `sessions` knows who is online, `members` who is over a
//! gateway's connection, `sub_devices` lets them in · `orders` carries out what the engine wants, `connection_handle` writes to the
//! socket.

mod acknowledgements;
mod admission;
mod certificate;
mod client_capabilities;
mod close_reason;
mod compression;
mod connection;
mod connection_handle;
mod entrant;
mod guest_connection;
mod guest_quota;
mod input;
mod keys;
mod listener;
mod login;
mod members;
mod mqtt5;
mod orders;
mod packets;
pub mod pem;
mod properties;
mod read_budget;
mod session_params;
mod sessions;
mod socket;
mod sub_devices;
mod subscribing;
mod templates;
#[cfg(test)]
mod tests;
mod throttle;
mod tls;
mod transport;
mod upgrade;
mod upstream;
mod warm_up;

use std::sync::Arc;

use aldis_core::time::Clock;

pub use listener::{Listeners, serve, turned_away_max};
pub use sessions::Sessions;
pub use tls::{CertificateFiles, NotReloaded, Tls, TlsError, TlsFiles};

use aldis_app::App;
use aldis_net::idle::Idle;
use guest_quota::GuestQuota;
use throttle::Throttle;

/// What every connection shares.
pub struct Gateway {
    app: App,
    clock: Arc<dyn Clock>,
    sessions: Arc<Sessions>,
    throttle: Throttle,
    /// Those with a product's secret.
    guest_quota: Arc<GuestQuota>,
    /// Connections that have not logged in.
    strangers: Arc<Idle>,
    connections_max: usize,
}

impl Gateway {
    /// A gateway that admits devices of `app` into `sessions`, over at most `connections_max` connections.
    #[must_use]
    pub fn new(app: App, clock: Arc<dyn Clock>, sessions: Arc<Sessions>, connections_max: usize) -> Arc<Self> {
        Arc::new(Self {
            app,
            clock,
            sessions,
            throttle: Throttle::default(),
            guest_quota: Arc::default(),
            strangers: Arc::default(),
            connections_max,
        })
    }
}
