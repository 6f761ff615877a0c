//! What a connector says of its offer is what its first message says on the wire.
#![cfg(any(feature = "rustls", feature = "openssl"))]
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use common::*;
use smtp_tls::{Backend, ClientPolicy, Connector, Version, cipher};
use tokio::io::AsyncReadExt;

/// Signalling values in the place of suites (RFC 5746 section 3.3, RFC 7507 section 4).
const NO_SUITES: [u16; 2] = [0x00ff, 0x5600];
const SUPPORTED_GROUPS: u16 = 10;
const SUPPORTED_VERSIONS: u16 = 43;
const TLS13: u16 = 0x0304;

/// The names of IANA's numbers (registry "TLS Supported Groups").
fn group(number: u16) -> &'static str {
    match number {
        23 => "secp256r1",
        24 => "secp384r1",
        25 => "secp521r1",
        29 => "x25519",
        30 => "x448",
        4588 => "X25519MLKEM768",
        other => panic!("group {other}"),
    }
}

/// Reads a ClientHello (RFC 8446 section 4.1.2) from its front.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(length);
        self.0 = rest;
        taken
    }

    fn number(&mut self, octets: usize) -> usize {
        self.take(octets).iter().fold(0, |number, octet| number << 8 | usize::from(*octet))
    }

    fn vector(&mut self, octets: usize) -> Self {
        let length = self.number(octets);
        Self(self.take(length))
    }

    fn numbers(mut self) -> Vec<u16> {
        let mut all = Vec::new();
        while !self.0.is_empty() {
            all.push(u16::try_from(self.number(2)).unwrap());
        }
        all
    }
}

struct Hello {
    suites: Vec<u16>,
    groups: Vec<u16>,
    versions: Vec<u16>,
}

async fn hello(connector: &Connector) -> Hello {
    let (mut near, far) = tokio::io::duplex(64 * 1024);
    let server = async {
        let mut message = Vec::new();
        loop {
            let mut head = [0; 5];
            near.read_exact(&mut head).await.unwrap();
            assert_eq!(head[0], 22, "a handshake record");
            let mut record = vec![0; usize::from(u16::from_be_bytes([head[3], head[4]]))];
            near.read_exact(&mut record).await.unwrap();
            message.extend(record);
            let whole = 4 + Reader(&message[1..4]).number(3);
            if message.len() >= whole {
                drop(near);
                return message;
            }
        }
    };
    let (message, ended) = tokio::join!(server, connector.connect(HOST, far));
    assert!(ended.is_err());
    let mut reader = Reader(&message);
    assert_eq!(reader.number(1), 1, "a ClientHello");
    let mut body = reader.vector(3);
    body.take(2 + 32);
    body.vector(1);
    let suites = body.vector(2).numbers();
    body.vector(1);
    let mut extensions = body.vector(2);
    let (mut groups, mut versions) = (Vec::new(), Vec::new());
    while !extensions.0.is_empty() {
        let kind = u16::try_from(extensions.number(2)).unwrap();
        let mut content = extensions.vector(2);
        match kind {
            SUPPORTED_GROUPS => groups = content.vector(2).numbers(),
            SUPPORTED_VERSIONS => versions = content.vector(1).numbers(),
            _ => {}
        }
    }
    Hello { suites, groups, versions }
}

#[tokio::test]
async fn the_offer_is_what_the_first_message_says() {
    let root = root();
    for &backend in Backend::available() {
        for versions in [
            (Version::Tls12, Version::Tls13),
            (Version::Tls12, Version::Tls12),
            (Version::Tls13, Version::Tls13),
        ] {
            for policy in [ClientPolicy::required(), trusting(&root)] {
                let connector =
                    Connector::new(backend, &ClientPolicy { versions, ..policy }).unwrap();
                let context = format!("{backend} {versions:?}");
                let offer = connector.offer();
                let said = hello(&connector).await;

                let suites: Vec<_> =
                    offer.tls13.iter().chain(&offer.tls12).map(|s| s.id()).collect();
                let mut sent = said.suites;
                sent.retain(|suite| !NO_SUITES.contains(suite));
                // rustls names all that it has, whichever version it speaks.
                sent.retain(|suite| match cipher::suite(*suite).unwrap().protocol() {
                    cipher::Protocol::Tls13 => versions.1 == Version::Tls13,
                    _ => versions.0 == Version::Tls12,
                });
                assert_eq!(suites, sent, "{context}");
                assert_eq!(offer.tls12.is_empty(), versions.0 == Version::Tls13, "{context}");
                assert_eq!(!offer.tls13.is_empty(), versions.1 == Version::Tls13, "{context}");
                assert!(offer.tls12.iter().all(|s| s.protocol() != cipher::Protocol::Tls13));
                assert_eq!(said.versions.contains(&TLS13), !offer.tls13.is_empty(), "{context}");
                let groups: Vec<_> = said.groups.into_iter().map(group).collect();
                assert_eq!(offer.groups, groups, "{context}");
            }
        }
    }
}
