//! An authority and what it signs.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use aldis_gateway::pem;
use anyhow::{Context as _, bail, ensure};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams, SerialNumber,
};
use time::OffsetDateTime;
use x509_parser::num_bigint::BigUint;
use x509_parser::prelude::{CertificateRevocationList, FromDer as _, GeneralName, X509Certificate};

use super::files::{Readers, create, keep, read, replace};
use super::key::KeyKind;

/// Twenty years: it has to outlive what it signs.
const AUTHORITY_DAYS: u32 = 7300;
/// So that a clock that is a little slow does not find a certificate from tomorrow.
const EARLIER_DAYS: i32 = 1;

/// How a certificate is made.
#[derive(Debug, Clone, Copy)]
pub(super) struct Issue {
    /// Days for which it is valid.
    pub(super) days: u32,
    /// In the place of one that is there, for the same key.
    pub(super) renew: bool,
    /// For a key of this kind.
    pub(super) key: KeyKind,
}

/// A key that can sign, and its files' directory.
pub(super) struct Authority {
    dir: PathBuf,
    issuer: Issuer<'static, KeyPair>,
    certificate: String,
}

impl Authority {
    /// Makes a new one; its files.
    pub(super) fn create(dir: &Path, key: KeyKind) -> anyhow::Result<Vec<PathBuf>> {
        std::fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
        let key = key.generate_for_authority()?;
        let mut params = valid(CertificateParams::default(), AUTHORITY_DAYS)?;
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.distinguished_name = named(&[(DnType::CommonName, "Aldis device authority")]);
        let certificate = params.self_signed(&key)?.pem();
        let files = [dir.join("ca.pem"), dir.join("ca-key.pem"), dir.join("revoked.pem")];
        create(&files[1], &key.serialize_pem(), Readers::Owner)?;
        create(&files[0], &certificate, Readers::Everybody)?;
        let authority = Self {
            dir: dir.to_owned(),
            issuer: Issuer::new(params, key),
            certificate,
        };
        create(
            &files[2],
            &authority.list(&BigUint::from(1u32), &[])?,
            Readers::Everybody,
        )?;
        Ok(files.into())
    }

    /// One that was made before.
    pub(super) fn open(dir: &Path) -> anyhow::Result<Self> {
        let key = KeyPair::from_pem(&read(&dir.join("ca-key.pem"))?).context("ca-key.pem is no private key")?;
        let path = dir.join("ca.pem");
        check_subject(&path)?;
        let certificate = read(&path)?;
        let issuer = Issuer::from_ca_cert_pem(&certificate, key).context("ca.pem is no certificate")?;
        Ok(Self {
            dir: dir.to_owned(),
            issuer,
            certificate,
        })
    }

    /// A certificate for a server under these names, or those that it has; its files.
    pub(super) fn certify_server(&self, names: Option<Vec<String>>, issue: Issue) -> anyhow::Result<Vec<PathBuf>> {
        let name = match issue.key {
            KeyKind::Elliptic => "server",
            KeyKind::Rsa => "server-rsa",
        };
        let names = match names {
            Some(names) => names,
            None => server_names(&self.dir.join(format!("{name}.pem")))?,
        };
        let first = names.first().cloned().unwrap_or_default();
        let mut params = CertificateParams::new(names).context("--name: no host name or address")?;
        params.distinguished_name = named(&[(DnType::CommonName, &first)]);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        self.certify(params, issue, name)
    }

    /// A certificate for a device; its files.
    pub(super) fn certify_device(&self, product: &str, device: &str, issue: Issue) -> anyhow::Result<Vec<PathBuf>> {
        let mut params = CertificateParams::default();
        let subject = [(DnType::OrganizationalUnitName, product), (DnType::CommonName, device)];
        params.distinguished_name = named(&subject);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.certify(params, issue, &format!("{product}.{device}"))
    }

    fn certify(&self, params: CertificateParams, issue: Issue, name: &str) -> anyhow::Result<Vec<PathBuf>> {
        let mut params = valid(params, issue.days)?;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.use_authority_key_identifier_extension = true;
        let path = self.dir.join(format!("{name}.pem"));
        let key_path = self.dir.join(format!("{name}-key.pem"));
        if issue.renew {
            let key = KeyPair::from_pem(&read(&key_path)?)
                .with_context(|| format!("{} is no private key", key_path.display()))?;
            let kept = self
                .dir
                .join(format!("{name}.{}.pem", hex::encode(self.serial(&path)?)));
            keep(&path, &kept)?;
            replace(&path, &self.signed(&params, &key)?)?;
            return Ok(vec![path, kept]);
        }
        let key = issue.key.generate()?;
        create(&key_path, &key.serialize_pem(), Readers::Owner)?;
        create(&path, &self.signed(&params, &key)?, Readers::Everybody)?;
        Ok(vec![path, key_path])
    }

    /// A certificate, and behind it the authority's own.
    fn signed(&self, params: &CertificateParams, key: &KeyPair) -> anyhow::Result<String> {
        let certificate = params.signed_by(key, &self.issuer)?.pem();
        Ok(format!("{certificate}{}", self.certificate))
    }

    /// Adds certificates to the list of those that are not to be trusted any more.
    pub(super) fn revoke(&self, certificates: &[PathBuf]) -> anyhow::Result<PathBuf> {
        let path = self.dir.join("revoked.pem");
        let (list, _) = pem::read_one(&path, &[pem::REVOCATION_LIST])?;
        let (_, earlier) = CertificateRevocationList::from_der(&list.der).context("revoked.pem cannot be read")?;
        let number = earlier.crl_number().cloned().unwrap_or_default();
        let mut serials: Vec<Vec<u8>> = earlier
            .iter_revoked_certificates()
            .map(|entry| entry.raw_serial().to_vec())
            .collect();
        for file in certificates {
            let serial = self.serial(file)?;
            if !serials.contains(&serial) {
                serials.push(serial);
            }
        }
        replace(&path, &self.list(&(number + 1u32), &serials)?)?;
        Ok(path)
    }

    /// The serial number of the certificate in a file, which this authority has issued. The authority's own may stand
    /// behind it.
    fn serial(&self, path: &Path) -> anyhow::Result<Vec<u8>> {
        let own_der = first(&self.dir.join("ca.pem"))?;
        let blocks = pem::read(path, &[pem::CERTIFICATE])?.wanted;
        let mut issued = blocks.iter().filter(|block| block.der != own_der);
        let der = &issued.next().or_else(|| blocks.first()).context("no certificate")?.der;
        let others = issued.count();
        let (certificate, own) = (parsed(der, path)?, parsed(&own_der, path)?);
        let is_ours =
            certificate.issuer() == own.subject() && certificate.verify_signature(Some(own.public_key())).is_ok();
        ensure!(
            is_ours,
            "{} was not issued by the authority in {}",
            path.display(),
            self.dir.display()
        );
        ensure!(
            others == 0,
            "{} has {} certificates besides the authority's own, expected one",
            path.display(),
            others + 1
        );
        ensure!(
            !certificate.is_ca(),
            "{} is an authority's own: it cannot be revoked by what it signs",
            path.display()
        );
        Ok(certificate.raw_serial().to_vec())
    }

    fn list(&self, number: &BigUint, serials: &[Vec<u8>]) -> anyhow::Result<String> {
        let (from, until) = (day(-EARLIER_DAYS)?, day(i32::try_from(AUTHORITY_DAYS)?)?);
        let revoked = serials.iter().map(|serial| RevokedCertParams {
            serial_number: SerialNumber::from_slice(serial),
            revocation_time: from,
            reason_code: None,
            invalidity_date: None,
        });
        let list = CertificateRevocationListParams {
            this_update: from,
            next_update: until,
            crl_number: SerialNumber::from_slice(&number.to_bytes_be()),
            issuing_distribution_point: None,
            revoked_certs: revoked.collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        Ok(list.signed_by(&self.issuer)?.pem()?)
    }
}

/// An authority's name goes into everything that it issues; what rcgen reads of it has each attribute once.
fn check_subject(path: &Path) -> anyhow::Result<()> {
    let der = first(path)?;
    let certificate = parsed(&der, path)?;
    let kinds: Vec<_> = certificate
        .subject()
        .iter_attributes()
        .map(|attribute| attribute.attr_type())
        .collect();
    let repeated = kinds.iter().enumerate().any(|(at, kind)| kinds[..at].contains(kind));
    ensure!(
        !repeated,
        "{}: the authority's name {} has an attribute twice, which this command cannot sign for",
        path.display(),
        certificate.subject()
    );
    Ok(())
}

/// The first certificate in a file: its own, before those that lead to an authority.
fn first(path: &Path) -> anyhow::Result<Vec<u8>> {
    let blocks = pem::read(path, &[pem::CERTIFICATE])?.wanted;
    let first = blocks.into_iter().next().context("no certificate")?;
    Ok(first.der)
}

fn parsed<'d>(der: &'d [u8], path: &Path) -> anyhow::Result<X509Certificate<'d>> {
    match X509Certificate::from_der(der) {
        Ok((_, certificate)) => Ok(certificate),
        Err(error) => bail!("{} is no certificate: {error}", path.display()),
    }
}

/// The names that a server's certificate is good for.
fn server_names(path: &Path) -> anyhow::Result<Vec<String>> {
    let der = first(path)?;
    let certificate = parsed(&der, path)?;
    let names = certificate
        .subject_alternative_name()?
        .map(|names| &names.value.general_names);
    let names: Vec<String> = names.into_iter().flatten().filter_map(host).collect();
    ensure!(!names.is_empty(), "{} is good for no server's name", path.display());
    Ok(names)
}

fn host(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(bytes) => match bytes.len() {
            4 => <[u8; 4]>::try_from(*bytes)
                .ok()
                .map(|bytes| IpAddr::from(bytes).to_string()),
            _ => <[u8; 16]>::try_from(*bytes)
                .ok()
                .map(|bytes| IpAddr::from(bytes).to_string()),
        },
        _ => None,
    }
}

fn named(subject: &[(DnType, &str)]) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    for (kind, value) in subject {
        name.push(kind.clone(), *value);
    }
    name
}

fn valid(mut params: CertificateParams, days: u32) -> anyhow::Result<CertificateParams> {
    params.not_before = day(-EARLIER_DAYS)?;
    params.not_after = day(i32::try_from(days)?)?;
    Ok(params)
}

/// The moment this many days from now, to the second.
fn day(ahead: i32) -> anyhow::Result<OffsetDateTime> {
    let then = OffsetDateTime::now_utc().checked_add(time::Duration::days(ahead.into()));
    then.context("--days: too many")
}
