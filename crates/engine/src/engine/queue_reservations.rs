//! Reserved places in devices' queues. A single command that may wait is accepted only if its device's queue has a free
//! place. The command takes this place when it triggers, a turn later; until then the place counts as taken.

use std::collections::BTreeSet;

use aldis_core::ids::{DeviceNo, JobNo};

use super::maps::Map;

/// Which job has a place reserved in which queue. Nearly always empty: a reservation lasts from one turn to the next.
#[derive(Debug, Default)]
pub(super) struct QueueReservations {
    devices: Map<JobNo, DeviceNo>,
    jobs: Map<DeviceNo, BTreeSet<JobNo>>,
}

impl QueueReservations {
    pub(super) fn reserve(&mut self, job: JobNo, device: DeviceNo) {
        self.devices.insert(job, device);
        self.jobs.entry(device).or_default().insert(job);
    }

    pub(super) fn release(&mut self, job: JobNo) {
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

    pub(super) fn count(&self, device: DeviceNo) -> usize {
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
    fn reservation_is_released_once_and_leaves_nothing_behind() {
        let mut reservations = QueueReservations::default();
        for (job, device) in [(1, 7), (2, 7), (3, 8)] {
            reservations.reserve(JobNo(job), DeviceNo(device));
        }
        reservations.release(JobNo(1));
        reservations.release(JobNo(1));
        assert_eq!(
            (reservations.count(DeviceNo(7)), reservations.count(DeviceNo(8))),
            (1, 1)
        );
        assert_eq!(reservations.jobs(DeviceNo(7)).collect::<Vec<_>>(), [JobNo(2)]);
        reservations.release(JobNo(2));
        reservations.release(JobNo(3));
        assert_eq!(reservations.size(), 0);
    }
}
