//! `aldis cert`: a certificate authority of one's own, in a directory of files. For trying things out and for fleets
//! that have none; an existing authority's files go to `aldis serve` as they are.

mod authority;
mod files;
mod key;

use std::path::PathBuf;

use aldis_protocol::keys::{check_device_key, check_product_key};
use aldis_protocol::login::CHANNEL_DEVICE_KEY;
use clap::{Args, Subcommand};

use self::authority::{Authority, Issue};
use self::key::KeyKind;
use crate::context::Context;
use crate::exit::{Outcome, usage};

/// Ten years: devices are out of reach, and a certificate can be revoked.
const DEVICE_DAYS: u32 = 3650;
/// What clients accept of a server at most, by and large.
const SERVER_DAYS: u32 = 397;
/// Where a server is tried out.
const SERVER_NAMES: [&str; 2] = ["localhost", "127.0.0.1"];

/// What can be made.
#[derive(Debug, Subcommand)]
#[command(after_help = "\
Examples:
  aldis cert ca
  aldis cert server --name gateway.example.org
  aldis serve --tls-cert-file certs/server.pem --tls-key-file certs/server-key.pem \\
      --tls-client-ca-file certs/ca.pem --tls-client-crl-file certs/revoked.pem
  aldis cert server --rsa --name gateway.example.org
  aldis cert device pump/pump-1
  aldis cert revoke certs/pump.pump-1.pem && kill -HUP $(cat aldis-data/aldis.pid)
  aldis cert server --renew && kill -HUP $(cat aldis-data/aldis.pid)

A renewed certificate is for the same private key and replaces the old one at once; the old one is kept beside it, under its
serial number, in case that it has to be revoked. No private key is ever overwritten: for a new one, move the old files away.")]
pub(crate) enum Cert {
    /// An authority: ca.pem, ca-key.pem, and revoked.pem with nothing in it
    Ca {
        #[command(flatten)]
        place: AuthorityDir,
        /// With an RSA key, for clients that know no elliptic curves at all
        #[arg(long)]
        rsa: bool,
    },
    /// A certificate for the server: server.pem, server-key.pem; with --rsa server-rsa.pem, server-rsa-key.pem
    Server {
        #[command(flatten)]
        place: AuthorityDir,
        /// A host name or address under which devices reach the server; repeatable [default: localhost and 127.0.0.1;
        /// with --renew those of the old certificate]
        #[arg(long = "name", value_name = "HOST")]
        names: Vec<String>,
        /// With an RSA key, for devices that cannot use one with an elliptic key. The server takes it beside the other
        #[arg(long)]
        rsa: bool,
        /// Replace the certificate that is there
        #[arg(long)]
        renew: bool,
        /// How many days the certificate is valid
        #[arg(long, value_name = "DAYS", default_value_t = SERVER_DAYS, value_parser = clap::value_parser!(u32).range(1..))]
        days: u32,
    },
    /// A certificate for a device: PRODUCT.DEVICE.pem, PRODUCT.DEVICE-key.pem. Integration channels have the device key
    /// %channel%
    Device {
        #[command(flatten)]
        place: AuthorityDir,
        /// The device that the certificate names
        #[arg(value_name = "PRODUCT/DEVICE")]
        device: String,
        /// Replace the certificate in PRODUCT.DEVICE.pem
        #[arg(long)]
        renew: bool,
        /// How many days the certificate is valid
        #[arg(long, value_name = "DAYS", default_value_t = DEVICE_DAYS, value_parser = clap::value_parser!(u32).range(1..))]
        days: u32,
    },
    /// Revoke certificates: they are added to revoked.pem, which the server reads again on SIGHUP
    Revoke {
        #[command(flatten)]
        place: AuthorityDir,
        /// The certificates, as PEM files
        #[arg(value_name = "FILE", required = true)]
        certificates: Vec<PathBuf>,
    },
}

#[derive(Debug, Args)]
pub(crate) struct AuthorityDir {
    /// Directory of the authority
    #[arg(long, value_name = "DIR", default_value = "certs")]
    dir: PathBuf,
}

impl Cert {
    pub(crate) fn run(self, context: &Context) -> anyhow::Result<Outcome> {
        let made = match self {
            Self::Ca { place, rsa } => Authority::create(&place.dir, KeyKind::chosen(rsa))?,
            Self::Server {
                place,
                names,
                rsa,
                renew,
                days,
            } => {
                let key = KeyKind::chosen(rsa);
                Authority::open(&place.dir)?.certify_server(named(names, renew), Issue { days, renew, key })?
            }
            Self::Device {
                place,
                device,
                renew,
                days,
            } => {
                let keys = device.split_once('/').filter(are_keys);
                let (product, device) =
                    keys.ok_or_else(|| usage("expected PRODUCT/DEVICE, by their keys".to_owned()))?;
                let key = KeyKind::Elliptic;
                let issue = Issue { days, renew, key };
                Authority::open(&place.dir)?.certify_device(product, device, issue)?
            }
            Self::Revoke { place, certificates } => vec![Authority::open(&place.dir)?.revoke(&certificates)?],
        };
        for path in made {
            context.screen.line(path.display())?;
        }
        Ok(Outcome::Done)
    }
}

fn are_keys((product, device): &(&str, &str)) -> bool {
    let is_channel = *device == CHANNEL_DEVICE_KEY;
    check_product_key(product).is_ok() && (is_channel || check_device_key(device).is_ok())
}

/// `None`: as in the certificate that is renewed.
fn named(names: Vec<String>, renew: bool) -> Option<Vec<String>> {
    match names.is_empty() {
        false => Some(names),
        true if renew => None,
        true => Some(SERVER_NAMES.map(str::to_owned).to_vec()),
    }
}
