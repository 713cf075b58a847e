//! New devices, one or many: each stands or falls by itself.

use std::collections::{BTreeMap, HashMap};

use aldis_core::expression::{Comparison, DeviceField, Filter, Value as Operand};
use aldis_core::i18n::I18nText;
use aldis_core::ids::{AssetId, DeviceKey, OrgId, ProductKey};
use aldis_core::timezone;
use aldis_store::rows::{NewDevice, Secret};
use aldis_store::{Done, Page, Read, Refusal, Write};
use serde_json::Value;

use super::products::{DRAWS_MAX, SECRET_CHARS};
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
    pub secret: Option<String>,
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

/// How many more devices each product may have; absent: it does not exist for the caller.
type Rooms = HashMap<ProductKey, u64>;

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
        let mut rooms = self.rooms(caller, &drafts).await?;
        let mut decided: Decided = drafts.iter().map(|_| None).collect();
        let mut waiting: Vec<(usize, DeviceDraft)> = Vec::new();
        for (index, draft) in drafts.into_iter().enumerate() {
            match draft.and_then(|draft| admit(draft, &mut rooms, self.settings().devices_per_product_max)) {
                Ok(draft) => waiting.push((index, draft)),
                Err(refused) => decided[index] = Some(Err(refused)),
            }
        }
        for _ in 0..DRAWS_MAX {
            if waiting.is_empty() {
                break;
            }
            waiting = self.register_once(caller, waiting, &mut decided).await?;
        }
        Ok(decided
            .into_iter()
            .map(|entry| entry.unwrap_or(Err(Error::NoFreeKey)))
            .collect())
    }

    async fn rooms(&self, caller: &Caller, drafts: &[Result<DeviceDraft, Error>]) -> Result<Rooms, Error> {
        let mut products: Vec<ProductKey> = drafts.iter().flatten().map(|draft| draft.product.clone()).collect();
        products.sort();
        products.dedup();
        let (org, max) = (caller.org.clone(), self.settings().devices_per_product_max);
        self.read(move |store| {
            let mut rooms = Rooms::new();
            for key in products {
                if store.product(&key)?.is_some_and(|product| product.org == org) {
                    let room = max.map(|max| room(store, &org, &key, max)).transpose()?;
                    rooms.insert(key, room.unwrap_or(u64::MAX));
                }
            }
            Ok::<_, aldis_store::Error>(rooms)
        })
        .await
    }

    /// One round; the drafts whose drawn key or id was in use.
    async fn register_once(
        &self,
        caller: &Caller,
        drafts: Vec<(usize, DeviceDraft)>,
        decided: &mut Decided,
    ) -> Result<Vec<(usize, DeviceDraft)>, Error> {
        let devices: Vec<NewDevice> = drafts.iter().map(|(_, draft)| self.new_device(caller, draft)).collect();
        let assets = devices.iter().map(|device| device.asset.to_string());
        let write = caller.asks_in(
            &caller.org,
            "device.create",
            assets,
            Write::CreateDevices(devices.clone()),
        );
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
                Err(refusal) => Err(Error::unexpected(refusal)),
            });
        }
        Ok(again)
    }

    fn new_device(&self, caller: &Caller, draft: &DeviceDraft) -> NewDevice {
        let draw = |given: &Option<String>, length| given.clone().unwrap_or_else(|| self.chance().text(length));
        NewDevice {
            org: caller.org.clone(),
            product: draft.product.clone(),
            key: DeviceKey(draw(&draft.key, KEY_CHARS)),
            asset: AssetId(draw(&draft.asset, KEY_CHARS)),
            secret: Secret(draw(&draft.secret, SECRET_CHARS)),
            name: draft.name.clone(),
            desc: draft.desc.clone(),
            timezone: draft.timezone.clone(),
            attributes: draft.attributes.clone(),
            tags: draft.tags.clone(),
        }
    }
}

fn room(store: &dyn Read, org: &OrgId, key: &ProductKey, max: u64) -> Result<u64, aldis_store::Error> {
    let value = Operand::Text(key.to_string());
    let of_product = Filter::Compare {
        field: DeviceField::ProductKey,
        sub: None,
        op: Comparison::Eq,
        value,
    };
    let found = store.search_devices(org, Some(&of_product), Page { skip: 0, take: 0 })?;
    Ok(max.saturating_sub(found.total))
}

/// Checks a draft and gives it a place in its product.
fn admit(draft: DeviceDraft, rooms: &mut Rooms, max: Option<u64>) -> Result<DeviceDraft, Error> {
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
        .as_deref()
        .map_or(Ok(()), |secret| check_secret("deviceSecret", secret))?;
    check_desc("deviceDesc", &draft.desc)?;
    timezone::validate(&draft.timezone).map_err(|violation| violation.within("timezone"))?;
    let product = draft.product.as_str();
    let room = rooms
        .get_mut(&draft.product)
        .ok_or_else(|| Error::missing("product", product))?;
    let full = || Error::TooManyDevices {
        product: product.to_owned(),
        max: max.unwrap_or_default(),
    };
    *room = room.checked_sub(1).ok_or_else(full)?;
    Ok(draft)
}
