//! The certificates of both sides.

use std::sync::Arc;

use smtp_testkit::pki::{self, Authority, Leaf, Validity, client};
use smtp_tls::{
    Certificate, ClientPolicy, ClientTrust, Identity, Roots, ServerPolicy, pem_sections,
};

use super::case::{Case, Key, Path};
use super::script::HOST;

/// Who shows a certificate has it with this address.
const ADDRESS: &str = "bench@example.org";

/// A root that signs with P-256, and right under it a server's leaf and a client's, of P-256.
#[derive(Debug)]
pub struct Material {
    root: Authority,
    leaf: Leaf,
    client: Leaf,
}

impl Material {
    /// Makes them; the server's leaf has a key of this kind.
    #[must_use]
    pub fn new(key: Key) -> Self {
        let root = Authority::root("Bench Root");
        let kind = match key {
            Key::P256 => pki::Key::Ecdsa,
            Key::Rsa2048 => pki::Key::Rsa,
        };
        Self {
            leaf: root.issue_as(&[HOST], kind, Validity::Now),
            client: root.issue_client(&client::Client::new(ADDRESS)),
            root,
        }
    }

    pub(super) fn root_der(&self) -> Vec<u8> {
        der(&self.root.certificate())
    }

    /// The server's certificate, and its key as PKCS #8.
    pub(super) fn leaf_der(&self) -> (Vec<u8>, Vec<u8>) {
        (der(&self.leaf.certificate), der(&self.leaf.key))
    }

    /// The client's certificate, and its key as PKCS #8.
    pub(super) fn client_der(&self) -> (Vec<u8>, Vec<u8>) {
        (der(&self.client.certificate), der(&self.client.key))
    }

    /// The policy of a server that has the leaf.
    #[must_use]
    pub fn server_policy(&self, case: &Case) -> ServerPolicy {
        let mut policy = ServerPolicy::new(identity(&self.leaf));
        policy.clients = case.shown.then(|| {
            let root = Certificate::from_der(self.root_der());
            Arc::new(ClientTrust::new(vec![root], [ADDRESS]))
        });
        policy
    }

    /// The policy of a client that verifies the server.
    #[must_use]
    pub fn client_policy(&self, case: &Case) -> ClientPolicy {
        let root = Certificate::from_der(self.root_der());
        let mut policy = ClientPolicy::verified(Roots::Pem(vec![root]));
        policy.implicit = case.path == Path::Smtps;
        policy.identity = case.shown.then(|| identity(&self.client));
        policy
    }
}

fn identity(leaf: &Leaf) -> Arc<Identity> {
    let sections = pem_sections(leaf.chain_and_key().as_bytes()).expect("PEM");
    Arc::new(Identity::from_pem_sections(&sections).expect("an identity"))
}

fn der(pem: &str) -> Vec<u8> {
    pem_sections(pem.as_bytes()).expect("PEM")[0].der.clone()
}
