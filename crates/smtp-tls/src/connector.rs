//! The client's side of a handshake, whichever library does it.

use std::{fmt, sync::Arc};

use tokio::io::{AsyncRead, AsyncWrite};

use crate::{
    Backend, ClientOffer, ClientPolicy, ConfigError, HandshakeError, Stream, TlsInfo, Unhonoured,
    acceptor::check_versions, backend::Compiled, host::PeerName,
};

/// A client policy that a TLS library has taken. Cheap to clone; one serves any number of connections.
///
/// Sessions are resumed only within one connector (and its clones) and only for the same host name,
/// so that none crosses from one policy to another.
#[derive(Clone)]
pub struct Connector(Arc<Shared>);

struct Shared {
    library: Library,
    server_name: Option<PeerName>,
    unhonoured: Vec<Unhonoured>,
}

enum Library {
    #[cfg(feature = "rustls")]
    Rustls(crate::rustls::Connector),
    #[cfg(feature = "openssl")]
    OpenSsl(crate::openssl::Connector),
    /// No library is compiled in: there is no value of this.
    #[cfg(not(any(feature = "rustls", feature = "openssl")))]
    Absent(std::convert::Infallible),
}

impl Connector {
    /// Hands the policy to a library.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] if the library cannot take it: the library is not compiled in, the policy
    /// uses no TLS at all, its server name is none, its identity is unusable, or there is nobody to
    /// trust.
    pub fn new(backend: Backend, policy: &ClientPolicy) -> Result<Self, ConfigError> {
        let library = backend.compiled_in()?;
        if !policy.uses_tls() {
            return Err(ConfigError::NoTls);
        }
        check_versions(policy.versions)?;
        let server_name = match policy.server_name.as_deref().map(PeerName::parse) {
            Some(PeerName::Unusable(name)) => {
                return Err(ConfigError::ServerName { origin: policy.origin, name });
            }
            usable => usable,
        };
        let mut unhonoured = Vec::new();
        let library = match library {
            #[cfg(feature = "rustls")]
            Compiled::Rustls => {
                Library::Rustls(crate::rustls::Connector::new(policy, &mut unhonoured)?)
            }
            #[cfg(feature = "openssl")]
            Compiled::OpenSsl => {
                Library::OpenSsl(crate::openssl::Connector::new(policy, &mut unhonoured)?)
            }
        };
        Ok(Self(Arc::new(Shared { library, server_name, unhonoured })))
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

    /// What it offers, whichever host it connects to.
    ///
    /// ```
    /// use smtp_tls::{Backend, ClientPolicy, Connector};
    ///
    /// # if let Some(backend) = Backend::default_available() {
    /// let connector = Connector::new(backend, &ClientPolicy::required())?;
    /// assert_eq!(connector.offer().tls13[0].name(), "TLS_AES_256_GCM_SHA384");
    /// # }
    /// # Ok::<_, smtp_tls::ConfigError>(())
    /// ```
    #[must_use]
    pub fn offer(&self) -> &ClientOffer {
        match &self.0.library {
            #[cfg(feature = "rustls")]
            Library::Rustls(connector) => connector.offer(),
            #[cfg(feature = "openssl")]
            Library::OpenSsl(connector) => connector.offer(),
            #[cfg(not(any(feature = "rustls", feature = "openssl")))]
            Library::Absent(never) => match *never {},
        }
    }

    /// Does one handshake with `host`, over a transport from which nothing of it has been read yet.
    ///
    /// `host` is a DNS name (in its ASCII form) or an IP address; the policy's own name, where it
    /// has one, takes its place. A DNS name is sent as SNI. Where the certificate is not to be
    /// verified, a host that is neither still gets its handshake, without SNI.
    ///
    /// The first octet read that begins no TLS record ends the handshake with
    /// [`NotTls`](HandshakeError::NotTls), even if the server then closes or says no more: behind
    /// the 220 to STARTTLS it was put there by somebody.
    ///
    /// There is no timeout inside: put one deadline over the call. Dropping the future drops the
    /// transport.
    ///
    /// # Errors
    ///
    /// [`HandshakeError`]; the server has then been sent an alert, where there is one for the
    /// case, and the transport has been shut down for writing.
    pub async fn connect<IO>(
        &self,
        host: &str,
        io: IO,
    ) -> Result<(Stream<IO>, TlsInfo), HandshakeError>
    where
        IO: AsyncRead + AsyncWrite + Unpin + Send,
    {
        let name = self.0.server_name.clone().unwrap_or_else(|| PeerName::parse(host));
        match &self.0.library {
            #[cfg(feature = "rustls")]
            Library::Rustls(connector) => connector.connect(&name, io).await,
            #[cfg(feature = "openssl")]
            Library::OpenSsl(connector) => connector.connect(&name, io).await,
            #[cfg(not(any(feature = "rustls", feature = "openssl")))]
            Library::Absent(never) => match *never {},
        }
    }
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Connector({})", self.backend())
    }
}
