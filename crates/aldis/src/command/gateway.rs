//! `aldis gateway`: which devices are under which gateway.

use aldis_client::DeviceRef;
use clap::Subcommand;

use super::device::{HEAD, REF, device_ref, row, shown, whole};
use crate::context::Context;
use crate::exit::Outcome;
use crate::pick::Pick;

/// What can be done with gateways.
#[derive(Debug, Subcommand)]
pub(crate) enum Gateway {
    /// Put devices under a gateway, all or none
    Add {
        /// The gateway: product key and device key, or asset id
        #[arg(value_name = REF, value_parser = device_ref)]
        gateway: DeviceRef,
        /// The devices; repeatable
        #[arg(value_name = "SUB_DEVICE", value_parser = device_ref, required = true)]
        devices: Vec<DeviceRef>,
    },
    /// Take devices away from their gateway, all or none; they are offline from then on
    Remove {
        /// The gateway: product key and device key, or asset id
        #[arg(value_name = REF, value_parser = device_ref)]
        gateway: DeviceRef,
        /// The devices; repeatable
        #[arg(value_name = "SUB_DEVICE", value_parser = device_ref, required = true)]
        devices: Vec<DeviceRef>,
    },
    /// The devices under a gateway
    List {
        /// The gateway: product key and device key, or asset id
        #[arg(value_name = REF, value_parser = device_ref)]
        gateway: DeviceRef,
        #[command(flatten)]
        pick: Pick,
    },
    /// The gateway that a device is under
    Of {
        /// The device: product key and device key, or asset id
        #[arg(value_name = REF, value_parser = device_ref)]
        device: DeviceRef,
    },
}

impl Gateway {
    pub(crate) async fn run(self, context: &Context) -> anyhow::Result<Outcome> {
        let client = context.client()?;
        let screen = context.screen;
        match self {
            Self::Add { gateway, devices } => {
                let added = client.add_sub_devices(&gateway, &devices).await?;
                screen.answer(&added, |()| format!("{} under {}", devices.len(), shown(&gateway)))?;
            }
            Self::Remove { gateway, devices } => {
                let removed = client.remove_sub_devices(&gateway, &devices).await?;
                screen.answer(&removed, |()| {
                    format!("{} no longer under {}", devices.len(), shown(&gateway))
                })?;
            }
            Self::List { gateway, pick } => {
                let devices = client.sub_devices(&gateway, pick.expression.as_deref());
                pick.print(screen, devices, &HEAD, row).await?;
            }
            Self::Of { device } => {
                let found = client.gateway_of(&device).await?;
                screen.answer(&found, |gateway| match gateway {
                    Some(gateway) => whole(gateway),
                    None => format!("{} is under no gateway", shown(&device)),
                })?;
            }
        }
        Ok(Outcome::Done)
    }
}
