//! What a TLS library that is compiled in makes of a cipher string.
//!
//! Does: ask the library which suites it has, and say of each suite of a string whether it is kept or why not.
//! Does not: know the certificate that a server has; an acceptor's own offer does. Fails where
//! the library is not compiled in, or cannot be asked.

use std::fmt;

use crate::{
    Backend, ConfigError, Version,
    backend::Compiled,
    cipher::{self, CipherList, Lack, Release, SecurityLevel, Suite, WithheldReason},
};

/// The cipher suites of a TLS library, as it is on this host.
///
/// ```
/// use smtp_tls::{Backend, LibrarySuites, SuiteFate, Version, cipher};
///
/// # if let Some(backend) = Backend::default_available() {
/// let library = LibrarySuites::of(backend)?;
/// let list = cipher::parse_as("ECDHE+AESGCM:NULL", library.release)?;
/// let judged = library.judge(&list, (Version::Tls12, Version::Tls13));
/// assert_eq!(judged[0].1, SuiteFate::Kept);
/// assert!(matches!(judged.last(), Some((_, SuiteFate::Lost(_) | SuiteFate::Withheld(_)))));
/// # }
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LibrarySuites {
    /// The library.
    pub backend: Backend,
    /// Which OpenSSL's cipher strings it reads.
    pub release: Release,
    /// The security level where a string has no `@SECLEVEL=`. rustls has no levels: what OpenSSL usually
    /// has says what a string leaves.
    pub level: SecurityLevel,
    /// The suites that it has, of every version of TLS.
    pub suites: Vec<&'static Suite>,
}

/// What becomes of a suite that a cipher string asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SuiteFate {
    /// It is offered, where the server has a certificate that fits it.
    Kept,
    /// The security level or the range of versions takes it out.
    Withheld(WithheldReason),
    /// The library does not have it.
    Lost(Lack),
}

/// As it is said of the library: "no DHE key exchange".
impl fmt::Display for SuiteFate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kept => f.write_str("kept"),
            Self::Withheld(reason) => reason.fmt(f),
            Self::Lost(lack) => lack.fmt(f),
        }
    }
}

impl LibrarySuites {
    /// Asks the library.
    ///
    /// # Errors
    /// [`ConfigError::NotCompiledIn`], or [`ConfigError::Library`] where it does not answer.
    pub fn of(backend: Backend) -> Result<Self, ConfigError> {
        match backend.compiled_in()? {
            #[cfg(feature = "rustls")]
            Compiled::Rustls => Ok(crate::rustls::suites()),
            #[cfg(feature = "openssl")]
            Compiled::OpenSsl => crate::openssl::suites(),
        }
    }

    /// What becomes of each suite of the list, in its order. Those of TLS 1.3 are no part of a list.
    ///
    /// A suite that the library lacks is lost, whatever a level would say of it.
    #[must_use]
    pub fn judge(
        &self,
        list: &CipherList,
        versions: (Version, Version),
    ) -> Vec<(&'static Suite, SuiteFate)> {
        let numbers: Vec<u16> = self.suites.iter().map(|suite| suite.id()).collect();
        let lost = cipher::select(&list.suites, &numbers).lost;
        let withheld = list.at_level(self.level, versions).withheld;
        let fate = |suite: &'static Suite| {
            if let Some(lost) = lost.iter().find(|lost| lost.suite == suite) {
                return SuiteFate::Lost(lost.lack);
            }
            withheld
                .iter()
                .find(|withheld| withheld.suite == suite)
                .map_or(SuiteFate::Kept, |withheld| SuiteFate::Withheld(withheld.reason))
        };
        list.suites.iter().map(|suite| (*suite, fate(suite))).collect()
    }

    /// The suites of TLS 1.3 that are offered beside the list, in the library's order. Its words have no say
    /// in them; its security level has.
    #[must_use]
    pub fn tls13(&self, list: &CipherList) -> Vec<&'static Suite> {
        let offer = list.at_level(self.level, (Version::Tls13, Version::Tls13));
        let mut suites = self.suites.clone();
        suites.retain(|suite| offer.tls13.contains(suite));
        suites
    }
}

#[cfg(all(test, any(feature = "rustls", feature = "openssl")))]
mod tests {
    use super::*;

    const BOTH: (Version, Version) = (Version::Tls12, Version::Tls13);

    fn names(suites: impl IntoIterator<Item = &'static Suite>) -> Vec<&'static str> {
        suites.into_iter().map(Suite::name).collect()
    }

    #[cfg(feature = "rustls")]
    #[test]
    fn rustls_has_its_nine_suites_and_says_what_it_lacks() {
        let library = LibrarySuites::of(Backend::Rustls).unwrap();
        assert_eq!(library.suites.len(), 9);
        let of = |string| names(library.tls13(&cipher::parse(string).unwrap()));
        assert_eq!(
            of("HIGH:@SECLEVEL=4"),
            ["TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"]
        );
        assert_eq!(
            of("HIGH"),
            ["TLS_AES_256_GCM_SHA384", "TLS_AES_128_GCM_SHA256", "TLS_CHACHA20_POLY1305_SHA256"]
        );
        let list =
            cipher::parse("AES128-SHA:DHE-RSA-AES128-SHA:ECDHE-RSA-AES128-GCM-SHA256").unwrap();
        let fates: Vec<_> = library.judge(&list, BOTH).into_iter().map(|(_, fate)| fate).collect();
        let lost = |kind| SuiteFate::Lost(Lack::KeyExchange(kind));
        use cipher::KeyExchange::{Dhe, Rsa};
        assert_eq!(fates, [lost(Rsa), lost(Dhe), SuiteFate::Kept]);
    }

    /// What is kept is what OpenSSL itself says it supports, by `openssl ciphers -s`.
    #[cfg(feature = "openssl")]
    #[test]
    fn openssl_keeps_what_its_program_says() {
        use smtp_testkit::process::{require_peer, run};
        let library = LibrarySuites::of(Backend::OpenSsl).unwrap();
        assert!(library.suites.len() > 30);
        let Some(openssl) = require_peer("openssl") else { return };
        for string in ["DEFAULT", "ALL:COMPLEMENTOFALL", "HIGH:!aNULL", "DHE@SECLEVEL=0", "eNULL"] {
            let list = cipher::parse_as(string, library.release).unwrap();
            let judged = library.judge(&list, BOTH);
            let kept = judged.iter().filter(|(_, fate)| *fate == SuiteFate::Kept);
            let kept = names(kept.map(|(suite, _)| *suite));
            let said = run(
                std::process::Command::new(&openssl).args(["ciphers", "-s", "-tls1_2", string]),
                b"",
            );
            let mut said: Vec<_> = said.stdout.iter().flat_map(|line| line.split(':')).collect();
            said.retain(|name| !name.is_empty());
            assert_eq!(kept, said, "{string}");
        }
        for string in ["DEFAULT", "ECDHE+AESGCM:@SECLEVEL=5", "HIGH:@SECLEVEL=4", "ALL@SECLEVEL=0"]
        {
            let list = cipher::parse_as(string, library.release).unwrap();
            let mut program = std::process::Command::new(&openssl);
            let said = run(program.args(["ciphers", "-s", "-tls1_3", string]), b"");
            let said: Vec<_> = said.stdout.iter().flat_map(|line| line.split(':')).collect();
            assert_eq!(names(library.tls13(&list)), said, "{string}");
        }
    }
}
