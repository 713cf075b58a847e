//! PEM files as operators have them: with byte order marks, with text around the blocks, with blocks of several kinds.
//! Nothing in such a file is passed over in silence: a block that is not used is named, and one that cannot be read is
//! an error.

use std::path::{Path, PathBuf};

/// A certificate, in the words of PEM.
pub const CERTIFICATE: &str = "CERTIFICATE";
/// A list of revoked certificates.
pub const REVOCATION_LIST: &str = "X509 CRL";
/// Private keys in their three encodings: PKCS#8, PKCS#1, SEC 1.
pub const PRIVATE_KEYS: [&str; 3] = ["PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY"];
/// A private key in PKCS#8 that a password protects.
const ENCRYPTED_KEY: &str = "ENCRYPTED PRIVATE KEY";
/// How a block begins and ends: `-----BEGIN CERTIFICATE-----`.
const BORDERS: [&str; 2] = ["BEGIN ", "END "];
/// What DER, the same data without its armour, begins with.
const DER_SEQUENCE: u8 = 0x30;

/// Why a file cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {what}")]
pub struct PemError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub what: String,
}

impl PemError {
    /// `what` is wrong with the file at `path`.
    pub fn new(path: &Path, what: impl ToString) -> Self {
        Self {
            path: path.to_owned(),
            what: what.to_string(),
        }
    }
}

/// A block of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// Its kind, as in `-----BEGIN kind-----`.
    pub label: String,
    /// Its contents, decoded: DER.
    pub der: Vec<u8>,
}

/// The blocks of a file, told apart.
#[derive(Debug, Default)]
pub struct Blocks {
    /// Those of the kinds that were asked for, in their order; at least one.
    pub wanted: Vec<Block>,
    /// A sentence about each of the others, with the file's name.
    pub skipped: Vec<String>,
}

/// Reads the blocks of these kinds.
///
/// # Errors
/// The file cannot be read, a block in it is damaged or encrypted, or it has no block of these kinds.
pub fn read(path: &Path, labels: &[&str]) -> Result<Blocks, PemError> {
    let bytes = std::fs::read(path).map_err(|error| PemError::new(path, format!("cannot be read: {error}")))?;
    sort(&bytes, path, labels)
}

/// Reads the only block of these kinds.
///
/// # Errors
/// Those of [`read`], or there are several.
pub fn read_one(path: &Path, labels: &[&str]) -> Result<(Block, Vec<String>), PemError> {
    let mut blocks = read(path, labels)?;
    match (blocks.wanted.pop(), blocks.wanted.len()) {
        (Some(only), 0) => Ok((only, blocks.skipped)),
        (_, others) => Err(PemError::new(
            path,
            format!("expected one block {}, found {}", named(labels), others + 1),
        )),
    }
}

fn sort(bytes: &[u8], path: &Path, labels: &[&str]) -> Result<Blocks, PemError> {
    let wrong = |what: String| PemError::new(path, what);
    if bytes.first() == Some(&DER_SEQUENCE) {
        return Err(wrong(
            "expected PEM, found binary data (DER); `openssl … -inform DER` converts it".to_owned(),
        ));
    }
    if bytes.contains(&0) {
        return Err(wrong("expected PEM, found binary data or text in UTF-16".to_owned()));
    }
    let found = pem::parse_many(bytes).map_err(|error| wrong(format!("a block cannot be read: {error}")))?;
    if let Some(line) = broken_border(bytes, found.len()) {
        return Err(wrong(format!(
            "expected blocks between -----BEGIN …----- and -----END …-----, but one that begins or ends in line {line} is \
             not complete"
        )));
    }
    let mut blocks = Blocks::default();
    for (index, block) in found.into_iter().enumerate() {
        if is_encrypted(&block) {
            return Err(wrong(format!(
                "block {} is a private key that a password protects; `openssl pkey` writes it without one",
                index + 1
            )));
        }
        if labels.contains(&block.tag()) {
            blocks.wanted.push(Block {
                label: block.tag().to_owned(),
                der: block.into_contents(),
            });
        } else {
            let (at, label) = (index + 1, block.tag());
            blocks
                .skipped
                .push(format!("{}: block {at}, {label}, is not used", path.display()));
        }
    }
    if blocks.wanted.is_empty() {
        let beside = blocks.skipped.len();
        return Err(wrong(format!(
            "expected a block {}, found none among {beside} blocks",
            named(labels)
        )));
    }
    Ok(blocks)
}

fn is_encrypted(block: &pem::Pem) -> bool {
    let by_header = block.headers().get("Proc-Type");
    block.tag() == ENCRYPTED_KEY || by_header.is_some_and(|kind| kind.contains("ENCRYPTED"))
}

/// The first line that looks like a border where the borders are not as many as two for every block.
fn broken_border(bytes: &[u8], blocks: usize) -> Option<usize> {
    let text = String::from_utf8_lossy(bytes);
    let lines = text.lines().enumerate().filter(|(_, line)| is_border(line));
    let lines: Vec<usize> = lines.map(|(index, _)| index + 1).collect();
    (lines.len() != blocks * 2).then(|| lines.last().copied().unwrap_or(1))
}

/// Whether a line was meant to begin or to end a block, however its dashes came out.
fn is_border(line: &str) -> bool {
    let line = line.trim_start_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
    let rest = line.trim_start_matches(['-', '\u{2013}', '\u{2014}']);
    rest.len() < line.len() && BORDERS.iter().any(|border| rest.starts_with(border))
}

fn named(labels: &[&str]) -> String {
    labels.join(" or ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const BLOCK: &str = "-----BEGIN CERTIFICATE-----\nAQID\n-----END CERTIFICATE-----\n";
    const BOM: &str = "\u{feff}";

    fn sorted(text: &str) -> Result<Blocks, String> {
        sort(text.as_bytes(), Path::new("f"), &[CERTIFICATE]).map_err(|error| error.to_string())
    }

    #[test]
    fn certificates_behind_byte_order_marks_blanks_and_text_are_all_read() {
        for text in [
            format!("{BOM}{BLOCK}{BLOCK}"),
            format!("{BLOCK}{BOM}{BLOCK}"),
            format!("subject=x\n  {BLOCK}\r\n\r\n{BLOCK}"),
            format!("{BLOCK}{BLOCK}").replace('\n', "\r\n"),
        ] {
            let blocks = sorted(&text).unwrap();
            assert_eq!(blocks.wanted.len(), 2, "{text:?}");
            assert!(blocks.wanted.iter().all(|block| block.der == [1, 2, 3]), "{text:?}");
            assert!(blocks.skipped.is_empty(), "{text:?}");
        }
    }

    #[test]
    fn a_block_of_another_kind_is_named() {
        let other = BLOCK.replace("CERTIFICATE", "EC PARAMETERS");
        let blocks = sorted(&format!("{other}{BLOCK}")).unwrap();
        assert_eq!(blocks.wanted.len(), 1);
        assert_eq!(blocks.skipped, ["f: block 1, EC PARAMETERS, is not used"]);
        assert!(sorted(&other).unwrap_err().contains("expected a block CERTIFICATE"));
    }

    #[test]
    fn a_block_that_is_damaged_is_an_error_that_names_it() {
        for (text, words) in [
            (format!("{BLOCK}-----BEGIN CERTIFICATE-----\nAQID\n"), "line 4"),
            (
                format!("----BEGIN CERTIFICATE-----\nAQID\n-----END CERTIFICATE-----\n{BLOCK}"),
                "not complete",
            ),
            (BLOCK.replace("-----", "\u{2014}"), "not complete"),
            (BLOCK.replace("AQID", "AQ!D"), "cannot be read"),
            (BLOCK.replace("END CERTIFICATE", "END KEY"), "cannot be read"),
            ("0\u{1}".to_owned(), "DER"),
            ("-\0-\0".to_owned(), "UTF-16"),
            (String::new(), "found none"),
        ] {
            let error = sorted(&text).unwrap_err();
            assert!(error.starts_with("f: ") && error.contains(words), "{text:?}: {error}");
        }
    }

    #[test]
    fn a_key_that_a_password_protects_is_named_in_both_encodings() {
        let legacy = "-----BEGIN EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\nAQID\n\
                      -----END EC PRIVATE KEY-----\n";
        let modern = BLOCK.replace("CERTIFICATE", ENCRYPTED_KEY);
        for text in [legacy, &legacy.replace('\n', "\r\n"), &modern] {
            let error = sort(text.as_bytes(), Path::new("f"), &PRIVATE_KEYS)
                .unwrap_err()
                .to_string();
            assert!(error.contains("password"), "{text:?}: {error}");
        }
    }
}
