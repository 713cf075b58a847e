//! Certificates and lists of authorities that rcgen makes, read from files as an operator has them.

use std::path::PathBuf;

use aldis_core::time::Timestamp;
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, CertificateRevocationListParams, DnType, ExtendedKeyUsagePurpose,
    IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams, SerialNumber, date_time_ymd,
};
use rustls::pki_types::UnixTime;
use tempfile::TempDir;

use super::*;

/// Within the dates of everything made here.
const NOW: Timestamp = Timestamp(1_780_000_000_000);

struct At(Timestamp);

impl Clock for At {
    fn now(&self) -> Timestamp {
        self.0
    }
}

struct Authority {
    issuer: Issuer<'static, KeyPair>,
    own: Certificate,
}

fn params(name: &str, serial: u64) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.serial_number = Some(SerialNumber::from(serial));
    params.not_before = date_time_ymd(2026, 1, 1);
    params.not_after = date_time_ymd(2036, 1, 1);
    params
}

impl Authority {
    fn root(name: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        let params = Self::params(name, 1);
        let own = params.self_signed(&key).unwrap();
        let issuer = Issuer::new(params, key);
        Self { issuer, own }
    }

    fn below(&self, name: &str, serial: u64) -> Self {
        let key = KeyPair::generate().unwrap();
        let params = Self::params(name, serial);
        let own = params.signed_by(&key, &self.issuer).unwrap();
        let issuer = Issuer::new(params, key);
        Self { issuer, own }
    }

    fn params(name: &str, serial: u64) -> CertificateParams {
        let mut params = params(name, serial);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::CrlSign, KeyUsagePurpose::KeyCertSign];
        params
    }

    fn device(&self, serial: u64) -> CertificateDer<'static> {
        let mut params = params("d1", serial);
        params.distinguished_name.push(DnType::OrganizationalUnitName, "pump");
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let made = params.signed_by(&KeyPair::generate().unwrap(), &self.issuer).unwrap();
        made.der().clone()
    }

    fn server(&self, serial: u64, until: i32) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let mut params = params("localhost", serial);
        params.not_after = date_time_ymd(until, 1, 1);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let made = params.signed_by(&key, &self.issuer).unwrap();
        (made.pem(), key.serialize_pem())
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

struct Files(TempDir);

impl Files {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) -> &Self {
        std::fs::write(self.path(name), text).unwrap();
        self
    }

    fn named(&self) -> TlsFiles {
        let present = |name| Some(self.path(name)).filter(|path| path.exists());
        let pair = |certificate, key| CertificateFiles {
            certificate: self.path(certificate),
            key: self.path(key),
        };
        TlsFiles {
            server: pair("server.pem", "server-key.pem"),
            server_rsa: present("rsa.pem").map(|_| pair("rsa.pem", "rsa-key.pem")),
            client_ca: present("ca.pem"),
            client_crl: present("revoked.pem"),
        }
    }

    fn trust(&self) -> Result<Trust, String> {
        let provider = Arc::new(ring::default_provider());
        Trust::read(&self.named(), &provider, NOW).map_err(|error| error.to_string())
    }

    fn identity(&self) -> Result<Identity, String> {
        Identity::read(&self.named(), &ring::default_provider(), NOW).map_err(|error| error.to_string())
    }
}

fn trust(authorities: &[&Authority], lists: &[String]) -> Trust {
    let files = Files::new();
    let authorities: String = authorities.iter().map(|authority| authority.own.pem()).collect();
    files.write("ca.pem", &authorities);
    if !lists.is_empty() {
        files.write("revoked.pem", &lists.concat());
    }
    files.trust().unwrap()
}

/// Whether a handshake with this chain succeeds; what is said of an open connection with it must be the same.
fn accepts(trust: &Trust, chain: &[&CertificateDer<'static>]) -> bool {
    let shown: Vec<CertificateDer<'static>> = chain.iter().map(|&der| der.clone()).collect();
    let now = UnixTime::since_unix_epoch(std::time::Duration::from_secs(1_780_000_000));
    let verifier = trust.verifier.as_ref().unwrap();
    let verified = verifier.verify_client_cert(&shown[0], &shown[1..], now);
    let revoked = trust.is_revoked(&trust.chain(&shown));
    match &verified {
        Ok(_) => assert!(!revoked),
        Err(error) => assert_eq!(
            revoked,
            matches!(
                error,
                rustls::Error::InvalidCertificate(rustls::CertificateError::Revoked)
            ),
            "{error}"
        ),
    }
    verified.is_ok()
}

#[test]
fn a_revoked_intermediate_authority_takes_its_devices_and_no_others_with_it() {
    let root = Authority::root("root");
    let (first, second) = (root.below("first", 10), root.below("second", 11));
    let (of_first, of_second) = (first.device(20), second.device(20));
    let list = [root.list(&[10])];
    let shown = trust(&[&root], &list);
    assert!(!accepts(&shown, &[&of_first, first.own.der()]));
    assert!(!accepts(&shown, &[&of_first, first.own.der(), root.own.der()]));
    assert!(accepts(&shown, &[&of_second, second.own.der()]));
    assert!(shown.notices.is_empty(), "{:?}", shown.notices);
    // The same where the authorities stand in the server's file, so that devices need not show them.
    let filed = trust(&[&root, &first, &second], &list);
    assert!(!accepts(&filed, &[&of_first]));
    assert!(!accepts(&filed, &[&of_first, first.own.der()]));
    assert!(accepts(&filed, &[&of_second]));
    assert!(
        filed.notices.iter().any(|notice| notice.contains("first")),
        "{:?}",
        filed.notices
    );
    assert!(accepts(&trust(&[&root, &first], &[]), &[&of_first]));
}

#[test]
fn an_authority_two_levels_above_is_looked_at_too() {
    let root = Authority::root("root");
    let upper = root.below("upper", 10);
    let lower = upper.below("lower", 11);
    let device = lower.device(20);
    for authorities in [vec![&root], vec![&root, &upper], vec![&root, &upper, &lower]] {
        let trust = trust(&authorities, &[root.list(&[10])]);
        assert!(!accepts(&trust, &[&device, lower.own.der(), upper.own.der()]));
    }
    let trust = trust(&[&root, &upper, &lower], &[root.list(&[10])]);
    assert!(!accepts(&trust, &[&device]));
}

#[test]
fn every_list_of_an_authority_counts_and_that_of_one_below() {
    let root = Authority::root("root");
    let below = root.below("below", 10);
    let devices: Vec<_> = (20..24).map(|serial| root.device(serial)).collect();
    let of_below = below.device(20);
    let trust = trust(
        &[&root],
        &[root.list(&[20]), root.list(&[21]), below.list(&[20]), root.list(&[])],
    );
    assert!(!accepts(&trust, &[&devices[0]]) && !accepts(&trust, &[&devices[1]]));
    assert!(accepts(&trust, &[&devices[2]]));
    assert!(!accepts(&trust, &[&of_below, below.own.der()]));
}

#[test]
fn a_number_that_one_authority_has_revoked_is_still_good_of_another() {
    let (first, second) = (Authority::root("first"), Authority::root("second"));
    let trust = trust(&[&first, &second], &[first.list(&[20])]);
    assert!(!accepts(&trust, &[&first.device(20)]));
    assert!(accepts(&trust, &[&second.device(20)]));
}

#[test]
fn two_authorities_of_one_name_have_a_list_each() {
    let (older, newer) = (Authority::root("root"), Authority::root("root"));
    let (of_older, of_newer) = (older.below("below", 10), newer.below("below", 11));
    let lists = [older.list(&[10, 20]), newer.list(&[21])];
    let trust = trust(&[&older, &newer, &of_older, &of_newer], &lists);
    assert!(!accepts(&trust, &[&older.device(20)]) && !accepts(&trust, &[&newer.device(21)]));
    assert!(accepts(&trust, &[&older.device(22)]) && accepts(&trust, &[&newer.device(22)]));
    assert!(!accepts(&trust, &[&of_older.device(1)]));
    assert!(accepts(&trust, &[&of_newer.device(1)]));
}

#[test]
fn a_list_that_another_key_has_signed_is_refused_by_name() {
    let (root, stranger) = (Authority::root("root"), Authority::root("root"));
    let files = Files::new();
    files.write("ca.pem", &root.own.pem());
    files.write("revoked.pem", &format!("{}{}", root.list(&[]), stranger.list(&[])));
    let error = files.trust().err().unwrap();
    assert!(
        error.contains("revoked.pem: list 2: was not signed by CN=root"),
        "{error}"
    );
}

#[test]
fn files_with_byte_order_marks_are_read_whole_and_what_is_skipped_is_named() {
    let root = Authority::root("root");
    let other = Authority::root("other");
    let files = Files::new();
    let (certificate, key) = root.server(30, 2036);
    let bom = "\u{feff}";
    files
        .write("ca.pem", &format!("{bom}{}{bom}{}", root.own.pem(), other.own.pem()))
        .write("revoked.pem", &format!("{bom}{}", root.list(&[20])))
        .write("server.pem", &format!("{bom}{certificate}{}{key}", root.own.pem()))
        .write("server-key.pem", &format!("{bom}{key}"));
    let trust = files.trust().unwrap();
    assert!(!accepts(&trust, &[&root.device(20)]) && accepts(&trust, &[&root.device(21)]));
    assert!(accepts(&trust, &[&other.device(20)]));
    let identity = files.identity().unwrap();
    let [notice] = identity.notices.as_slice() else {
        panic!("{:?}", identity.notices)
    };
    assert!(
        notice.ends_with("server.pem: block 3, PRIVATE KEY, is not used"),
        "{notice}"
    );
}

#[test]
fn what_is_wrong_with_a_servers_chain_is_said_in_words() {
    let root = Authority::root("root");
    let below = root.below("below", 10);
    let lower = below.below("lower", 11);
    let (own, key) = lower.server(30, 2036);
    let [root, below, lower] = [&root, &below, &lower].map(|authority| authority.own.pem());
    for (chain, words) in [
        (vec![&own, &lower, &below, &root], ""),
        (
            vec![&own, &lower, &below],
            "CN=root has issued, whose own certificate is not in the file",
        ),
        (
            vec![&own],
            "CN=lower has issued, whose own certificate is not in the file",
        ),
        (
            vec![&own, &lower, &root],
            "the certificate of CN=below, which has issued certificate 2, is missing",
        ),
        (vec![&own, &below, &lower], "certificate 3 has issued certificate 1"),
    ] {
        let files = Files::new();
        let chain: String = chain.into_iter().cloned().collect();
        files.write("server.pem", &chain).write("server-key.pem", &key);
        let notices = files.identity().unwrap().notices.concat();
        assert!(
            notices.contains(words) && notices.is_empty() == words.is_empty(),
            "{words}: {notices}"
        );
        // Devices of the same root are known to trust it.
        files.write("ca.pem", &root);
        let notices = files.identity().unwrap().notices.concat();
        assert!(!notices.contains("CN=root has issued"), "{notices}");
    }
}

#[test]
fn a_key_that_does_not_fit_is_said_in_words() {
    let root = Authority::root("root");
    let (own, key) = root.server(30, 2036);
    let (_, other_key) = root.server(31, 2036);
    let upside_down = format!("{}{own}", root.own.pem());
    for (certificate, key, words) in [
        (&own, other_key.clone(), "does not belong to the certificate"),
        (&upside_down, key.clone(), "belongs to certificate 2"),
        (&own, key.replace("PRIVATE", "ENCRYPTED PRIVATE"), "password"),
        (&own, format!("{key}{other_key}"), "found 2"),
        (&own, own.clone(), "found none"),
        (
            &own,
            key.replace("PRIVATE KEY", "EC PRIVATE KEY"),
            "of a kind that is served",
        ),
        (&key, key.clone(), "expected a block CERTIFICATE"),
    ] {
        let files = Files::new();
        files.write("server.pem", certificate).write("server-key.pem", &key);
        let error = files.identity().err().unwrap();
        assert!(error.contains(words), "{words}: {error}");
    }
}

#[test]
fn a_second_certificate_needs_an_rsa_key_beside_another() {
    let root = Authority::root("root");
    let (own, key) = root.server(30, 2036);
    let files = Files::new();
    files.write("server.pem", &own).write("server-key.pem", &key);
    files.write("rsa.pem", &own).write("rsa-key.pem", &key);
    let error = files.identity().err().unwrap();
    assert!(error.contains("rsa-key.pem: expected an RSA key"), "{error}");
}

fn load(files: &Files) -> Tls {
    Tls::load(files.named(), Arc::new(At(NOW))).unwrap()
}

#[test]
fn an_expired_certificate_is_said_at_the_start_and_replaces_none() {
    let root = Authority::root("root");
    let files = Files::new();
    let (good, key) = root.server(30, 2036);
    let (expired, expired_key) = root.server(31, 2026);
    files
        .write("server.pem", &expired)
        .write("server-key.pem", &expired_key);
    let identity = files.identity().unwrap();
    assert!(
        identity
            .expired
            .concat()
            .contains("has expired, at 2026-01-01T00:00:00Z"),
        "{:?}",
        identity.expired
    );
    drop(load(&files));
    files.write("server.pem", &good).write("server-key.pem", &key);
    let tls = load(&files);
    files
        .write("server.pem", &expired)
        .write("server-key.pem", &expired_key);
    let before = Arc::clone(&tls.loaded.read().identity);
    let failed = tls.reload();
    assert!(failed.identity.unwrap().to_string().contains("expired"));
    assert!(failed.trust.is_none());
    assert!(Arc::ptr_eq(&before, &tls.loaded.read().identity));
}

#[test]
fn a_certificate_that_cannot_be_read_again_keeps_no_revocation_from_taking_effect() {
    let root = Authority::root("root");
    let files = Files::new();
    let (own, key) = root.server(30, 2036);
    files.write("server.pem", &own).write("server-key.pem", &key);
    files
        .write("ca.pem", &root.own.pem())
        .write("revoked.pem", &root.list(&[]));
    let tls = load(&files);
    let chain = tls.chain(&[root.device(20)]);
    assert!(!tls.is_revoked(&chain));
    files
        .write("server.pem", "none")
        .write("revoked.pem", &root.list(&[20]));
    let failed = tls.reload();
    assert!(failed.identity.is_some() && failed.trust.is_none());
    assert!(tls.is_revoked(&chain));
    // And the other way round.
    files.write("server.pem", &own).write("revoked.pem", "none");
    let failed = tls.reload();
    assert!(failed.identity.is_none() && failed.trust.is_some());
    assert!(tls.is_revoked(&chain));
}
