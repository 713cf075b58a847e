//! What every subcommand works with: the way to the server, and the screen.

use std::io;
use std::path::{Path, PathBuf};

use aldis_client::{AccessKey, Client, Credentials};
use aldis_core::text_file;
use anyhow::Context as _;
use clap::Args;

use crate::exit::usage;
use crate::screen::Screen;

/// How the server is reached and how answers are shown.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Connection and output")]
pub(crate) struct Global {
    /// The server's address
    #[arg(long, global = true, env = "ALDIS_URL", default_value = "http://127.0.0.1:8080")]
    pub(crate) url: String,
    /// The access key: a JSON file with orgId, appKey and appSecret
    #[arg(
        long,
        global = true,
        env = "ALDIS_KEY_FILE",
        value_name = "FILE",
        default_value = "./aldis-data/admin-key.json"
    )]
    pub(crate) key_file: PathBuf,
    /// The organization; without a key file of that organization calls go unsigned, to a server with --no-auth
    #[arg(long, global = true, env = "ALDIS_ORG", value_name = "ID")]
    pub(crate) org: Option<String>,
    /// Print the API's data instead of tables
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

/// The global flags, made useful.
#[derive(Debug)]
pub(crate) struct Context {
    global: Global,
    pub(crate) screen: Screen,
}

impl Context {
    pub(crate) fn new(global: Global) -> Self {
        let screen = Screen { json: global.json };
        Self { global, screen }
    }

    /// A client with the key file's access key; unsigned if `--org` is given and the file is absent or of another
    /// organization.
    pub(crate) fn client(&self) -> anyhow::Result<Client> {
        let key = read_key(&self.global.key_file)?;
        let credentials = credentials(key, self.global.org.as_deref()).ok_or_else(|| {
            usage(format!(
                "there is no access key at {}: give one with --key-file, or name an organization with --org if the server \
                 runs with --no-auth",
                self.global.key_file.display()
            ))
        })?;
        Ok(Client::new(&self.global.url, credentials)?)
    }
}

fn credentials(key: Option<AccessKey>, org: Option<&str>) -> Option<Credentials> {
    match (key, org) {
        (Some(key), None) => Some(key.into()),
        (Some(key), Some(org)) if key.org_id == org => Some(key.into()),
        (_, Some(org)) => Some(Credentials::Unsigned { org_id: org.to_owned() }),
        (None, None) => None,
    }
}

fn read_key(path: &Path) -> anyhow::Result<Option<AccessKey>> {
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(usage(format!("{}: {error}", path.display()))),
    };
    let text = text_file::decode(bytes).map_err(|error| usage(format!("{}: {error}", path.display())))?;
    serde_json::from_str(&text)
        .map(Some)
        .map_err(|error| usage(error.to_string()))
        .with_context(|| format!("{} is no access key (orgId, appKey, appSecret)", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> AccessKey {
        AccessKey {
            org_id: "default".into(),
            app_key: "k".into(),
            app_secret: "s".into(),
        }
    }

    #[test]
    fn a_key_signs_for_its_own_organization_only() {
        let unsigned = |org: &str| Some(Credentials::Unsigned { org_id: org.into() });
        assert_eq!(credentials(Some(key()), None), Some(key().into()));
        assert_eq!(credentials(Some(key()), Some("default")), Some(key().into()));
        assert_eq!(credentials(Some(key()), Some("other")), unsigned("other"));
        assert_eq!(credentials(None, Some("other")), unsigned("other"));
        assert_eq!(credentials(None, None), None);
    }

    #[test]
    fn a_key_file_may_begin_with_a_byte_order_mark() {
        let folder = tempfile::tempdir().unwrap();
        let marked = folder.path().join("key.json");
        std::fs::write(
            &marked,
            "\u{feff}{\"orgId\":\"default\",\"appKey\":\"k\",\"appSecret\":\"s\"}",
        )
        .unwrap();
        assert_eq!(read_key(&marked).unwrap(), Some(key()));
    }

    #[test]
    fn an_absent_key_file_is_no_error_and_a_broken_one_is() {
        let folder = tempfile::tempdir().unwrap();
        assert!(read_key(&folder.path().join("none.json")).unwrap().is_none());
        let broken = folder.path().join("broken.json");
        std::fs::write(&broken, r#"{"orgId":"o"}"#).unwrap();
        let error = format!("{:#}", read_key(&broken).unwrap_err());
        assert!(error.contains("appKey"), "{error}");
    }
}
