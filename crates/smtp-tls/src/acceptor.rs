//! The server's side of a handshake, whichever library does it.

use std::{fmt, sync::Arc};

use tokio::io::{AsyncRead, AsyncWrite};

use crate::{
    Backend, ConfigError, HandshakeError, ServerOffer, ServerPolicy, Stream, TlsInfo, Unhonoured,
    Version, backend::Compiled,
};

/// A server policy that a TLS library has taken. Cheap to clone; one serves any number of connections.
///
/// Sessions are resumed only within one acceptor (and its clones), or among those with the same shared
/// keys ([`Resumption::Shared`](crate::Resumption::Shared)).
#[derive(Clone)]
pub struct Acceptor(Arc<Shared>);

struct Shared {
    library: Library,
    unhonoured: Vec<Unhonoured>,
}

enum Library {
    #[cfg(feature = "rustls")]
    Rustls(crate::rustls::Acceptor),
    #[cfg(feature = "openssl")]
    OpenSsl(crate::openssl::Acceptor),
    /// No library is compiled in: there is no value of this.
    #[cfg(not(any(feature = "rustls", feature = "openssl")))]
    Absent(std::convert::Infallible),
}

impl Acceptor {
    /// Hands the policy to a library.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] if the library cannot take it: the library is not compiled in, the key
    /// does not match, the certificate or the cipher string is unusable.
    pub fn new(backend: Backend, policy: &ServerPolicy) -> Result<Self, ConfigError> {
        let library = backend.compiled_in()?;
        check_versions(policy.versions)?;
        let mut unhonoured = Vec::new();
        let library = match library {
            #[cfg(feature = "rustls")]
            Compiled::Rustls => {
                Library::Rustls(crate::rustls::Acceptor::new(policy, &mut unhonoured)?)
            }
            #[cfg(feature = "openssl")]
            Compiled::OpenSsl => {
                Library::OpenSsl(crate::openssl::Acceptor::new(policy, &mut unhonoured)?)
            }
        };
        Ok(Self(Arc::new(Shared { library, unhonoured })))
    }

    /// Which library this is.
    #[must_use]
    pub fn backend(&self) -> Backend {
        match self.0.library {
            #[cfg(feature = "rustls")]
            Library::Rustls(_) => Backend::Rustls,
            #[cfg(feature = "openssl")]
            Library::OpenSsl(_) => Backend::OpenSsl,
            #[cfg(not(any(feature = "rustls", feature = "openssl")))]
            Library::Absent(never) => match never {},
        }
    }

    /// What the library does not honour of the policy.
    #[must_use]
    pub fn unhonoured(&self) -> &[Unhonoured] {
        &self.0.unhonoured
    }

    /// What it offers: a peer that speaks TLS of today gets the first of each that it has too.
    #[must_use]
    pub fn offer(&self) -> &ServerOffer {
        match &self.0.library {
            #[cfg(feature = "rustls")]
            Library::Rustls(acceptor) => acceptor.offer(),
            #[cfg(feature = "openssl")]
            Library::OpenSsl(acceptor) => acceptor.offer(),
            #[cfg(not(any(feature = "rustls", feature = "openssl")))]
            Library::Absent(never) => match *never {},
        }
    }

    /// Does one handshake, over a transport from which nothing of it has been read yet.
    ///
    /// There is no timeout inside: put one deadline over the call. Dropping the future drops the
    /// transport.
    ///
    /// # Errors
    ///
    /// [`HandshakeError`]; the client has then been sent an alert, where there is one for the
    /// case, and the transport has been shut down for writing.
    pub async fn accept<IO>(&self, io: IO) -> Result<(Stream<IO>, TlsInfo), HandshakeError>
    where
        IO: AsyncRead + AsyncWrite + Unpin + Send,
    {
        match &self.0.library {
            #[cfg(feature = "rustls")]
            Library::Rustls(acceptor) => acceptor.accept(io).await,
            #[cfg(feature = "openssl")]
            Library::OpenSsl(acceptor) => acceptor.accept(io).await,
            #[cfg(not(any(feature = "rustls", feature = "openssl")))]
            Library::Absent(never) => match *never {},
        }
    }
}

impl fmt::Debug for Acceptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Acceptor({})", self.backend())
    }
}

pub(crate) fn check_versions((lowest, highest): (Version, Version)) -> Result<(), ConfigError> {
    if lowest > highest { Err(ConfigError::Versions { lowest, highest }) } else { Ok(()) }
}
