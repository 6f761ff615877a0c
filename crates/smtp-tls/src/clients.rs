//! What asking clients for certificates needs, whichever library asks: the names of the authorities
//! that they are shown, and how much of a client's chain is held.
//!
//! Nothing is verified here but the shape. Whether a certificate opens the relay is judged later.

use crate::certificate::Fields;
use crate::{ClientCertificateProblem, ClientTrust, ConfigError, Loss, Unhonoured};

/// The most certificates that a client's chain may have. Public authorities need three.
pub(crate) const CERTIFICATES: usize = 10;

/// The most octets that a client's chain may have. One of RSA has some 6 KiB; signatures that
/// withstand a quantum computer make it three times that.
pub(crate) const OCTETS: usize = 32 * 1024;

/// The most octets of names that clients are shown. TLS has room for 64 KiB (RFC 8446 section 4.2.4),
/// but some clients take no message of more than one or two records.
const NAMES: usize = 16 * 1024;

/// Whether a chain of certificates of these lengths, the client's own first, is held at all.
pub(crate) fn check_size(
    lengths: impl IntoIterator<Item = usize>,
) -> Result<(), ClientCertificateProblem> {
    let (mut certificates, mut octets) = (0, 0_usize);
    for length in lengths {
        certificates += 1;
        octets = octets.saturating_add(length);
        if certificates > CERTIFICATES || octets > OCTETS {
            return Err(ClientCertificateProblem::TooLarge);
        }
    }
    Ok(())
}

/// The names of the authorities, in DER. None where they are too many to be shown: clients then choose
/// a certificate without them.
pub(crate) fn authority_names<'a>(
    trust: &'a ClientTrust,
    unhonoured: &mut Vec<Unhonoured>,
) -> Result<Vec<&'a [u8]>, ConfigError> {
    let failed = |reason| ConfigError::Clients { origin: trust.origin, reason };
    if trust.authorities.is_empty() {
        return Err(failed("no authority is trusted".to_owned()));
    }
    let mut names = Vec::new();
    for authority in &trust.authorities {
        let fields = Fields::read(authority.der()).map_err(|e| failed(e.to_string()))?;
        if !names.contains(&fields.subject) {
            names.push(fields.subject);
        }
    }
    let octets: usize = names.iter().map(|name| name.len() + 2).sum();
    if octets > NAMES {
        unhonoured.push(Unhonoured {
            origin: trust.origin,
            setting: "clients",
            loss: Loss::Partial,
            reason: format!(
                "the names of {} authorities are more than the {NAMES} octets that clients are shown: \
                 they are shown none",
                names.len()
            ),
        });
        names.clear();
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_is_held_up_to_its_bounds() {
        let too_large = Err(ClientCertificateProblem::TooLarge);
        assert_eq!(check_size([]), Ok(()));
        assert_eq!(check_size([1; CERTIFICATES]), Ok(()));
        assert_eq!(check_size([1; CERTIFICATES + 1]), too_large);
        assert_eq!(check_size([OCTETS]), Ok(()));
        assert_eq!(check_size([OCTETS, 1]), too_large);
        assert_eq!(check_size([usize::MAX, usize::MAX]), too_large);
    }
}
