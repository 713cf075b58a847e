//! Bounds what repeats in the log: about one address, one line of a kind in a second; of one kind, ten. The rest is
//! counted and said a second later, so that a flood costs neither disk nor processor, and still shows.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

/// The target of lines about the log itself, which are not limited.
pub(super) const OWN: &str = "aldis_telemetry";
/// Lines of one kind about one address, and of one kind, are counted over this time.
const WINDOW: Duration = Duration::from_secs(1);
/// Lines of one kind about one address in a window.
const OF_ADDRESS_MAX: u32 = 1;
/// Lines of one kind in a window.
const OF_KIND_MAX: u32 = 10;
/// Pairs of kind and address that are counted apart: more are counted with their kind alone. Bounds the memory that
/// strangers can take.
const APART_MAX: usize = 1024;

/// A kind of line: the place in the code that it comes from.
type LineKind = (&'static str, u32);
/// A kind of line, and the address that it is about, if it is counted apart.
type Key = (LineKind, Option<String>);

/// What was said and left out of one kind in its window.
struct Counted {
    since: Instant,
    said: u32,
    left_out: u64,
    /// When the first of them was left out.
    left_out_since: Instant,
    level: Level,
    message: String,
}

/// Counts lines.
#[derive(Default)]
pub(super) struct Limit(Mutex<HashMap<Key, Counted>>);

/// What has not been said.
struct LeftOut {
    level: Level,
    peer: Option<String>,
    count: u64,
    message: String,
}

impl Limit {
    fn admits(&self, kind: LineKind, told: &Told, level: Level, now: Instant) -> bool {
        let mut counted = self.0.lock();
        let room = counted.len() < APART_MAX;
        let apart = told.peer.clone().map(|peer| (kind, Some(peer)));
        let apart = apart.filter(|key| room || counted.contains_key(key));
        apart.is_none_or(|key| count(&mut counted, key, told, level, now))
            && count(&mut counted, (kind, None), told, level, now)
    }

    /// Says what was left out a second ago or earlier, and forgets what is over.
    pub(super) fn say(&self, now: Instant) {
        for left_out in self.take_left_out(now) {
            let LeftOut {
                level,
                peer,
                count,
                message,
            } = left_out;
            if level <= Level::WARN {
                tracing::warn!(target: OWN, peer, count, "left out of the log: {message}");
            } else {
                tracing::info!(target: OWN, peer, count, "left out of the log: {message}");
            }
        }
    }

    fn take_left_out(&self, now: Instant) -> Vec<LeftOut> {
        let mut counted = self.0.lock();
        let mut taken = Vec::new();
        counted.retain(|(_, peer), kind| {
            if kind.left_out > 0 && now.duration_since(kind.left_out_since) >= WINDOW {
                taken.push(LeftOut {
                    level: kind.level,
                    peer: peer.clone(),
                    count: std::mem::take(&mut kind.left_out),
                    message: kind.message.clone(),
                });
            }
            kind.left_out > 0 || now.duration_since(kind.since) < WINDOW
        });
        taken
    }
}

/// Whether one more line of this kind may be said in its window.
fn count(kinds: &mut HashMap<Key, Counted>, key: Key, told: &Told, level: Level, now: Instant) -> bool {
    let most = if key.1.is_some() { OF_ADDRESS_MAX } else { OF_KIND_MAX };
    let kind = kinds.entry(key).or_insert_with(|| Counted {
        since: now,
        said: 0,
        left_out: 0,
        left_out_since: now,
        level,
        message: told.message.clone(),
    });
    if now.duration_since(kind.since) >= WINDOW {
        kind.since = now;
        kind.said = 0;
    }
    let admitted = kind.said < most;
    if admitted {
        kind.said += 1;
    } else {
        if kind.left_out == 0 {
            kind.left_out_since = now;
        }
        kind.left_out += 1;
    }
    admitted
}

/// Asks [`Limit`] about every event.
pub(super) struct Limited(pub(super) Arc<Limit>);

impl<S: Subscriber> Layer<S> for Limited {
    fn event_enabled(&self, event: &Event<'_>, _context: Context<'_, S>) -> bool {
        let metadata = event.metadata();
        // A log level with details gets all of them, as far as the queue has room.
        if *metadata.level() > Level::INFO || metadata.target() == OWN {
            return true;
        }
        let mut told = Told::default();
        event.record(&mut told);
        let kind = (metadata.target(), metadata.line().unwrap_or_default());
        self.0.admits(kind, &told, *metadata.level(), Instant::now())
    }
}

/// What an event says about whom it is about.
#[derive(Default)]
struct Told {
    peer: Option<String>,
    message: String,
}

impl Visit for Told {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        match field.name() {
            "message" => self.message = format!("{value:?}"),
            "peer" => self.peer = network(format!("{value:?}").trim_matches('"')),
            _ => {}
        }
    }
}

/// The address in `peer`, without its port; of IPv6 the network, since a single peer has all addresses of one.
fn network(peer: &str) -> Option<String> {
    let socket = peer.parse::<SocketAddr>().map(|peer| peer.ip());
    let address = socket.or_else(|_| peer.parse::<IpAddr>()).ok()?;
    Some(match address.to_canonical() {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            format!("{}/64", Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const KIND: LineKind = ("a module", 7);

    fn about(peer: &str) -> Told {
        Told {
            peer: network(peer),
            message: "a login does not hold".to_owned(),
        }
    }

    fn said(limit: &Limit, told: impl Fn(u32) -> Told, lines: u32, now: Instant) -> usize {
        (0..lines)
            .filter(|line| limit.admits(KIND, &told(*line), Level::INFO, now))
            .count()
    }

    #[test]
    fn lines_about_one_address_are_one_a_second_and_the_others_are_counted() {
        let limit = Limit::default();
        let begun = Instant::now();
        assert_eq!(said(&limit, |port| about(&format!("10.0.0.1:{port}")), 500, begun), 1);
        assert_eq!(said(&limit, |_| about("10.0.0.2:1"), 1, begun), 1, "another address");
        assert!(limit.take_left_out(begun).is_empty());
        let left_out = limit.take_left_out(begun + WINDOW);
        assert_eq!(left_out.len(), 1);
        assert_eq!(
            (left_out[0].count, left_out[0].peer.as_deref()),
            (499, Some("10.0.0.1"))
        );
        assert!(limit.0.lock().is_empty(), "nothing is kept of what has been said");
        assert_eq!(said(&limit, |_| about("10.0.0.1:1"), 2, begun + WINDOW), 1);
    }

    #[test]
    fn what_a_flood_leaves_out_is_said_while_it_goes_on() {
        let limit = Limit::default();
        let begun = Instant::now();
        let mut counted = 0;
        for tenth in 0..50 {
            let now = begun + tenth * WINDOW / 10;
            said(&limit, |_| about("10.0.0.1:1"), 100, now);
            if tenth % 10 == 5 {
                counted += limit.take_left_out(now).iter().map(|kind| kind.count).sum::<u64>();
            }
        }
        assert!(counted > 3000, "{counted} of 5000 were said to be left out by then");
    }

    #[test]
    fn a_network_of_ipv6_is_one_address() {
        let limit = Limit::default();
        let told = |host| about(&format!("[2001:db8:1:2::{host:x}]:80"));
        assert_eq!(said(&limit, told, 500, Instant::now()), 1);
    }

    #[test]
    fn lines_of_one_kind_and_the_memory_for_them_are_bounded_however_many_addresses_there_are() {
        let limit = Limit::default();
        let begun = Instant::now();
        let told = |n: u32| about(&format!("{}:1", std::net::Ipv4Addr::from(n)));
        let lines = 5 * u32::try_from(APART_MAX).unwrap();
        assert_eq!(said(&limit, told, lines, begun), usize::try_from(OF_KIND_MAX).unwrap());
        assert!(limit.0.lock().len() <= APART_MAX + 1);
        let left_out: u64 = limit.take_left_out(begun + WINDOW).iter().map(|kind| kind.count).sum();
        assert_eq!(left_out, u64::from(lines - OF_KIND_MAX));
    }
}
