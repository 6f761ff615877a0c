//! Which certificate a client is shown by the name that it asks for (RFC 6066 section 3).
//!
//! Plain data. A name is exact, or stands for every name with one label more (`*.example`); an exact one
//! goes before. Names are checked when they are put in, and are the same in any case.

use std::{collections::BTreeMap, hash::Hash, net::IpAddr, sync::Arc};

use rustls_pki_types::DnsName;
use thiserror::Error;

use crate::Identity;

/// Identities by the name that a client asks for.
///
/// A name may have several identities with keys of different kinds, in order of preference. The first
/// whose key the client can use is shown; OpenSSL holds one of each kind, and its own order decides
/// among them.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::sync::Arc;
/// use smtp_tls::{Certificate, Identity, KeyKind, PrivateKey, ServerNames};
///
/// # let read = |n: u8| Arc::new(Identity::new(
/// #     Certificate::from_der(vec![n]), Vec::new(), PrivateKey::from_der(KeyKind::Pkcs8, vec![n])));
/// let (of_the_host, of_the_others) = (read(1), read(2));
/// let mut names = ServerNames::new();
/// names.insert("mx.example.org", Arc::clone(&of_the_host))?;
/// names.insert("*.example.org", Arc::clone(&of_the_others))?;
/// assert_eq!(names.get("MX.example.org"), [of_the_host]);
/// assert_eq!(names.get("mail.example.org"), [of_the_others]);
/// assert!(names.get("a.mail.example.org").is_empty());
/// assert!(names.insert("192.0.2.1", read(3)).is_err());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct ServerNames {
    exact: BTreeMap<String, Vec<Arc<Identity>>>,
    /// By what stands behind `*.`.
    below: BTreeMap<String, Vec<Arc<Identity>>>,
}

/// The text is no name that a client could ask for.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0:?} is not a server name: neither a DNS name nor *. with one behind it")]
pub struct MalformedServerName(String);

impl ServerNames {
    /// No name.
    #[must_use]
    pub const fn new() -> Self {
        Self { exact: BTreeMap::new(), below: BTreeMap::new() }
    }

    /// Shows this identity to clients that ask for `name`, where they cannot use one that the name
    /// has already.
    ///
    /// # Errors
    /// [`MalformedServerName`] if `name` is no DNS name in its ASCII form, and not `*.` with one behind it.
    /// An IP address is none: clients do not send it.
    pub fn insert(
        &mut self,
        name: &str,
        identity: Arc<Identity>,
    ) -> Result<(), MalformedServerName> {
        let lower = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
        let (table, key) = match lower.strip_prefix("*.") {
            Some(behind) => (&mut self.below, behind.to_owned()),
            None => (&mut self.exact, lower),
        };
        if key.parse::<IpAddr>().is_ok() || DnsName::try_from(key.as_str()).is_err() {
            return Err(MalformedServerName(name.to_owned()));
        }
        table.entry(key).or_default().push(identity);
        Ok(())
    }

    /// The identities for a name that a client asks for, in order of preference. None: the policy's own
    /// identity is shown.
    #[must_use]
    pub fn get(&self, name: &str) -> &[Arc<Identity>] {
        let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
        let below = || self.below.get(name.split_once('.')?.1);
        self.exact.get(&name).or_else(below).map_or(&[], Vec::as_slice)
    }

    /// Each name, as it would be put in, with its identities.
    pub fn iter(&self) -> impl Iterator<Item = (String, &[Arc<Identity>])> {
        let exact = self.exact.iter().map(|(name, all)| (name.clone(), all.as_slice()));
        let below = self.below.iter().map(|(name, all)| (format!("*.{name}"), all.as_slice()));
        exact.chain(below)
    }

    /// Whether there is no name.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.exact.is_empty() && self.below.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Certificate, KeyKind, PrivateKey};

    fn identity(n: u8) -> Arc<Identity> {
        let key = PrivateKey::from_der(KeyKind::Pkcs8, vec![n]);
        Arc::new(Identity::new(Certificate::from_der(vec![n; 40]), Vec::new(), key))
    }

    #[test]
    fn names_that_no_client_can_send_are_refused() {
        let mut names = ServerNames::new();
        for name in [
            "",
            ".",
            "*",
            "*.",
            "*.*.example",
            "a.*.example",
            "w*.example",
            "a b",
            "192.0.2.1",
            "*.192.0.2.1",
            "2001:db8::1",
            "b\u{fc}cher.example",
            "a..example",
            "a\0.example",
            "a\n",
        ] {
            let error = names.insert(name, identity(1)).unwrap_err();
            assert!(!error.to_string().contains('\n'), "{error}");
        }
        assert!(names.is_empty());
    }

    #[test]
    fn an_exact_name_goes_before_and_a_star_is_one_label() {
        let mut names = ServerNames::new();
        names.insert("A.Example.", identity(1)).unwrap();
        names.insert("*.Example", identity(2)).unwrap();
        names.insert("*.example", identity(3)).unwrap();
        let cases: [(&str, &[u8]); 7] = [
            ("a.example", &[1]),
            ("b.example", &[2, 3]),
            ("example", &[]),
            ("b.a.example", &[]),
            ("a.example.org", &[]),
            ("", &[]),
            (".example", &[2, 3]),
        ];
        for (name, expected) in cases {
            let expected: Vec<_> = expected.iter().map(|n| identity(*n)).collect();
            assert_eq!(names.get(name), expected, "{name}");
        }
        assert_eq!(names.get("B.EXAMPLE.").len(), 2);
        let all: Vec<_> = names.iter().map(|(name, all)| (name, all.len())).collect();
        assert_eq!(all, [("a.example".to_owned(), 1), ("*.example".to_owned(), 2)]);
    }
}
