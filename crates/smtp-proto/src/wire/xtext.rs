//! xtext (RFC 3461, 4), and the forms of an address outside ASCII in ORCPT (RFC 6533, 3).
//!
//! Does: check that a text is encoded, decode it octet by octet without allocating, and encode.
//! Does not: know what the octets mean. Fails: [`None`] where a text is not of its form.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::{self, Write as _};

use super::grammar::Class;
/// Octets as printable ASCII without spaces, `+` and `=`: each of the others is `+` and two
/// hexadecimal digits.
///
/// ```
/// use smtp_proto::wire::Xtext;
///
/// let encoded = Xtext::encode(b"e=mc2@example.com");
/// assert_eq!(encoded, "e+3Dmc2@example.com");
/// let text = Xtext::parse(&encoded).unwrap();
/// assert_eq!(&*text.to_octets(), b"e=mc2@example.com");
/// assert!(Xtext::parse("a+3").is_none());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Xtext<'a>(&'a str);

impl<'a> Xtext<'a> {
    /// `xtext = *( xchar / hexchar )`, `xchar = %d33-42 / %d44-60 / %d62-126`,
    /// `hexchar = "+" 2HEXDIG` (RFC 3461, 4).
    ///
    /// Digits are written in upper case (RFC 3461, 4) and read in any (RFC 4954, 8).
    #[must_use]
    pub fn parse(text: &'a str) -> Option<Self> {
        let plain = Class::XCHAR.run(text.as_bytes(), 0);
        let mut octets = &text.as_bytes()[plain..];
        loop {
            octets = match octets {
                [] => return Some(Self(text)),
                [b'+', high, low, rest @ ..] => {
                    hexadecimal(*high)?;
                    hexadecimal(*low)?;
                    rest
                }
                [b'!'..=b'*' | b','..=b'<' | b'>'..=b'~', rest @ ..] => rest,
                _ => return None,
            };
        }
    }

    /// As [`Xtext::parse`], where every encoded octet is one of these. The others are printable
    /// ASCII.
    pub(super) fn parse_as(text: &'a str, is: impl Fn(u8) -> bool) -> Option<Self> {
        if Class::XCHAR.run(text.as_bytes(), 0) == text.len() {
            return Some(Self(text));
        }
        Self::parse(text).filter(|text| text.decode().all(is))
    }

    /// The longest xtext at the start of a text in which nothing is encoded, and the text behind it.
    #[inline(always)]
    pub(super) fn split_plain(text: &'a str) -> Option<(Self, &'a str)> {
        let (plain, behind) = text.split_at_checked(Class::XCHAR.run(text.as_bytes(), 0))?;
        Some((Self(plain), behind))
    }

    /// The text as it was written.
    #[must_use]
    pub const fn as_str(self) -> &'a str {
        self.0
    }

    /// The octets that it stands for.
    #[must_use]
    pub fn decode(self) -> Decode<'a> {
        Decode(self.0.as_bytes())
    }

    /// The octets at once: borrowed where none of them is encoded.
    #[must_use]
    pub fn to_octets(self) -> Cow<'a, [u8]> {
        if memchr::memchr(b'+', self.0.as_bytes()).is_some() {
            Cow::Owned(self.decode().collect::<Vec<u8>>())
        } else {
            Cow::Borrowed(self.0.as_bytes())
        }
    }

    /// The text of some octets: no more of them are encoded than must be.
    #[must_use]
    pub fn encode(octets: &[u8]) -> String {
        let mut text = String::with_capacity(octets.len());
        for octet in octets {
            match octet {
                b'!'..=b'*' | b','..=b'<' | b'>'..=b'~' => text.push(char::from(*octet)),
                _ => text.extend(['+', digit(octet >> 4), digit(octet & 15)]),
            }
        }
        text
    }
}

impl fmt::Display for Xtext<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// The octets of an [`Xtext`].
#[derive(Clone, Debug)]
pub struct Decode<'a>(&'a [u8]);

impl Iterator for Decode<'_> {
    type Item = u8;

    fn next(&mut self) -> Option<u8> {
        let (octet, rest) = match self.0 {
            // `Xtext::parse` has seen two digits behind each plus.
            [b'+', high, low, rest @ ..] => (hexadecimal(*high)? << 4 | hexadecimal(*low)?, rest),
            [octet, rest @ ..] => (*octet, rest),
            [] => return None,
        };
        self.0 = rest;
        Some(octet)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.0.len().div_ceil(3), Some(self.0.len()))
    }
}

/// A hexadecimal digit's value.
const fn hexadecimal(octet: u8) -> Option<u8> {
    match octet {
        b'0'..=b'9' => Some(octet - b'0'),
        b'A'..=b'F' => Some(octet - b'A' + 10),
        b'a'..=b'f' => Some(octet - b'a' + 10),
        _ => None,
    }
}

/// The digit of a value below 16.
fn digit(value: u8) -> char {
    char::from(b"0123456789ABCDEF"[usize::from(value & 15)])
}

/// An address that may be outside ASCII, as ORCPT carries it: in ASCII alone (utf-8-addr-xtext),
/// or as it is but for a few characters (utf-8-addr-unitext) where the session has SMTPUTF8
/// (RFC 6533, 3).
///
/// ```
/// use smtp_proto::wire::Utf8Address;
///
/// let address = "jos\u{e9}+x@example.org";
/// assert_eq!(Utf8Address::encode_ascii(address), "jos\\x{E9}\\x{2B}x@example.org");
/// let encoded = Utf8Address::encode(address);
/// assert_eq!(encoded, "jos\u{e9}\\x{2B}x@example.org");
/// assert_eq!(Utf8Address::parse(&encoded).unwrap().to_text(), address);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Utf8Address<'a>(&'a str);

impl<'a> Utf8Address<'a> {
    /// `utf-8-addr-xtext = 1*(QCHAR / EmbeddedUnicodeChar)`,
    /// `utf-8-addr-unitext = 1*(QUCHAR / EmbeddedUnicodeChar)`, `QUCHAR = QCHAR / UTF8-non-ascii`,
    /// `QCHAR = %x21-2a / %x2c-3c / %x3e-5b / %x5d-7e`,
    /// `EmbeddedUnicodeChar = %x5C.78 "{" HEXPOINT "}"` (RFC 6533, 3).
    ///
    /// A HEXPOINT of a character that needs none, or of a control character, which no address
    /// holds, is refused, and so are control characters outside ASCII.
    #[must_use]
    pub fn parse(text: &'a str) -> Option<Self> {
        let mut rest = text;
        while !rest.is_empty() {
            rest = next_character(rest)?.1;
        }
        (!text.is_empty()).then_some(Self(text))
    }

    /// The address as it was written.
    #[must_use]
    pub const fn as_str(self) -> &'a str {
        self.0
    }

    /// Whether it is in ASCII alone, and needs no SMTPUTF8.
    #[must_use]
    pub const fn is_ascii(self) -> bool {
        self.0.is_ascii()
    }

    /// The characters that it stands for.
    pub fn decode(self) -> impl Iterator<Item = char> + 'a {
        let mut rest = self.0;
        core::iter::from_fn(move || {
            // `parse` went this way, so it ends at the end of the text alone.
            let (character, behind) = next_character(rest)?;
            rest = behind;
            Some(character)
        })
    }

    /// The characters at once: borrowed where none of them is encoded.
    #[must_use]
    pub fn to_text(self) -> Cow<'a, str> {
        if self.0.contains('\\') {
            Cow::Owned(self.decode().collect())
        } else {
            Cow::Borrowed(self.0)
        }
    }

    /// The utf-8-addr-unitext of an address. A control character in it makes no [`Utf8Address`].
    #[must_use]
    pub fn encode(address: &str) -> String {
        encode_where(address, |character| !is_qchar(character) && character.is_ascii())
    }

    /// The utf-8-addr-xtext of an address, for a server that does not offer SMTPUTF8. A control
    /// character in it makes no [`Utf8Address`].
    #[must_use]
    pub fn encode_ascii(address: &str) -> String {
        encode_where(address, |character| !is_qchar(character))
    }
}

impl fmt::Display for Utf8Address<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// Printable ASCII without the space, `\`, `+` and `=`.
const fn is_qchar(character: char) -> bool {
    matches!(character, '!'..='*' | ','..='<' | '>'..='[' | ']'..='~')
}

fn encode_where(address: &str, encoded: impl Fn(char) -> bool) -> String {
    let mut text = String::with_capacity(address.len());
    for character in address.chars() {
        if encoded(character) {
            // Writing to a String never fails.
            let _ = write!(text, "\\x{{{:02X}}}", u32::from(character));
        } else {
            text.push(character);
        }
    }
    text
}

/// The first character that a text stands for, and the text behind it.
fn next_character(text: &str) -> Option<(char, &str)> {
    if let Some(embedded) = text.strip_prefix("\\x{") {
        let (digits, rest) = embedded.split_once('}')?;
        return Some((hexpoint(digits)?, rest));
    }
    let mut characters = text.chars();
    let character = characters.next()?;
    let plain = if character.is_ascii() { is_qchar(character) } else { !character.is_control() };
    plain.then_some((character, characters.as_str()))
}

/// `HEXPOINT`: two hexadecimal digits to six, in any case, as few as the character needs, of a
/// space, `+`, `=`, `\`, or a character outside ASCII.
fn hexpoint(digits: &str) -> Option<char> {
    if !(2..=6).contains(&digits.len()) || (digits.len() > 2 && digits.starts_with('0')) {
        return None;
    }
    let code = digits
        .bytes()
        .try_fold(0, |code, octet| Some(code << 4 | u32::from(hexadecimal(octet)?)))?;
    char::from_u32(code).filter(|character| !is_qchar(*character) && !character.is_control())
}
