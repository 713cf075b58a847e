//! The HTTP connection: plain or TLS, with time limits, and the decision which failures may be followed by a repeat.

use std::time::Duration;

use reqwest::Url;
use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};

use crate::error::Error;

/// How long a connection may take to come about.
const CONNECT_WITHIN: Duration = Duration::from_secs(10);
/// How long an answer may take: the server's slowest answers wait for one commit behind bulk work, far less than this.
const ANSWER_WITHIN: Duration = Duration::from_secs(60);
/// Pauses before the second, third and fourth sending of a call: together longer than a restart of the server takes.
pub(crate) const REPEAT_AFTER: [Duration; 3] = [
    Duration::from_millis(200),
    Duration::from_millis(1_000),
    Duration::from_millis(3_000),
];

/// Checks the base URL: http or https, a host, no query.
pub(crate) fn base_url(address: &str) -> Result<Url, Error> {
    let bad = |reason: String| Error::BadAddress {
        address: address.to_owned(),
        reason,
    };
    let url = Url::parse(address).map_err(|error| bad(error.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(bad(format!("expected http:// or https://, not {}:", url.scheme())));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(bad("a base URL ends with its path".to_owned()));
    }
    Ok(url)
}

/// The HTTP client for a base URL.
pub(crate) fn http(base: &Url) -> Result<reqwest::Client, Error> {
    let builder = reqwest::Client::builder()
        .connect_timeout(CONNECT_WITHIN)
        .timeout(ANSWER_WITHIN)
        .user_agent(concat!("aldis-client/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none());
    let builder = if base.scheme() == "https" {
        // An application may have installed another provider before; both serve.
        drop(ring::default_provider().install_default());
        builder
    } else {
        builder.tls_backend_preconfigured(trusting_nobody(base)?)
    };
    builder.build().map_err(|source| unusable(base, &source))
}

/// For plain HTTP: spares reading the system's certificates, and the failure where there are none.
fn trusting_nobody(base: &Url) -> Result<ClientConfig, Error> {
    let config = ClientConfig::builder_with_provider(ring::default_provider().into())
        .with_safe_default_protocol_versions()
        .map_err(|error| unusable(base, &error))?;
    Ok(config
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth())
}

fn unusable(base: &Url, error: &dyn std::error::Error) -> Error {
    let cause = error.source().map(|cause| format!(": {cause}")).unwrap_or_default();
    Error::BadAddress {
        address: base.to_string(),
        reason: format!("{error}{cause}"),
    }
}

/// Whether the call may have reached the server without its answer reaching us.
pub(crate) fn was_lost(error: &reqwest::Error) -> bool {
    !error.is_connect() && !error.is_builder() && !error.is_redirect()
}
