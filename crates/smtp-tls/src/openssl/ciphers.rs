//! A cipher string as OpenSSL takes it, and what it makes of it.

use openssl::{
    error::ErrorStack,
    ssl::{SslContextBuilder, SslContextRef, SslMethod},
};

use super::{context, error, groups, library, library::release};
use crate::{
    Backend, CipherString, ClientOffer, ConfigError, ServerOffer, ServerPolicy, Unhonoured,
    Version,
    cipher::{self, CipherList, KeyExchange, Release, SecurityLevel},
    suites,
};

pub(super) struct Ciphers<'a> {
    string: Option<&'a CipherString>,
    list: CipherList,
    /// The security level in force: the string's, or else the library's own.
    pub(super) level: SecurityLevel,
}

impl<'a> Ciphers<'a> {
    pub(super) fn of(
        policy: &'a ServerPolicy,
        unhonoured: &mut Vec<Unhonoured>,
    ) -> Result<Self, ConfigError> {
        let release = release();
        let list = match suites::read(policy, release, unhonoured)? {
            Some(list) => list,
            None => default_list(release)?,
        };
        let mut ciphers =
            Self { string: policy.ciphers.as_ref(), list, level: SecurityLevel::USUAL };
        let mut probe =
            context(SslMethod::tls_server(), policy.versions).map_err(|e| library(&e))?;
        ciphers.apply(&mut probe)?;
        ciphers.level = level(&probe.build());
        Ok(ciphers)
    }

    pub(super) fn apply(&self, context: &mut SslContextBuilder) -> Result<(), ConfigError> {
        let Some(ciphers) = self.string else { return Ok(()) };
        context
            .set_cipher_list(&ciphers.text)
            .map_err(|e: ErrorStack| suites::refused(ciphers, error::line(&e)))
    }

    /// The same refusal of an identity, with the level that it fails where the string sets it.
    pub(super) fn explain(&self, error: ConfigError) -> ConfigError {
        match (error, self.list.security_level) {
            (ConfigError::Identity { origin, reason }, Some(level))
                if reason.contains("too small") || reason.contains("too weak") =>
            {
                let reason = format!("{reason}: the cipher string asks for @SECLEVEL={level}");
                ConfigError::Identity { origin, reason }
            }
            (error, _) => error,
        }
    }

    /// Whether a suite can be used that a group of finite-field Diffie-Hellman is needed for.
    pub(super) fn use_dhe(&self, policy: &ServerPolicy) -> Result<bool, ConfigError> {
        let offer = self.offer(policy, true)?;
        Ok(offer.tls12.iter().any(|suite| suite.key_exchange() == KeyExchange::Dhe))
    }

    pub(super) fn offer(
        &self,
        policy: &ServerPolicy,
        has_dh: bool,
    ) -> Result<ServerOffer, ConfigError> {
        let mut offer = self.list.at_level(self.level, policy.versions);
        offer.tls12.retain(|suite| has_dh || suite.key_exchange() != KeyExchange::Dhe);
        let tls12 = suites::fitting(policy, Backend::OpenSsl, &offer.tls12)?;
        Ok(ServerOffer { tls13: offer.tls13, tls12, groups: groups::offered(self.level) })
    }
}

/// What a client with this context says that it can do: no policy has a cipher string for it.
pub(super) fn of_client(
    context: &SslContextRef,
    versions: (Version, Version),
) -> Result<ClientOffer, ConfigError> {
    let level = level(context);
    let offer = default_list(release())?.at_level(level, versions);
    let mut groups = groups::offered(level);
    // OpenSSL names no group that none of the versions has.
    groups.retain(|group| versions.1 == Version::Tls13 || !group.contains("MLKEM"));
    Ok(ClientOffer { tls13: offer.tls13, tls12: offer.tls12, groups })
}

fn default_list(release: Release) -> Result<CipherList, ConfigError> {
    cipher::parse_as("DEFAULT", release)
        .map_err(|e| ConfigError::Library { backend: Backend::OpenSsl, reason: e.to_string() })
}

fn level(context: &SslContextRef) -> SecurityLevel {
    // Levels above 5 are taken for 5.
    let level = u8::try_from(context.security_level().min(5)).unwrap_or(5);
    SecurityLevel::new(level).unwrap_or(SecurityLevel::USUAL)
}
