//! A way into the TLS listener for devices that speak plain MQTT: what they say goes through TLS, and so do the answers.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::crypto::ring::cipher_suite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::version::TLS12;
use rustls::{ClientConfig, DEFAULT_VERSIONS, RootCertStore};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsConnector;

/// What a client trusts, and shows.
pub(crate) struct Trust<'p> {
    pub(crate) ca: &'p Path,
    /// Its certificate and key.
    pub(crate) own: Option<(&'p Path, &'p Path)>,
    /// It takes RSA certificates only, and TLS 1.2, as the Java library does without its flag for elliptic curves.
    pub(crate) rsa_only: bool,
}

impl Trust<'_> {
    fn connector(&self) -> TlsConnector {
        let mut roots = RootCertStore::empty();
        for root in CertificateDer::pem_file_iter(self.ca).unwrap() {
            roots.add(root.unwrap()).unwrap();
        }
        let mut offers = ring::default_provider();
        if self.rsa_only {
            offers.cipher_suites = vec![TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384];
        }
        let versions: &[_] = if self.rsa_only { &[&TLS12] } else { DEFAULT_VERSIONS };
        let builder = ClientConfig::builder_with_provider(offers.into())
            .with_protocol_versions(versions)
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
