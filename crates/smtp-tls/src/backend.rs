//! Which TLS library carries a connection. The type is always there; the adapters are behind features.

use std::{fmt, str::FromStr};

/// A TLS library that this crate has an adapter for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Backend {
    /// rustls, with the aws-lc-rs provider. Feature `rustls`.
    Rustls,
    /// OpenSSL 3. Feature `openssl`.
    OpenSsl,
}

impl Backend {
    /// The backends that were compiled in, the preferred one first.
    #[must_use]
    pub const fn available() -> &'static [Self] {
        &[
            #[cfg(feature = "rustls")]
            Self::Rustls,
            #[cfg(feature = "openssl")]
            Self::OpenSsl,
        ]
    }

    /// The backend to use where nobody named one: the first that was compiled in.
    #[must_use]
    pub fn default_available() -> Option<Self> {
        Self::available().first().copied()
    }

    /// Whether this backend was compiled in.
    #[must_use]
    pub fn is_available(self) -> bool {
        Self::available().contains(&self)
    }
}

/// A backend that was compiled in: one that was not has no value here.
#[cfg(feature = "io")]
#[derive(Clone, Copy)]
pub(crate) enum Compiled {
    #[cfg(feature = "rustls")]
    Rustls,
    #[cfg(feature = "openssl")]
    OpenSsl,
}

#[cfg(feature = "io")]
impl Backend {
    pub(crate) const fn compiled_in(self) -> Result<Compiled, crate::ConfigError> {
        match self {
            #[cfg(feature = "rustls")]
            Self::Rustls => Ok(Compiled::Rustls),
            #[cfg(feature = "openssl")]
            Self::OpenSsl => Ok(Compiled::OpenSsl),
            #[cfg(not(all(feature = "rustls", feature = "openssl")))]
            backend => Err(crate::ConfigError::NotCompiledIn { backend }),
        }
    }
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Rustls => "rustls",
            Self::OpenSsl => "openssl",
        })
    }
}

/// The text names no TLS library that this crate knows.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown TLS library {0:?}: expected rustls or openssl")]
pub struct UnknownBackend(String);

impl FromStr for Backend {
    type Err = UnknownBackend;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "rustls" => Ok(Self::Rustls),
            "openssl" => Ok(Self::OpenSsl),
            other => Err(UnknownBackend(other.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_printed() {
        for backend in [Backend::Rustls, Backend::OpenSsl] {
            assert_eq!(backend.to_string().parse(), Ok(backend));
        }
        assert!("OpenSSL".parse::<Backend>().is_err());
    }

    #[test]
    fn the_default_is_the_first_that_is_there() {
        let first = match (cfg!(feature = "rustls"), cfg!(feature = "openssl")) {
            (true, _) => Some(Backend::Rustls),
            (false, true) => Some(Backend::OpenSsl),
            (false, false) => None,
        };
        assert_eq!(Backend::default_available(), first);
        assert_eq!(Backend::Rustls.is_available(), cfg!(feature = "rustls"));
        assert_eq!(Backend::OpenSsl.is_available(), cfg!(feature = "openssl"));
    }
}
