//! Which mail addresses an authority may name (RFC 5280 section 4.2.1.10).
//!
//! Does: hold the address of a subject to the constraints of those that issued the certificate, which
//! webpki does for alternative names alone. Does not: look at other kinds of names. Fails: where the
//! constraints cannot be read, the certificate that has them is [`MalformedCertificate`].

use x509_cert::ext::pkix::{
    NameConstraints, constraints::name::GeneralSubtrees, name::GeneralName,
};

use super::ClientAddress;
use crate::{MalformedCertificate, certificate::Extensions};

/// The mail addresses that an authority and all below it may give, in lower case. None in either: all.
pub(super) struct MailConstraints {
    permitted: Vec<String>,
    excluded: Vec<String>,
}

impl MailConstraints {
    pub(super) fn read(extensions: &Extensions<'_>) -> Result<Self, MalformedCertificate> {
        let constraints: Option<NameConstraints> = extensions.read()?;
        let (permitted, excluded) = constraints
            .map_or_else(Default::default, |it| (it.permitted_subtrees, it.excluded_subtrees));
        Ok(Self { permitted: addresses(permitted), excluded: addresses(excluded) })
    }

    pub(super) fn admit(&self, address: &ClientAddress) -> bool {
        let Self { permitted, excluded } = self;
        if permitted.is_empty() && excluded.is_empty() {
            return true;
        }
        let address = address.as_str().to_ascii_lowercase();
        // Of what has no host, nobody can say whether it is inside.
        let Some((_, host)) = address.rsplit_once('@') else { return false };
        let inside = |constraint: &String| match constraint {
            mailbox if mailbox.contains('@') => *mailbox == address,
            domain if domain.starts_with('.') => host.ends_with(domain.as_str()),
            exactly => host == exactly,
        };
        (permitted.is_empty() || permitted.iter().any(inside))
            && !excluded.iter().any(|it| it.is_empty() || inside(it))
    }
}

fn addresses(subtrees: Option<GeneralSubtrees>) -> Vec<String> {
    let addresses = subtrees.into_iter().flatten().filter_map(|subtree| match subtree.base {
        GeneralName::Rfc822Name(address) => Some(address.as_str().to_ascii_lowercase()),
        _ => None,
    });
    addresses.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_inside_of_a_mailbox_a_host_or_a_domain() {
        let admits = |permitted: &[&str], excluded: &[&str], address: &str| {
            let [permitted, excluded] =
                [permitted, excluded].map(|all| all.iter().map(|it| (*it).to_owned()).collect());
            let address = ClientAddress::from_octets(address.as_bytes()).unwrap();
            MailConstraints { permitted, excluded }.admit(&address)
        };
        for address in ["tim@a.example", "TIM@A.Example", "tim"] {
            assert!(admits(&[], &[], address), "{address}");
        }
        for (constraint, address, inside) in [
            ("a.example", "tim@a.example", true),
            ("a.example", "Tim@A.EXAMPLE", true),
            ("a.example", "tim@b.a.example", false),
            ("a.example", "tim@ba.example", false),
            ("a.example", "tim@a.example@b.example", false),
            (".a.example", "tim@b.a.example", true),
            (".a.example", "tim@a.example", false),
            (".a.example", "tim@ba.example", false),
            ("tim@a.example", "TIM@a.example", true),
            ("tim@a.example", "tom@a.example", false),
        ] {
            assert_eq!(admits(&[constraint], &[], address), inside, "{constraint} {address}");
            assert_eq!(admits(&[], &[constraint], address), !inside, "{constraint} {address}");
            assert!(admits(&["other.example", constraint], &[], address) == inside);
            assert!(!admits(&[constraint], &[constraint], address));
        }
        assert!(!admits(&["a.example"], &[], "a.example"));
        assert!(!admits(&[], &["a.example"], "tim"));
        assert!(!admits(&[], &[""], "tim@a.example"));
        assert!(!admits(&[""], &[], "tim@a.example"));
    }
}
