//! The certificates of both sides.

use std::sync::Arc;

use smtp_testkit::pki::{self, Authority, Leaf, Validity};
use smtp_tls::{Certificate, ClientPolicy, Identity, Roots, ServerPolicy, pem_sections};

use super::case::Key;
use super::script::HOST;

/// A root that signs with P-256, and a leaf right under it.
#[derive(Debug)]
pub struct Material {
    root: Authority,
    leaf: Leaf,
}

impl Material {
    /// Makes them; the leaf has a key of this kind.
    #[must_use]
    pub fn new(key: Key) -> Self {
        let root = Authority::root("Bench Root");
        let kind = match key {
            Key::P256 => pki::Key::Ecdsa,
            Key::Rsa2048 => pki::Key::Rsa,
        };
        Self { leaf: root.issue_as(&[HOST], kind, Validity::Now), root }
    }

    pub(super) fn root_der(&self) -> Vec<u8> {
        der(&self.root.certificate())
    }

    /// The certificate, and its key as PKCS #8.
    pub(super) fn leaf_der(&self) -> (Vec<u8>, Vec<u8>) {
        (der(&self.leaf.certificate), der(&self.leaf.key))
    }

    /// The policy of a server that has the leaf.
    #[must_use]
    pub fn server_policy(&self) -> ServerPolicy {
        let sections = pem_sections(self.leaf.chain_and_key().as_bytes()).expect("PEM");
        ServerPolicy::new(Arc::new(Identity::from_pem_sections(&sections).expect("an identity")))
    }

    /// The policy of a client that verifies the server.
    #[must_use]
    pub fn client_policy(&self) -> ClientPolicy {
        ClientPolicy::verified(Roots::Pem(vec![Certificate::from_der(self.root_der())]))
    }
}

fn der(pem: &str) -> Vec<u8> {
    pem_sections(pem.as_bytes()).expect("PEM")[0].der.clone()
}
