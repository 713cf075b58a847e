//! What gateways ask for on behalf of the devices that are reached through them: logins, topology, registration
//! (docs/device-protocol.md, "Gateways").
//!
//! Libraries differ in the spelling of keys and in the types of values, so each value is read for itself, as text, and
//! names without regard to case. Signatures cover the text of a value as it stands.

use std::collections::BTreeMap;

use aldis_core::i18n::I18nText;
use aldis_core::ids::{DeviceKey, ProductKey};
use aldis_core::number;
use aldis_core::secret::Secret;
use serde_json::{Map, Value, json};

use crate::answers::{AnswerMessage, encode};
use crate::envelope::Envelope;
use crate::lenient::{is_null, unquoted, value};
use crate::login::{Compression, Login, SecureMode, SignMethod};
use crate::scan::{Elements, Members};
use crate::topic::{Area, REPLY_SUFFIX, Upstream};

/// Most devices that one request may name: what the vendor's libraries send at most.
pub const DEVICES_MAX: usize = 1000;

const OK: u16 = 200;

/// A request of a gateway, and where its answer goes.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    id: String,
    topic: String,
    /// What it asks for.
    pub asks: GatewayRequest,
}

/// What a gateway asks for.
#[derive(Debug, Clone, PartialEq)]
pub enum GatewayRequest {
    /// A sub-device is to be online.
    Login(SubLogin),
    /// Several are, each by itself. Those that could not even be read are beside, named as far as their keys could be.
    LoginAll(Vec<SubLogin>, Vec<DeviceKeys>),
    /// A sub-device is to be offline.
    Logout(DeviceKeys),
    /// Devices are to be under this gateway; each proves itself. Those that could not be read are beside, as with
    /// logins.
    AddToTopology(Vec<SubLogin>, Vec<DeviceKeys>),
    /// Which devices are under this gateway?
    Topology,
    /// Devices are no longer to be under this gateway. Those that could not be read are beside, as with logins.
    RemoveFromTopology(Vec<DeviceKeys>, Vec<DeviceKeys>),
    /// Devices are to be registered. How many others could not be read.
    Register(Vec<NewSubDevice>, usize),
    /// It makes no sense.
    Senseless(Refused),
}

/// The keys of a device, as a gateway names it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct DeviceKeys {
    /// Its product's key.
    pub product_key: ProductKey,
    /// Its own.
    pub device_key: DeviceKey,
}

/// What proves that a gateway speaks for a device that it has at hand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubLogin {
    login: Login,
    /// Some sign it, most do not.
    clean_session: Option<String>,
    sign: String,
}

/// A device that a gateway registers.
#[derive(Debug, Clone, PartialEq)]
pub struct NewSubDevice {
    /// Its product.
    pub product_key: ProductKey,
    /// Its key; the server makes one if absent.
    pub device_key: Option<String>,
    /// Its name; its key if absent.
    pub name: Option<I18nText>,
    /// A remark.
    pub desc: Option<String>,
    /// Values of the thing model's attributes.
    pub attributes: BTreeMap<String, Value>,
    /// Its time zone; the gateway's if absent.
    pub timezone: Option<String>,
}

/// A device as its gateway is told of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubDeviceInfo {
    /// Its id on the server.
    pub asset_id: String,
    /// Its keys.
    pub keys: DeviceKeys,
    /// Its secret, if the gateway is to know it.
    pub secret: Option<Secret>,
}

/// What an operator did to a sub-device, as its gateway is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LifecycleChange {
    /// It may log in again.
    Enabled,
    /// It is out, and may not log in.
    Disabled,
    /// It is gone.
    Deleted,
}

impl LifecycleChange {
    fn word(self) -> &'static str {
        match self {
            Self::Enabled => "enable",
            Self::Disabled => "disable",
            Self::Deleted => "delete",
        }
    }

    /// The message to the gateway with these keys. `id` names it among all that the gateway gets in some minutes: 17 to
    /// 19 digits, as of a command, since libraries confuse small ones with those of their own requests.
    #[must_use]
    pub fn notification(self, id: u64, product_key: &str, device_key: &str, sub_device: &DeviceKeys) -> AnswerMessage {
        let word = self.word();
        let payload = format!(
            "{{\"id\":\"{id}\",\"version\":\"1.0\",\"method\":\"combine.{word}\",\"params\":{}}}",
            sub_device.to_json()
        );
        AnswerMessage {
            topic: format!("/ext/session/{product_key}/{device_key}/combine/{word}"),
            payload: payload.into_bytes(),
        }
    }
}

/// Why a gateway is refused something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Refused {
    /// The device that is registered has a key that is in use.
    #[error("the device key is in use")]
    Taken,
    /// There is no such device in this gateway's organization.
    #[error("there is no such device")]
    NoSuchDevice,
    /// No unused key was found for a device that is registered.
    #[error("no unused key could be generated")]
    NoFreeKey,
    /// The device is disabled.
    #[error("the device is disabled")]
    Disabled,
    /// There are as many as there may be: devices of a product, sub-devices of a gateway.
    #[error("there are as many devices as there may be")]
    TooMany,
    /// The device is not under this gateway.
    #[error("the device is not a sub-device of this gateway")]
    NotASubDevice,
    /// The signature does not prove anything.
    #[error("the signature is wrong")]
    WrongSignature,
    /// The product's secret has signed for a device that has been activated, and is not under this gateway.
    #[error("the device has been activated before: its own secret has to sign")]
    OwnSecretNeeded,
    /// The device's product demands certificates, and no gateway can present one for a sub-device.
    #[error("the product demands a certificate")]
    CertificateDemanded,
    /// The device's product does not give out secrets.
    #[error("the product does not allow dynamic activation")]
    NoActivation,
    /// The request names more devices than a request may.
    #[error("the request names too many devices")]
    TooLarge,
    /// The gateway may not do this, or is none.
    #[error("no permission")]
    NotPermitted,
    /// Something in the request is missing or cannot be.
    #[error("the request does not have the expected form")]
    Malformed,
    /// The request has no parameters.
    #[error("the request has no parameters")]
    Empty,
    /// The server cannot tell now.
    #[error("the server cannot do this now")]
    Unavailable,
    /// Gateways take the device from each other again and again: the last one keeps it for a while.
    #[error("several gateways log this device in; try again later")]
    Contended,
}

impl Refused {
    /// The code in the answer.
    #[must_use]
    pub const fn code(self) -> u16 {
        match self {
            Self::Unavailable | Self::Contended => 500,
            Self::Taken => 702,
            Self::NoSuchDevice => 705,
            Self::NoFreeKey => 714,
            Self::Disabled => 723,
            Self::TooMany => 739,
            Self::NotASubDevice => 740,
            Self::WrongSignature | Self::OwnSecretNeeded => 742,
            Self::CertificateDemanded => 746,
            Self::NoActivation => 770,
            Self::TooLarge => 1008,
            Self::NotPermitted => 1009,
            Self::Malformed => 1220,
            Self::Empty => 1251,
        }
    }
}

/// Of a batch not every device could log in.
const BATCH_INCOMPLETE: u16 = 723;
/// Not every device could be put under the gateway.
const NOT_ALL_ADDED: u16 = 1255;
/// Not every device could be taken away from the gateway.
const NOT_ALL_REMOVED: u16 = 1256;

/// What came of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// A sub-device is online.
    LoggedIn(SubDeviceInfo),
    /// Some of a batch are online, and some are not.
    LoggedInAll(Vec<SubDeviceInfo>, Vec<(DeviceKeys, Refused)>),
    /// A sub-device is offline.
    LoggedOut,
    /// All devices that could be are under the gateway; these could not.
    Added(Vec<(DeviceKeys, Refused)>),
    /// The devices under the gateway.
    Topology(Vec<DeviceKeys>),
    /// All devices that could be are no longer under the gateway; these could not.
    Removed(Vec<(DeviceKeys, Refused)>),
    /// Devices have been registered, and why the first of the others was not.
    Registered(Vec<SubDeviceInfo>, Option<Refused>),
    /// Nothing was done.
    Refused(Refused),
}

impl Request {
    /// Reads what a gateway has published. `None` if its topic is none of these, or if it has no id and so cannot be
    /// answered.
    #[must_use]
    pub fn read(upstream: &Upstream<'_>, envelope: &Envelope<'_>) -> Option<Self> {
        let read = reader(upstream)?;
        let id = envelope.request_id()?;
        let asks = match envelope.params() {
            _ if matches!(upstream.path, "thing/topo/get") => GatewayRequest::Topology,
            Some(params) => read(params).unwrap_or_else(GatewayRequest::Senseless),
            None if envelope.params_so_far().is_some() => GatewayRequest::Senseless(Refused::Malformed),
            None => GatewayRequest::Senseless(Refused::Empty),
        };
        let topic = upstream.to_topic() + REPLY_SUFFIX;
        Some(Self { id, topic, asks })
    }

    /// The answer to a request on a topic that the sender may not use; `None` as with [`Request::read`].
    #[must_use]
    pub fn refuse(upstream: &Upstream<'_>, envelope: &Envelope<'_>) -> Option<AnswerMessage> {
        reader(upstream)?;
        let id = envelope.request_id()?;
        let topic = upstream.to_topic() + REPLY_SUFFIX;
        let asks = GatewayRequest::Senseless(Refused::NotPermitted);
        Some(Self { id, topic, asks }.answer(&Outcome::Refused(Refused::NotPermitted)))
    }

    /// The answer. Its data always has the shape of a success: libraries stumble over missing keys sooner than over
    /// codes.
    #[must_use]
    pub fn answer(&self, outcome: &Outcome) -> AnswerMessage {
        let (code, message) = match outcome {
            Outcome::LoggedInAll(_, failed) if !failed.is_empty() => (BATCH_INCOMPLETE, told(failed)),
            Outcome::Added(failed) if !failed.is_empty() => (NOT_ALL_ADDED, told(failed)),
            Outcome::Removed(failed) if !failed.is_empty() => (NOT_ALL_REMOVED, told(failed)),
            Outcome::Registered(_, Some(refused)) | Outcome::Refused(refused) => (refused.code(), refused.to_string()),
            _ => (OK, String::new()),
        };
        AnswerMessage {
            topic: self.topic.clone(),
            payload: encode(&self.id, code, &self.data(outcome), &message),
        }
    }

    fn data(&self, outcome: &Outcome) -> Value {
        match (outcome, &self.asks) {
            (Outcome::LoggedIn(known), _) => known.to_json(),
            (Outcome::LoggedInAll(known, failed), _) => {
                let known: Vec<Value> = known.iter().map(SubDeviceInfo::to_json).collect();
                let failed = failed.iter().map(|(keys, _)| keys);
                json!({"loginedSubDevices": known, "failedSubDevices": keys_json(failed)})
            }
            (Outcome::Topology(keys), _) => keys.iter().map(DeviceKeys::to_json).collect(),
            (Outcome::Registered(known, _), _) => known.iter().map(SubDeviceInfo::to_json).collect(),
            (_, GatewayRequest::Login(login)) => login.keys().to_json(),
            (_, GatewayRequest::Logout(keys)) => keys.to_json(),
            (_, GatewayRequest::LoginAll(logins, unread)) => {
                let failed: Vec<DeviceKeys> = logins.iter().map(SubLogin::keys).collect();
                json!({"loginedSubDevices": [], "failedSubDevices": keys_json(failed.iter().chain(unread))})
            }
            (_, GatewayRequest::Topology | GatewayRequest::Register(..)) => json!([]),
            (
                _,
                GatewayRequest::AddToTopology(..)
                | GatewayRequest::RemoveFromTopology(..)
                | GatewayRequest::Senseless(_),
            ) => self.empty(),
        }
    }

    /// The shape of the data of an answer to what made no sense.
    fn empty(&self) -> Value {
        let path = self.topic.strip_suffix(REPLY_SUFFIX).unwrap_or_default();
        match path {
            path if path.ends_with("combine/login/batch") => json!({"loginedSubDevices": [], "failedSubDevices": []}),
            path if path.ends_with("thing/device/register") || path.ends_with("thing/topo/get") => json!([]),
            path if path.ends_with("combine/login") || path.ends_with("combine/logout") => {
                json!({"productKey": "", "deviceKey": ""})
            }
            _ => json!({}),
        }
    }
}

/// A device that could not be read may have no name, and a library gets no device without keys.
fn keys_json<'n>(keys: impl Iterator<Item = &'n DeviceKeys>) -> Value {
    keys.filter(|keys| keys.is_whole()).map(DeviceKeys::to_json).collect()
}

/// How many devices were refused, and why the first was.
fn told(failed: &[(DeviceKeys, Refused)]) -> String {
    match failed.first() {
        Some((keys, why)) if keys.is_whole() => {
            let DeviceKeys {
                product_key,
                device_key,
            } = keys;
            format!("{} refused; {product_key}/{device_key}: {why}", failed.len())
        }
        Some((_, why)) => format!("{} refused; one without keys: {why}", failed.len()),
        None => String::new(),
    }
}

type Reader = fn(&str) -> Result<GatewayRequest, Refused>;

fn reader(upstream: &Upstream<'_>) -> Option<Reader> {
    Some(match (upstream.area, upstream.path) {
        (Area::Session, "combine/login") => {
            |params| Ok(GatewayRequest::Login(SubLogin::read(&Fields::of(params)?, None)?))
        }
        (Area::Session, "combine/login/batch") => read_batch,
        (Area::Session, "combine/logout") => {
            |params| Ok(GatewayRequest::Logout(DeviceKeys::read(&Fields::of(params)?)?))
        }
        (Area::Device, "thing/topo/add") => read_topology,
        (Area::Device, "thing/topo/get") => |_| Ok(GatewayRequest::Topology),
        (Area::Device, "thing/topo/delete") => |params| {
            let (keys, unread) = read_each(&elements(params)?, DeviceKeys::read)?;
            Ok(GatewayRequest::RemoveFromTopology(keys, unread))
        },
        (Area::Device, "thing/device/register") => |params| {
            let (devices, unread) = read_each(&elements(params)?, NewSubDevice::read)?;
            Ok(GatewayRequest::Register(devices, unread.len()))
        },
        _ => return None,
    })
}

fn read_batch(params: &str) -> Result<GatewayRequest, Refused> {
    let common = Fields::of(params)?;
    let devices = elements(common.raw("subDevices").ok_or(Refused::Malformed)?)?;
    if devices.is_empty() {
        return Err(Refused::Malformed);
    }
    let (logins, unread) = read_logins(&devices, Some(&common))?;
    Ok(GatewayRequest::LoginAll(logins, unread))
}

fn read_topology(params: &str) -> Result<GatewayRequest, Refused> {
    let (logins, unread) = read_logins(&elements(params)?, None)?;
    Ok(GatewayRequest::AddToTopology(logins, unread))
}

fn read_logins(devices: &[&str], common: Option<&Fields<'_>>) -> Result<(Vec<SubLogin>, Vec<DeviceKeys>), Refused> {
    read_each(devices, |fields| SubLogin::read(fields, common))
}

/// Each device by itself: one that cannot be read keeps no other out. A list of which nothing can be read is no such
/// list.
fn read_each<T>(
    devices: &[&str],
    read: impl Fn(&Fields<'_>) -> Result<T, Refused>,
) -> Result<(Vec<T>, Vec<DeviceKeys>), Refused> {
    let (mut whole, mut unread) = (Vec::new(), Vec::new());
    for device in devices {
        let fields = Fields::of(device).unwrap_or_default();
        match read(&fields) {
            Ok(one) => whole.push(one),
            Err(_) => unread.push(DeviceKeys::read_partly(&fields)),
        }
    }
    if !devices.is_empty() && whole.is_empty() && !unread.iter().any(DeviceKeys::is_whole) {
        return Err(Refused::Malformed);
    }
    Ok((whole, unread))
}

fn elements(list: &str) -> Result<Vec<&str>, Refused> {
    let mut elements = Elements::of(list).ok_or(Refused::Malformed)?;
    let all: Vec<&str> = elements.by_ref().take(DEVICES_MAX + 1).collect();
    if all.len() > DEVICES_MAX {
        return Err(Refused::TooLarge);
    }
    Ok(all)
}

/// The members of an object, each as it stands.
#[derive(Default)]
struct Fields<'a>(BTreeMap<String, &'a str>);

impl<'a> Fields<'a> {
    fn of(object: &'a str) -> Result<Self, Refused> {
        let members = Members::of(object).ok_or(Refused::Malformed)?;
        let fields = members.map(|member| (unquoted(member.key).into_owned(), member.value));
        Ok(Self(fields.collect()))
    }

    fn raw(&self, name: &str) -> Option<&'a str> {
        let found = self.0.get(name).or_else(|| {
            let mut others = self.0.iter();
            others
                .find(|(other, _)| other.eq_ignore_ascii_case(name))
                .map(|(_, raw)| raw)
        });
        found.copied().filter(|raw| !is_null(raw))
    }

    /// A text, number or truth value, as text.
    fn text(&self, name: &str) -> Option<String> {
        let text = self.raw(name)?;
        match text {
            "true" | "True" => Some("true".to_owned()),
            "false" | "False" => Some("false".to_owned()),
            _ => match text.as_bytes().first()? {
                b'"' | b'\'' => Some(unquoted(text).into_owned()),
                b'-' | b'0'..=b'9' => Some(digits(text)),
                _ => None,
            },
        }
    }

    fn needed(&self, name: &str) -> Result<String, Refused> {
        self.text(name)
            .filter(|text| !text.is_empty())
            .ok_or(Refused::Malformed)
    }
}

/// A number as whole digits where it is a whole number: 17e11 and 1700000000000.0 are what a library that writes
/// 1700000000000 may make of it.
fn digits(text: &str) -> String {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit());
    let whole = number::whole_text(text).filter(|_| !is_plain);
    whole.map_or_else(|| text.to_owned(), |whole| whole.to_string())
}

impl DeviceKeys {
    fn read(fields: &Fields<'_>) -> Result<Self, Refused> {
        Ok(Self {
            product_key: fields.needed("productKey")?.as_str().into(),
            device_key: fields.needed("deviceKey")?.as_str().into(),
        })
    }

    /// As much as there is: keys that cannot be read are empty.
    fn read_partly(fields: &Fields<'_>) -> Self {
        let key = |name: &str| fields.text(name).unwrap_or_default();
        Self {
            product_key: key("productKey").as_str().into(),
            device_key: key("deviceKey").as_str().into(),
        }
    }

    fn is_whole(&self) -> bool {
        !self.product_key.as_str().is_empty() && !self.device_key.as_str().is_empty()
    }

    fn to_json(&self) -> Value {
        json!({"productKey": self.product_key.as_str(), "deviceKey": self.device_key.as_str()})
    }
}

impl SubDeviceInfo {
    fn to_json(&self) -> Value {
        let mut known = Map::new();
        known.insert("assetId".to_owned(), self.asset_id.as_str().into());
        known.insert("productKey".to_owned(), self.keys.product_key.as_str().into());
        known.insert("deviceKey".to_owned(), self.keys.device_key.as_str().into());
        if let Some(secret) = &self.secret {
            known.insert("deviceSecret".to_owned(), secret.as_str().into());
        }
        known.into()
    }
}

impl SubLogin {
    /// What a device has not of its own stands in `common`.
    fn read(own: &Fields<'_>, common: Option<&Fields<'_>>) -> Result<Self, Refused> {
        let text = |name: &str| own.text(name).or_else(|| common?.text(name));
        let needed = |name: &str| text(name).ok_or(Refused::Malformed);
        let keys = DeviceKeys::read(own)?;
        let secure_mode = SecureMode::read(text("secureMode").as_deref().map(str::trim));
        let sign_method = SignMethod::read(text("signMethod").as_deref().map(str::trim));
        let login = Login {
            client_id: needed("clientId")?,
            device_key: keys.device_key,
            product_key: keys.product_key,
            secure_mode: secure_mode.map_err(|_unknown| Refused::Malformed)?,
            sign_method: sign_method.map_err(|_unknown| Refused::Malformed)?,
            timestamp: needed("timestamp")?,
            compression: Compression::None,
        };
        if login.secure_mode == SecureMode::IntegrationChannel {
            return Err(Refused::Malformed);
        }
        Ok(Self {
            login,
            clean_session: text("cleanSession"),
            sign: own.needed("sign")?,
        })
    }

    /// Which device it is.
    #[must_use]
    pub fn keys(&self) -> DeviceKeys {
        DeviceKeys {
            product_key: self.login.product_key.clone(),
            device_key: self.login.device_key.clone(),
        }
    }

    /// Whether the product's secret signs instead of the device's.
    #[must_use]
    pub fn is_by_product(&self) -> bool {
        self.login.secure_mode == SecureMode::ProductSecret
    }

    /// Whether it was signed with this secret, with `cleanSession` among what is signed or without.
    #[must_use]
    pub fn verify(&self, secret: &str) -> bool {
        let sign = self.sign.as_bytes();
        self.login.verify(sign, secret)
            || self
                .clean_session
                .as_deref()
                .is_some_and(|value| self.login.verify_behind(&["cleanSession", value], sign, secret))
    }
}

impl NewSubDevice {
    fn read(fields: &Fields<'_>) -> Result<Self, Refused> {
        let name = match fields.raw("deviceName") {
            Some(raw) => Some(read_name(raw)?),
            None => None,
        };
        Ok(Self {
            product_key: fields.needed("productKey")?.as_str().into(),
            device_key: fields.text("deviceKey").filter(|key| !key.is_empty()),
            name,
            desc: fields.text("deviceDesc"),
            attributes: fields
                .raw("deviceAttributes")
                .map_or(Ok(BTreeMap::new()), read_attributes)?,
            timezone: fields.text("timezone").filter(|zone| !zone.is_empty()),
        })
    }
}

/// A name is a text, or a default with translations.
fn read_name(raw: &str) -> Result<I18nText, Refused> {
    let value: Value = readable(raw)?;
    let name = match value {
        Value::String(text) => I18nText::plain(text),
        other => return I18nText::read(&other).map_err(|_violation| Refused::Malformed),
    };
    name.validate().map_err(|_violation| Refused::Malformed)?;
    Ok(name)
}

fn read_attributes(raw: &str) -> Result<BTreeMap<String, Value>, Refused> {
    let Value::Object(attributes) = readable(raw)? else {
        return Err(Refused::Malformed);
    };
    Ok(attributes.into_iter().collect())
}

fn readable(raw: &str) -> Result<Value, Refused> {
    value(raw).ok_or(Refused::Malformed)
}

#[cfg(test)]
#[path = "sub_devices_tests.rs"]
mod tests;
