//! Names and tags of the devices that tasks are about: a task itself tells only the devices' keys.

use std::collections::HashMap;

use aldis_client::{Client, Task, quoted};

use crate::command::product::tags_text;

/// Assets that one search names; the server takes 8 KiB of expression.
const ASSETS_PER_SEARCH: usize = 100;

/// What people call a device, and how they label it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Described {
    pub(super) name: String,
    pub(super) tags: String,
}

/// The devices of one page of tasks.
#[derive(Debug)]
pub(super) struct Devices<'c> {
    client: &'c Client,
    by_asset: HashMap<String, Described>,
}

impl<'c> Devices<'c> {
    pub(super) fn new(client: &'c Client) -> Self {
        Self {
            client,
            by_asset: HashMap::new(),
        }
    }

    /// Looks the devices of these tasks up, and forgets those of others.
    ///
    /// # Errors
    /// Those of the search.
    pub(super) async fn learn(&mut self, tasks: &[Task]) -> anyhow::Result<()> {
        self.by_asset.clear();
        let mut assets: Vec<_> = tasks.iter().filter_map(|task| task.asset_id.as_deref()).collect();
        assets.sort_unstable();
        assets.dedup();
        for some in assets.chunks(ASSETS_PER_SEARCH) {
            let list: Vec<_> = some.iter().map(|asset| quoted(asset)).collect();
            let expression = format!("assetId in ({})", list.join(","));
            let mut found = self.client.devices(Some(&expression));
            while let Some(device) = found.next().await? {
                let described = Described {
                    name: device.device_name.default_value,
                    tags: device.device_tags.as_ref().map(tags_text).unwrap_or_default(),
                };
                self.by_asset.insert(device.asset_id, described);
            }
        }
        Ok(())
    }

    /// The device of a task that was learnt; `None` if it is deleted.
    pub(super) fn of(&self, task: &Task) -> Option<&Described> {
        self.by_asset.get(task.asset_id.as_deref()?)
    }
}
