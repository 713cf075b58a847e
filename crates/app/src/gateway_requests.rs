//! What gateways ask for on behalf of their sub-devices: who may log in, who is under whom, who is new
//! (docs/device-protocol.md, "Gateways").

use std::collections::HashMap;
use std::time::Instant;

use aldis_core::command::Qos;
use aldis_core::i18n::I18nText;
use aldis_core::ids::DeviceNo;
use aldis_core::time::Timestamp;
use aldis_protocol::sub_devices::{DeviceKeys, NewSubDevice, Refused, SubDeviceInfo, SubLogin};
use aldis_store::rows::{Activity, Device, NewDevice, Product, Registrar, Role, Secret};
use aldis_store::{DeviceRef, Done, Error as StoreError, Read, Refusal, Write};

use super::register_devices::DeviceDraft;
use super::sub_devices::{SUB_DEVICES_MAX, product_of};
use super::{App, Caller, Error};
use aldis_engine::session_contention::{Route, SessionContention};
use aldis_engine::trace::Event;

/// A device that has proved who it is, through a gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proved {
    /// Which device.
    pub device: DeviceNo,
    /// What its gateway is told.
    pub known: SubDeviceInfo,
    /// How commands are sent to it.
    pub qos: Qos,
    /// The gateway that it is under.
    under: Option<DeviceNo>,
    activated: bool,
    /// Its product's secret has signed, which all devices of the product may know.
    by_product: bool,
    /// The secret that has signed.
    signed_with: Secret,
}

impl Proved {
    fn is_under_another(&self, gateway: DeviceNo) -> bool {
        self.under.is_some_and(|under| under != gateway)
    }
}

/// One answer per device, in the order asked for.
pub type Each<T> = Vec<Result<T, (DeviceKeys, Refused)>>;

/// Whether devices have to be under the gateway already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SubDeviceScope {
    Under,
    Anywhere,
}

/// Where a device is, and which gateway speaks for it.
#[derive(Debug, Clone, Copy)]
struct GatewayRelation {
    gateway: DeviceNo,
    under: Option<DeviceNo>,
}

impl GatewayRelation {
    fn is_there(self) -> bool {
        self.under == Some(self.gateway)
    }

    /// All devices of a product may know its secret. So it proves enough for a device that has never been activated, or
    /// that is under this gateway already, and takes no other away: neither from a gateway nor from a connection of its
    /// own.
    fn is_vouched_for(self, device: &Device) -> Result<(), Refused> {
        match self.under {
            Some(_) if self.is_there() => Ok(()),
            Some(_) => Err(Refused::NotASubDevice),
            None if device.activated.is_some() => Err(Refused::OwnSecretNeeded),
            None => Ok(()),
        }
    }
}

impl App {
    /// Checks the logins of sub-devices.
    ///
    /// # Errors
    /// [`Refused::Unavailable`].
    pub async fn prove_sub_devices(&self, gateway: DeviceNo, logins: Vec<SubLogin>) -> Result<Each<Proved>, Refused> {
        self.proved(gateway, logins, SubDeviceScope::Under).await
    }

    /// These devices are about to be let in: they count as activated ever after, and that is stored before anybody is
    /// told so.
    ///
    /// # Errors
    /// [`Refused::Unavailable`].
    pub async fn activate_sub_devices(&self, proved: impl Iterator<Item = &Proved>) -> Result<(), Refused> {
        let first = proved.filter(|proved| !proved.activated).map(|proved| Activity {
            device: proved.device,
            online: Some(self.now()),
            offline: None,
        });
        let first: Vec<Activity> = first.collect();
        if first.is_empty() {
            return Ok(());
        }
        let stored = self.write_one(Write::Activity(first)).await;
        let stored = stored.map_err(|error| unavailable(&error))?;
        stored.map(drop).map_err(|_refusal| Refused::Unavailable)
    }

    /// Takes note of refused logins, for those of the devices that there are.
    pub async fn note_refused_logins(&self, refused: Vec<(DeviceKeys, Refused)>) {
        let refs: Vec<DeviceRef> = refused.iter().map(|(keys, _)| reference(keys)).collect();
        let found = self.read_for_devices(move |store| store.devices(&refs)).await;
        for (device, (_, why)) in found.into_iter().flatten().zip(refused) {
            if let Some(device) = device {
                let why = Event::Refused(format!("over a gateway: {why}"));
                self.shared().traces.note(device.no, self.now(), why);
            }
        }
    }

    /// Whether a device that has proved itself still does: it is under the gateway, has its keys, and what has signed
    /// for it is good. Asked when its session can be found, if something has changed since it was proved.
    ///
    /// # Errors
    /// [`Refused::NotASubDevice`], [`Refused::WrongSignature`], [`Refused::Unavailable`].
    pub async fn prove_again(&self, gateway: DeviceNo, proved: Proved) -> Result<(), Refused> {
        let now = self.now();
        let found = self.read(move |store| proves(store, gateway, &proved, now)).await;
        found.map_err(|error| unavailable(&error))?
    }

    /// The device with these keys, if it is under this gateway.
    ///
    /// # Errors
    /// [`Refused::Unavailable`].
    pub async fn sub_device(&self, gateway: DeviceNo, keys: DeviceKeys) -> Result<Option<DeviceNo>, Refused> {
        let found = self
            .read_for_devices(move |store| {
                let Some(device) = store.devices(&[reference(&keys)])?.pop().flatten() else {
                    return Ok(None);
                };
                let under = store.gateways_of(&[device.no])?.pop().flatten();
                Ok::<_, StoreError>((under == Some(gateway)).then_some(device.no))
            })
            .await;
        found.map_err(|error| unavailable(&error))
    }

    /// The devices under a gateway.
    ///
    /// # Errors
    /// [`Refused::Unavailable`].
    pub async fn topology(&self, gateway: DeviceNo) -> Result<Vec<DeviceKeys>, Refused> {
        let devices = self
            .read_for_devices(move |store| {
                let under = store.sub_devices(gateway)?.into_iter().map(DeviceRef::No);
                store.devices(&under.collect::<Vec<_>>())
            })
            .await;
        let devices = devices.map_err(|error| unavailable(&error))?.into_iter().flatten();
        Ok(devices.map(|device| keys(&device)).collect())
    }

    /// Puts devices under a gateway, each that proves itself. A caller with the device's secret has the device at hand:
    /// so, other than for an operator, it is taken away from another gateway. Its product's secret moves nothing.
    ///
    /// # Errors
    /// [`Refused::Unavailable`]; [`Refused::NotPermitted`] if it is no gateway.
    pub async fn add_to_topology(&self, gateway: DeviceNo, logins: Vec<SubLogin>) -> Result<Each<()>, Refused> {
        self.own_gateway(gateway).await?;
        let mut proved = self.proved(gateway, logins, SubDeviceScope::Anywhere).await?;
        for entry in &mut proved {
            self.keep_contended(gateway, entry);
        }
        let add = |proved: &Proved| Write::AddSubDevices {
            gateway,
            devices: vec![proved.device],
            moves: !proved.by_product,
            most: SUB_DEVICES_MAX,
        };
        let writes = proved.iter().flatten().map(add).collect();
        let mut done = self.write_all(writes).await?.into_iter();
        let mut added = Vec::new();
        for proved in proved {
            added.push(proved.and_then(|proved| {
                let why = match done.next() {
                    Some(Done::Yes) => {
                        if proved.is_under_another(gateway) {
                            let route = Route::Gateway(gateway);
                            self.contention().note(proved.device, route, true, Instant::now());
                        }
                        return Ok(());
                    }
                    Some(Done::Refused(Refusal::Full)) => Refused::TooMany,
                    Some(Done::Refused(Refusal::Missing)) => Refused::NoSuchDevice,
                    Some(Done::Refused(Refusal::InUse)) => Refused::NotASubDevice,
                    _ => Refused::Unavailable,
                };
                Err((proved.known.keys, why))
            }));
        }
        Ok(added)
    }

    /// A device that gateways take from each other again and again stays for a while where it is.
    fn keep_contended(&self, gateway: DeviceNo, entry: &mut Result<Proved, (DeviceKeys, Refused)>) {
        let contended = entry.as_ref().is_ok_and(|proved| {
            let route = Route::Gateway(gateway);
            proved.is_under_another(gateway) && self.contention().is_flapping_for(proved.device, route, Instant::now())
        });
        if contended && let Ok(proved) = entry {
            tracing::warn!(
                gateway = gateway.0,
                device = proved.device.0,
                "a sub-device is taken over again and again"
            );
            *entry = Err((proved.known.keys.clone(), Refused::Contended));
        }
    }

    fn contention(&self) -> &SessionContention {
        &self.shared().contention
    }

    /// Takes devices away from a gateway.
    ///
    /// # Errors
    /// [`Refused::Unavailable`].
    pub async fn remove_from_topology(&self, gateway: DeviceNo, devices: Vec<DeviceKeys>) -> Result<Each<()>, Refused> {
        let refs: Vec<DeviceRef> = devices.iter().map(reference).collect();
        let found = self.read_for_devices(move |store| store.devices(&refs)).await;
        let found: Vec<Option<DeviceNo>> = found
            .map_err(|error| unavailable(&error))?
            .into_iter()
            .map(|device| device.map(|device| device.no))
            .collect();
        let remove = |device: &DeviceNo| Write::RemoveSubDevices {
            gateway,
            devices: vec![*device],
        };
        let writes = found.iter().flatten().map(remove).collect();
        let mut done = self.write_all(writes).await?.into_iter();
        let mut removed = Vec::new();
        for (keys, device) in devices.into_iter().zip(found) {
            removed.push(match device.and_then(|_| done.next()) {
                Some(Done::Yes) => Ok(()),
                _ => Err((keys, Refused::NotASubDevice)),
            });
        }
        Ok(removed)
    }

    /// Registers devices in products that let gateways register, and puts them under the gateway: those that could be,
    /// and why the first of the others could not.
    ///
    /// # Errors
    /// [`Refused::Unavailable`]; [`Refused::NotPermitted`] if it is no gateway.
    pub async fn register_through(
        &self,
        gateway: DeviceNo,
        devices: Vec<NewSubDevice>,
    ) -> Result<(Vec<SubDeviceInfo>, Option<Refused>), Refused> {
        let gateway = self.own_gateway(gateway).await?;
        let caller = Caller {
            repeats: false,
            org: gateway.is.org.clone(),
            role: Role::Operator,
            app_key: None,
            address: None,
            request_id: format!("gateway {}", gateway.is.asset),
        };
        let drafts = devices.into_iter().map(|new| Ok(draft(new, &gateway))).collect();
        let registrar = Registrar {
            gateway: gateway.no,
            most: SUB_DEVICES_MAX,
        };
        let registered = self.register(&caller, drafts, Some(registrar)).await;
        let (mut known, mut refused) = (Vec::new(), None);
        for entry in registered.map_err(|error| unavailable(&error))? {
            match entry {
                Ok(device) => known.push(registered_as(device)),
                Err(error) => {
                    tracing::info!(gateway = gateway.no.0, %error, "a gateway may not register a device");
                    refused = refused.or_else(|| Some(why(&error)));
                }
            }
        }
        Ok((known, refused))
    }

    /// Whether a device is a gateway.
    ///
    /// # Errors
    /// [`Refused::Unavailable`].
    pub async fn is_gateway(&self, device: DeviceNo) -> Result<bool, Refused> {
        match self.own_gateway(device).await {
            Ok(_) => Ok(true),
            Err(Refused::Unavailable) => Err(Refused::Unavailable),
            Err(_) => Ok(false),
        }
    }

    async fn proved(
        &self,
        gateway: DeviceNo,
        logins: Vec<SubLogin>,
        place: SubDeviceScope,
    ) -> Result<Each<Proved>, Refused> {
        let now = self.now();
        let proved = self
            .read_for_devices(move |store| prove(store, gateway, &logins, place, now))
            .await;
        proved.map_err(|error| unavailable(&error))
    }

    async fn own_gateway(&self, gateway: DeviceNo) -> Result<Device, Refused> {
        let found = self
            .read_for_devices(move |store| {
                let Some(device) = store.devices(&[DeviceRef::No(gateway)])?.pop().flatten() else {
                    return Ok(None);
                };
                let product = store.product(&device.is.product)?;
                Ok::<_, StoreError>(product.filter(|product| product.gateway).map(|_| device))
            })
            .await;
        let found = found.map_err(|error| unavailable(&error))?;
        found.filter(|device| !device.deleted).ok_or(Refused::NotPermitted)
    }

    /// Writes of one commit; an entry each.
    async fn write_all(&self, writes: Vec<Write>) -> Result<Vec<Done>, Refused> {
        if writes.is_empty() {
            return Ok(Vec::new());
        }
        let done = self.writer().write(writes).await;
        done.map_err(|failure| unavailable(&Error::from(failure)))
    }
}

fn unavailable(error: &Error) -> Refused {
    tracing::warn!(%error, "a request of a gateway could not be served");
    Refused::Unavailable
}

fn reference(keys: &DeviceKeys) -> DeviceRef {
    DeviceRef::Keys(keys.product_key.clone(), keys.device_key.clone())
}

fn keys(device: &Device) -> DeviceKeys {
    DeviceKeys {
        product_key: device.is.product.clone(),
        device_key: device.is.key.clone(),
    }
}

fn prove(
    store: &dyn Read,
    gateway: DeviceNo,
    logins: &[SubLogin],
    place: SubDeviceScope,
    now: Timestamp,
) -> Result<Each<Proved>, StoreError> {
    let mut refs: Vec<DeviceRef> = logins.iter().map(|login| reference(&login.keys())).collect();
    refs.push(DeviceRef::No(gateway));
    let mut devices = store.devices(&refs)?;
    let org = devices.pop().flatten().map(|gateway| gateway.is.org);
    let numbers: Vec<DeviceNo> = devices.iter().flatten().map(|device| device.no).collect();
    let under: HashMap<DeviceNo, DeviceNo> = numbers
        .iter()
        .copied()
        .zip(store.gateways_of(&numbers)?)
        .filter_map(|(device, gateway)| Some((device, gateway?)))
        .collect();
    let mut products = HashMap::new();
    let mut proved = Vec::with_capacity(logins.len());
    for (login, device) in logins.iter().zip(devices) {
        let device = device.filter(|device| Some(&device.is.org) == org.as_ref());
        let product = match &device {
            Some(device) => product_of(store, &mut products, &device.is.product)?,
            None => None,
        };
        let proof = match (device, product) {
            (Some(device), Some(product)) => {
                let under = under.get(&device.no).copied();
                let standing = GatewayRelation { gateway, under };
                match place == SubDeviceScope::Anywhere || standing.is_there() {
                    true => check(login, device, product, standing, now),
                    false => Err(Refused::NotASubDevice),
                }
            }
            _ => Err(Refused::NoSuchDevice),
        };
        proved.push(proof.map_err(|refused| (login.keys(), refused)));
    }
    Ok(proved)
}

fn proves(
    store: &dyn Read,
    gateway: DeviceNo,
    proved: &Proved,
    now: Timestamp,
) -> Result<Result<(), Refused>, StoreError> {
    let found = store.devices(&[reference(&proved.known.keys)])?.pop().flatten();
    let under = store.gateways_of(&[proved.device])?.pop().flatten();
    let Some(device) = found.filter(|device| device.no == proved.device && under == Some(gateway)) else {
        return Ok(Err(Refused::NotASubDevice));
    };
    let is_good = match proved.by_product {
        false => device.secrets_at(now).any(|secret| *secret == proved.signed_with),
        true => store
            .product(&device.is.product)?
            .is_some_and(|product| product.secrets_at(now).any(|secret| *secret == proved.signed_with)),
    };
    Ok(is_good.then_some(()).ok_or(Refused::WrongSignature))
}

/// The order tells a gateway first what it can change. The device's secret is told at its first login only: what it has
/// used since is nothing for those who merely know its product's.
fn check(
    login: &SubLogin,
    device: Device,
    product: &Product,
    standing: GatewayRelation,
    now: Timestamp,
) -> Result<Proved, Refused> {
    if device.disabled {
        return Err(Refused::Disabled);
    }
    if product.gateway {
        return Err(Refused::NotPermitted);
    }
    if product.certificates {
        return Err(Refused::CertificateDemanded);
    }
    let by_product = login.is_by_product();
    if by_product && !product.dynamic_activation {
        return Err(Refused::NoActivation);
    }
    let signed = |secret: &&Secret| login.verify(secret);
    let signed_with = match by_product {
        true => product.secrets_at(now).find(signed),
        false => device.secrets_at(now).find(signed),
    };
    let signed_with = signed_with.cloned().ok_or(Refused::WrongSignature)?;
    if by_product {
        standing.is_vouched_for(&device)?;
    }
    let activated = device.activated.is_some();
    Ok(Proved {
        device: device.no,
        known: SubDeviceInfo {
            asset_id: device.is.asset.to_string(),
            keys: keys(&device),
            secret: (by_product && !activated).then_some(device.is.secret),
        },
        qos: product.command_qos,
        under: standing.under,
        activated,
        by_product,
        signed_with,
    })
}

fn draft(new: NewSubDevice, gateway: &Device) -> DeviceDraft {
    let name = new.name.or_else(|| new.device_key.as_deref().map(I18nText::plain));
    DeviceDraft {
        product: new.product_key,
        key: new.device_key,
        asset: None,
        secret: None,
        name: name.unwrap_or_else(|| gateway.is.name.clone()),
        desc: new.desc.unwrap_or_default(),
        timezone: new.timezone.unwrap_or_else(|| gateway.is.timezone.clone()),
        attributes: new.attributes,
        tags: std::collections::BTreeMap::new(),
    }
}

fn registered_as(device: NewDevice) -> SubDeviceInfo {
    SubDeviceInfo {
        asset_id: device.asset.0,
        keys: DeviceKeys {
            product_key: device.product,
            device_key: device.key,
        },
        secret: Some(device.secret),
    }
}

fn why(error: &Error) -> Refused {
    match error {
        Error::DeviceKeyTaken(_) => Refused::Taken,
        Error::NoFreeKey => Refused::NoFreeKey,
        Error::TooManyDevices { .. } => Refused::TooMany,
        Error::Missing { .. } => Refused::NotPermitted,
        Error::Invalid(_) => Refused::Malformed,
        _ => Refused::Unavailable,
    }
}
