//! An authority and what it signs.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams, SerialNumber,
};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer};
use time::OffsetDateTime;
use x509_parser::prelude::{CertificateRevocationList, FromDer as _, X509Certificate};

use super::files::{Readers, create, read, replace};

/// Twenty years: it has to outlive what it signs.
const AUTHORITY_DAYS: u32 = 7300;
/// So that a clock that is a little slow does not find a certificate from tomorrow.
const EARLIER_DAYS: i32 = 1;

/// A key that can sign, and its files' directory.
pub(super) struct Authority {
    dir: PathBuf,
    issuer: Issuer<'static, KeyPair>,
    certificate: String,
}

impl Authority {
    /// Makes a new one; its files.
    pub(super) fn create(dir: &Path) -> anyhow::Result<Vec<PathBuf>> {
        std::fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
        let key = KeyPair::generate()?;
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
        create(&files[2], &authority.list(1, Vec::new())?, Readers::Everybody)?;
        Ok(files.into())
    }

    /// One that was made before.
    pub(super) fn open(dir: &Path) -> anyhow::Result<Self> {
        let key = KeyPair::from_pem(&read(&dir.join("ca-key.pem"))?).context("ca-key.pem is no private key")?;
        let certificate = read(&dir.join("ca.pem"))?;
        let issuer = Issuer::from_ca_cert_pem(&certificate, key).context("ca.pem is no certificate")?;
        Ok(Self {
            dir: dir.to_owned(),
            issuer,
            certificate,
        })
    }

    /// A certificate for a server under these names; its files.
    pub(super) fn certify_server(&self, names: Vec<String>, days: u32) -> anyhow::Result<Vec<PathBuf>> {
        let first = names.first().cloned().unwrap_or_default();
        let mut params = CertificateParams::new(names).context("--name: no host name or address")?;
        params.distinguished_name = named(&[(DnType::CommonName, &first)]);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        self.certify(params, days, "server")
    }

    /// A certificate for a device; its files.
    pub(super) fn certify_device(&self, product: &str, device: &str, days: u32) -> anyhow::Result<Vec<PathBuf>> {
        let mut params = CertificateParams::default();
        let subject = [(DnType::OrganizationalUnitName, product), (DnType::CommonName, device)];
        params.distinguished_name = named(&subject);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.certify(params, days, &format!("{product}.{device}"))
    }

    fn certify(&self, params: CertificateParams, days: u32, name: &str) -> anyhow::Result<Vec<PathBuf>> {
        let mut params = valid(params, days)?;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.issuer)?.pem();
        let files = [
            self.dir.join(format!("{name}.pem")),
            self.dir.join(format!("{name}-key.pem")),
        ];
        create(&files[1], &key.serialize_pem(), Readers::Owner)?;
        create(
            &files[0],
            &format!("{certificate}{}", self.certificate),
            Readers::Everybody,
        )?;
        Ok(files.into())
    }

    /// Adds certificates to the list of those that are not to be trusted any more.
    pub(super) fn revoke(&self, certificates: &[PathBuf]) -> anyhow::Result<PathBuf> {
        let path = self.dir.join("revoked.pem");
        let der = CertificateRevocationListDer::from_pem_file(&path)
            .with_context(|| format!("{} is no list of revoked certificates", path.display()))?;
        let (_, earlier) = CertificateRevocationList::from_der(&der).context("revoked.pem cannot be read")?;
        let number = earlier
            .crl_number()
            .map_or(0, |number| number.to_u64_digits().first().copied().unwrap_or_default());
        let mut serials: Vec<Vec<u8>> = earlier
            .iter_revoked_certificates()
            .map(|entry| entry.raw_serial().to_vec())
            .collect();
        for file in certificates {
            let serial = serial(file)?;
            if !serials.contains(&serial) {
                serials.push(serial);
            }
        }
        replace(&path, &self.list(number + 1, serials)?)?;
        Ok(path)
    }

    fn list(&self, number: u64, serials: Vec<Vec<u8>>) -> anyhow::Result<String> {
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
            crl_number: SerialNumber::from(number),
            issuing_distribution_point: None,
            revoked_certs: revoked.collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        Ok(list.signed_by(&self.issuer)?.pem()?)
    }
}

/// The serial number of the first certificate in a file.
fn serial(path: &Path) -> anyhow::Result<Vec<u8>> {
    let der = CertificateDer::from_pem_file(path)
        .map_err(anyhow::Error::from)
        .with_context(|| format!("{} is no certificate", path.display()))?;
    match X509Certificate::from_der(&der) {
        Ok((_, certificate)) => Ok(certificate.raw_serial().to_vec()),
        Err(error) => bail!("{} is no certificate: {error}", path.display()),
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

/// So many days from now, to the second.
fn day(ahead: i32) -> anyhow::Result<OffsetDateTime> {
    let then = OffsetDateTime::now_utc().checked_add(time::Duration::days(ahead.into()));
    then.context("--days: too many")
}
