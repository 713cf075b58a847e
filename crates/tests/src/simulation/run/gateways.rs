//! Gateways, the devices under them, and moves from one to another.

use aldis_core::ids::DeviceNo;
use aldis_store::DeviceRef;

use super::{History, nth};
use crate::simulation::operation::{Call, Choice, GATEWAYS};
use crate::simulation::operator::BOXES;
use crate::simulation::oracle::{Checked, broken};

/// A gateway: its key, and its number in the store.
pub(super) type Gateway = (String, DeviceNo);

impl History {
    pub(super) fn know_gateways(&mut self) {
        let keys: Vec<String> = (0..GATEWAYS).map(|number| format!("g{number}")).collect();
        self.world.register_gateways(&keys);
        let refs: Vec<DeviceRef> = keys
            .iter()
            .map(|key| DeviceRef::Keys(BOXES.into(), key.as_str().into()))
            .collect();
        let found = self.world.stored().devices(&refs);
        let found = found.expect("the observer's way never fails").into_iter().flatten();
        self.gateways = keys.into_iter().zip(found.map(|device| device.no)).collect();
    }

    fn gateway_of(&self, device: DeviceNo) -> Option<DeviceNo> {
        let found = self.world.stored().gateways_of(&[device]);
        found.expect("the observer's way never fails").pop().flatten()
    }

    /// An operator's way: away from here, then to there. Either may go wrong.
    pub(super) fn moves(&mut self, choice: Choice, gateway: Choice, call: Call) {
        let Some((no, key)) = self.device(choice).map(|device| (device.no, device.key.clone())) else {
            return;
        };
        let Some((there, _)) = nth(gateway, self.gateways.len()).map(|index| self.gateways[index].clone()) else {
            return;
        };
        if let Some(from) = self.gateway_of(no)
            && let Some((here, _)) = self.gateways.iter().find(|(_, no)| *no == from).cloned()
        {
            self.world.arrange(call, "removeSubDevice", &here, &key);
        }
        if self.world.router().is_some() {
            self.world.arrange(call, "addSubDevice", &there, &key);
        }
    }

    pub(super) fn log_in_there(&mut self, choice: Choice) {
        let Some(no) = self.admitted(choice) else { return };
        let Some(gateway) = self.gateway_of(no) else { return };
        if self.world.link.current(gateway).is_none() {
            self.world.link.enter(gateway);
        }
        self.world.link.enter_over(no, gateway);
    }

    pub(super) fn drop_gateway(&mut self, choice: Choice) {
        let Some(index) = nth(choice, self.gateways.len()) else {
            return;
        };
        if let Some(session) = self.world.link.current(self.gateways[index].1) {
            self.world.link.leave(session);
        }
    }

    /// Once the engine rests, a session over a gateway that the device is not under is about to end.
    pub(super) fn nobody_is_in_where_it_is_not_under(&self) -> Checked {
        if self.world.is_pausing() {
            return Ok(());
        }
        for (_, gateway) in &self.gateways {
            for device in self.world.link.all_over(*gateway) {
                let under = self.gateway_of(device);
                if under != Some(*gateway) {
                    let what = format!("{device:?} is in over {gateway:?}, and under {under:?}");
                    return broken("whoever_is_moved_is_out", what);
                }
            }
        }
        Ok(())
    }

    /// Once the engine rests, a device that was disabled or deleted is about to be shown out.
    pub(super) fn nobody_is_in_who_may_not_be(&self) -> Checked {
        if self.world.is_pausing() {
            return Ok(());
        }
        let present = self.world.link.all_present();
        let facts = self.world.stored().device_facts(&present);
        for (device, facts) in present.iter().zip(facts.expect("the observer's way never fails")) {
            if facts.is_none_or(|facts| facts.disabled || facts.deleted) {
                let what = format!("{device:?} is in, and {facts:?}");
                return broken("a_barred_device_is_out", what);
            }
        }
        Ok(())
    }
}
