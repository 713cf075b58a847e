//! Sessions that end by what an operator or a gateway has changed, also if the answer of the commit is lost.

use aldis_core::ids::DeviceNo;
use aldis_store::Write;

use super::bench::Bench;
use super::sample::by;
use crate::link::{DeviceEvent, SessionNo};
use crate::writer::WriterRequest;

/// Two gateways, and a device that is under the first and in over its connection.
fn sub_device() -> (Bench, [DeviceNo; 3], SessionNo) {
    let mut bench = Bench::new(3);
    let [first, second, device] = bench.devices[..] else {
        panic!("three devices")
    };
    let connection = bench.enter(first).connection();
    bench.enter(second);
    bench.write(add(first, device, false));
    let session = bench.enter_over(device, connection, 1);
    bench.settle();
    (bench, [first, second, device], session)
}

fn add(gateway: DeviceNo, device: DeviceNo, moves: bool) -> Write {
    let devices = vec![device];
    let most = 1000;
    Write::AddSubDevices {
        gateway,
        devices,
        moves,
        most,
    }
}

/// A change by which the device may not stay where it is.
type Change = fn(&mut Bench, [DeviceNo; 3]);

fn write(bench: &mut Bench, write: Write) {
    drop(bench.request(|answer| WriterRequest::Write {
        writes: vec![write],
        answer,
    }));
}

const CHANGES: [(&str, Change); 7] = [
    ("removed", |bench, [gateway, _, device]| {
        let devices = vec![device];
        write(bench, Write::RemoveSubDevices { gateway, devices });
    }),
    ("moved", |bench, [_, second, device]| {
        write(bench, add(second, device, true))
    }),
    ("moved in two steps", |bench, [gateway, second, device]| {
        let devices = vec![device];
        let both = vec![Write::RemoveSubDevices { gateway, devices }, add(second, device, false)];
        drop(bench.request(|answer| WriterRequest::Write { writes: both, answer }));
    }),
    ("replaced", |bench, [.., device]| {
        let key = "new".into();
        write(bench, Write::ReplaceDevice { device, key, by: by() });
    }),
    ("given another secret", |bench, [.., device]| {
        let rotate = Write::RotateDeviceSecret {
            device,
            secret: "another".into(),
            former_until: None,
        };
        write(bench, rotate);
    }),
    ("disabled", |bench, [.., device]| {
        drop(bench.request(|answer| WriterRequest::DisableDevice {
            device,
            disabled: true,
            by: by(),
            answer,
        }));
    }),
    ("deleted", |bench, [.., device]| {
        drop(bench.request(|answer| WriterRequest::DeleteDevice {
            device,
            by: by(),
            answer,
        }));
    }),
];

#[test]
fn a_session_ends_by_a_change_whether_its_answer_comes_or_is_lost() {
    for (name, change) in CHANGES {
        for lost in [0, 1] {
            let (mut bench, devices, session) = sub_device();
            bench.faults.lock().answers = lost;
            let logins = bench.inbox.logins_changed();
            change(&mut bench, devices);
            bench.settle();
            bench.pass(1_000);
            assert_eq!(bench.link.resets(), [session], "{name}, {lost} answers lost");
            assert!(
                bench.inbox.logins_changed() > logins,
                "{name}: logins under way are checked again"
            );
        }
    }
}

#[test]
fn a_session_goes_on_if_the_change_was_not_stored() {
    for (name, change) in CHANGES
        .into_iter()
        .filter(|(name, _)| !matches!(*name, "replaced" | "given another secret"))
    {
        let (mut bench, devices, _) = sub_device();
        bench.faults.lock().commits = 1;
        change(&mut bench, devices);
        bench.settle();
        bench.pass(1_000);
        assert_eq!(bench.link.resets(), [], "{name}");
    }
}

#[test]
fn a_session_goes_on_if_the_change_was_refused() {
    let (mut bench, [_, second, device], _) = sub_device();
    write(&mut bench, add(second, device, false));
    write(
        &mut bench,
        Write::RemoveSubDevices {
            gateway: second,
            devices: vec![device],
        },
    );
    let key = "d0".into();
    write(&mut bench, Write::ReplaceDevice { device, key, by: by() });
    bench.settle();
    assert_eq!(bench.link.resets(), []);
}

/// A crowd of events before the login, and callers that make turns short.
#[test]
fn a_login_that_waits_behind_a_crowd_is_looked_at_by_a_check_that_comes_after_it() {
    let (mut bench, [first, second, device], old) = sub_device();
    bench.leave(device, old);
    bench.settle();
    for _ in 0..2_000 {
        let wire = None;
        let to = crate::link::AnswerTo::Points;
        let reply = aldis_core::task::Reply {
            code: None,
            message: None,
            output: None,
        };
        bench.notify(DeviceEvent::Replied {
            session: bench.session_of(second),
            device: second,
            wire,
            mentioned: None,
            to,
            reply,
            packet: None,
        });
    }
    let connection = bench.session_of(first).connection();
    let session = bench.enter_over(device, connection, 2);
    bench.inbox.check_sessions(vec![WriterRequest::EndSession { device }]);
    bench.settle();
    assert_eq!(bench.link.resets(), [session]);
}
