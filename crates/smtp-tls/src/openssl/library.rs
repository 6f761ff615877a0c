//! Which suites the OpenSSL of this host has, and its security level.

use openssl::{
    error::ErrorStack,
    ssl::{SslContextBuilder, SslMethod},
    version,
};

use super::library as failed;
use crate::{
    Backend, ConfigError, LibrarySuites,
    cipher::{self, Release, SecurityLevel},
};

/// The version from which on OpenSSL reads strings as [`Release::V3_2`].
const VERSION_3_2: i64 = 0x3020_0000;

/// Every suite that a string can ask for.
const EVERY: &str = "ALL:COMPLEMENTOFALL";

/// How the OpenSSL of this host reads cipher strings.
pub(super) fn release() -> Release {
    if version::number() >= VERSION_3_2 { Release::V3_2 } else { Release::V3_0 }
}

pub(crate) fn suites() -> Result<LibrarySuites, ConfigError> {
    ask().map_err(|failure| failed(&failure))
}

fn ask() -> Result<LibrarySuites, ErrorStack> {
    let mut context = SslContextBuilder::new(SslMethod::tls_server())?;
    let every = cipher::parse(EVERY).map(|list| list.suites).unwrap_or_default();
    // The binding lists no suites. A string that is one name is refused where there is no such suite.
    let old = every.into_iter().filter(|suite| context.set_cipher_list(suite.name()).is_ok());
    let old: Vec<_> = old.collect();
    let new = cipher::tls13_suites().iter();
    let new = new.filter(|suite| context.set_ciphersuites(suite.name()).is_ok());
    let suites = new.chain(old).collect();
    let level = SslContextBuilder::new(SslMethod::tls_server())?.build().security_level();
    // Levels above 5 are taken for 5.
    let level = u8::try_from(level.min(5)).ok().and_then(SecurityLevel::new);
    Ok(LibrarySuites {
        backend: Backend::OpenSsl,
        release: release(),
        level: level.unwrap_or(SecurityLevel::USUAL),
        suites,
    })
}
