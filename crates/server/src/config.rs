//! All settings of `aldis serve`: flags over environment over file over defaults (docs/operating.md, "Settings").
//!
//! Each setting has one name in three spellings: the flag `--data-dir`, the variable `ALDIS_DATA_DIR`, the key
//! `data_dir`.

use std::net::{SocketAddr, ToSocketAddrs};
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::{Path, PathBuf};

use aldis_core::secret::Secret;
use aldis_core::text_file;
use serde::Deserialize;

use aldis_gateway::{CertificateFiles, TlsFiles};

/// Where the HTTP API listens unless told otherwise: this machine only, until its owner decides.
const HTTP_DEFAULT: &str = "127.0.0.1:8080";
/// Where devices connect unless told otherwise; the port is the one that device SDKs have built in.
const MQTT_DEFAULT: &str = "127.0.0.1:11883";
const MQTTS_DEFAULT: &str = "127.0.0.1:18883";
/// Where everything is kept unless told otherwise.
const DATA_DIR_DEFAULT: &str = "./aldis-data";

/// Settings as given in one place: a file, the environment or flags. What is absent is left to the next.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Given {
    /// Directory of the database, its key and the first access key.
    pub data_dir: Option<PathBuf>,
    /// Address of the HTTP API, `host:port`; port 0 picks a free one.
    pub http: Option<String>,
    /// Address for devices, `host:port`; port 0 picks a free one.
    pub mqtt: Option<String>,
    /// Accept unsigned API calls; loopback only.
    pub no_auth: Option<bool>,
    /// This start believes the wall clock, though it contradicts what is stored. Not for a file: it is true once.
    #[serde(skip)]
    pub accept_clock: bool,
    /// File with the 32 bytes that encrypt secrets at rest, as 64 hexadecimal digits; default `secret.key` in the data
    /// directory.
    pub secret_key_file: Option<PathBuf>,
    /// Most tasks of a job; absent: no limit.
    pub tasks_per_job_max: Option<u64>,
    /// Most devices of a product; absent: no limit.
    pub devices_per_product_max: Option<u64>,
    /// Most calls per second of one access key; absent: no limit.
    pub rate_limit_per_second: Option<NonZeroU32>,
    /// Most HTTP connections at a time; absent: a share of the open files.
    pub http_connections_max: Option<NonZeroUsize>,
    /// Address for devices under TLS, `host:port`; takes effect with a certificate and its key.
    pub mqtts: Option<String>,
    /// The server's certificate and those that lead to its authority, PEM.
    pub tls_cert_file: Option<PathBuf>,
    /// Its private key, PEM.
    pub tls_key_file: Option<PathBuf>,
    /// A certificate with an RSA key beside that with an elliptic key, for clients that cannot use the latter, PEM.
    pub tls_rsa_cert_file: Option<PathBuf>,
    /// Its private key, PEM.
    pub tls_rsa_key_file: Option<PathBuf>,
    /// The authorities that devices' certificates are checked against, PEM.
    pub tls_client_ca_file: Option<PathBuf>,
    /// The devices' certificates that those authorities have revoked, PEM.
    pub tls_client_crl_file: Option<PathBuf>,
}

/// Why the settings do not stand.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be read.
    #[error("cannot read the settings file {path}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The file is not what it should be.
    #[error("the settings file {path} is wrong: {what}")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        what: String,
    },
    /// A value is not what it should be.
    #[error("{name}: {what}")]
    Value {
        /// Which setting.
        name: &'static str,
        /// What is wrong with it.
        what: String,
    },
}

/// Settings that stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Directory of the database, its key and the first access key.
    pub data_dir: PathBuf,
    /// Address of the HTTP API.
    pub http: SocketAddr,
    /// Address for devices.
    pub mqtt: SocketAddr,
    /// Unsigned API calls are accepted.
    pub no_auth: bool,
    /// The wall clock is right, though it contradicts what is stored.
    pub accept_clock: bool,
    /// The key that encrypts secrets, if it does not lie in the data directory.
    pub secret_key: Option<Secret<[u8; 32]>>,
    /// Most tasks of a job.
    pub tasks_per_job_max: Option<u64>,
    /// Most devices of a product.
    pub devices_per_product_max: Option<u64>,
    /// Most calls per second of one access key.
    pub rate_limit_per_second: Option<NonZeroU32>,
    /// Most HTTP connections at a time.
    pub http_connections_max: Option<NonZeroUsize>,
    /// Address for devices under TLS, and the certificates; `None`: there is no such listener.
    pub mqtts: Option<(SocketAddr, TlsFiles)>,
}

impl Given {
    /// Reads a settings file.
    ///
    /// # Errors
    /// It cannot be read, is no TOML, or has a key that does not exist.
    pub fn from_file(path: &Path) -> Result<Self, Error> {
        let text = read_text(path)?;
        toml::from_str(&text).map_err(|error| Error::Malformed {
            path: path.to_owned(),
            what: error.to_string(),
        })
    }

    /// These settings, and where they are silent, those.
    #[must_use]
    pub fn over(self, other: Self) -> Self {
        Self {
            data_dir: self.data_dir.or(other.data_dir),
            http: self.http.or(other.http),
            mqtt: self.mqtt.or(other.mqtt),
            no_auth: self.no_auth.or(other.no_auth),
            accept_clock: self.accept_clock || other.accept_clock,
            secret_key_file: self.secret_key_file.or(other.secret_key_file),
            tasks_per_job_max: self.tasks_per_job_max.or(other.tasks_per_job_max),
            devices_per_product_max: self.devices_per_product_max.or(other.devices_per_product_max),
            rate_limit_per_second: self.rate_limit_per_second.or(other.rate_limit_per_second),
            http_connections_max: self.http_connections_max.or(other.http_connections_max),
            mqtts: self.mqtts.or(other.mqtts),
            tls_cert_file: self.tls_cert_file.or(other.tls_cert_file),
            tls_key_file: self.tls_key_file.or(other.tls_key_file),
            tls_rsa_cert_file: self.tls_rsa_cert_file.or(other.tls_rsa_cert_file),
            tls_rsa_key_file: self.tls_rsa_key_file.or(other.tls_rsa_key_file),
            tls_client_ca_file: self.tls_client_ca_file.or(other.tls_client_ca_file),
            tls_client_crl_file: self.tls_client_crl_file.or(other.tls_client_crl_file),
        }
    }

    /// Fills in the defaults and checks what is left.
    ///
    /// # Errors
    /// An address cannot be understood, a key file is wrong, or unsigned calls would be open to other machines.
    pub fn settle(self) -> Result<Settings, Error> {
        let http = address("http", self.http.as_deref().unwrap_or(HTTP_DEFAULT))?;
        let mqtt = address("mqtt", self.mqtt.as_deref().unwrap_or(MQTT_DEFAULT))?;
        let no_auth = self.no_auth.unwrap_or(false);
        if no_auth && !http.ip().is_loopback() {
            let what = format!("unsigned calls are accepted on a loopback address only, not on {http}");
            return Err(Error::Value { name: "no_auth", what });
        }
        let mqtts = self.tls()?;
        Ok(Settings {
            data_dir: self.data_dir.unwrap_or_else(|| DATA_DIR_DEFAULT.into()),
            http,
            mqtt,
            no_auth,
            accept_clock: self.accept_clock,
            secret_key: self.secret_key_file.as_deref().map(secret_key).transpose()?.map(Secret),
            tasks_per_job_max: self.tasks_per_job_max,
            devices_per_product_max: self.devices_per_product_max,
            rate_limit_per_second: self.rate_limit_per_second,
            http_connections_max: self.http_connections_max,
            mqtts,
        })
    }

    /// The listener under TLS: there is one if it has a certificate.
    fn tls(&self) -> Result<Option<(SocketAddr, TlsFiles)>, Error> {
        let server = pair(
            ("tls_cert_file", &self.tls_cert_file),
            ("tls_key_file", &self.tls_key_file),
        )?;
        let server_rsa = pair(
            ("tls_rsa_cert_file", &self.tls_rsa_cert_file),
            ("tls_rsa_key_file", &self.tls_rsa_key_file),
        )?;
        let Some(server) = server else {
            let others = [
                ("mqtts", self.mqtts.is_some()),
                ("tls_rsa_cert_file", server_rsa.is_some()),
                ("tls_client_ca_file", self.tls_client_ca_file.is_some()),
                ("tls_client_crl_file", self.tls_client_crl_file.is_some()),
            ];
            return match others.into_iter().find(|(_, given)| *given) {
                Some((name, _)) => Err(value(name, "needs tls_cert_file and tls_key_file")),
                None => Ok(None),
            };
        };
        if self.tls_client_crl_file.is_some() && self.tls_client_ca_file.is_none() {
            return Err(value("tls_client_crl_file", "needs tls_client_ca_file"));
        }
        let files = TlsFiles {
            server,
            server_rsa,
            client_ca: self.tls_client_ca_file.clone(),
            client_crl: self.tls_client_crl_file.clone(),
        };
        let at = address("mqtts", self.mqtts.as_deref().unwrap_or(MQTTS_DEFAULT))?;
        Ok(Some((at, files)))
    }
}

/// A setting and the file that it names.
type NamedFile<'s> = (&'static str, &'s Option<PathBuf>);

/// A certificate with its key: both or none.
fn pair(certificate: NamedFile<'_>, key: NamedFile<'_>) -> Result<Option<CertificateFiles>, Error> {
    match (certificate.1, key.1) {
        (Some(of), Some(with)) => Ok(Some(CertificateFiles {
            certificate: of.clone(),
            key: with.clone(),
        })),
        (Some(_), None) => Err(value(key.0, &format!("is missing beside {}", certificate.0))),
        (None, Some(_)) => Err(value(certificate.0, &format!("is missing beside {}", key.0))),
        (None, None) => Ok(None),
    }
}

fn value(name: &'static str, what: &str) -> Error {
    Error::Value {
        name,
        what: what.to_owned(),
    }
}

fn address(name: &'static str, text: &str) -> Result<SocketAddr, Error> {
    let wrong = |what: String| Error::Value { name, what };
    let mut found = text
        .to_socket_addrs()
        .map_err(|error| wrong(format!("`{text}` is no host:port: {error}")))?;
    found.next().ok_or_else(|| wrong(format!("`{text}` names no address")))
}

/// The text of a file that people write.
fn read_text(path: &Path) -> Result<String, Error> {
    let unreadable = |source| Error::Unreadable {
        path: path.to_owned(),
        source,
    };
    let bytes = std::fs::read(path).map_err(unreadable)?;
    text_file::decode(bytes).map_err(|other| unreadable(std::io::Error::new(std::io::ErrorKind::InvalidData, other)))
}

fn secret_key(path: &Path) -> Result<[u8; 32], Error> {
    let text = read_text(path)?;
    let mut key = [0; 32];
    hex::decode_to_slice(text.trim(), &mut key).map_err(|_no_digits| Error::Value {
        name: "secret_key_file",
        what: "expected 64 hexadecimal digits".to_owned(),
    })?;
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXAMPLE: &str = include_str!("../../../config/aldis.example.toml");

    #[test]
    fn the_example_file_shows_every_setting_with_its_default() {
        let uncommented: String = EXAMPLE
            .lines()
            .map(|line| line.strip_prefix("#= ").unwrap_or(line))
            .flat_map(|line| [line, "\n"])
            .collect();
        let given: Given = toml::from_str(&uncommented).unwrap();
        assert_eq!(given.data_dir.as_deref(), Some(Path::new(DATA_DIR_DEFAULT)));
        assert_eq!(given.http.as_deref(), Some(HTTP_DEFAULT));
        assert_eq!(given.mqtt.as_deref(), Some(MQTT_DEFAULT));
        assert_eq!(given.mqtts.as_deref(), Some(MQTTS_DEFAULT));
        assert!(given.tls_cert_file.is_some() && given.tls_key_file.is_some());
        assert!(given.tls_rsa_cert_file.is_some() && given.tls_rsa_key_file.is_some());
        assert!(given.tls_client_ca_file.is_some() && given.tls_client_crl_file.is_some());
        assert_eq!(given.no_auth, Some(false));
        assert!(given.secret_key_file.is_some());
        assert!(given.tasks_per_job_max.is_some());
        assert!(given.devices_per_product_max.is_some());
        assert!(given.rate_limit_per_second.is_some());
        assert!(given.http_connections_max.is_some());
        toml::from_str::<Given>(EXAMPLE).unwrap().settle().unwrap();
    }

    #[test]
    fn the_listener_under_tls_needs_a_certificate_with_its_key() {
        let settled = |text: &str| toml::from_str::<Given>(text).unwrap().settle();
        let both = "tls_cert_file = 'c'\ntls_key_file = 'k'\n";
        let (at, files) = settled(both).unwrap().mqtts.unwrap();
        assert_eq!((at.to_string().as_str(), files.client_ca), (MQTTS_DEFAULT, None));
        assert!(settled("").unwrap().mqtts.is_none());
        for (text, name) in [
            ("tls_cert_file = 'c'".to_owned(), "tls_key_file"),
            ("tls_key_file = 'k'".to_owned(), "tls_cert_file"),
            (format!("{both}tls_rsa_cert_file = 'c'"), "tls_rsa_key_file"),
            (format!("{both}tls_rsa_key_file = 'k'"), "tls_rsa_cert_file"),
            (
                "tls_rsa_cert_file = 'c'\ntls_rsa_key_file = 'k'".to_owned(),
                "tls_rsa_cert_file",
            ),
            ("mqtts = '127.0.0.1:0'".to_owned(), "mqtts"),
            ("tls_client_ca_file = 'a'".to_owned(), "tls_client_ca_file"),
            (format!("{both}tls_client_crl_file = 'r'"), "tls_client_crl_file"),
        ] {
            let error = settled(&text).unwrap_err().to_string();
            assert!(error.starts_with(name), "{text}: {error}");
        }
    }

    #[test]
    fn settings_and_secret_key_may_begin_with_a_byte_order_mark() {
        let dir = tempfile::tempdir().unwrap();
        let (settings, key) = (dir.path().join("aldis.toml"), dir.path().join("key"));
        std::fs::write(&key, format!("\u{feff}{}\r\n", "0f".repeat(32))).unwrap();
        std::fs::write(&settings, format!("\u{feff}secret_key_file = '{}'\n", key.display())).unwrap();
        let settled = Given::from_file(&settings).unwrap().settle().unwrap();
        assert_eq!(settled.secret_key, Some(Secret([0x0f; 32])));
        std::fs::write(
            &settings,
            "\u{feff}no_auth = true"
                .encode_utf16()
                .flat_map(u16::to_le_bytes)
                .collect::<Vec<_>>(),
        )
        .unwrap();
        let Err(Error::Unreadable { source, .. }) = Given::from_file(&settings) else {
            panic!("UTF-16 was read")
        };
        assert!(source.to_string().contains("UTF-16"), "{source}");
    }

    #[test]
    fn an_unknown_key_is_refused_by_name() {
        let error = toml::from_str::<Given>("data_dri = 'x'").unwrap_err().to_string();
        assert!(error.contains("data_dri"), "{error}");
    }

    #[test]
    fn flags_win_over_the_file() {
        let flag = Given {
            http: Some("127.0.0.1:1".to_owned()),
            ..Given::default()
        };
        let file = Given {
            http: Some("127.0.0.1:2".to_owned()),
            no_auth: Some(true),
            ..Given::default()
        };
        let settings = flag.over(file).settle().unwrap();
        assert_eq!(settings.http.port(), 1);
        assert!(settings.no_auth);
    }

    #[test]
    fn unsigned_calls_are_for_loopback_only() {
        let given = Given {
            http: Some("0.0.0.0:8080".to_owned()),
            no_auth: Some(true),
            ..Given::default()
        };
        assert!(given.settle().is_err());
    }

    #[test]
    fn a_wrong_address_is_named() {
        let error = Given {
            mqtt: Some("nonsense".to_owned()),
            ..Given::default()
        }
        .settle()
        .unwrap_err();
        assert!(error.to_string().starts_with("mqtt: "), "{error}");
    }
}
