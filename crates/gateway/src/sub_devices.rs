//! What a gateway asks for on behalf of its sub-devices, done one after another.

use std::collections::HashSet;
use std::num::NonZeroU16;
use std::sync::Arc;

use aldis_core::ids::DeviceNo;
use aldis_protocol::answers::AnswerMessage;
use aldis_protocol::reply::ReplyMessage;
use aldis_protocol::report::Query;
use aldis_protocol::sub_devices::{DeviceKeys, GatewayRequest, Outcome, Refused, Request, SubDeviceInfo, SubLogin};
use aldis_protocol::thing_model::ModelQuery;

use super::Gateway;
use super::close_reason::CloseReason;
use super::connection_handle::ConnectionHandle;
use super::entrant::Entrant;
use super::keys::Keys;
use super::members::{Members, StoreQuery};
use aldis_app::gateway_requests::{Each, Proved};
use aldis_app::sub_devices::ONLINE_MAX;
use aldis_engine::link::{AnswerTo, DeviceEvent};
use aldis_engine::session_contention::Route;
use aldis_engine::trace::Event;

impl Gateway {
    /// Does what was asked for, in order, and answers. How many bytes were answered: a short question can have a long
    /// answer.
    pub(super) async fn serve_asked(
        &self,
        handle: &Arc<ConnectionHandle>,
        asked: Vec<StoreQuery>,
    ) -> Result<usize, CloseReason> {
        let mut answered = 0;
        for asked in asked {
            self.sessions.writer().room().await;
            let request = match asked {
                StoreQuery::Request(request) => request,
                StoreQuery::Query(device, query) => {
                    answered += self.answer_query(handle, device, &query).await?;
                    continue;
                }
                StoreQuery::Model(device, query) => {
                    answered += self.answer_model_query(handle, device, &query).await?;
                    continue;
                }
                StoreQuery::Reply { from, said, to, packet } => {
                    self.hear_reply(handle, from, said, to, packet).await?;
                    continue;
                }
                StoreQuery::TooMuchForeign => {
                    self.look_at_talker(handle).await?;
                    continue;
                }
            };
            let outcome = self.serve(handle, &request).await.unwrap_or_else(Outcome::Refused);
            answered += self.say(handle, &request.answer(&outcome))?;
        }
        Ok(answered)
    }

    /// What the device has reported, and what an operator has registered of it.
    async fn answer_query(
        &self,
        handle: &ConnectionHandle,
        device: DeviceNo,
        query: &Query,
    ) -> Result<usize, CloseReason> {
        let answer = match self.app.own_values(device, query.kind).await {
            Ok(values) => query.answer(values),
            Err(error) => {
                tracing::error!(%error, "what a device has reported cannot be read");
                query.unavailable()
            }
        };
        self.say(handle, &answer)
    }

    async fn answer_model_query(
        &self,
        handle: &ConnectionHandle,
        device: DeviceNo,
        query: &ModelQuery,
    ) -> Result<usize, CloseReason> {
        let answer = match self.app.own_model(device).await {
            Ok(document) => query.answer(&document),
            Err(error) => {
                tracing::error!(%error, "a device's thing model cannot be read");
                query.unavailable()
            }
        };
        self.say(handle, &answer)
    }

    /// How many bytes were said.
    fn say(&self, handle: &ConnectionHandle, answer: &AnswerMessage) -> Result<usize, CloseReason> {
        let mut outbox = handle.outbox();
        outbox.put_message(&answer.topic, &answer.payload)?;
        outbox.flush(&handle.transport, &*self.clock)?;
        Ok(answer.payload.len())
    }

    /// Only a gateway may go on speaking for others.
    async fn look_at_talker(&self, handle: &ConnectionHandle) -> Result<(), CloseReason> {
        match self.app.is_gateway(handle.device).await {
            Ok(true) => handle.outbox().be_gateway(),
            Ok(false) => return Err(CloseReason::Misbehaved("too many messages in another device's name")),
            Err(_) => return Err(CloseReason::Unavailable),
        }
        Ok(())
    }

    /// A reply of a device that is not in counts if it is under this gateway; else it is acknowledged and dropped. As
    /// long as that cannot be told it is neither: the connection ends, and the gateway sends it again.
    async fn hear_reply(
        &self,
        handle: &Arc<ConnectionHandle>,
        from: DeviceKeys,
        said: ReplyMessage,
        to: AnswerTo,
        packet: Option<NonZeroU16>,
    ) -> Result<(), CloseReason> {
        let topic = format!("/sys/{}/{}/", from.product_key, from.device_key);
        let found = self.app.sub_device(handle.device, from).await;
        if let Some(device) = found.map_err(|_unavailable| CloseReason::Unavailable)? {
            self.sessions.writer().report(DeviceEvent::Replied {
                session: handle.session,
                device,
                wire: said.wire,
                mentioned: said.mentioned,
                to,
                reply: said.reply,
                packet: packet.map(NonZeroU16::get),
            });
            return Ok(());
        }
        self.sessions.note(
            handle.device,
            Event::dropped("its topic names a device that it may not speak for", &topic),
        );
        if let Some(packet_id) = packet {
            let mut outbox = handle.outbox();
            outbox.put_puback(packet_id);
            outbox.flush(&handle.transport, &*self.clock)?;
        }
        Ok(())
    }

    async fn serve(&self, handle: &Arc<ConnectionHandle>, request: &Request) -> Result<Outcome, Refused> {
        let gateway = handle.device;
        Ok(match &request.asks {
            GatewayRequest::Login(login) => {
                let mut let_in = self.log_in_all(handle, vec![login.clone()]).await?;
                match let_in.pop() {
                    Some(Ok(known)) => Outcome::LoggedIn(known),
                    Some(Err((_, refused))) => Outcome::Refused(refused),
                    None => Outcome::Refused(Refused::Unavailable),
                }
            }
            GatewayRequest::LoginAll(logins, unread) => {
                let let_in = self.log_in_all(handle, logins.clone()).await?;
                let (known, mut failed) = apart(let_in);
                failed.extend(malformed(unread));
                Outcome::LoggedInAll(known, failed)
            }
            GatewayRequest::Logout(named) => {
                self.log_out(handle, named);
                Outcome::LoggedOut
            }
            GatewayRequest::AddToTopology(logins, unread) => {
                let (_, mut failed) = apart(self.app.add_to_topology(gateway, logins.clone()).await?);
                failed.extend(malformed(unread));
                Outcome::Added(failed)
            }
            GatewayRequest::Topology => Outcome::Topology(self.app.topology(gateway).await?),
            GatewayRequest::RemoveFromTopology(devices, unread) => {
                let (_, mut failed) = apart(self.app.remove_from_topology(gateway, devices.clone()).await?);
                failed.extend(malformed(unread));
                Outcome::Removed(failed)
            }
            GatewayRequest::Register(devices, unread) => {
                let (known, refused) = self.app.register_through(gateway, devices.clone()).await?;
                let unread = (*unread > 0).then_some(Refused::Malformed);
                Outcome::Registered(known, refused.or(unread))
            }
            GatewayRequest::Senseless(refused) => Outcome::Refused(*refused),
        })
    }

    /// Sub-devices that prove themselves are online from now on, as far as there is room.
    async fn log_in_all(
        &self,
        handle: &Arc<ConnectionHandle>,
        logins: Vec<SubLogin>,
    ) -> Result<Each<SubDeviceInfo>, Refused> {
        let logins_changed = self.app.writer().logins_changed();
        let proved = self.app.prove_sub_devices(handle.device, logins).await?;
        let proved = with_room(handle, proved);
        self.app.activate_sub_devices(proved.iter().flatten()).await?;
        let mut let_in = Vec::with_capacity(proved.len());
        for proof in proved {
            let_in.push(match proof {
                Ok(proved) => self.let_in(handle, proved, logins_changed).await,
                Err(refused) => Err(refused),
            });
        }
        let refused = let_in.iter().filter_map(|entered| entered.as_ref().err()).cloned();
        self.note_refused(handle, refused.collect()).await;
        Ok(let_in)
    }

    async fn note_refused(&self, handle: &ConnectionHandle, refused: Vec<(DeviceKeys, Refused)>) {
        let Some((named, why)) = refused.first() else { return };
        tracing::info!(
            gateway = handle.device.0,
            refused = refused.len(),
            product = named.product_key.as_str(),
            device = named.device_key.as_str(),
            %why,
            "logins of sub-devices are refused, the first of them this one"
        );
        self.app.note_refused_logins(refused).await;
    }

    async fn let_in(
        &self,
        handle: &Arc<ConnectionHandle>,
        proved: Proved,
        logins_changed: u64,
    ) -> Result<SubDeviceInfo, (DeviceKeys, Refused)> {
        let (device, qos) = (proved.device, proved.qos);
        let known = proved.known.clone();
        let named = known.keys.clone();
        let keys = Keys::new(named.product_key.as_str(), named.device_key.as_str());
        if self.sessions.is_flapping_for(device, Route::Gateway(handle.device)) {
            let (product, device) = (named.product_key.as_str(), named.device_key.as_str());
            tracing::warn!(
                gateway = handle.device.0,
                product,
                device,
                "a sub-device is taken over again and again"
            );
            return Err((named, Refused::Contended));
        }
        let Some(session) = self.sessions.enter_over(handle, Entrant { device, keys, qos }) else {
            return Err((named, Refused::Unavailable));
        };
        // A move or a new secret from now on ends the session; one that came during the check has to be looked for.
        if self.app.writer().logins_changed() == logins_changed {
            return Ok(known);
        }
        let Err(why) = self.app.prove_again(handle.device, proved).await else {
            return Ok(known);
        };
        tracing::info!(device = device.0, %why, "a sub-device was moved or got another secret during its login");
        if let Some(member) = handle.outbox().remove_member(session) {
            self.sessions
                .left(handle, &member, "it was moved or got another secret during its login");
        }
        Err((named, why))
    }

    /// A device without a session is out already.
    fn log_out(&self, handle: &ConnectionHandle, named: &DeviceKeys) {
        let keys = Keys::new(named.product_key.as_str(), named.device_key.as_str());
        let mut outbox = handle.outbox();
        let member = outbox.members().and_then(|members| members.of_root(keys.root()));
        let Some(session) = member.map(|member| member.session) else {
            return;
        };
        let member = outbox.remove_member(session);
        drop(outbox);
        if let Some(member) = member {
            self.sessions.left(handle, &member, "its gateway has logged it out");
        }
    }
}

/// Those for which there is no room are refused. A device that is in and logs in again takes none.
fn with_room(handle: &ConnectionHandle, proved: Each<Proved>) -> Each<Proved> {
    let outbox = handle.outbox();
    let members = outbox.members();
    let room = ONLINE_MAX.saturating_sub(members.map_or(0, Members::count));
    let mut coming = HashSet::new();
    let mut has_room = |proved: Proved| {
        let DeviceKeys {
            product_key,
            device_key,
        } = &proved.known.keys;
        let keys = Keys::new(product_key.as_str(), device_key.as_str());
        let is_in = members.is_some_and(|members| members.of_root(keys.root()).is_some());
        if is_in || coming.contains(&proved.device) {
            return Ok(proved);
        }
        if coming.len() >= room {
            return Err((proved.known.keys, Refused::TooMany));
        }
        coming.insert(proved.device);
        Ok(proved)
    };
    proved.into_iter().map(|proof| proof.and_then(&mut has_room)).collect()
}

fn apart<T>(each: Each<T>) -> (Vec<T>, Vec<(DeviceKeys, Refused)>) {
    let (mut done, mut failed) = (Vec::new(), Vec::new());
    for one in each {
        match one {
            Ok(one) => done.push(one),
            Err(refused) => failed.push(refused),
        }
    }
    (done, failed)
}

fn malformed(unread: &[DeviceKeys]) -> impl Iterator<Item = (DeviceKeys, Refused)> {
    unread.iter().map(|named| (named.clone(), Refused::Malformed))
}
