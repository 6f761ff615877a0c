//! The adapter to rustls: policy in, sessions out.
//!
//! The provider is always aws-lc-rs, named explicitly, so that no process-wide default and no other
//! crate's features matter. 0-RTT stays off on both sides.

mod client;
mod error;
mod library;
mod server;
mod suite;
mod unverified;

use std::sync::Arc;

use rustls::{
    CommonState, HandshakeKind, ProtocolVersion, SupportedProtocolVersion,
    crypto::{CryptoProvider, aws_lc_rs},
    version::{TLS12, TLS13},
};

pub(crate) use self::{client::Connector, library::suites, server::Acceptor};
use crate::{Backend, TlsInfo, Version};

fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
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
        group: session.negotiated_key_exchange_group().map(|group| suite::group(group.name())),
        resumed: session.handshake_kind() == Some(HandshakeKind::Resumed),
        server_name,
        client_chain: Arc::default(),
    }
}
