//! The adapter to OpenSSL 3: policy in, sessions out.
//!
//! Contexts are built setting by setting, not from a preset. Clients do not resume sessions: the
//! binding offers no safe way to hand a session to a new connection.

mod ciphers;
mod client;
mod clients;
mod dh;
mod error;
mod groups;
mod identity;
mod keys;
mod library;
mod server;
mod stream;
mod temporary;
mod transport;

use openssl::{
    error::ErrorStack,
    nid::Nid,
    pkey::{HasParams, Id, PKeyRef},
    ssl::{SslContextBuilder, SslMethod, SslMode, SslOptions, SslRef, SslVersion},
};

#[cfg(test)]
pub(crate) use self::temporary::rsa_key_bits;
pub(crate) use self::{
    client::Connector,
    identity::Certified,
    library::suites,
    server::Acceptor,
    stream::Stream,
    temporary::{dh_group_pem, rsa_key_pem},
};
use crate::{Backend, ConfigError, TlsInfo, Version};

fn context(
    method: SslMethod,
    (lowest, highest): (Version, Version),
) -> Result<SslContextBuilder, ErrorStack> {
    let number = |version| match version {
        Version::Tls12 => SslVersion::TLS1_2,
        Version::Tls13 => SslVersion::TLS1_3,
    };
    let mut context = SslContextBuilder::new(method)?;
    context.set_min_proto_version(Some(number(lowest)))?;
    context.set_max_proto_version(Some(number(highest)))?;
    groups::apply(&mut context)?;
    context.set_options(
        SslOptions::NO_RENEGOTIATION
            | SslOptions::NO_COMPRESSION
            | SslOptions::CIPHER_SERVER_PREFERENCE
            | SslOptions::SINGLE_DH_USE
            | SslOptions::SINGLE_ECDH_USE,
    );
    context.set_mode(
        SslMode::AUTO_RETRY | SslMode::ENABLE_PARTIAL_WRITE | SslMode::ACCEPT_MOVING_WRITE_BUFFER,
    );
    Ok(context)
}

fn library(failure: &ErrorStack) -> ConfigError {
    ConfigError::Library { backend: Backend::OpenSsl, reason: error::line(failure) }
}

fn info(ssl: &SslRef, server_name: Option<String>) -> TlsInfo {
    let version = match ssl.version2() {
        Some(SslVersion::TLS1_3) => Version::Tls13,
        _ => Version::Tls12,
    };
    let cipher = ssl.current_cipher();
    let name = cipher.map_or("", |cipher| cipher.name());
    TlsInfo {
        backend: Backend::OpenSsl,
        version,
        suite: name,
        suite_iana: cipher.and_then(|cipher| cipher.standard_name()).unwrap_or(name),
        group: ssl.peer_tmp_key().ok().and_then(|key| group(&key)),
        resumed: ssl.session_reused(),
        server_name,
        client_chain: std::sync::Arc::default(),
    }
}

/// IANA's name of the group that a key share belongs to.
fn group<T: HasParams>(key: &PKeyRef<T>) -> Option<&'static str> {
    Some(match key.id() {
        Id::X25519 => "x25519",
        Id::X448 => "x448",
        Id::EC => match key.ec_key().ok()?.group().curve_name()? {
            Nid::X9_62_PRIME256V1 => "secp256r1",
            Nid::SECP384R1 => "secp384r1",
            Nid::SECP521R1 => "secp521r1",
            _ => return None,
        },
        _ => return None,
    })
}
