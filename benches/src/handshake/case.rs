//! What a connection is made of.

use std::fmt;

/// Whose time is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The one that accepts.
    Server,
    /// The one that connects.
    Client,
}

/// The TLS library of the subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Library {
    /// rustls, with aws-lc-rs.
    Rustls,
    /// OpenSSL.
    OpenSsl,
}

/// How a connection comes to TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Path {
    /// 220, EHLO, STARTTLS, the handshake, EHLO, QUIT.
    StartTls,
    /// The handshake, 220, EHLO, QUIT.
    Smtps,
}

/// The version that is negotiated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tls {
    /// TLS 1.2.
    V12,
    /// TLS 1.3.
    V13,
}

/// The key of the server's certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// ECDSA on P-256.
    P256,
    /// RSA of 2048 bits.
    Rsa2048,
}

/// The key exchange that is negotiated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// Elliptic curves alone.
    X25519,
    /// With ML-KEM, in TLS 1.3 alone.
    X25519MlKem768,
}

/// One kind of connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Case {
    /// Whose time is taken.
    pub side: Side,
    /// The library of that side.
    pub library: Library,
    /// How it comes to TLS.
    pub path: Path,
    /// The version.
    pub tls: Tls,
    /// The server's key.
    pub key: Key,
    /// The key exchange.
    pub group: Group,
    /// Whether an earlier session is resumed.
    pub resumed: bool,
    /// Whether the server asks for a certificate, and the client shows one.
    pub shown: bool,
}

/// Why a case cannot be measured here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Absent(pub String);

impl Case {
    /// Every case that there is, side by side: also those that cannot be measured here.
    #[must_use]
    pub fn all() -> Vec<Self> {
        let mut cases = Vec::new();
        for side in [Side::Server, Side::Client] {
            for path in [Path::StartTls, Path::Smtps] {
                for (tls, group) in [
                    (Tls::V13, Group::X25519),
                    (Tls::V13, Group::X25519MlKem768),
                    (Tls::V12, Group::X25519),
                ] {
                    for key in [Key::P256, Key::Rsa2048] {
                        for resumed in [false, true] {
                            for library in [Library::Rustls, Library::OpenSsl] {
                                let shown = false;
                                let case =
                                    Self { side, library, path, tls, key, group, resumed, shown };
                                cases.push(case);
                                if case.is_for_certificates() {
                                    cases.push(Self { shown: true, ..case });
                                }
                            }
                        }
                    }
                }
            }
        }
        cases
    }

    /// Another path, key or group would add to a client's certificate what it adds without one; and on
    /// OpenSSL a server that asks for one resumes nothing.
    fn is_for_certificates(&self) -> bool {
        (self.path, self.key, self.group, self.resumed)
            == (Path::StartTls, Key::P256, Group::X25519, false)
    }

    /// Why this case cannot be measured here, if it cannot.
    ///
    /// # Errors
    ///
    /// [`Absent`], with the reason.
    pub fn is_possible(&self) -> Result<(), Absent> {
        if self.library == Library::Rustls {
            return Ok(());
        }
        #[cfg(not(feature = "openssl"))]
        return Err(Absent("built without OpenSSL".into()));
        #[cfg(feature = "openssl")]
        {
            if self.side == Side::Client && self.resumed {
                let reason = "the openssl crate has no safe way to resume a session";
                return Err(Absent(reason.into()));
            }
            // 0xMNN00PP0L: major 3, minor 5.
            if self.group == Group::X25519MlKem768 && openssl::version::number() < 0x3050_0000 {
                let version = openssl_version();
                return Err(Absent(format!("{version} has no X25519MLKEM768; 3.5 has")));
            }
            Ok(())
        }
    }
}

/// The OpenSSL that this runs with.
#[cfg(feature = "openssl")]
#[must_use]
pub fn openssl_version() -> &'static str {
    openssl::version::version()
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Server => "server",
            Self::Client => "client",
        })
    }
}

impl fmt::Display for Library {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Rustls => "rustls",
            Self::OpenSsl => "openssl",
        })
    }
}

/// `STARTTLS 1.3 P-256 X25519 full`, and `shown` behind it where the client shows a certificate.
impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = match self.path {
            Path::StartTls => "STARTTLS",
            Path::Smtps => "SMTPS",
        };
        let tls = match self.tls {
            Tls::V12 => "1.2",
            Tls::V13 => "1.3",
        };
        let key = match self.key {
            Key::P256 => "P-256",
            Key::Rsa2048 => "RSA-2048",
        };
        let group = match self.group {
            Group::X25519 => "X25519",
            Group::X25519MlKem768 => "X25519MLKEM768",
        };
        let how = if self.resumed { "resumed" } else { "full" };
        let shown = if self.shown { " shown" } else { "" };
        f.pad(&format!("{path} {tls} {key} {group} {how}{shown}"))
    }
}
