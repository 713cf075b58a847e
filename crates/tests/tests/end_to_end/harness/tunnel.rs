//! A way into the TLS listener for devices that speak plain MQTT: what they say goes through TLS, and so do the
//! answers.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use rustls::crypto::ring::cipher_suite::{
    TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, ring};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, DEFAULT_VERSIONS, RootCertStore, SignatureScheme, SupportedProtocolVersion};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsConnector;

static ONLY_12: &[&SupportedProtocolVersion] = &[&TLS12];
static ONLY_13: &[&SupportedProtocolVersion] = &[&TLS13];

/// What a client trusts, and shows.
pub(crate) struct Trust<'p> {
    pub(crate) ca: &'p Path,
    /// Its certificate and key.
    pub(crate) own: Option<(&'p Path, &'p Path)>,
    pub(crate) offers: Offers,
}

/// What a client can do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Offers {
    #[default]
    Everything,
    /// TLS 1.2 with cipher suites for RSA certificates only, as the Java library without its flag for elliptic curves.
    RsaSuites,
    /// TLS 1.2 with cipher suites for elliptic certificates only.
    EllipticSuites,
    /// Only signatures of RSA keys, in the server's certificate and in the authority's: in this version of TLS.
    RsaSignatures(Tls),
}

/// A version of TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tls {
    V12,
    V13,
}

impl Offers {
    fn provider(self) -> CryptoProvider {
        let mut provider = ring::default_provider();
        match self {
            Self::Everything => {}
            Self::RsaSuites => provider.cipher_suites = vec![TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384],
            Self::EllipticSuites => provider.cipher_suites = vec![TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384],
            Self::RsaSignatures(_) => {
                let all = provider.signature_verification_algorithms;
                let rsa = all.mapping.iter().copied().filter(|(scheme, _)| is_rsa(*scheme));
                let mapping: &'static [_] = rsa.collect::<Vec<_>>().leak();
                let all = mapping.iter().flat_map(|(_, algorithms)| algorithms.iter().copied());
                provider.signature_verification_algorithms = WebPkiSupportedAlgorithms {
                    all: all.collect::<Vec<_>>().leak(),
                    mapping,
                };
            }
        }
        provider
    }

    fn versions(self) -> &'static [&'static SupportedProtocolVersion] {
        match self {
            Self::Everything => DEFAULT_VERSIONS,
            Self::RsaSuites | Self::EllipticSuites | Self::RsaSignatures(Tls::V12) => ONLY_12,
            Self::RsaSignatures(Tls::V13) => ONLY_13,
        }
    }
}

fn is_rsa(scheme: SignatureScheme) -> bool {
    format!("{scheme:?}").starts_with("RSA")
}

impl Trust<'_> {
    fn connector(&self) -> TlsConnector {
        let mut roots = RootCertStore::empty();
        for root in CertificateDer::pem_file_iter(self.ca).unwrap() {
            roots.add(root.unwrap()).unwrap();
        }
        let builder = ClientConfig::builder_with_provider(self.offers.provider().into())
            .with_protocol_versions(self.offers.versions())
            .unwrap()
            .with_root_certificates(roots);
        let config = match self.own {
            Some((certificate, key)) => {
                let chain = CertificateDer::pem_file_iter(certificate).unwrap();
                let key = PrivateKeyDer::from_pem_file(key).unwrap();
                builder
                    .with_client_auth_cert(chain.map(Result::unwrap).collect(), key)
                    .unwrap()
            }
            None => builder.with_no_client_auth(),
        };
        Arc::new(config).into()
    }
}

/// Where plain devices connect; each connection gets one of its own to the server. A handshake that fails closes it.
pub(crate) async fn tunnel(to: SocketAddr, trust: Trust<'_>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    let connector = trust.connector();
    tokio::spawn(async move {
        while let Ok((mut near, _)) = listener.accept().await {
            let connector = connector.clone();
            tokio::spawn(async move {
                let far = TcpStream::connect(to).await.unwrap();
                let name = ServerName::try_from("localhost").unwrap();
                if let Ok(mut far) = connector.connect(name, far).await {
                    drop(copy_bidirectional(&mut near, &mut far).await);
                }
            });
        }
    });
    at
}
