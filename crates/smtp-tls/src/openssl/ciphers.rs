//! A cipher string as OpenSSL takes it, and what it makes of it.

use std::sync::LazyLock;

use openssl::{
    error::ErrorStack,
    ssl::{SslContextBuilder, SslContextRef, SslMethod},
};

use super::{error, groups, identity::Choice, library, library::release};
use crate::{
    Backend, CipherString, ClientOffer, ConfigError, DheGroup, Loss, ServerOffer, ServerPolicy,
    Unhonoured, Version,
    cipher::{self, CipherList, KeyExchange, Release, SecurityLevel, Suite, SuiteB},
    suites::{self, Kind, Kinds, by_default},
};

/// The level that this OpenSSL is configured with.
static OWN_LEVEL: LazyLock<Result<SecurityLevel, ErrorStack>> = LazyLock::new(|| {
    SslContextBuilder::new(SslMethod::tls_server()).map(|context| level(&context.build()))
});

pub(super) struct Ciphers<'a> {
    say: Say<'a>,
    list: CipherList,
    /// The security level in force: the string's, or else the library's own.
    pub(super) level: SecurityLevel,
}

/// How much of a string OpenSSL is given.
enum Say<'a> {
    /// All of it.
    Whole(&'a CipherString),
    /// The level, where it has one: there is no string, or no TLS 1.2, which the rest is about.
    Level,
}

impl<'a> Ciphers<'a> {
    pub(super) fn of(
        policy: &'a ServerPolicy,
        unhonoured: &mut Vec<Unhonoured>,
    ) -> Result<Self, ConfigError> {
        let release = release();
        let before = unhonoured.len();
        let list = match suites::read(policy, release, unhonoured)? {
            Some(list) => list,
            None => default_list(release)?,
        };
        let level = match list.security_level {
            Some(level) => level,
            // Asked once: each answer is a context.
            None => OWN_LEVEL.clone().map_err(|e| library(&e))?,
        };
        let say = match (&policy.ciphers, policy.versions.0) {
            (Some(ciphers), Version::Tls12) => Say::Whole(ciphers),
            // It holds TLS 1.3 to its curves and signatures too.
            (Some(ciphers), Version::Tls13) if list.suite_b.is_some() => {
                if let Some(said) = unhonoured.get_mut(before) {
                    said.loss = Loss::Partial;
                    said.reason.push_str("; its word of Suite B holds for TLS 1.3 all the same");
                }
                Say::Whole(ciphers)
            }
            _ => Say::Level,
        };
        Ok(Self { say, list, level })
    }

    pub(super) fn apply(&self, context: &mut SslContextBuilder) -> Result<(), ConfigError> {
        match (&self.say, self.list.security_level) {
            (Say::Whole(ciphers), _) => context
                .set_cipher_list(&ciphers.text)
                .map_err(|e: ErrorStack| suites::refused(ciphers, error::line(&e)))?,
            (Say::Level, Some(level)) => context.set_security_level(level.get().into()),
            (Say::Level, None) => {}
        }
        Ok(())
    }

    /// What the string and the policy have identities chosen by.
    pub(super) fn choice(&self, policy: &ServerPolicy) -> Choice {
        Choice { versions: policy.versions, suite_b: self.suite_b(), release: self.list.release }
    }

    fn suite_b(&self) -> Option<SuiteB> {
        match self.say {
            Say::Whole(_) => self.list.suite_b,
            Say::Level => None,
        }
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

    /// The suites that can be used and that a group of finite-field Diffie-Hellman is needed for.
    pub(super) fn with_dhe(
        &self,
        policy: &ServerPolicy,
    ) -> Result<Vec<&'static Suite>, ConfigError> {
        let mut suites = self.tls12(policy, true)?;
        suites.retain(|suite| suite.key_exchange() == KeyExchange::Dhe);
        Ok(suites)
    }

    /// What can be had under the policy, with this group for DHE.
    pub(super) fn offer(
        &self,
        policy: &ServerPolicy,
        dhe: Option<DheGroup>,
    ) -> Result<ServerOffer, ConfigError> {
        let tls12 = self.tls12(policy, dhe.is_some())?;
        let used = self.choice(policy).among(&by_default(policy), &mut Vec::new())?;
        let tls13 = match used.iter().any(|used| used.usable.tls13) {
            true => self.list.at_level(self.level, policy.versions).tls13,
            false => Vec::new(),
        };
        let groups = groups::of_server(self.level, self.suite_b(), &tls13, &tls12);
        Ok(ServerOffer { tls13, tls12, groups, dhe })
    }

    fn tls12(
        &self,
        policy: &ServerPolicy,
        has_dh: bool,
    ) -> Result<Vec<&'static Suite>, ConfigError> {
        let mut tls12 = self.list.at_level(self.level, policy.versions).tls12;
        tls12.retain(|suite| has_dh || suite.key_exchange() != KeyExchange::Dhe);
        let choice = self.choice(policy);
        suites::fitting(policy, Backend::OpenSsl, &tls12, |identities| {
            let mut kinds = Kinds::default();
            let mut unhonoured = Vec::new();
            for used in choice.among(identities, &mut unhonoured)? {
                if used.usable.tls12 {
                    kinds.usable.push(Kind::of(used.identity));
                } else {
                    kinds.why_not = kinds.why_not.or(used.usable.limit);
                }
            }
            kinds.why_not = kinds.why_not.or(unhonoured.into_iter().next().map(|it| it.reason));
            Ok(kinds)
        })
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

#[cfg(test)]
mod tests {
    use super::*;

    /// For every string of the tables that this OpenSSL takes.
    #[test]
    fn the_level_in_force_is_the_one_that_a_context_then_has() {
        let strings = include_str!("../../tests/cipher/strings.txt");
        let more = ["HIGH:@SECLEVEL=0", "HIGH:@SECLEVEL=3:@SECLEVEL=1", "@SECLEVEL=4:ECDHE:!aNULL"];
        let (mut compared, mut levels) = (0, std::collections::HashSet::new());
        let strings = strings.lines().filter_map(|line| line.strip_prefix('"')?.strip_suffix('"'));
        for text in strings.chain(more) {
            let mut context = SslContextBuilder::new(SslMethod::tls_server()).unwrap();
            let Ok(list) = cipher::parse_as(text, release()) else { continue };
            if context.set_cipher_list(text).is_err() {
                continue;
            }
            let said = list.security_level.unwrap_or(OWN_LEVEL.clone().unwrap());
            assert_eq!(said, level(&context.build()), "{text}");
            compared += 1;
            levels.insert(said);
        }
        assert!(compared > 100 && levels.len() == 6, "{compared} {levels:?}");
    }
}
