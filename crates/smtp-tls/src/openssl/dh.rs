//! The group for DHE: the largest of the policy's that the security level takes, or else the smallest of
//! RFC 7919. Level 5 takes none: it asks for 256 bits of strength, the largest group of RFC 7919 has less, and
//! OpenSSL takes no group of more than 10,000 bits. The suites that are lost by it are reported.

use openssl::{
    bn::{BigNum, BigNumContext, BigNumRef},
    dh::Dh,
    error::ErrorStack,
    pkey::Params,
    ssl::{SslContextBuilder, SslMethod},
};

use super::{ciphers::Ciphers, context, error, library};
use crate::{Cause, ConfigError, DhParameters, DheGroup, Loss, ServerPolicy, Unhonoured};

/// Chooses, and reports each group that is not used.
pub(super) fn choose(
    policy: &ServerPolicy,
    ciphers: &Ciphers<'_>,
    unhonoured: &mut Vec<Unhonoured>,
) -> Result<Option<(Dh<Params>, DheGroup)>, ConfigError> {
    let mut report = |origin, loss, reason| {
        unhonoured.push(Unhonoured { origin, setting: "dh", loss, cause: Cause::Library, reason });
    };
    let with_dhe = ciphers.with_dhe(policy)?;
    if with_dhe.is_empty() {
        for group in &policy.dh {
            let reason = "no suite with DHE can be used".to_owned();
            report(group.origin(), Loss::NotNeeded, reason);
        }
        return Ok(None);
    }
    let mut probe = context(SslMethod::tls_server(), policy.versions).map_err(|e| library(&e))?;
    ciphers.apply(&mut probe)?;
    let level = ciphers.level;
    let mut chosen: Option<(Dh<Params>, DheGroup)> = None;
    let mut groups: Vec<_> = policy.dh.iter().enumerate().collect();
    groups.sort_by_key(|(_, group)| std::cmp::Reverse(group.bits()));
    for (at, group) in groups {
        let bits = group.bits();
        let mut lost = |loss, reason| report(group.origin(), loss, reason);
        if let Some((_, DheGroup { bits: used, .. })) = chosen {
            lost(Loss::NotNeeded, format!("the group of {used} bits is used, not that of {bits}"));
            continue;
        }
        match Dh::params_from_der(group.der()) {
            Ok(dh) if !is_safe(group, &dh).map_err(|e| library(&e))? => {
                lost(Loss::Whole, "its modulus is no safe prime: it is corrupt".to_owned());
            }
            Ok(dh) if probe.set_tmp_dh(&dh).is_ok() => {
                chosen = Some((dh, DheGroup { bits, of_policy: Some(at) }));
            }
            Err(e) => lost(
                Loss::Whole,
                format!("OpenSSL cannot read it as PKCS #3 has it: {}", error::line(&e)),
            ),
            Ok(_) => lost(
                Loss::Whole,
                format!("OpenSSL refuses a group of {bits} bits at security level {level}"),
            ),
        }
    }
    if chosen.is_some() {
        return Ok(chosen);
    }
    let standard = standard(&mut probe).map_err(|e| library(&e))?;
    if standard.is_none() {
        let names: Vec<_> = with_dhe.iter().map(|suite| suite.name()).collect();
        unhonoured.push(Unhonoured {
            origin: policy.ciphers.as_ref().and_then(|ciphers| ciphers.origin),
            setting: "ciphers",
            loss: Loss::Partial,
            cause: Cause::Library,
            reason: format!(
                "not offered, for security level {level} takes no group of DHE, and none of RFC 7919: {}",
                names.join(", ")
            ),
        });
    }
    Ok(standard)
}

/// The smallest of the groups of RFC 7919 that the context's security level takes. Between those that
/// are tried no level has its limit.
fn standard(context: &mut SslContextBuilder) -> Result<Option<(Dh<Params>, DheGroup)>, ErrorStack> {
    for group in [DhParameters::ffdhe2048, DhParameters::ffdhe3072, DhParameters::ffdhe8192] {
        let group = group();
        let dh = Dh::params_from_der(group.der())?;
        if context.set_tmp_dh(&dh).is_ok() {
            return Ok(Some((dh, DheGroup { bits: group.bits(), of_policy: None })));
        }
    }
    Ok(None)
}

/// Found out once for each group, however many policies have it.
fn is_safe(group: &DhParameters, read: &Dh<Params>) -> Result<bool, ErrorStack> {
    group.is_safe.get(|| is_safe_prime(read.prime_p())).copied()
}

/// Whether both the number and the half of it are prime, as far as Fermat's test to the base 2 tells:
/// two exponentiations, where a proof would take seconds. It finds what was damaged, which is what it
/// is for; an operator's own file has no reason to deceive.
fn is_safe_prime(number: &BigNumRef) -> Result<bool, ErrorStack> {
    let mut half = BigNum::new()?;
    half.rshift1(number)?;
    Ok(passes(number)? && passes(&half)?)
}

fn passes(number: &BigNumRef) -> Result<bool, ErrorStack> {
    let mut exponent = number.to_owned()?;
    exponent.sub_word(1)?;
    let mut power = BigNum::new()?;
    power.mod_exp(&*BigNum::from_u32(2)?, &exponent, number, &mut *BigNumContext::new()?)?;
    Ok(power == BigNum::from_u32(1)?)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use smtp_testkit::pki::{Authority, Key, Validity};

    use super::*;
    use crate::{CipherString, Identity, OriginId, pem_sections};

    #[test]
    fn each_level_has_its_group_of_the_rfc() {
        for (level, bits) in [
            (0, Some(2048)),
            (1, Some(2048)),
            (2, Some(2048)),
            (3, Some(3072)),
            (4, Some(8192)),
            (5, None),
        ] {
            let mut context = SslContextBuilder::new(SslMethod::tls_server()).unwrap();
            context.set_security_level(level);
            let group = standard(&mut context).unwrap();
            let of = |(dh, group): (Dh<Params>, DheGroup)| {
                assert_eq!(usize::try_from(dh.prime_p().num_bits()), Ok(group.bits));
                group.bits
            };
            assert_eq!(group.map(of), bits, "{level}");
        }
    }

    #[test]
    fn the_groups_of_the_rfc_are_safe_primes() {
        for group in
            [DhParameters::ffdhe2048(), DhParameters::ffdhe3072(), DhParameters::ffdhe8192()]
        {
            let dh = Dh::params_from_der(group.der()).unwrap();
            assert!(is_safe_prime(dh.prime_p()).unwrap(), "{}", group.bits());
        }
    }

    #[test]
    fn a_level_above_every_group_is_said() {
        let leaf = Authority::root("Root").issue_as(&["mx.example"], Key::Rsa, Validity::Now);
        let sections = pem_sections(leaf.chain_and_key().as_bytes()).unwrap();
        let identity = Arc::new(Identity::from_pem_sections(&sections).unwrap());
        // The level itself takes out the suite of 128 bits.
        let names =
            "DHE-RSA-AES256-GCM-SHA384:DHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES256-GCM-SHA384";
        let text = format!("{names}:@SECLEVEL=5");
        let policy = ServerPolicy {
            ciphers: Some(CipherString { text, origin: Some(OriginId(9)) }),
            dh: vec![DhParameters::ffdhe3072().with_origin(OriginId(3))],
            ..ServerPolicy::new(identity)
        };
        let mut said = Vec::new();
        let ciphers = Ciphers::of(&policy, &mut said).unwrap();
        assert!(choose(&policy, &ciphers, &mut said).unwrap().is_none());
        let lost = &said.last().unwrap().reason;
        assert!(lost.ends_with("of RFC 7919: DHE-RSA-AES256-GCM-SHA384"), "{lost}");
        let said: Vec<_> =
            said.iter().map(|it| (it.setting, it.origin.unwrap().0, it.loss)).collect();
        assert_eq!(said, [("dh", 3, Loss::Whole), ("ciphers", 9, Loss::Partial)]);
        // What is offered is the rest, and nothing of DHE.
        let offer = ciphers.offer(&policy, None).unwrap();
        let names: Vec<_> = offer.tls12.iter().map(|suite| suite.name()).collect();
        assert_eq!(names, ["ECDHE-RSA-AES256-GCM-SHA384"]);
    }

    #[test]
    fn a_damaged_modulus_is_found() {
        let prime = Dh::params_from_der(DhParameters::ffdhe2048().der()).unwrap();
        let prime = prime.prime_p();
        assert!(is_safe_prime(prime).unwrap());
        for bit in [1, 2, 700, 2046] {
            let mut damaged = prime.to_owned().unwrap();
            if damaged.is_bit_set(bit) { damaged.clear_bit(bit) } else { damaged.set_bit(bit) }
                .unwrap();
            assert!(!is_safe_prime(&damaged).unwrap(), "{bit}");
        }
        // 13 is prime, and 6 is not; 23 and 11 are.
        assert!(!is_safe_prime(&BigNum::from_u32(13).unwrap()).unwrap());
        assert!(is_safe_prime(&BigNum::from_u32(23).unwrap()).unwrap());
    }
}
