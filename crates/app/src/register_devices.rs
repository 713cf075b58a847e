//! New devices, one or many: each stands or falls by itself.

use std::collections::BTreeMap;

use aldis_core::i18n::I18nText;
use aldis_core::ids::{AssetId, DeviceKey, ProductKey};
use aldis_core::timezone;
use aldis_store::rows::{NewDevice, Registrar, Secret};
use aldis_store::{Done, Refusal, Write};
use serde_json::Value;

use super::products::DRAWS_MAX;
use super::text::{check_desc, check_device_key, check_key, check_secret};
use super::{App, Caller, Error};

/// Characters of a generated device key or asset id.
const KEY_CHARS: usize = 8;

/// A device to be registered.
#[derive(Debug, Clone)]
pub struct DeviceDraft {
    /// Its product.
    pub product: ProductKey,
    /// Its key, if the caller chose one.
    pub key: Option<String>,
    /// Its asset id, if the caller has one.
    pub asset: Option<String>,
    /// Its secret, if it has one already.
    pub secret: Option<Secret>,
    /// Its name.
    pub name: I18nText,
    /// Its description.
    pub desc: String,
    /// Its time zone.
    pub timezone: String,
    /// Attributes, not checked against the model.
    pub attributes: BTreeMap<String, Value>,
    /// Free tags.
    pub tags: BTreeMap<String, String>,
}

/// What became of each draft; `None` while it is not decided.
type Decided = Vec<Option<Result<NewDevice, Error>>>;

impl App {
    /// Registers devices; an entry each, in order.
    ///
    /// # Errors
    /// The server failed; some of the devices may have been registered.
    pub async fn register_devices(
        &self,
        caller: &Caller,
        drafts: Vec<Result<DeviceDraft, Error>>,
    ) -> Result<Vec<Result<NewDevice, Error>>, Error> {
        self.register(caller, drafts, None).await
    }

    /// The same for a gateway, under which they are put.
    pub(super) async fn register(
        &self,
        caller: &Caller,
        drafts: Vec<Result<DeviceDraft, Error>>,
        registrar: Option<Registrar>,
    ) -> Result<Vec<Result<NewDevice, Error>>, Error> {
        let mut decided: Decided = drafts.iter().map(|_| None).collect();
        let mut waiting: Vec<(usize, DeviceDraft)> = Vec::new();
        for (index, draft) in drafts.into_iter().enumerate() {
            match draft.and_then(checked) {
                Ok(draft) => waiting.push((index, draft)),
                Err(refused) => decided[index] = Some(Err(refused)),
            }
        }
        for _ in 0..DRAWS_MAX {
            if waiting.is_empty() {
                break;
            }
            waiting = self.register_once(caller, waiting, registrar, &mut decided).await?;
        }
        Ok(decided
            .into_iter()
            .map(|entry| entry.unwrap_or(Err(Error::NoFreeKey)))
            .collect())
    }

    /// One round; the drafts whose drawn key or id was in use.
    async fn register_once(
        &self,
        caller: &Caller,
        drafts: Vec<(usize, DeviceDraft)>,
        registrar: Option<Registrar>,
        decided: &mut Decided,
    ) -> Result<Vec<(usize, DeviceDraft)>, Error> {
        let devices: Vec<NewDevice> = drafts.iter().map(|(_, draft)| self.new_device(caller, draft)).collect();
        let assets = devices.iter().map(|device| device.asset.to_string());
        let most = self.settings().devices_per_product_max;
        let create = Write::CreateDevices {
            devices: devices.clone(),
            most,
            registrar,
        };
        let write = caller.asks_in(&caller.org, "device.create", assets, create);
        let outcomes = match self.write_one(write).await? {
            Ok(Done::Devices(outcomes)) if outcomes.len() == devices.len() => outcomes,
            other => return Err(Error::Internal(format!("devices were answered with {other:?}"))),
        };
        let mut again = Vec::new();
        for (((index, draft), device), outcome) in drafts.into_iter().zip(devices).zip(outcomes) {
            decided[index] = Some(match outcome {
                Ok(_) => Ok(device),
                Err(Refusal::Taken) if draft.key.is_none() => {
                    again.push((index, draft));
                    continue;
                }
                Err(Refusal::AssetTaken) if draft.asset.is_none() => {
                    again.push((index, draft));
                    continue;
                }
                Err(Refusal::Taken) => Err(Error::DeviceKeyTaken(device.key.to_string())),
                Err(Refusal::AssetTaken) => Err(Error::taken("assetId", device.asset.as_str())),
                Err(Refusal::Missing) => Err(Error::missing("product", device.product.as_str())),
                Err(Refusal::Full) => Err(Error::TooManyDevices {
                    product: device.product.to_string(),
                    max: most.unwrap_or_default(),
                }),
                Err(refusal) => Err(Error::unexpected(refusal)),
            });
        }
        Ok(again)
    }

    fn new_device(&self, caller: &Caller, draft: &DeviceDraft) -> NewDevice {
        let draw = |given: &Option<String>, length| given.clone().unwrap_or_else(|| self.rng().text(length));
        NewDevice {
            org: caller.org.clone(),
            product: draft.product.clone(),
            key: DeviceKey(draw(&draft.key, KEY_CHARS)),
            asset: AssetId(draw(&draft.asset, KEY_CHARS)),
            secret: self.secret(draft.secret.as_ref()),
            name: draft.name.clone(),
            desc: draft.desc.clone(),
            timezone: draft.timezone.clone(),
            attributes: draft.attributes.clone(),
            tags: draft.tags.clone(),
        }
    }
}

/// Checks a draft as far as that needs no look at what is stored.
fn checked(draft: DeviceDraft) -> Result<DeviceDraft, Error> {
    draft
        .key
        .as_deref()
        .map_or(Ok(()), |key| check_device_key("deviceKey", key))?;
    draft
        .asset
        .as_deref()
        .map_or(Ok(()), |asset| check_key("assetId", asset))?;
    draft
        .secret
        .as_ref()
        .map_or(Ok(()), |secret| check_secret("deviceSecret", secret))?;
    check_desc("deviceDesc", &draft.desc)?;
    timezone::validate(&draft.timezone).map_err(|violation| violation.within("timezone"))?;
    Ok(draft)
}
