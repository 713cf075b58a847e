//! Authorities between a device's certificate and the root, and certificates that name several devices.

use std::net::SocketAddr;
use std::path::PathBuf;

use aldis_client::DeviceRef;
use aldis_simulator::Device;
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, CertificateRevocationListParams, DistinguishedName, DnType, IsCa,
    Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams, SerialNumber, date_time_ymd,
};
use rustix::process::Signal;

use crate::harness::{Offers, Trust, World, eventually, tunnel};
use crate::tls::{Authority, NOT_AUTHORIZED, works};

/// An authority for devices that is not `aldis cert`'s: a root, or one below it.
struct Devices {
    issuer: Issuer<'static, KeyPair>,
    own: Certificate,
}

const SERIAL: u64 = 77;

impl Devices {
    fn new(name: &str, above: Option<&Self>) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name = named(&[(DnType::CommonName, name)]);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.serial_number = above.map(|_| SerialNumber::from(SERIAL));
        let key = KeyPair::generate().unwrap();
        let own = match above {
            Some(above) => params.signed_by(&key, &above.issuer),
            None => params.self_signed(&key),
        };
        Self {
            own: own.unwrap(),
            issuer: Issuer::new(params, key),
        }
    }

    /// Writes a certificate with its key, and behind it what `shown` says.
    fn certify(&self, authority: &Authority, file: &str, subject: &[(DnType, &str)], shown: &str) {
        let mut params = CertificateParams::default();
        params.distinguished_name = named(subject);
        let key = KeyPair::generate().unwrap();
        let made = params.signed_by(&key, &self.issuer).unwrap();
        std::fs::write(authority.path(&format!("{file}.pem")), made.pem() + shown).unwrap();
        std::fs::write(authority.path(&format!("{file}-key.pem")), key.serialize_pem()).unwrap();
    }

    fn list(&self, serials: &[u64]) -> String {
        let revoked = serials.iter().map(|serial| RevokedCertParams {
            serial_number: SerialNumber::from(*serial),
            revocation_time: date_time_ymd(2026, 1, 1),
            reason_code: None,
            invalidity_date: None,
        });
        let list = CertificateRevocationListParams {
            this_update: date_time_ymd(2026, 1, 1),
            next_update: date_time_ymd(2036, 1, 1),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: revoked.collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        list.signed_by(&self.issuer).unwrap().pem().unwrap()
    }
}

fn named(subject: &[(DnType, &str)]) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    for (kind, value) in subject {
        name.push(kind.clone(), *value);
    }
    name
}

fn device(key: &str) -> [(DnType, &str); 2] {
    [(DnType::OrganizationalUnitName, "pump"), (DnType::CommonName, key)]
}

/// A server that `aldis cert` has given its certificate, and that trusts these authorities for devices.
async fn world(authority: &Authority, trusted: &[&Devices], list: &str) -> World {
    let trusted: String = trusted.iter().map(|devices| devices.own.pem()).collect();
    std::fs::write(authority.path("devices-ca.pem"), trusted).unwrap();
    std::fs::write(authority.path("revoked.pem"), list).unwrap();
    let mut start = authority.start();
    for flag in &mut start.flags {
        *flag = flag.replace("/ca.pem", "/devices-ca.pem");
    }
    World::with(start).await
}

async fn way_in(authority: &Authority, world: &World, file: &str) -> SocketAddr {
    let own: [PathBuf; 2] = [".pem", "-key.pem"].map(|end| authority.path(&format!("{file}{end}")));
    let trust = Trust {
        ca: &authority.path("ca.pem"),
        own: Some((&own[0], &own[1])),
        offers: Offers::Everything,
    };
    tunnel(world.server.mqtts(), trust).await
}

#[tokio::test]
async fn a_revoked_intermediate_authority_ends_the_connections_of_its_devices_and_lets_none_in() {
    // The authorities between are shown by the devices, or stand in the server's file.
    for filed in [false, true] {
        let authority = Authority::new();
        let root = Devices::new("root", None);
        let (first, second) = (Devices::new("first", Some(&root)), Devices::new("second", Some(&root)));
        // Number 77 is the first's; the second has another.
        let second = Devices {
            own: renumbered(&second, &root),
            ..second
        };
        let shown = |devices: &Devices| if filed { String::new() } else { devices.own.pem() };
        first.certify(&authority, "d1", &device("d1"), &shown(&first));
        second.certify(&authority, "d2", &device("d2"), &shown(&second));
        let trusted: &[&Devices] = if filed { &[&root, &first, &second] } else { &[&root] };
        let world = world(&authority, trusted, &root.list(&[])).await;
        let identities = world.devices(&["d1", "d2"]).await;
        let first_at = way_in(&authority, &world, "d1").await;
        let second_at = way_in(&authority, &world, "d2").await;
        let mut of_first = Device::connected(&identities[0], first_at).await.unwrap();
        let of_second = Device::connected(&identities[1], second_at).await.unwrap();

        std::fs::write(authority.path("revoked.pem"), root.list(&[SERIAL])).unwrap();
        world.server.send(Signal::HUP);
        of_first.expect_closed().await.unwrap();
        assert!(Device::connected(&identities[0], first_at).await.is_err());
        let of_second = works(&world, of_second).await;
        drop(of_second);
        drop(Device::connected(&identities[1], second_at).await.unwrap());
    }
}

/// The same authority under another number.
fn renumbered(devices: &Devices, above: &Devices) -> Certificate {
    let mut params = CertificateParams::default();
    params.distinguished_name = named(&[(DnType::CommonName, "second")]);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.serial_number = Some(SerialNumber::from(SERIAL + 1));
    params.signed_by(devices.issuer.key(), &above.issuer).unwrap()
}

#[tokio::test]
async fn a_certificate_that_names_several_devices_or_products_is_refused_and_the_trace_says_why() {
    let authority = Authority::new();
    let root = Devices::new("root", None);
    let again = |number: u64, text| (DnType::CustomDnType(vec![2, 5, 4, number]), text);
    let [unit, name] = device("d1");
    for (file, subject) in [
        ("names", vec![unit.clone(), name.clone(), again(3, "d2")]),
        ("units", vec![unit.clone(), again(11, "other"), name.clone()]),
        ("one", vec![unit, name]),
    ] {
        root.certify(&authority, file, &subject, "");
    }
    let world = world(&authority, &[&root], &root.list(&[])).await;
    let identities = world.devices(&["d1", "d2"]).await;
    for (file, words) in [("names", "2 common names"), ("units", "2 organizational units")] {
        let at = way_in(&authority, &world, file).await;
        for identity in &identities {
            let refused = Device::new(identity).try_connect(at).await.unwrap();
            assert_eq!(refused, NOT_AUTHORIZED, "{file}");
        }
        let told = eventually("the reason", || async {
            let trace = world
                .client
                .device_trace(&DeviceRef::keys("pump", "d1"))
                .await
                .unwrap()
                .data;
            trace.into_iter().find(|entry| entry.detail.contains(words))
        });
        assert_eq!(told.await.event, "REFUSED");
    }
    let at = way_in(&authority, &world, "one").await;
    drop(Device::connected(&identities[0], at).await.unwrap());
}
