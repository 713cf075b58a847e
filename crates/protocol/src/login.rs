//! The three strings of a device's CONNECT: what they claim, and whether the password proves it.
//!
//! The identity is in the user name; the client id is free text in front of its parameters. The password is a plain
//! digest, whatever the method calls itself. Neither secrets nor whether a device exists are known here
//! (docs/device-protocol.md, "Connecting" and "Signature").

use aldis_core::ids::{DeviceKey, ProductKey};
use md5::Md5;
use sha1::Sha1;
use sha2::Sha256;

use crate::digest::{hex_digest, same_hex};

/// What stands in the place of a device key in the login of an integration channel.
pub const CHANNEL_DEVICE_KEY: &str = "%channel%";

/// What a client says about itself when it connects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    /// The part of the client id before its parameters, which the signature covers.
    pub client_id: String,
    /// The device's key.
    pub device_key: DeviceKey,
    /// Its product's key.
    pub product_key: ProductKey,
    /// Which secret signs.
    pub secure_mode: SecureMode,
    /// Which digest signs.
    pub sign_method: SignMethod,
    /// Opaque text: clients reuse it for days, some send a date in 2050.
    pub timestamp: String,
    /// How the client compresses every payload.
    pub compression: Compression,
}

/// Which secret signs, and what for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecureMode {
    /// 2, also when the parameter is missing: the device's secret, for normal work.
    DeviceSecret,
    /// 3: the product's secret, to be told the device's.
    ProductSecret,
    /// 4: the product's secret, to post data of many devices.
    IntegrationChannel,
}

/// Which digest signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignMethod {
    /// `sha256`, `hmacsha256`.
    Sha256,
    /// `sha1`, `hmacsha1`, also when the parameter is missing.
    Sha1,
    /// `md5`, `hmacmd5`.
    Md5,
}

/// Compression of payloads, which Java clients announce in their client id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// None, announced as `DEFAULT` or not at all.
    None,
    /// `GZIP`.
    Gzip,
    /// `LZ4`.
    Lz4,
    /// `LZO`.
    Lzo,
    /// Something else.
    Unknown,
}

/// Why the strings of a CONNECT make no login.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LoginError {
    /// The user name is not made of two keys.
    #[error("the user name is not <device key>&<product key>")]
    UserName,
    /// The client id has no parameters.
    #[error("the client id has no parameters between two |")]
    NoParameters,
    /// There is no timestamp to sign.
    #[error("the client id has no timestamp")]
    NoTimestamp,
    /// The secure mode is none of 2, 3 and 4.
    #[error("the secure mode is unknown")]
    SecureMode,
    /// The sign method is none of the six.
    #[error("the sign method is unknown")]
    SignMethod,
}

/// What a client sends to log in.
pub struct ConnectStrings {
    /// The whole client id.
    pub client_id: String,
    /// The user name.
    pub user_name: String,
    /// The password.
    pub password: String,
}

impl Login {
    /// Reads client id and user name. The parameters may come in any order, with blanks and with unknown ones between.
    ///
    /// # Errors
    /// Something without which nothing can be verified is missing or unknown.
    pub fn parse(client_id: &str, user_name: &str) -> Result<Self, LoginError> {
        let (device_key, product_key) = keys_in(user_name).ok_or(LoginError::UserName)?;
        let (client_id, rest) = client_id.split_once('|').ok_or(LoginError::NoParameters)?;
        let parameters = Parameters(rest.split('|').next().unwrap_or_default());
        Ok(Self {
            client_id: client_id.to_owned(),
            device_key: device_key.into(),
            product_key: product_key.into(),
            secure_mode: SecureMode::read(parameters.get("securemode"))?,
            sign_method: SignMethod::read(parameters.get("signmethod"))?,
            timestamp: parameters.get("timestamp").ok_or(LoginError::NoTimestamp)?.to_owned(),
            compression: Compression::announced_in(client_id),
        })
    }

    /// The signature with this secret, in lower-case hexadecimal.
    #[must_use]
    pub fn sign(&self, secret: &str) -> String {
        self.sign_behind(&[], secret)
    }

    /// The signature with `first` in front of everything else that is signed.
    fn sign_behind(&self, first: &[&str], secret: &str) -> String {
        let parts = [
            "clientId",
            &self.client_id,
            "deviceKey",
            self.device_key.as_str(),
            "productKey",
            self.product_key.as_str(),
            "timestamp",
            &self.timestamp,
            secret,
        ];
        let parts: Vec<&[u8]> = first.iter().chain(&parts).map(|part| part.as_bytes()).collect();
        match self.sign_method {
            SignMethod::Sha256 => hex_digest::<Sha256>(&parts),
            SignMethod::Sha1 => hex_digest::<Sha1>(&parts),
            SignMethod::Md5 => hex_digest::<Md5>(&parts),
        }
    }

    /// Whether the password was made with this secret. Compares in constant time, without regard to case.
    #[must_use]
    pub fn verify(&self, password: &[u8], secret: &str) -> bool {
        same_hex(&self.sign(secret), password)
    }

    /// The same for a signature that has something in front.
    pub(crate) fn verify_behind(&self, first: &[&str], password: &[u8], secret: &str) -> bool {
        same_hex(&self.sign_behind(first, secret), password)
    }

    /// What a client with this login sends; reading it gives the same login.
    #[must_use]
    pub fn to_connect(&self, secret: &str) -> ConnectStrings {
        let mode = self.secure_mode.number();
        let method = self.sign_method.name();
        ConnectStrings {
            client_id: format!(
                "{}|securemode={mode},signmethod={method},timestamp={}|",
                self.client_id, self.timestamp
            ),
            user_name: format!("{}&{}", self.device_key, self.product_key),
            password: self.sign(secret),
        }
    }
}

/// The device key and the product key in a user name; `None` if they are not both there.
#[must_use]
pub fn keys_in(user_name: &str) -> Option<(&str, &str)> {
    let (device_key, product_key) = user_name.split_once('&')?;
    let complete = !device_key.is_empty() && !product_key.is_empty() && !product_key.contains('&');
    complete.then_some((device_key, product_key))
}

/// `name=value` pairs between commas. Of a repeated name the first counts.
struct Parameters<'a>(&'a str);

impl<'a> Parameters<'a> {
    fn get(&self, name: &str) -> Option<&'a str> {
        let mut pairs = self.0.split(',').filter_map(|pair| pair.split_once('='));
        let (_, value) = pairs.find(|(found, _)| found.trim().eq_ignore_ascii_case(name))?;
        Some(value.trim())
    }
}

impl SecureMode {
    pub(crate) fn read(text: Option<&str>) -> Result<Self, LoginError> {
        match text {
            None | Some("2") => Ok(Self::DeviceSecret),
            Some("3") => Ok(Self::ProductSecret),
            Some("4") => Ok(Self::IntegrationChannel),
            Some(_) => Err(LoginError::SecureMode),
        }
    }

    fn number(self) -> u8 {
        match self {
            Self::DeviceSecret => 2,
            Self::ProductSecret => 3,
            Self::IntegrationChannel => 4,
        }
    }
}

impl SignMethod {
    pub(crate) fn read(text: Option<&str>) -> Result<Self, LoginError> {
        let Some(text) = text else { return Ok(Self::Sha1) };
        match text.to_ascii_lowercase().as_str() {
            "sha256" | "hmacsha256" => Ok(Self::Sha256),
            "sha1" | "hmacsha1" => Ok(Self::Sha1),
            "md5" | "hmacmd5" => Ok(Self::Md5),
            _ => Err(LoginError::SignMethod),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Sha1 => "sha1",
            Self::Md5 => "md5",
        }
    }
}

impl Compression {
    /// Java clients write `key{ip=…,version=…,compress=…}` where others write just a key.
    fn announced_in(client_id: &str) -> Self {
        let braces = client_id.split_once('{').and_then(|(_, rest)| rest.rsplit_once('}'));
        let Some(announced) = braces.and_then(|(inner, _)| Parameters(inner).get("compress")) else {
            return Self::None;
        };
        match announced.to_ascii_uppercase().as_str() {
            "DEFAULT" => Self::None,
            "GZIP" => Self::Gzip,
            "LZ4" => Self::Lz4,
            "LZO" => Self::Lzo,
            _ => Self::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHA256: &str = "be9f690032df7609d9804e7b0c534ce1369eadde5fe3e7c74b3626537238acda";
    const SHA1: &str = "F6732F50B6FC930B0651C2C4DAA6AA4AF269C10E";
    const MD5: &str = "f833e2043212969a9dabf3711178b27e";

    fn with_parameters(parameters: &str) -> Result<Login, LoginError> {
        Login::parse(&format!("dk1|{parameters}|"), "dk1&pk1")
    }

    #[test]
    fn six_spellings_and_none_select_three_plain_digests() {
        let cases = [
            ("signmethod=sha256,", SHA256),
            ("signmethod=hmacsha256,", SHA256),
            ("signmethod=HmacSha256,", SHA256),
            ("signmethod=sha1,", SHA1),
            ("signmethod=hmacsha1,", SHA1),
            ("", SHA1),
            ("signmethod=md5,", MD5),
            ("signmethod= hmacMD5 ,", MD5),
        ];
        for (method, password) in cases {
            let login = with_parameters(&format!("securemode=2,{method}timestamp=1700000000000")).unwrap();
            for password in [password.to_lowercase(), password.to_uppercase()] {
                assert!(login.verify(password.as_bytes(), "s1"), "{method}");
            }
            assert!(!login.verify(password.as_bytes(), "s2"), "{method}");
        }
    }

    #[test]
    fn a_password_is_compared_whole() {
        let login = with_parameters("signmethod=sha256,timestamp=1700000000000").unwrap();
        assert!(login.verify(SHA256.as_bytes(), "s1"));
        for wrong in [
            "",
            "b",
            &SHA256[..63],
            &format!("{SHA256}0"),
            &SHA256.replace('b', "c"),
            SHA1,
        ] {
            assert!(!login.verify(wrong.as_bytes(), "s1"), "{wrong}");
        }
        assert!(!login.verify(b"\xff\x00", "s1"));
    }

    #[test]
    fn parameters_come_in_any_order_with_blanks_and_strangers() {
        let expected = with_parameters("securemode=2,signmethod=sha256,timestamp=17.5").unwrap();
        for parameters in [
            "timestamp=17.5,signmethod=sha256,securemode=2",
            " SecureMode = 2 , signMethod=sha256, timestamp=17.5",
            "lang=C,securemode=2,,signmethod=sha256,timestamp=17.5,signmethod=md5,x",
        ] {
            assert_eq!(with_parameters(parameters), Ok(expected.clone()), "{parameters}");
        }
        assert_eq!(
            Login::parse("dk1|signmethod=sha256,timestamp=17.5", "dk1&pk1"),
            Ok(expected)
        );
    }

    #[test]
    fn the_identity_is_in_the_user_name_alone() {
        let login = Login::parse("any text|timestamp=1|", "dk1&pk1").unwrap();
        assert_eq!((login.device_key.as_str(), login.product_key.as_str()), ("dk1", "pk1"));
        assert_eq!(login.client_id, "any text");
    }

    #[test]
    fn each_secure_mode_is_known_by_its_number() {
        let mode = |text: &str| with_parameters(&format!("{text}timestamp=1")).map(|login| login.secure_mode);
        assert_eq!(mode("securemode=2,"), Ok(SecureMode::DeviceSecret));
        assert_eq!(mode("securemode=3,"), Ok(SecureMode::ProductSecret));
        assert_eq!(mode("securemode=4,"), Ok(SecureMode::IntegrationChannel));
        assert_eq!(mode(""), Ok(SecureMode::DeviceSecret));
        assert_eq!(mode("securemode=1,"), Err(LoginError::SecureMode));
    }

    #[test]
    fn what_cannot_be_verified_is_refused() {
        assert_eq!(Login::parse("dk1", "dk1&pk1"), Err(LoginError::NoParameters));
        assert_eq!(with_parameters("securemode=2"), Err(LoginError::NoTimestamp));
        assert_eq!(
            with_parameters("signmethod=crc32,timestamp=1"),
            Err(LoginError::SignMethod)
        );
        for user_name in ["", "dk1", "&pk1", "dk1&", "dk1&pk1&"] {
            assert_eq!(
                Login::parse("dk1|timestamp=1|", user_name),
                Err(LoginError::UserName),
                "{user_name}"
            );
        }
    }

    #[test]
    fn java_clients_announce_compression_inside_the_signed_client_id() {
        let parse = |cid: &str| Login::parse(&format!("{cid}|timestamp=1|"), "dk1&pk1").unwrap();
        let cases = [
            ("dk1", Compression::None),
            ("dk1{ip=10.0.0.1,version=0.1,compress=DEFAULT}", Compression::None),
            ("dk1{ip=10.0.0.1,compress=GZIP}", Compression::Gzip),
            ("dk1{compress=lz4}", Compression::Lz4),
            ("dk1{compress=LZO}", Compression::Lzo),
            ("dk1{compress=ZSTD}", Compression::Unknown),
            ("dk1{ip=10.0.0.1}", Compression::None),
            ("dk1{compress=GZIP", Compression::None),
        ];
        for (cid, compression) in cases {
            let login = parse(cid);
            assert_eq!((login.client_id.as_str(), login.compression), (cid, compression));
        }
        assert_ne!(parse("dk1").sign("s1"), parse("dk1{compress=DEFAULT}").sign("s1"));
    }

    #[test]
    fn what_a_client_sends_is_read_back_and_verified() {
        let login = Login {
            client_id: "sim".to_owned(),
            device_key: "dk 1".into(),
            product_key: "pk1".into(),
            secure_mode: SecureMode::DeviceSecret,
            sign_method: SignMethod::Sha256,
            timestamp: "2524608000000".to_owned(),
            compression: Compression::None,
        };
        let sent = login.to_connect("secret");
        let read = Login::parse(&sent.client_id, &sent.user_name).unwrap();
        assert_eq!(read, login);
        assert!(read.verify(sent.password.as_bytes(), "secret"));
    }
}
