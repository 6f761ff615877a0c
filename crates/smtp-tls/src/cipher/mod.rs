//! OpenSSL's cipher strings, in pure Rust.
//!
//! [`parse`] reads a string as OpenSSL 3 does: the same suites in the same order, and an error for
//! the same strings. It needs no TLS library and no feature. [`CipherList::at_level`] says what a
//! security level leaves of a list, as `openssl ciphers -s` does; [`select()`] what a TLS library
//! has of it. What has no effect in a string is passed over, as OpenSSL does, and reported with its
//! place.
//!
//! ```
//! use smtp_tls::Version;
//! use smtp_tls::cipher::{self, KeyExchange, Lack, Reason, SecurityLevel};
//!
//! let list = cipher::parse("ECDHE+AESGCM:DHE+AES128:!DSS:FOO")?;
//! assert_eq!(list.suites[0].name(), "ECDHE-ECDSA-AES256-GCM-SHA384");
//!
//! let ignored = &list.ignored[0];
//! assert_eq!((&*ignored.word, ignored.span.clone()), ("FOO", 29..32));
//! assert_eq!(ignored.reason, Reason::Unknown);
//!
//! let level = SecurityLevel::new(4).unwrap();
//! let offer = list.at_level(level, (Version::Tls12, Version::Tls13));
//! assert!(offer.tls12.iter().all(|suite| suite.strength_bits(list.release) >= 192));
//!
//! // A library that has one suite.
//! let selection = cipher::select(&list.suites, &[0xC02F]);
//! assert_eq!(selection.kept[0].name(), "ECDHE-RSA-AES128-GCM-SHA256");
//! let lost = selection.lost.iter().find(|lost| lost.suite.name() == "DHE-RSA-AES128-SHA");
//! assert_eq!(lost.unwrap().lack, Lack::KeyExchange(KeyExchange::Dhe));
//! # Ok::<_, cipher::CipherError>(())
//! ```
//!
//! # TLS 1.3
//!
//! A cipher string says nothing of TLS 1.3. OpenSSL offers [`tls13_suites`] whatever the string is,
//! and `openssl ciphers` prints them before the string's; [`CipherList::suites`] does not have
//! them. A string that names suites of TLS 1.3 alone is an error, as it leaves none of TLS 1.2.
//!
//! # The language
//!
//! ```text
//! string    = [ "DEFAULT" [ ":" ] ] *( separator / element )
//!           / suite-b *OCTET              ; the rest is passed over
//! suite-b   = "SUITEB128ONLY" / "SUITEB128C2" / "SUITEB128" / "SUITEB192"
//! separator = ":" / "," / ";" / SP
//! element   = [ "!" / "-" / "+" ] word *( "+" word )
//!           / "@STRENGTH" / "@SECLEVEL=" level
//! level     = "0" / "1" / "2" / "3" / "4" / "5"
//! word      = 1*( ALPHA / DIGIT / "-" / "." / "=" )     ; from 3.2 on also "_"
//! ```
//!
//! - A word is a suite's name or a word for a kind of suites (`openssl-ciphers(1)`); case matters.
//!   Words joined by `+` select the suites that are of each kind.
//! - [`Operator`] says what an element does with what it selects, and `@STRENGTH` sorts the list by
//!   strength. What `-` takes out comes first when a later element adds it again.
//! - No separator is needed where an operator follows a word: `AES128!SHA` are two elements. What
//!   follows `@STRENGTH` or `@SECLEVEL=` without one is passed over.
//! - An element with a word that is unknown, or with words that no suite could be all of, has no
//!   effect, up to the next separator, whatever stands there: `RC4+*` is no error, `AES+*` is.
//! - `DEFAULT` is `ALL:!COMPLEMENTOFDEFAULT:!eNULL` at the very start of the string, whatever
//!   follows, and unknown elsewhere.
//! - An empty string, and one of separators alone, leaves no suite, and that is an error: who takes
//!   an empty setting for `DEFAULT` says so to this module.
//!
//! # Which OpenSSL
//!
//! The suites and words are those of a build with OpenSSL's own defaults, which Debian's and
//! Ubuntu's are: no RC4, 3DES, IDEA, SEED, GOST. They are known by name, so that the report can say
//! so. A distribution may leave out more, or have words of its own, as Red Hat's `PROFILE=SYSTEM`.
//! Where 3.0 and 3.2 differ, [`Release`] decides.
//!
//! # Bounds
//!
//! Reading takes time and memory linear in the length of the string: at most one pass over the
//! table of suites for an element of two octets, and one report, with the word's text, for each
//! element.

mod ranking;
mod security;
mod select;
mod string;
mod suite;
mod table;
mod words;

use std::fmt;
use std::ops::Range;

pub use security::{Offer, SecurityLevel, Withheld, WithheldReason};
pub use select::{Lack, Lost, Selection, select};
pub use suite::{Authentication, Encryption, KeyExchange, Mac, Protocol, Suite};
pub(crate) use table::suite_named;
pub use table::{suite, tls13_suites};

/// Reads a cipher string as [`Release::default`] does.
///
/// # Errors
/// [`CipherError`], for exactly the strings that this OpenSSL refuses.
pub fn parse(text: &str) -> Result<CipherList, CipherError> {
    parse_as(text, Release::default())
}

/// Reads a cipher string as a release of OpenSSL does.
///
/// # Errors
/// [`CipherError`], for exactly the strings that this OpenSSL refuses.
pub fn parse_as(text: &str, release: Release) -> Result<CipherList, CipherError> {
    let string::Read { suites, security_level, suite_b, ignored } = string::read(text, release)?;
    if suites.is_empty() {
        return Err(CipherError::NoSuite { ignored });
    }
    Ok(CipherList { suites, security_level, suite_b, ignored, release })
}

/// The security level that a string asks for which names no suite; `None` where it cannot be read.
#[cfg(any(feature = "rustls", feature = "openssl"))]
pub(crate) fn level_alone(text: &str, release: Release) -> Option<SecurityLevel> {
    string::read(text, release).ok()?.security_level
}

/// Which OpenSSL a string is read for, as far as they differ.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Release {
    /// OpenSSL 3.0 and 3.1.
    #[default]
    V3_0,
    /// OpenSSL 3.2 and newer: a word may contain `_`, and the names of IANA's registry are words;
    /// CCM with a tag of 8 octets is `MEDIUM`, and counts as 64 bits.
    V3_2,
}

impl Release {
    /// What a version of OpenSSL is read as, by the first two of its numbers.
    #[must_use]
    pub const fn of_version(major: u32, minor: u32) -> Self {
        if major > 3 || (major == 3 && minor >= 2) { Self::V3_2 } else { Self::V3_0 }
    }
}

/// What a cipher string says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CipherList {
    /// The suites of TLS 1.2 and older, in order of preference; never none.
    ///
    /// `openssl ciphers` prints those of TLS 1.3 before them ([`tls13_suites`]), but no string has
    /// a say in these.
    pub suites: Vec<&'static Suite>,
    /// What the last `@SECLEVEL=` asks for.
    pub security_level: Option<SecurityLevel>,
    /// Whether the string began with a word of Suite B. It then governs curves and signatures too.
    pub suite_b: Option<SuiteB>,
    /// What had no effect, in the order of the string.
    pub ignored: Vec<Ignored>,
    /// Which OpenSSL it was read for.
    pub release: Release,
}

/// The suites' names joined by `:`, which is a cipher string for the same suites in the same order.
impl fmt::Display for CipherList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, suite) in self.suites.iter().enumerate() {
            let separator = if n == 0 { "" } else { ":" };
            write!(f, "{separator}{suite}")?;
        }
        Ok(())
    }
}

/// A profile of NSA's Suite B (RFC 6460): a word at the start of a string, in place of all of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SuiteB {
    /// `SUITEB128`: 128 bits, or 192.
    Bits128,
    /// `SUITEB128ONLY`: 128 bits alone.
    Bits128Only,
    /// `SUITEB128C2`: as `SUITEB128`, but with the suite of 192 bits alone.
    Bits128Combination2,
    /// `SUITEB192`: 192 bits.
    Bits192,
}

impl SuiteB {
    /// The profile that a string begins with, and the length of its word. As in OpenSSL, anything
    /// may follow at once.
    fn at_start_of(text: &str) -> Option<(Self, usize)> {
        [
            ("SUITEB128ONLY", Self::Bits128Only),
            ("SUITEB128C2", Self::Bits128Combination2),
            ("SUITEB128", Self::Bits128),
            ("SUITEB192", Self::Bits192),
        ]
        .into_iter()
        .find_map(|(word, suite_b)| text.starts_with(word).then_some((suite_b, word.len())))
    }

    const fn cipher_string(self) -> &'static str {
        match self {
            Self::Bits128 => "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384",
            Self::Bits128Only => "ECDHE-ECDSA-AES128-GCM-SHA256",
            Self::Bits128Combination2 | Self::Bits192 => "ECDHE-ECDSA-AES256-GCM-SHA384",
        }
    }
}

/// What an element of a string does with the suites it selects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operator {
    /// Nothing before it: puts those that are not in the list at its end.
    Add,
    /// `-`: takes them out. A later element may bring them back.
    Delete,
    /// `!`: takes them out for good.
    Remove,
    /// `+`: puts those that are in the list at its end.
    Last,
}

/// A word that had no effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ignored {
    /// The word, as it was written.
    pub word: String,
    /// Where it stands in the string, in octets.
    pub span: Range<usize>,
    /// Where all that had no effect because of it stands: an element with its operator, its words
    /// and what is behind them up to the next separator.
    pub element: Range<usize>,
    /// What the element would have done.
    pub operator: Operator,
    /// Why.
    pub reason: Reason,
}

impl Ignored {
    /// Whether the string means the same without this element: it takes out, or moves, what no
    /// suite of this OpenSSL has, as `!RC4` and `!EXPORT` do.
    ///
    /// Not so for a word that nobody knows: `!aNUL` leaves in what its author wanted out.
    #[must_use]
    pub const fn is_harmless(&self) -> bool {
        matches!(self.reason, Reason::NotBuilt | Reason::Removed | Reason::SelectsNothing)
            && !matches!(self.operator, Operator::Add)
    }
}

impl fmt::Display for Ignored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.word.escape_debug(), self.reason)
    }
}

/// Why a word had no effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reason {
    /// OpenSSL has no such word.
    Unknown,
    /// OpenSSL knows it, but builds with its own defaults have no suite with it: RC4, 3DES, IDEA,
    /// SEED, GOST.
    NotBuilt,
    /// OpenSSL 1.0.2 knew it.
    Removed,
    /// A suite of TLS 1.3, or TLS 1.3 itself: no string governs it.
    Tls13,
    /// A name of IANA's registry, which OpenSSL takes from 3.2 on.
    StandardName,
    /// `DEFAULT` is a word at the start of a string alone.
    DefaultNotFirst,
    /// `PROFILE=SYSTEM`: a word of Red Hat's OpenSSL alone.
    SystemProfile,
    /// No suite has all of it, as with `LOW`, or `SSLv3+AESGCM`.
    SelectsNothing,
    /// Behind `@STRENGTH` or `@SECLEVEL=`, without a separator between them.
    AfterCommand,
    /// Behind a word of Suite B, which stands for the whole string.
    AfterSuiteB,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unknown => "no word of cipher strings",
            Self::NotBuilt => "no suite of the usual builds of OpenSSL 3 has it",
            Self::Removed => "no longer in OpenSSL",
            Self::Tls13 => "cipher strings do not govern TLS 1.3",
            Self::StandardName => "OpenSSL takes names of IANA's registry from 3.2 on",
            Self::DefaultNotFirst => "DEFAULT has a meaning at the start of the string alone",
            Self::SystemProfile => "only Red Hat's OpenSSL has a profile of the system",
            Self::SelectsNothing => "no suite is of this kind",
            Self::AfterCommand => "has no effect behind a command",
            Self::AfterSuiteB => "has no effect behind a word of Suite B",
        })
    }
}

/// Why OpenSSL refuses a string.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CipherError {
    /// It cannot be read (OpenSSL: "invalid command").
    #[error("{problem}")]
    Malformed {
        /// Where, in octets. Empty at the end of the string.
        span: Range<usize>,
        /// What is wrong there.
        problem: Malformed,
    },
    /// It leaves no suite of TLS 1.2 or older (OpenSSL: "no cipher match"): an empty string, or one
    /// that names suites of TLS 1.3 alone.
    #[error("no cipher suite of TLS 1.2 is left")]
    NoSuite {
        /// What had no effect.
        ignored: Vec<Ignored>,
    },
}

/// What is wrong with a string that cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Malformed {
    /// A word should stand here, and does not.
    #[error("a word is missing")]
    MissingWord,
    /// Behind `@` stands neither `STRENGTH` nor `SECLEVEL=`.
    #[error("no command but @STRENGTH and @SECLEVEL=0 to 5")]
    Command,
    /// Security levels are 0 to 5.
    #[error("security levels are 0 to 5")]
    SecurityLevel,
    /// A NUL cannot be part of the string that OpenSSL is given.
    #[error("a NUL in the string")]
    Nul,
}
