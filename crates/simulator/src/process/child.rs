//! The process that has the devices.

use std::io::{self, BufRead, Write};

use super::{FleetPlan, FleetRequest};
use crate::{DeviceIdentity, FaultModel, Fleet, FleetHandle, FleetOptions, Subscribes};

/// Has the fleet that the first line of `input` describes, and answers the other lines, until `input` ends.
///
/// # Errors
/// If a line makes no sense, or the operating system gives no thread.
pub fn serve_fleet(mut input: impl BufRead, mut output: impl Write) -> io::Result<()> {
    let mut line = String::new();
    input.read_line(&mut line)?;
    let fleet = start(serde_json::from_str(&line)?)?;
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    for line in input.lines() {
        let ask: FleetRequest = serde_json::from_str(&line?)?;
        match ask {
            FleetRequest::GoOffline => fleet.go_offline(),
            FleetRequest::GoOnline => fleet.go_online(),
            FleetRequest::Now
            | FleetRequest::Connected(_)
            | FleetRequest::Accepted(_)
            | FleetRequest::Acknowledged(_) => {}
        }
        let counts = runtime.block_on(fleet.wait_until(|counts| ask.is_met(counts)));
        serde_json::to_writer(&mut output, &counts)?;
        output.write_all(b"\n")?;
        output.flush()?;
    }
    runtime.block_on(fleet.stop());
    Ok(())
}

fn start(plan: FleetPlan) -> io::Result<FleetHandle> {
    let model = FaultModel {
        latency_ms: plan.pause_ms.0..=plan.pause_ms.1,
        failure: plan.failing,
        ..FaultModel::default()
    };
    let options = FleetOptions {
        parallel_connects: plan.parallel_connects,
        subscribes: plan.subscribes.map_or(Subscribes::Never, Subscribes::Service),
        ..FleetOptions::with(model)
    };
    let devices = plan.devices.into_iter();
    let identities = devices.map(|(product, device, secret)| DeviceIdentity::new(product, device, secret));
    Fleet::start(plan.mqtt, identities.collect(), options)
}
