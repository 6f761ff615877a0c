//! The adapter to rustls: policy in, sessions out.
//!
//! The provider is always aws-lc-rs, named explicitly, so that no process-wide default and no other
//! crate's features matter. 0-RTT stays off on both sides.

mod client;
mod clients;
mod error;
mod identity;
mod library;
mod proof;
mod server;
mod session;
mod suite;
mod ticket;
mod unverified;
mod words;

use std::sync::Arc;

use rustls::{
    CommonState, Error, HandshakeKind, ProtocolVersion, SupportedProtocolVersion,
    crypto::{CryptoProvider, aws_lc_rs},
    version::{TLS12, TLS13},
};

pub(crate) use self::{client::Connector, identity::Certified, library::suites, server::Acceptor};
use crate::{Backend, Certificate, ConfigError, TlsInfo, Version};

fn provider() -> CryptoProvider {
    aws_lc_rs::default_provider()
}

fn library(failure: &Error) -> ConfigError {
    ConfigError::Library { backend: Backend::Rustls, reason: error::line(failure) }
}

fn versions(
    (lowest, highest): (Version, Version),
) -> impl Iterator<Item = &'static SupportedProtocolVersion> {
    [(Version::Tls12, &TLS12), (Version::Tls13, &TLS13)]
        .into_iter()
        .filter(move |(version, _)| (lowest..=highest).contains(version))
        .map(|(_, rustls)| rustls)
}

fn info(session: &CommonState, server_name: Option<String>) -> TlsInfo {
    let version = match session.protocol_version() {
        Some(ProtocolVersion::TLSv1_3) => Version::Tls13,
        _ => Version::Tls12,
    };
    let suite = session.negotiated_cipher_suite().map(|suite| suite.suite());
    let (suite, suite_iana) = suite.map_or_else(Default::default, suite::names);
    TlsInfo {
        backend: Backend::Rustls,
        version,
        suite,
        suite_iana,
        group: session.negotiated_key_exchange_group().and_then(|group| suite::group(group.name())),
        resumed: session.handshake_kind() == Some(HandshakeKind::Resumed),
        server_name,
        client_chain: Arc::default(),
    }
}

/// What the client showed, now or when the session began that it resumes.
fn client_chain(session: &CommonState) -> Arc<[Certificate]> {
    let Some(chain) = session.peer_certificates() else { return Arc::default() };
    chain.iter().map(|certificate| Certificate::from_der(certificate.to_vec())).collect()
}
