//! The name of the host that a connection is made to, as TLS can use it.

use std::net::IpAddr;

use rustls_pki_types::DnsName;

/// What a host's name can be used for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PeerName {
    /// A DNS name, in lower case and without a final dot: sent as SNI, looked for in the certificate.
    Dns(String),
    /// An IP address: looked for in the certificate, never sent (RFC 6066 section 3).
    Ip(IpAddr),
    /// Neither, as it was given: of no use to TLS.
    Unusable(String),
}

impl PeerName {
    pub(crate) fn parse(host: &str) -> Self {
        let bare = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host);
        let bare = bare.strip_prefix("IPv6:").unwrap_or(bare);
        if let Ok(address) = bare.parse() {
            return Self::Ip(address);
        }
        let name = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
        match DnsName::try_from(name.as_str()) {
            Ok(_) => Self::Dns(name),
            Err(_) => Self::Unusable(host.to_owned()),
        }
    }

    /// What is sent as SNI.
    pub(crate) fn server_name(&self) -> Option<&str> {
        match self {
            Self::Dns(name) => Some(name),
            Self::Ip(_) | Self::Unusable(_) => None,
        }
    }
}

/// The SNI that a client sent, if it is a host name at all. It ends up in logs and header lines.
pub(crate) fn received_name(name: &str) -> Option<String> {
    match PeerName::parse(name) {
        PeerName::Dns(name) => Some(name),
        PeerName::Ip(_) | PeerName::Unusable(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_told_apart() {
        let dns = |name: &str| PeerName::Dns(name.to_owned());
        let unusable = |name: &str| PeerName::Unusable(name.to_owned());
        let table = [
            ("mx.example", dns("mx.example")),
            ("MX.Example.", dns("mx.example")),
            ("under_score.example", dns("under_score.example")),
            ("localhost", dns("localhost")),
            ("192.0.2.1", PeerName::Ip([192, 0, 2, 1].into())),
            ("[192.0.2.1]", PeerName::Ip([192, 0, 2, 1].into())),
            ("2001:db8::1", PeerName::Ip("2001:db8::1".parse().unwrap())),
            ("[IPv6:2001:db8::1]", PeerName::Ip("2001:db8::1".parse().unwrap())),
            ("", unusable("")),
            ("a b", unusable("a b")),
            ("b\u{fc}cher.example", unusable("b\u{fc}cher.example")),
            ("x\r\nX-Header: y", unusable("x\r\nX-Header: y")),
            ("*.example", unusable("*.example")),
        ];
        for (host, expected) in table {
            assert_eq!(PeerName::parse(host), expected, "{host:?}");
        }
        assert_eq!(PeerName::parse("192.0.2.1").server_name(), None);
        assert_eq!(received_name("A.Example"), Some("a.example".to_owned()));
        assert_eq!(received_name("a\0b"), None);
    }
}
