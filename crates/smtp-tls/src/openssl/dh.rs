//! The group for DHE: the largest that the security level takes.

use openssl::{
    bn::{BigNum, BigNumContext, BigNumRef},
    dh::Dh,
    error::ErrorStack,
    pkey::Params,
    ssl::SslMethod,
};

use super::{ciphers::Ciphers, context, library};
use crate::{Cause, ConfigError, DhParameters, Loss, ServerPolicy, Unhonoured};

/// Chooses, and reports each group that is not used.
pub(super) fn choose(
    policy: &ServerPolicy,
    ciphers: &Ciphers<'_>,
    unhonoured: &mut Vec<Unhonoured>,
) -> Result<Option<Dh<Params>>, ConfigError> {
    let mut report = |origin, loss, reason| {
        unhonoured.push(Unhonoured { origin, setting: "dh", loss, cause: Cause::Library, reason });
    };
    if !ciphers.use_dhe(policy)? {
        for group in &policy.dh {
            let reason = "no suite with DHE can be used".to_owned();
            report(group.origin(), Loss::NotNeeded, reason);
        }
        return Ok(None);
    }
    let mut probe = context(SslMethod::tls_server(), policy.versions).map_err(|e| library(&e))?;
    ciphers.apply(&mut probe)?;
    let level = ciphers.level;
    let mut chosen: Option<(Dh<Params>, usize)> = None;
    let mut groups: Vec<_> = policy.dh.iter().collect();
    groups.sort_by_key(|group| std::cmp::Reverse(group.bits()));
    for group in groups {
        let bits = group.bits();
        let mut lost = |loss, reason| report(group.origin(), loss, reason);
        if let Some((_, used)) = chosen {
            lost(Loss::NotNeeded, format!("the group of {used} bits is used, not that of {bits}"));
            continue;
        }
        match Dh::params_from_der(group.der()) {
            Ok(dh) if !is_safe_prime(dh.prime_p()).map_err(|e| library(&e))? => {
                lost(Loss::Whole, "its modulus is no safe prime: it is corrupt".to_owned());
            }
            Ok(dh) if probe.set_tmp_dh(&dh).is_ok() => chosen = Some((dh, bits)),
            _ => lost(
                Loss::Whole,
                format!("OpenSSL refuses a group of {bits} bits at security level {level}"),
            ),
        }
    }
    if chosen.is_none() {
        let standard = DhParameters::ffdhe2048();
        let dh = Dh::params_from_der(standard.der()).map_err(|e| library(&e))?;
        if probe.set_tmp_dh(&dh).is_ok() {
            return Ok(Some(dh));
        }
        report(
            policy.ciphers.as_ref().and_then(|ciphers| ciphers.origin),
            Loss::Partial,
            format!(
                "suites with DHE are not offered: security level {level} takes no group of {} bits, \
                 and there is no larger one",
                standard.bits()
            ),
        );
    }
    Ok(chosen.map(|(dh, _)| dh))
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
    use super::*;

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
