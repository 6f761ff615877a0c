//! Certificates for tests, as PEM.
//!
//! Does: make an authority, authorities below it, and leaves that are good, expired, not yet
//! valid, for another name, or signed by themselves. Does not: read or check a certificate.
//! Fails: by panicking, on a name that no certificate can hold.

pub mod client;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose, RsaKeySize, date_time_ymd,
};

/// What kind of key a leaf has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// ECDSA on P-256.
    Ecdsa,
    /// RSA of 2048 bits.
    Rsa,
}

/// When a leaf is valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Validity {
    /// From 2020 to 2049.
    Now,
    /// Until 2001.
    Expired,
    /// From 2100.
    NotYet,
}

/// An authority that issues certificates.
#[derive(Debug)]
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    /// The certificates between a leaf of this authority and the root, nearest first.
    chain: Vec<String>,
    name: String,
}

/// A certificate with its key.
#[derive(Clone, Debug)]
pub struct Leaf {
    /// The certificate alone.
    pub certificate: String,
    /// The certificates between it and the root, nearest first, without the root.
    pub intermediates: Vec<String>,
    /// The private key, as PKCS #8.
    pub key: String,
}

impl Leaf {
    /// The certificate and those between it and the root, as a server sends them.
    pub fn chain(&self) -> String {
        format!("{}{}", self.certificate, self.intermediates.concat())
    }

    /// The chain and the key in one file.
    pub fn chain_and_key(&self) -> String {
        format!("{}{}", self.chain(), self.key)
    }
}

impl Authority {
    /// A root of this name.
    pub fn root(name: &str) -> Self {
        let issuer = CertifiedIssuer::self_signed(authority(name), key(Key::Ecdsa))
            .expect("an authority signs itself");
        Self { issuer, chain: Vec::new(), name: name.to_owned() }
    }

    /// An authority of this name below this one.
    pub fn intermediate(&self, name: &str) -> Self {
        self.below(name, authority(name))
    }

    fn below(&self, name: &str, params: CertificateParams) -> Self {
        let issuer = CertifiedIssuer::signed_by(params, key(Key::Ecdsa), &self.issuer)
            .expect("an authority signs one below it");
        let mut chain = vec![issuer.pem()];
        chain.extend(self.chain.iter().cloned());
        Self { issuer, chain, name: name.to_owned() }
    }

    /// The authority's own certificate.
    pub fn certificate(&self) -> String {
        self.issuer.pem()
    }

    /// A leaf for these names (DNS names or IP addresses), with an ECDSA key, valid now.
    pub fn issue(&self, names: &[&str]) -> Leaf {
        self.issue_as(names, Key::Ecdsa, Validity::Now)
    }

    /// A leaf for these names, of this kind and validity.
    pub fn issue_as(&self, names: &[&str], kind: Key, validity: Validity) -> Leaf {
        let key = key(kind);
        let certificate = leaf(names, validity)
            .signed_by(&key, &self.issuer)
            .expect("an authority signs a leaf")
            .pem();
        Leaf { certificate, intermediates: self.chain.clone(), key: key.serialize_pem() }
    }
}

/// A certificate for these names that signs itself.
pub fn self_signed(names: &[&str]) -> Leaf {
    let key = key(Key::Ecdsa);
    let certificate =
        leaf(names, Validity::Now).self_signed(&key).expect("a certificate signs itself").pem();
    Leaf { certificate, intermediates: Vec::new(), key: key.serialize_pem() }
}

/// The same, with an end in seconds since 1970.
pub fn self_signed_until(names: &[&str], end: u64) -> Leaf {
    let key = key(Key::Ecdsa);
    let mut parameters = leaf(names, Validity::Now);
    parameters.not_after = date_time_ymd(1970, 1, 1) + std::time::Duration::from_secs(end);
    let certificate = parameters.self_signed(&key).expect("a certificate signs itself").pem();
    Leaf { certificate, intermediates: Vec::new(), key: key.serialize_pem() }
}

/// A private key that belongs to no certificate here, as PKCS #8.
pub fn unrelated_key() -> String {
    key(Key::Ecdsa).serialize_pem()
}

fn key(kind: Key) -> KeyPair {
    match kind {
        Key::Ecdsa => KeyPair::generate(),
        Key::Rsa => KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, RsaKeySize::_2048),
    }
    .expect("the library makes keys")
}

fn named(common_name: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common_name);
    name
}

fn authority(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = named(name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.use_authority_key_identifier_extension = true;
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.not_before = date_time_ymd(2000, 1, 1);
    params.not_after = date_time_ymd(2200, 1, 1);
    params
}

fn leaf(names: &[&str], validity: Validity) -> CertificateParams {
    let owned: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
    let mut params = CertificateParams::new(owned)
        .unwrap_or_else(|error| panic!("no certificate can hold {names:?}: {error}"));
    params.distinguished_name = named(names.first().copied().unwrap_or("nobody"));
    params.use_authority_key_identifier_extension = true;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let (from, to) = match validity {
        Validity::Now => (2020, 2049),
        Validity::Expired => (2000, 2001),
        Validity::NotYet => (2100, 2101),
    };
    params.not_before = date_time_ymd(from, 1, 1);
    params.not_after = date_time_ymd(to, 1, 1);
    params
}
