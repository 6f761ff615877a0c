//! TLS policy for SMTP as plain data, and its adapters to rustls and OpenSSL.
//!
//! ```text
//!  PEM text ─► pem ─► identity ─► ServerPolicy ─► Acceptor ─► Stream<IO> + TlsInfo
//!                                 ClientPolicy ─► Connector ─► Stream<IO> + TlsInfo
//!                                      │              └─► Unhonoured, ConfigError, HandshakeError
//!                                      └─► after_ehlo, after_starttls_refused, after_handshake_failed
//!  ServerPolicy::judge ─► ClientJudge + TlsInfo::client_chain ─► ClientVerdict
//! ```
//!
//! What a policy says is plain data and there without any feature. What a TLS library does with it
//! is behind a feature for each library.
//!
//! # Backends
//!
//! | feature | what it brings |
//! |---|---|
//! | `io` | `Acceptor`, `Connector` and `Stream`. Without one of the libraries below, which imply it, none of them can be made: [`ConfigError::NotCompiledIn`] |
//! | `rustls` | the adapter to rustls, with aws-lc-rs |
//! | `openssl` | the adapter to the system's OpenSSL 3 |
//! | `openssl-vendored` | the same, with an OpenSSL that cargo builds |
//! | `client-certificates` | `ClientJudge`, which says whether a client's certificates open the relay: one judge for both libraries (rustls-webpki, with aws-lc-rs), and implied by either |
//! | `self-signed` | makes self-signed certificates |
//!
//! [`cipher`] reads OpenSSL's cipher strings, without any library.
//!
//! # What a library does with a server policy
//!
//! What is not honoured is named in `Acceptor::unhonoured`, with the origin that the policy has for it.
//!
//! | setting | rustls | OpenSSL |
//! |---|---|---|
//! | `identity`, `alternatives`, `named` | the first that the client can use; RSA, ECDSA on P-256, P-384 and P-521, Ed25519 | one of each kind of key, of two kinds; OpenSSL's order decides between them. A key that TLS 1.2 alone has a curve for is named, and one that no handshake can be had with is left out and named, or refused where it is the only one |
//! | `ciphers` | its suites in the string's order; the lost ones are named. `@SECLEVEL` decides about suites alone | the string itself; a certificate that a word of Suite B does not take is refused |
//! | `dh` | not needed: it has no DHE | the largest that the security level takes; else the smallest of RFC 7919; level 5 takes none, and the suites that are lost by it are named |
//! | `clients` | asked for, never demanded; a resumed session has the chain of the first one | asked for, never demanded; no session is resumed then |
//! | `resumption` | `Local`: keys that change by themselves every 6 hours; `Shared`: for 6 hours a ticket | `Local`: one key as long as the acceptor lives; `Shared`: as `Local` |
//!
//! A cipher string that OpenSSL would refuse is refused by both, and so is one that leaves TLS 1.2 without
//! a suite that fits the certificate's key. Where TLS 1.3 alone is offered, a string has no say but for its
//! level, which is named. Without a string both offer what they have of `DEFAULT`, in OpenSSL's order.
//! Neither library takes early data or renegotiates.
//!
//! Features only add. With both libraries compiled in, the caller names one by [`Backend`]. No type of
//! a TLS library is part of this crate's API.
#![cfg_attr(test, allow(clippy::unwrap_used))]

#[cfg(feature = "io")]
#[cfg_attr(not(any(feature = "rustls", feature = "openssl")), allow(unused, unreachable_code))]
mod acceptor;
mod alert;
mod backend;
mod certificate;
pub mod cipher;
mod client;
#[cfg(any(feature = "rustls", feature = "openssl"))]
mod clients;
#[cfg(feature = "io")]
#[cfg_attr(not(any(feature = "rustls", feature = "openssl")), allow(unused, unreachable_code))]
mod connector;
mod crl;
mod dh;
mod error;
#[cfg(any(feature = "rustls", feature = "openssl"))]
mod guard;
#[cfg(feature = "io")]
#[cfg_attr(not(any(feature = "rustls", feature = "openssl")), allow(unused, unreachable_code))]
mod host;
mod identity;
mod info;
mod key;
mod level;
#[cfg(feature = "io")]
#[cfg_attr(not(any(feature = "rustls", feature = "openssl")), allow(unused, unreachable_code))]
mod library;
mod material;
#[cfg(any(feature = "rustls", feature = "openssl"))]
mod named;
mod names;
mod offer;
#[cfg(feature = "openssl")]
mod openssl;
mod origin;
mod peer;
mod pem;
#[cfg(any(feature = "rustls", feature = "openssl"))]
mod read_once;
mod report;
#[cfg(any(feature = "rustls", feature = "openssl"))]
mod roots;
#[cfg(feature = "rustls")]
mod rustls;
#[cfg(feature = "self-signed")]
mod self_signed;
mod server;
#[cfg(feature = "io")]
#[cfg_attr(not(any(feature = "rustls", feature = "openssl")), allow(unused, unreachable_code))]
mod stream;
#[cfg(any(feature = "rustls", feature = "openssl"))]
mod suites;
mod temporary;
mod ticket;

#[cfg(feature = "io")]
pub use acceptor::Acceptor;
pub use alert::Alert;
pub use backend::{Backend, UnknownBackend};
pub use certificate::{Certificate, CertificateDescription, MalformedCertificate, WeakDigest};
pub use client::{
    AfterEhlo, AfterFailure, AfterRefusal, ClientPolicy, Fallback, Roots, TlsRefusal,
};
#[cfg(feature = "io")]
pub use connector::Connector;
pub use crl::{MalformedRevocationList, RevocationListDescription};
pub use dh::{DhParameters, MalformedDhParameters};
pub use error::{CertificateProblem, ClientCertificateProblem, ConfigError, Fault, HandshakeError};
pub use identity::{Assembly, MaterialError, Unused, UnusedReason};
pub use info::TlsInfo;
pub use key::KeyAlgorithm;
pub use level::{Level, Version};
#[cfg(feature = "io")]
pub use library::{LibrarySuites, SuiteFate};
pub use material::{Identity, KeyKind, PrivateKey};
pub use names::{MalformedServerName, ServerNames};
pub use offer::{ClientOffer, DheGroup, ServerOffer};
pub use origin::OriginId;
#[cfg(feature = "client-certificates")]
pub use peer::ClientJudge;
pub use peer::{
    CertificateAddresses, ClientAddress, ClientRefusal, ClientTrust, ClientVerdict, RevocationList,
    UnusableAddress,
};
pub use pem::{PemError, PemKind, PemSection, pem_sections};
pub use report::{Cause, Loss, Unhonoured};
#[cfg(feature = "self-signed")]
pub use self_signed::{SelfSigned, SelfSignedError, self_signed};
pub use server::{CipherString, Resumption, ServerPolicy};
#[cfg(feature = "io")]
pub use stream::Stream;
pub use temporary::{TemporaryKey, TemporaryKeyError, TemporaryKind};
pub use ticket::{MalformedTicketKeys, TicketKeys};
