//! Places in devices' queues that have been promised: a single command that may wait is accepted only if there is one,
//! and takes it with its trigger, a turn later. Whatever comes in between finds it taken.

use std::collections::BTreeSet;

use aldis_core::ids::{DeviceNo, JobNo};

use super::maps::Map;

/// Who was promised a place where. Nearly always empty: a promise lasts from one turn to the next.
#[derive(Debug, Default)]
pub(super) struct Promises {
    devices: Map<JobNo, DeviceNo>,
    jobs: Map<DeviceNo, BTreeSet<JobNo>>,
}

impl Promises {
    pub(super) fn make(&mut self, job: JobNo, device: DeviceNo) {
        self.devices.insert(job, device);
        self.jobs.entry(device).or_default().insert(job);
    }

    pub(super) fn redeem(&mut self, job: JobNo) {
        let Some(device) = self.devices.remove(&job) else {
            return;
        };
        if let Some(jobs) = self.jobs.get_mut(&device) {
            jobs.remove(&job);
            if jobs.is_empty() {
                self.jobs.remove(&device);
            }
        }
    }

    pub(super) fn to(&self, device: DeviceNo) -> usize {
        self.jobs.get(&device).map_or(0, BTreeSet::len)
    }

    pub(super) fn jobs(&self, device: DeviceNo) -> impl Iterator<Item = JobNo> {
        self.jobs.get(&device).into_iter().flatten().copied()
    }

    #[cfg(test)]
    pub(super) fn size(&self) -> usize {
        self.devices.len() + self.jobs.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_promise_is_redeemed_once_and_leaves_nothing_behind() {
        let mut promises = Promises::default();
        for (job, device) in [(1, 7), (2, 7), (3, 8)] {
            promises.make(JobNo(job), DeviceNo(device));
        }
        promises.redeem(JobNo(1));
        promises.redeem(JobNo(1));
        assert_eq!((promises.to(DeviceNo(7)), promises.to(DeviceNo(8))), (1, 1));
        assert_eq!(promises.jobs(DeviceNo(7)).collect::<Vec<_>>(), [JobNo(2)]);
        promises.redeem(JobNo(2));
        promises.redeem(JobNo(3));
        assert_eq!(promises.size(), 0);
    }
}
