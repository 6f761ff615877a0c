//! What asking clients for certificates needs, whichever library asks: the names of the authorities
//! that they are shown, and how much of a client's chain is held.
//!
//! Nothing is verified here but the shape. Whether a certificate opens the relay is judged later.

use crate::{Cause, ClientCertificateProblem, ClientTrust, Loss, Unhonoured, certificate::Fields};

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

/// The names of the authorities, in DER, each once. None of them where they are too many to be shown:
/// clients then choose a certificate without. `None` where no authority can be read, so that nobody's
/// certificate could be trusted: clients are not asked then.
pub(crate) fn asked_for<'a>(
    trust: &'a ClientTrust,
    unhonoured: &mut Vec<Unhonoured>,
) -> Option<Vec<&'a [u8]>> {
    let mut report = |loss, reason| {
        let (origin, cause) = (trust.origin, Cause::Library);
        unhonoured.push(Unhonoured { origin, setting: "clients", loss, cause, reason });
    };
    let mut names = Vec::new();
    for (n, authority) in trust.authorities.iter().enumerate() {
        match Fields::read(authority.der()) {
            Ok(fields) if !names.contains(&fields.subject) => names.push(fields.subject),
            Ok(_) => {}
            Err(e) => report(Loss::Partial, format!("authority {}: {e}", n + 1)),
        }
    }
    if names.is_empty() {
        let reason = "clients are not asked for certificates: there is no authority to trust";
        report(Loss::Whole, reason.to_owned());
        return None;
    }
    let octets: usize = names.iter().map(|name| name.len() + 2).sum();
    if octets > NAMES {
        let reason = format!(
            "the names of {} authorities are more than the {NAMES} octets that clients are shown: they \
             are shown none",
            names.len()
        );
        report(Loss::Partial, reason);
        names.clear();
    }
    Some(names)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Certificate;

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

    /// A certificate as far as its subject is read, of this many octets.
    fn authority(subject: usize) -> Certificate {
        let wrap = |content: &[u8]| {
            let length = content.len();
            let octets = u16::try_from(length).unwrap().to_be_bytes();
            let header = match length {
                0..0x80 => vec![0x30, octets[1]],
                0x80..0x100 => vec![0x30, 0x81, octets[1]],
                _ => vec![0x30, 0x82, octets[0], octets[1]],
            };
            [&header, content].concat()
        };
        let field = wrap(&[]);
        let subject = wrap(&vec![0; subject]);
        let tbs = wrap(&[&[2, 1, 1][..], &field, &field, &field, &subject, &field].concat());
        Certificate::from_der(wrap(&tbs))
    }

    #[test]
    fn names_are_shown_once_and_as_far_as_there_is_room() {
        let asked = |authorities: Vec<Certificate>| {
            let (trust, mut said) = (ClientTrust::new(authorities, ["a@example"]), Vec::new());
            let names = asked_for(&trust, &mut said).map(|names| names.len());
            (names, said.iter().map(|u| u.loss).collect::<Vec<_>>())
        };
        let garbage = || Certificate::from_der(vec![1, 2, 3]);
        assert_eq!(asked(vec![authority(9), authority(9), authority(8)]), (Some(2), vec![]));
        assert_eq!(asked(vec![authority(9), garbage()]), (Some(1), vec![Loss::Partial]));
        assert_eq!(asked(vec![garbage()]), (None, vec![Loss::Partial, Loss::Whole]));
        assert_eq!(asked(Vec::new()), (None, vec![Loss::Whole]));
        assert_eq!(asked(vec![authority(NAMES - 6)]), (Some(1), vec![]));
        assert_eq!(asked(vec![authority(NAMES - 5)]), (Some(0), vec![Loss::Partial]));
    }
}
