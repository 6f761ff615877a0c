//! The extensions of SMTP, by the keyword that offers each in the reply to EHLO.
//!
//! Does: name them, and hold a set of them in one word. Does not: know their values (a
//! [`Capability`](super::Capability) does) or which of them a session offers. Fails: nothing here
//! fails; a keyword that is not known is no [`Extension`].

use core::fmt;

macro_rules! extensions {
    ($($(#[$doc:meta])* $name:ident = $keyword:literal;)*) => {
        /// An extension that this crate knows.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum Extension { $($(#[$doc])* $name,)* }

        impl Extension {
            /// All extensions, in the order of their declaration.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The keyword of the reply to EHLO, in capitals.
            #[must_use]
            pub const fn keyword(self) -> &'static str {
                match self { $(Self::$name => $keyword,)* }
            }
        }
    };
}

extensions! {
    /// Commands may be sent in groups (RFC 2920).
    Pipelining = "PIPELINING";
    /// MAIL takes SIZE (RFC 1870).
    Size = "SIZE";
    /// MAIL takes BODY=8BITMIME (RFC 6152).
    EightBitMime = "8BITMIME";
    /// Replies carry enhanced status codes (RFC 2034).
    EnhancedStatusCodes = "ENHANCEDSTATUSCODES";
    /// STARTTLS is taken (RFC 3207).
    StartTls = "STARTTLS";
    /// BDAT is taken (RFC 3030).
    Chunking = "CHUNKING";
    /// MAIL takes BODY=BINARYMIME (RFC 3030).
    BinaryMime = "BINARYMIME";
    /// Addresses may be outside ASCII, and MAIL takes SMTPUTF8 (RFC 6531).
    SmtpUtf8 = "SMTPUTF8";
    /// MAIL takes RET and ENVID, RCPT takes NOTIFY and ORCPT (RFC 3461).
    Dsn = "DSN";
    /// AUTH is taken, and MAIL takes AUTH (RFC 4954).
    Auth = "AUTH";
    /// MAIL takes REQUIRETLS (RFC 8689).
    RequireTls = "REQUIRETLS";
    /// MAIL takes MT-PRIORITY (RFC 6710).
    MtPriority = "MT-PRIORITY";
    /// MAIL takes HOLDFOR and HOLDUNTIL (RFC 4865).
    FutureRelease = "FUTURERELEASE";
    /// MAIL takes BY (RFC 2852).
    DeliverBy = "DELIVERBY";
    /// RCPT takes RRVS (RFC 7293).
    Rrvs = "RRVS";
    /// The server says how much it takes (RFC 9422).
    Limits = "LIMITS";
    /// ETRN is taken (RFC 1985).
    Etrn = "ETRN";
    /// XCLIENT is taken.
    Xclient = "XCLIENT";
    /// XFORWARD is taken.
    Xforward = "XFORWARD";
    /// VRFY does something (RFC 5321, 3.5.2).
    Vrfy = "VRFY";
    /// EXPN is taken (RFC 5321, 3.5.2).
    Expn = "EXPN";
    /// HELP is taken (RFC 5321, 4.1.1.1).
    Help = "HELP";
}

impl Extension {
    /// The extension of a keyword, in any case; `None` for one that is not known.
    #[must_use]
    pub fn from_keyword(keyword: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|known| known.keyword().eq_ignore_ascii_case(keyword))
    }

    const fn bit(self) -> u32 {
        1 << self as u32
    }
}

/// Prints the keyword.
impl fmt::Display for Extension {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.keyword())
    }
}

/// A set of extensions. [`Default`] is the empty one.
///
/// ```
/// use smtp_proto::wire::{Extension, Extensions};
///
/// const OFFERED: Extensions = Extensions::EMPTY.with(Extension::Size).with(Extension::Dsn);
/// assert!(OFFERED.contains(Extension::Dsn));
/// assert!(!OFFERED.without(Extension::Dsn).contains(Extension::Dsn));
/// assert_eq!(OFFERED.iter().collect::<Vec<_>>(), [Extension::Size, Extension::Dsn]);
/// ```
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Extensions(u32);

impl Extensions {
    /// No extension, which is what HELO offers.
    pub const EMPTY: Self = Self(0);

    /// The set with one more.
    #[must_use]
    pub const fn with(self, extension: Extension) -> Self {
        Self(self.0 | extension.bit())
    }

    /// The set with one less.
    #[must_use]
    pub const fn without(self, extension: Extension) -> Self {
        Self(self.0 & !extension.bit())
    }

    /// Whether the extension is in the set.
    #[must_use]
    pub const fn contains(self, extension: Extension) -> bool {
        self.0 & extension.bit() != 0
    }

    /// What is in one of the sets, or in both.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The extensions, in the order of [`Extension::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Extension> {
        Extension::ALL.iter().copied().filter(move |extension| self.contains(*extension))
    }
}

impl FromIterator<Extension> for Extensions {
    fn from_iter<I: IntoIterator<Item = Extension>>(extensions: I) -> Self {
        extensions.into_iter().fold(Self::EMPTY, Self::with)
    }
}

impl fmt::Debug for Extensions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    #[test]
    fn a_keyword_is_its_extension_in_any_case() {
        for extension in Extension::ALL {
            let keyword = extension.keyword();
            assert_eq!(Extension::from_keyword(keyword), Some(*extension));
            assert_eq!(Extension::from_keyword(&keyword.to_ascii_lowercase()), Some(*extension));
        }
        for keyword in ["", "SIZ", "SIZES", "MTPRIORITY", "X-SIZE"] {
            assert_eq!(Extension::from_keyword(keyword), None, "{keyword}");
        }
    }

    #[test]
    fn a_set_holds_what_was_put_in() {
        // One bit each: the set must never alias two of them.
        assert!(Extension::ALL.len() <= 32);
        for (index, extension) in Extension::ALL.iter().enumerate() {
            let all: Extensions = Extension::ALL.iter().copied().collect();
            let alone = Extensions::EMPTY.with(*extension);
            assert_eq!(alone.iter().collect::<Vec<_>>(), [*extension]);
            let rest = all.without(*extension);
            assert!(!rest.contains(*extension));
            assert_eq!(rest.iter().count(), Extension::ALL.len() - 1);
            assert_eq!(rest.union(alone), all);
            assert_eq!(all.iter().nth(index), Some(*extension));
        }
        assert!(Extensions::default().is_empty());
    }
}
