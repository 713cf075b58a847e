//! The gateway over real sockets, with a writer that only keeps what is reported to it.

mod bench;
mod bounds;
mod idle;
mod logins;
mod mqtt5;
mod orders;
mod packets;
mod sub_devices;
