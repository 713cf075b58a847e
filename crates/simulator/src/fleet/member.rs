//! One device of a fleet: connects, serves, loses its link, and comes back.

use std::num::NonZeroU16;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use rmqtt_codec::types::Publish;
use rmqtt_codec::v3::{ConnectAckReason, Packet};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::outbox::Outbox;
use super::subscribing::Subscribing;
use super::{Control, Presence, Shared};
use crate::behaviour::LoseLink;
use crate::wire::{LinkError, Wire};
use crate::{Behaviour, DeviceIdentity, Received, Recipient, Rng};

/// A server that has not answered CONNECT by then never will.
const CONNACK_WITHIN: Duration = Duration::from_secs(30);
/// For the last packets before a socket is closed.
const FAREWELL_WITHIN: Duration = Duration::from_secs(1);
/// CONNACK code of a server that has no room just now: no verdict.
const UNAVAILABLE: u8 = 3;
/// The timer of a device that waits for nothing.
const FAR: Duration = Duration::from_secs(24 * 60 * 60);

pub(super) struct SimulatedDevice {
    shared: Arc<Shared>,
    identity: Arc<DeviceIdentity>,
    index: usize,
    commands: u64,
    has_been_connected: bool,
    outbox: Outbox,
    subscribing: Subscribing,
    rng: Rng,
}

/// Why a device is without a connection.
enum Absence {
    /// The result was not wanted.
    Lost,
    /// It has to be: offline or stopped.
    Left,
    /// The server is not there, or does not want it.
    Unwanted,
}

/// One connection of a device.
struct Session {
    wire: Wire,
    last_sent: Instant,
    pinged: Option<Instant>,
}

impl Session {
    fn put(&mut self, packet: Packet, now: Instant) -> Result<(), LinkError> {
        self.last_sent = now;
        self.wire.put(packet)
    }

    async fn farewell(mut self) {
        // The link is being given up: whether the last packets got through makes no difference here.
        drop(timeout(FAREWELL_WITHIN, self.wire.flush()).await);
    }
}

impl SimulatedDevice {
    pub(super) fn new(shared: Arc<Shared>, identity: DeviceIdentity, index: usize) -> Self {
        Self {
            outbox: Outbox::new(shared.replies_with_qos_1),
            rng: Rng::for_case(0, [&identity.product_key, &identity.device_key], 0),
            identity: Arc::new(identity),
            index,
            commands: 0,
            has_been_connected: false,
            subscribing: Subscribing::default(),
            shared,
        }
    }

    /// Lives until the fleet is stopped.
    pub(super) async fn run(mut self, mut control: watch::Receiver<Control>) {
        let mut failures = 0;
        loop {
            let wanted = *control.borrow();
            let moved_on = |now: &Control| now.presence != wanted.presence;
            match wanted.presence {
                Presence::Stopped => return,
                Presence::Offline => {
                    change(&mut control, moved_on).await;
                    continue;
                }
                Presence::Online => {}
            }
            failures = match self.live(&mut control, wanted.cuts).await {
                Absence::Left => continue,
                Absence::Lost => 1,
                Absence::Unwanted => failures + 1,
            };
            tokio::select! {
                _ = change(&mut control, moved_on) => {}
                () = sleep(self.pause(failures)) => {}
            }
        }
    }

    fn pause(&mut self, failures: u32) -> Duration {
        let longest = self.shared.back_off.pause(failures);
        let micros = u64::try_from(longest.as_micros()).unwrap_or(u64::MAX);
        Duration::from_micros(self.rng.within(&(micros / 2..=micros)))
    }

    async fn live(&mut self, control: &mut watch::Receiver<Control>, cuts: u64) -> Absence {
        let connected = tokio::select! {
            connected = connect(&self.shared, &self.identity) => connected,
            _ = change(control, |wanted| wanted.presence != Presence::Online) => return Absence::Left,
        };
        let Some(wire) = connected else {
            self.shared.counters.notify();
            return Absence::Unwanted;
        };
        let counters = Arc::clone(&self.shared.counters);
        counters.accepted.add(1);
        counters.reconnected.add(u64::from(self.has_been_connected));
        counters.connected.add(1);
        counters.notify();
        self.has_been_connected = true;
        let left = self.serve(wire, control, cuts).await;
        counters.connected.one_less();
        counters.lost.add(u64::from(left.is_err()));
        counters.notify();
        if left.is_ok() { Absence::Left } else { Absence::Lost }
    }

    /// Serves a connection. `Ok` is a clean farewell, an error any other end.
    async fn serve(&mut self, wire: Wire, control: &mut watch::Receiver<Control>, cuts: u64) -> Result<(), LinkError> {
        let now = Instant::now();
        let mut session = Session {
            wire,
            last_sent: now,
            pinged: None,
        };
        self.open(&mut session, now)?;
        let mut timer = pin!(sleep_until(self.wake(&session, now)));
        let mut recalled = pin!(change(control, |wanted| {
            wanted.presence != Presence::Online || wanted.cuts != cuts
        }));
        loop {
            // First, because packets may have come together with the CONNACK.
            if let Some(moment) = self.read(&mut session)? {
                return Err(lose(session, moment).await);
            }
            session.wire.try_flush()?;
            self.shared.counters.notify();
            let wake = self.wake(&session, Instant::now());
            // A timer that is merely too early costs less than moving it with every command.
            if timer.is_elapsed() || wake < timer.deadline() {
                timer.as_mut().reset(wake);
            }
            tokio::select! {
                wanted = &mut recalled => return leave(session, wanted).await,
                filled = session.wire.fill() => filled?,
                () = &mut timer => self.on_timer(&mut session)?,
            }
        }
    }

    /// What a device sends right after CONNACK.
    fn open(&mut self, session: &mut Session, now: Instant) -> Result<(), LinkError> {
        for publish in self.outbox.to_repeat() {
            session.put(Packet::Publish(publish), now)?;
            self.shared.counters.replies_repeated.add(1);
        }
        self.subscribe(session, now)?;
        self.send_due(session, now)
    }

    fn subscribe(&self, session: &mut Session, now: Instant) -> Result<(), LinkError> {
        let next = self.subscribing.next(&self.identity, &self.shared.subscribes);
        next.map_or(Ok(()), |packet| session.put(packet, now))
    }

    fn wake(&self, session: &Session, now: Instant) -> Instant {
        let reply = self.outbox.next_due().unwrap_or(now + FAR);
        let silence = match self.shared.keep_alive_secs {
            0 => FAR,
            secs => Duration::from_secs(secs.into()),
        };
        reply.min(session.pinged.unwrap_or(session.last_sent) + silence)
    }

    fn on_timer(&mut self, session: &mut Session) -> Result<(), LinkError> {
        let now = Instant::now();
        self.send_due(session, now)?;
        let silence = Duration::from_secs(self.shared.keep_alive_secs.into());
        if silence.is_zero() {
            return Ok(());
        }
        match session.pinged {
            Some(pinged) if now >= pinged + silence => return Err(LinkError::Closed),
            None if now >= session.last_sent + silence => {
                session.pinged = Some(now);
                self.shared.counters.pings.add(1);
                session.put(Packet::PingRequest, now)?;
            }
            _ => {}
        }
        Ok(())
    }

    fn send_due(&mut self, session: &mut Session, now: Instant) -> Result<(), LinkError> {
        while let Some(publish) = self.outbox.take_due(now) {
            session.put(Packet::Publish(publish), now)?;
            self.shared.counters.replies.add(1);
        }
        Ok(())
    }

    /// Handles what has arrived. Gives the moment if the device loses its link over a command.
    fn read(&mut self, session: &mut Session) -> Result<Option<LoseLink>, LinkError> {
        while let Some(packet) = session.wire.next_read()? {
            if let Some(moment) = self.on_packet(session, packet)? {
                return Ok(Some(moment));
            }
        }
        Ok(None)
    }

    fn on_packet(&mut self, session: &mut Session, packet: Packet) -> Result<Option<LoseLink>, LinkError> {
        match packet {
            Packet::Publish(publish) => return self.on_publish(session, publish),
            Packet::PublishAck { packet_id } => {
                let known = self.outbox.acknowledged(packet_id);
                self.shared.counters.replies_acknowledged.add(u64::from(known));
            }
            Packet::SubscribeAck { packet_id, status } => {
                self.subscribing.on_suback(packet_id, &status);
                self.subscribe(session, Instant::now())?;
            }
            Packet::PingResponse => session.pinged = None,
            _ => {}
        }
        Ok(None)
    }

    fn on_publish(&mut self, session: &mut Session, publish: Box<Publish>) -> Result<Option<LoseLink>, LinkError> {
        let counters = &self.shared.counters;
        counters.foreign.add(u64::from(!self.owns(&publish.topic)));
        match Received::read(publish) {
            Ok(command) if !self.subscribing.covers(&command, &self.shared.subscribes) => {
                counters.dropped_unsubscribed.add(1);
                self.acknowledge(session, command.to_acknowledge(), Instant::now())?;
                Ok(None)
            }
            Ok(command) => self.on_command(session, &command),
            Err(publish) => {
                counters.unreadable.add(1);
                self.acknowledge(session, publish.packet_id, Instant::now())?;
                Ok(None)
            }
        }
    }

    fn owns(&self, topic: &str) -> bool {
        let identity = &self.identity;
        let rest = topic
            .strip_prefix("/sys/")
            .or_else(|| topic.strip_prefix("/ext/session/"));
        rest.and_then(|rest| rest.strip_prefix(identity.product_key.as_str()))
            .and_then(|rest| rest.strip_prefix('/')?.strip_prefix(identity.device_key.as_str()))
            .is_some_and(|rest| rest.starts_with('/'))
    }

    fn on_command(&mut self, session: &mut Session, command: &Received) -> Result<Option<LoseLink>, LinkError> {
        if let Some(journal) = &self.shared.journal {
            journal.note(&self.identity, command);
        }
        let behaviour = self.shared.decide(
            &Recipient {
                identity: &self.identity,
                index: self.index,
                nth: self.commands,
            },
            command,
        );
        self.commands += 1;
        self.shared.counters.commands.add(1);
        let now = Instant::now();
        self.plan(command, &behaviour, now);
        if behaviour.lose_link == Some(LoseLink::BeforePuback) {
            return Ok(behaviour.lose_link);
        }
        if behaviour.puback && self.acknowledge(session, command.to_acknowledge(), now)? {
            self.shared.counters.pubacks.add(1);
        }
        if behaviour.lose_link != Some(LoseLink::AfterPuback) {
            self.send_due(session, now)?;
        }
        Ok(behaviour.lose_link)
    }

    fn plan(&mut self, command: &Received, behaviour: &Behaviour, now: Instant) {
        let Some(payload) = behaviour.reply.payload(command.id()) else {
            return;
        };
        let due = now + behaviour.reply_after.min(FAR);
        if let Some(later) = behaviour.again_after {
            self.outbox
                .plan(due + later.min(FAR), command.reply_topic(), payload.clone());
        }
        self.outbox.plan(due, command.reply_topic(), payload);
    }

    fn acknowledge(
        &self,
        session: &mut Session,
        packet_id: Option<NonZeroU16>,
        now: Instant,
    ) -> Result<bool, LinkError> {
        let Some(packet_id) = packet_id else {
            return Ok(false);
        };
        session.put(Packet::PublishAck { packet_id }, now)?;
        Ok(true)
    }
}

/// Waits until something else is wanted, also if it has been already.
async fn change(control: &mut watch::Receiver<Control>, other: impl FnMut(&Control) -> bool) -> Control {
    // A handle tells its fleet to stop before it goes, so the error comes to the same.
    let stopped = Control {
        presence: Presence::Stopped,
        cuts: 0,
    };
    control.wait_for(other).await.map_or(stopped, |wanted| *wanted)
}

async fn connect(shared: &Shared, identity: &DeviceIdentity) -> Option<Wire> {
    let turn = shared.connecting.acquire().await;
    let answer = timeout(CONNACK_WITHIN, handshake(shared, identity)).await;
    drop(turn);
    match answer {
        Ok(Ok((wire, 0))) => return Some(wire),
        Ok(Ok((_, UNAVAILABLE))) => shared.counters.put_off.add(1),
        Ok(Ok((_, code))) => {
            // Before the count, which is what others wait for.
            shared.counters.refused_with.set(code.into());
            shared.counters.refused.add(1);
        }
        Ok(Err(_)) | Err(_) => shared.counters.unreachable.add(1),
    }
    None
}

async fn handshake(shared: &Shared, identity: &DeviceIdentity) -> Result<(Wire, u8), LinkError> {
    let mut login = identity.login();
    login.keep_alive_secs = shared.keep_alive_secs;
    let mut wire = Wire::dial(shared.addr).await?;
    wire.put(login.packet().into())?;
    wire.flush().await?;
    match wire.next().await? {
        Packet::ConnectAck(answer) => Ok((wire, code_of(answer.return_code))),
        _ => Err(LinkError::Closed),
    }
}

fn code_of(reason: ConnectAckReason) -> u8 {
    reason.into()
}

async fn leave(mut session: Session, wanted: Control) -> Result<(), LinkError> {
    if wanted.presence == Presence::Online {
        session.wire.reset();
        return Err(LinkError::Closed);
    }
    session.wire.put(Packet::Disconnect)?;
    session.farewell().await;
    Ok(())
}

async fn lose(session: Session, moment: LoseLink) -> LinkError {
    match moment {
        LoseLink::BeforePuback => session.wire.reset(),
        LoseLink::AfterPuback | LoseLink::AfterReply => session.farewell().await,
    }
    LinkError::Closed
}
