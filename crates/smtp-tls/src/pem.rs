//! PEM text to sections and back (RFC 7468, with the headers of RFC 1421 that old keys carry).
//!
//! Reads the whole text, keeps the line of each section, and ignores what stands between sections.
//! It does not look into the DER; [`PemSection::kind`] goes by the label alone. A section that is cut
//! short, ends under another label or holds something else than base64 is an error with its line.

use std::fmt;

use thiserror::Error;
use zeroize::Zeroize;

use crate::KeyKind;

/// One `-----BEGIN …-----` section.
#[derive(Clone, PartialEq, Eq)]
pub struct PemSection {
    /// The text between `BEGIN ` and the dashes.
    pub label: String,
    /// The decoded bytes.
    pub der: Vec<u8>,
    /// The line of BEGIN, counted from 1.
    pub line: u32,
    /// Where the line of BEGIN starts in the text, in octets.
    pub offset: usize,
    encrypted: bool,
}

/// What a PEM section is, by its label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PemKind {
    /// An X.509 certificate.
    Certificate,
    /// A private key that can be used as it is.
    PrivateKey(KeyKind),
    /// A private key under a passphrase, in PKCS#8 or in the older form.
    EncryptedPrivateKey,
    /// A certificate revocation list.
    Crl,
    /// Parameters for finite-field Diffie-Hellman.
    DhParameters,
    /// Something else.
    Other,
}

/// Why a text is not PEM.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PemError {
    /// The text ends inside a section.
    #[error("line {line}: {label:?} has no END line")]
    NoEnd {
        /// The line of its BEGIN.
        line: u32,
        /// Its label.
        label: String,
    },
    /// A section ends under another label, or another one begins inside it.
    #[error("line {line}: expected the end of {label:?}")]
    WrongEnd {
        /// The line of the unexpected boundary.
        line: u32,
        /// The label that should have ended here.
        label: String,
    },
    /// An END without its BEGIN.
    #[error("line {line}: END without BEGIN")]
    StrayEnd {
        /// Its line.
        line: u32,
    },
    /// Something else than base64 stands in a section.
    #[error("line {line}: not base64")]
    NotBase64 {
        /// Its line.
        line: u32,
    },
    /// A section holds nothing.
    #[error("line {line}: {label:?} is empty")]
    Empty {
        /// The line of its BEGIN.
        line: u32,
        /// Its label.
        label: String,
    },
}

impl PemError {
    /// The line at fault, counted from 1.
    #[must_use]
    pub const fn line(&self) -> u32 {
        match self {
            Self::NoEnd { line, .. }
            | Self::WrongEnd { line, .. }
            | Self::StrayEnd { line }
            | Self::NotBase64 { line }
            | Self::Empty { line, .. } => *line,
        }
    }
}

impl PemSection {
    /// What the label says that this is.
    #[must_use]
    pub fn kind(&self) -> PemKind {
        match self.label.as_str() {
            "CERTIFICATE" | "X509 CERTIFICATE" => PemKind::Certificate,
            "ENCRYPTED PRIVATE KEY" => PemKind::EncryptedPrivateKey,
            label if self.encrypted && label.ends_with("PRIVATE KEY") => {
                PemKind::EncryptedPrivateKey
            }
            "PRIVATE KEY" => PemKind::PrivateKey(KeyKind::Pkcs8),
            "RSA PRIVATE KEY" => PemKind::PrivateKey(KeyKind::Pkcs1),
            "EC PRIVATE KEY" => PemKind::PrivateKey(KeyKind::Sec1),
            "X509 CRL" => PemKind::Crl,
            "DH PARAMETERS" | "X9.42 DH PARAMETERS" => PemKind::DhParameters,
            _ => PemKind::Other,
        }
    }

    fn is_secret(&self) -> bool {
        self.label.ends_with("PRIVATE KEY")
    }
}

impl fmt::Debug for PemSection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PemSection")
            .field("label", &self.label)
            .field("line", &self.line)
            .field("octets", &self.der.len())
            .finish()
    }
}

impl Drop for PemSection {
    fn drop(&mut self) {
        if self.is_secret() {
            self.der.zeroize();
        }
    }
}

/// Splits a text into its PEM sections, in order. Text without any gives an empty list.
///
/// # Errors
///
/// [`PemError`] for the first section that is not well formed.
///
/// ```
/// let text = b"notes\n-----BEGIN DH PARAMETERS-----\nMAYCAQACAQI=\n-----END DH PARAMETERS-----\n";
/// let sections = smtp_tls::pem_sections(text).unwrap();
/// assert_eq!(sections[0].kind(), smtp_tls::PemKind::DhParameters);
/// assert_eq!(sections[0].line, 2);
/// ```
pub fn pem_sections(bytes: &[u8]) -> Result<Vec<PemSection>, PemError> {
    struct Open {
        label: String,
        line: u32,
        offset: usize,
        base64: Vec<u8>,
        headers: bool,
        encrypted: bool,
    }
    let mut sections = Vec::new();
    let mut open: Option<Open> = None;
    let whole = bytes.len();
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut next = whole - bytes.len();
    for (index, text) in bytes.split(|&b| b == b'\n').enumerate() {
        let line = u32::try_from(index + 1).unwrap_or(u32::MAX);
        let offset = next;
        next += text.len() + 1;
        let text = text.trim_ascii();
        let begin = boundary(text, b"-----BEGIN ");
        let end = boundary(text, b"-----END ");
        match &mut open {
            None => {
                if let Some(label) = begin {
                    open = Some(Open {
                        label,
                        line,
                        offset,
                        base64: Vec::new(),
                        headers: false,
                        encrypted: false,
                    });
                } else if end.is_some() {
                    return Err(PemError::StrayEnd { line });
                }
            }
            Some(section) => {
                if begin.is_some() || end.as_ref().is_some_and(|label| *label != section.label) {
                    return Err(PemError::WrongEnd { line, label: section.label.clone() });
                }
                if end.is_some() {
                    let Open { label, line, offset, mut base64, encrypted, .. } =
                        open.take().expect("matched as open above");
                    let der = decode(&base64);
                    base64.zeroize();
                    let der = der.ok_or(PemError::NotBase64 { line })?;
                    if der.is_empty() {
                        return Err(PemError::Empty { line, label });
                    }
                    sections.push(PemSection { label, der, line, offset, encrypted });
                } else if section.base64.is_empty() && text.contains(&b':') {
                    section.headers = true;
                    section.encrypted |= text.starts_with(b"Proc-Type:")
                        && text.windows(9).any(|w| w == b"ENCRYPTED");
                } else if text.iter().all(|&b| value(b).is_some() || b == b'=') {
                    section.base64.extend_from_slice(text);
                } else if !(section.headers && section.base64.is_empty()) {
                    section.base64.zeroize();
                    return Err(PemError::NotBase64 { line });
                }
            }
        }
    }
    match open {
        Some(section) => Err(PemError::NoEnd { line: section.line, label: section.label }),
        None => Ok(sections),
    }
}

fn boundary(text: &[u8], prefix: &[u8]) -> Option<String> {
    let label = text.strip_prefix(prefix)?.strip_suffix(b"-----")?;
    std::str::from_utf8(label).ok().map(str::to_owned)
}

pub(crate) fn encode(label: &str, der: &[u8]) -> String {
    let mut out = format!("-----BEGIN {label}-----\n");
    for line in der.chunks(48) {
        for group in line.chunks(3) {
            let bits = group.iter().fold(0_u32, |bits, &b| (bits << 8) | u32::from(b))
                << (8 * (3 - group.len()));
            for position in 0..4 {
                out.push(if position <= group.len() {
                    char::from(ALPHABET[(bits >> (18 - 6 * position)) as usize & 63])
                } else {
                    '='
                });
            }
        }
        out.push('\n');
    }
    out + "-----END " + label + "-----\n"
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

const fn value(byte: u8) -> Option<u8> {
    Some(match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    })
}

/// Strict base64 (RFC 4648 section 4): whole groups, padding at the end only, no stray bits.
fn decode(text: &[u8]) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(4) {
        return None;
    }
    let padding = text.iter().rev().take_while(|&&b| b == b'=').count();
    if padding > 2 {
        return None;
    }
    let mut out = Vec::with_capacity(text.len() / 4 * 3);
    let digits = &text[..text.len() - padding];
    for group in digits.chunks(4) {
        let mut bits = 0_u32;
        for &byte in group {
            bits = (bits << 6) | u32::from(value(byte)?);
        }
        bits <<= 6 * (4 - group.len());
        let bytes = bits.to_be_bytes();
        let (kept, rest) = bytes[1..].split_at(group.len() - 1);
        if group.len() == 1 || rest.iter().any(|&b| b != 0) {
            return None;
        }
        out.extend_from_slice(kept);
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(label: &str, der: &[u8]) -> String {
        encode(label, der)
    }

    #[test]
    fn what_is_encoded_is_decoded() {
        for length in 1..200_usize {
            let der: Vec<u8> = (0..length).map(|i| (i * 7 + length) as u8).collect();
            let sections = pem_sections(one("CERTIFICATE", &der).as_bytes()).unwrap();
            assert_eq!(sections.len(), 1);
            assert_eq!(sections[0].der, der, "{length}");
        }
        assert_eq!(one("X", b"foobar"), "-----BEGIN X-----\nZm9vYmFy\n-----END X-----\n");
        assert_eq!(one("X", b"fooba"), "-----BEGIN X-----\nZm9vYmE=\n-----END X-----\n");
    }

    #[test]
    fn labels_tell_the_kind() {
        let table = [
            ("CERTIFICATE", PemKind::Certificate),
            ("X509 CERTIFICATE", PemKind::Certificate),
            ("PRIVATE KEY", PemKind::PrivateKey(KeyKind::Pkcs8)),
            ("RSA PRIVATE KEY", PemKind::PrivateKey(KeyKind::Pkcs1)),
            ("EC PRIVATE KEY", PemKind::PrivateKey(KeyKind::Sec1)),
            ("ENCRYPTED PRIVATE KEY", PemKind::EncryptedPrivateKey),
            ("X509 CRL", PemKind::Crl),
            ("DH PARAMETERS", PemKind::DhParameters),
            ("EC PARAMETERS", PemKind::Other),
            ("TRUSTED CERTIFICATE", PemKind::Other),
            ("PUBLIC KEY", PemKind::Other),
        ];
        let text: String = table.iter().map(|(label, _)| one(label, b"abc")).collect();
        let sections = pem_sections(text.as_bytes()).unwrap();
        assert_eq!(sections.len(), table.len());
        for (section, (label, kind)) in sections.iter().zip(table) {
            assert_eq!((section.label.as_str(), section.kind()), (label, kind));
        }
    }

    #[test]
    fn lines_are_counted_and_text_between_is_ignored() {
        let text = format!(
            "subject=CN: x\r\n\r\n{}\r\n# more -----BEGIN nothing\n{}",
            one("CERTIFICATE", &[1; 100]).replace('\n', "\r\n"),
            one("PRIVATE KEY", &[2; 10])
        );
        let sections = pem_sections(text.as_bytes()).unwrap();
        let lines: Vec<_> = sections.iter().map(|s| s.line).collect();
        assert_eq!(lines, [3, 10]);
        for text in [text.clone(), format!("\u{feff}{text}")] {
            for section in pem_sections(text.as_bytes()).unwrap() {
                let from = &text[section.offset..];
                assert!(from.trim_start_matches('\u{feff}').starts_with("-----BEGIN "), "{from}");
                let before = &text[..section.offset];
                assert_eq!(before.matches('\n').count() + 1, section.line as usize);
            }
        }
        assert_eq!(pem_sections(b""), Ok(vec![]));
        assert_eq!(pem_sections(b"no section\n"), Ok(vec![]));
    }

    #[test]
    fn an_old_encrypted_key_is_told_by_its_header() {
        let text = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\
                    DEK-Info: AES-256-CBC,00112233\n\nQUJD\n-----END RSA PRIVATE KEY-----\n";
        let sections = pem_sections(text.as_bytes()).unwrap();
        assert_eq!(sections[0].kind(), PemKind::EncryptedPrivateKey);
        assert_eq!(sections[0].der, b"ABC");
    }

    #[test]
    fn faults_are_named_with_their_line() {
        let err = |text: &str| pem_sections(text.as_bytes()).unwrap_err();
        let label = || "A".to_owned();
        assert_eq!(err("\n-----BEGIN A-----\nQUJD\n"), PemError::NoEnd { line: 2, label: label() });
        assert_eq!(
            err("-----BEGIN A-----\nQUJD\n-----END B-----\n"),
            PemError::WrongEnd { line: 3, label: label() }
        );
        assert_eq!(
            err("-----BEGIN A-----\n-----BEGIN A-----\n"),
            PemError::WrongEnd { line: 2, label: label() }
        );
        assert_eq!(err("x\n-----END A-----\n"), PemError::StrayEnd { line: 2 });
        assert_eq!(
            err("-----BEGIN A-----\nQU*D\n-----END A-----\n"),
            PemError::NotBase64 { line: 2 }
        );
        assert_eq!(
            err("-----BEGIN A-----\nQUJ\n-----END A-----\n"),
            PemError::NotBase64 { line: 1 }
        );
        assert_eq!(
            err("-----BEGIN A-----\nQUI=QUJD\n-----END A-----\n"),
            PemError::NotBase64 { line: 1 }
        );
        assert_eq!(
            err("-----BEGIN A-----\n-----END A-----\n"),
            PemError::Empty { line: 1, label: label() }
        );
    }

    #[test]
    fn a_cut_anywhere_never_yields_a_shorter_section() {
        let whole = one("CERTIFICATE", &[7; 120]);
        for cut in 0..whole.len() - 2 {
            if let Ok(sections) = pem_sections(&whole.as_bytes()[..cut]) {
                assert_eq!(sections, vec![], "{cut}");
            }
        }
    }

    #[test]
    fn keys_do_not_show_in_debug_output() {
        let text = one("PRIVATE KEY", b"secret-secret");
        let shown = format!("{:?}", pem_sections(text.as_bytes()).unwrap());
        assert!(!shown.contains("115") && !shown.contains("secret"), "{shown}");
    }
}
