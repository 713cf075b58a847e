//! The server's own certificates: which one a client is shown, and what is said of those that are wrong.

use std::path::Path;
use std::process::Command;

use aldis_simulator::Device;
use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use rustix::process::Signal;

use crate::harness::{Offers, Start, Tls, Trust, World, eventually, program, tunnel};
use crate::tls::{Authority, works};

/// Flags with the server's certificate, and the one with an RSA key beside it.
fn start(authority: &Authority, both: bool) -> Start {
    let file = |name: &str| authority.path(name).display().to_string();
    let mut flags = vec!["--mqtts".to_owned(), "127.0.0.1:0".to_owned()];
    flags.extend(["--tls-cert-file".to_owned(), file("server.pem")]);
    flags.extend(["--tls-key-file".to_owned(), file("server-key.pem")]);
    if both {
        flags.extend(["--tls-rsa-cert-file".to_owned(), file("server-rsa.pem")]);
        flags.extend(["--tls-rsa-key-file".to_owned(), file("server-rsa-key.pem")]);
    }
    Start {
        flags,
        ..Start::default()
    }
}

/// Whether a client that offers only this gets through.
async fn is_served(authority: &Authority, world: &World, device: &str, offers: Offers) -> bool {
    let identity = world.device(device).await;
    let trust = Trust {
        ca: &authority.path("ca.pem"),
        own: None,
        offers,
    };
    let at = tunnel(world.server.mqtts(), trust).await;
    match Device::connected(&identity, at).await {
        Ok(device) => {
            drop(works(world, device).await);
            true
        }
        Err(_) => false,
    }
}

#[tokio::test]
async fn a_server_with_two_certificates_serves_clients_of_either_kind() {
    let authority = Authority::new();
    authority.run(&["server", "--rsa"]);
    for both in [false, true] {
        let world = World::with(start(&authority, both)).await;
        for (device, offers, served) in [
            ("elliptic", Offers::EllipticSuites, true),
            ("any", Offers::Everything, true),
            ("rsa", Offers::RsaSuites, both),
        ] {
            assert_eq!(
                is_served(&authority, &world, device, offers).await,
                served,
                "{offers:?}, {both}"
            );
        }
    }
}

#[tokio::test]
async fn a_client_that_knows_no_elliptic_curves_at_all_is_served_under_an_rsa_authority() {
    let authority = Authority(tempfile::tempdir().unwrap());
    for words in [
        &["ca", "--rsa"][..],
        &["server"],
        &["server", "--rsa"],
        &["server", "--rsa", "--renew"],
    ] {
        authority.run(words);
    }
    let world = World::with(start(&authority, true)).await;
    for (device, offers) in [
        ("d12", Offers::RsaSignatures(Tls::V12)),
        ("d13", Offers::RsaSignatures(Tls::V13)),
        ("elliptic", Offers::EllipticSuites),
    ] {
        assert!(is_served(&authority, &world, device, offers).await, "{offers:?}");
    }
}

/// What `aldis serve` says when it does not start with these files.
fn refused(certificate: &Path, key: &Path) -> String {
    let data = tempfile::tempdir().unwrap();
    let mut serve = Command::new(program());
    serve.arg("serve").arg("--data-dir").arg(data.path());
    serve.args([
        "--http",
        "127.0.0.1:0",
        "--mqtt",
        "127.0.0.1:0",
        "--mqtts",
        "127.0.0.1:0",
    ]);
    serve
        .arg("--tls-cert-file")
        .arg(certificate)
        .arg("--tls-key-file")
        .arg(key);
    let output = serve.output().unwrap();
    assert!(!output.status.success());
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn certificates_that_cannot_be_used_are_named_at_the_start() {
    let authority = Authority::new();
    let certificate = authority.path("server.pem");
    let key = std::fs::read_to_string(authority.path("server-key.pem")).unwrap();
    let wrong = authority.path("wrong.pem");
    for (text, words) in [
        (
            key.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY"),
            "a password protects",
        ),
        (
            KeyPair::generate().unwrap().serialize_pem(),
            "does not belong to the certificate",
        ),
        (key.replace("-----END", "----END"), "not complete"),
        (String::new(), "found none"),
    ] {
        std::fs::write(&wrong, text).unwrap();
        let said = refused(&certificate, &wrong);
        assert!(said.contains("wrong.pem") && said.contains(words), "{words}: {said}");
    }
}

#[tokio::test]
async fn an_expired_certificate_and_a_chain_without_its_intermediate_are_said_and_replace_nothing() {
    let authority = Authority::new();
    let good = std::fs::read(authority.path("server.pem")).unwrap();
    let key = KeyPair::from_pem(&std::fs::read_to_string(authority.path("server-key.pem")).unwrap()).unwrap();
    let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    params.not_after = date_time_ymd(2026, 1, 1);
    let expired = params.self_signed(&key).unwrap().pem();
    std::fs::write(authority.path("server.pem"), &expired).unwrap();
    let world = World::with(start(&authority, false)).await;
    assert!(
        world.server.log().contains("expired, at 2026-01-01T00:00:00Z"),
        "{}",
        world.server.log()
    );

    // The good one, whose authority's certificate got lost, is read; the expired one does not come back.
    let good = String::from_utf8(good).unwrap();
    let own = good.split_inclusive("-----END CERTIFICATE-----\n").next().unwrap();
    std::fs::write(authority.path("server.pem"), own).unwrap();
    let world = &world;
    let said = |words: &'static str| {
        world.server.send(Signal::HUP);
        eventually(words, move || async move {
            Some(()).filter(|()| world.server.log().contains(words))
        })
    };
    said("append its certificate").await;
    assert!(is_served(&authority, world, "d1", Offers::Everything).await);
    std::fs::write(authority.path("server.pem"), &expired).unwrap();
    said("the server's certificates stay as they were").await;
    assert!(is_served(&authority, world, "d2", Offers::Everything).await);
}

#[tokio::test]
async fn files_with_byte_order_marks_are_read_whole() {
    let authority = Authority::new();
    authority.run(&["device", "pump/d1"]);
    for file in ["server.pem", "server-key.pem", "ca.pem", "revoked.pem"] {
        let text = std::fs::read_to_string(authority.path(file)).unwrap();
        std::fs::write(authority.path(file), format!("\u{feff}{text}")).unwrap();
    }
    // The command that made them reads them as well.
    authority.run(&["server", "--renew"]);
    authority.run(&["device", "pump/d2"]);
    authority.run(&["revoke", authority.path("pump.d2.pem").to_str().unwrap()]);
    let server = std::fs::read_to_string(authority.path("server.pem")).unwrap();
    std::fs::write(authority.path("server.pem"), format!("\u{feff}{server}")).unwrap();
    let world = World::with(authority.start()).await;
    let identities = world.devices(&["d1", "d2"]).await;
    let ca = authority.path("ca.pem");
    let plain = std::fs::read_to_string(&ca).unwrap().replace('\u{feff}', "");
    std::fs::write(&ca, plain).unwrap();
    for (identity, file, let_in) in [(&identities[0], "pump.d1", true), (&identities[1], "pump.d2", false)] {
        let at = authority.way_in(&world, Some(file)).await;
        assert_eq!(Device::connected(identity, at).await.is_ok(), let_in, "{file}");
    }
}
