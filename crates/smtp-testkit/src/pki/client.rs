//! Client certificates and revocation lists, good and hostile.
//!
//! Does: issue client certificates with any subject, purpose and validity, make authorities that
//! lack a right, and revocation lists. Where the library makes only well-formed names, a certificate
//! is taken apart, changed and signed again. Does not: read or check a certificate. Fails: by
//! panicking.

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer,
    GeneralSubtree, IsCa, Issuer, KeyIdMethod, KeyPair, NameConstraints, RevokedCertParams,
    SanType, SerialNumber, SigningKey, date_time_ymd,
};
pub use rcgen::{ExtendedKeyUsagePurpose as Purpose, KeyUsagePurpose as Use};

use super::{Authority, Key, Leaf, Validity, authority, key, leaf};

/// ASN.1 string types, as the octet of their tag.
pub mod string {
    /// UTF8String.
    pub const UTF8: u8 = 0x0c;
    /// PrintableString.
    pub const PRINTABLE: u8 = 0x13;
    /// TeletexString.
    pub const TELETEX: u8 = 0x14;
    /// IA5String.
    pub const IA5: u8 = 0x16;
    /// UniversalString.
    pub const UNIVERSAL: u8 = 0x1c;
    /// BMPString.
    pub const BMP: u8 = 0x1e;
}

/// commonName, in DER without its tag.
pub const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
/// PKCS #9 emailAddress, in DER without its tag.
pub const EMAIL_ADDRESS: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x01];

/// One attribute of a name: its type, the tag of its value, its value.
pub type Attribute<'a> = (&'a [u8], u8, &'a [u8]);

/// What a client certificate says. Made by [`Client::new`] and changed field by field.
#[derive(Clone, Debug)]
pub struct Client {
    /// The subject in DER.
    pub subject: Vec<u8>,
    /// The rfc822Names of the subject alternative name.
    pub alternative: Vec<String>,
    /// The extended key usage; empty: none.
    pub purposes: Vec<Purpose>,
    /// The key usage; empty: none.
    pub uses: Vec<Use>,
    /// When it is valid.
    pub validity: Validity,
    /// What kind of key it has.
    pub key: Key,
    /// It says that it is an authority.
    pub is_authority: bool,
}

impl Client {
    /// A good one with this address in its subject.
    pub fn new(address: &str) -> Self {
        Self::with_subject(&[
            &[(COMMON_NAME, string::UTF8, b"a client")],
            &[(EMAIL_ADDRESS, string::IA5, address.as_bytes())],
        ])
    }

    /// A good one with this subject: relative names of one or more attributes.
    pub fn with_subject(names: &[&[Attribute<'_>]]) -> Self {
        Self {
            subject: name(names),
            alternative: Vec::new(),
            purposes: vec![Purpose::ClientAuth],
            uses: vec![Use::DigitalSignature],
            validity: Validity::Now,
            key: Key::Ecdsa,
            is_authority: false,
        }
    }

    fn params(&self) -> CertificateParams {
        let mut params = leaf(&[], self.validity);
        params.subject_alt_names = self
            .alternative
            .iter()
            .map(|it| SanType::Rfc822Name(it.as_str().try_into().expect("an address is ASCII")))
            .collect();
        params.extended_key_usages = self.purposes.clone();
        params.key_usages = self.uses.clone();
        if self.is_authority {
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        }
        params
    }

    /// It signs itself.
    pub fn self_signed(&self) -> Leaf {
        let key = key(self.key);
        let der = self.params().self_signed(&key).expect("it signs itself").der().to_vec();
        let der = resign(&der, &key, |parts| {
            parts[3].clone_from(&self.subject);
            parts[5].clone_from(&self.subject);
        });
        Leaf { certificate: pem(&der), intermediates: Vec::new(), key: key.serialize_pem() }
    }
}

/// What is wrong with an authority.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// It expired.
    Expired,
    /// It may not sign certificates.
    SignsNoCertificates,
    /// It may not sign revocation lists.
    SignsNoLists,
    /// It says that it is no authority.
    NoAuthority,
    /// No authority may follow it.
    LastOfPath,
    /// What it issues is for TLS servers alone.
    ForServers,
}

fn flawed(name: &str, flaw: Flaw) -> CertificateParams {
    let mut params = authority(name);
    match flaw {
        Flaw::Expired => params.not_after = date_time_ymd(2001, 1, 1),
        Flaw::SignsNoCertificates => params.key_usages = vec![Use::CrlSign],
        Flaw::SignsNoLists => params.key_usages = vec![Use::KeyCertSign],
        Flaw::NoAuthority => params.is_ca = IsCa::ExplicitNoCa,
        Flaw::ForServers => params.extended_key_usages = vec![Purpose::ServerAuth],
        Flaw::LastOfPath => params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0)),
    }
    params
}

/// A revocation list to be made.
#[derive(Clone, Copy, Debug)]
pub struct List<'a> {
    /// What it revokes, as PEM.
    pub revoked: &'a [&'a str],
    /// When it is current.
    pub validity: Validity,
    /// Its first year, where it is not that of the validity.
    pub since: Option<i32>,
}

impl Default for List<'_> {
    fn default() -> Self {
        Self { revoked: &[], validity: Validity::Now, since: None }
    }
}

impl Authority {
    /// A root of this name that has a flaw.
    pub fn flawed_root(name: &str, flaw: Flaw) -> Self {
        let issuer = CertifiedIssuer::self_signed(flawed(name, flaw), key(Key::Ecdsa))
            .expect("an authority signs itself");
        Self { issuer, chain: Vec::new(), name: name.to_owned() }
    }

    /// An authority of this name below this one that has a flaw.
    pub fn flawed_intermediate(&self, name: &str, flaw: Flaw) -> Self {
        self.below(name, flawed(name, flaw))
    }

    /// An authority of this name below this one that may name the permitted mail addresses alone
    /// (RFC 5280 section 4.2.1.10); with none permitted, all but the excluded.
    pub fn constrained_intermediate(
        &self,
        name: &str,
        permitted: &[&str],
        excluded: &[&str],
    ) -> Self {
        let subtrees = |addresses: &[&str]| {
            addresses.iter().map(|it| GeneralSubtree::Rfc822Name((*it).to_owned())).collect()
        };
        let mut params = authority(name);
        params.name_constraints = Some(NameConstraints {
            permitted_subtrees: subtrees(permitted),
            excluded_subtrees: subtrees(excluded),
        });
        self.below(name, params)
    }

    /// A client's certificate.
    pub fn issue_client(&self, client: &Client) -> Leaf {
        let key = key(client.key);
        let certificate = client.params().signed_by(&key, &self.issuer).expect("it signs a leaf");
        let der = resign(certificate.der(), self.issuer.key(), |parts| {
            parts[5].clone_from(&client.subject);
        });
        Leaf { certificate: pem(&der), intermediates: self.chain.clone(), key: key.serialize_pem() }
    }

    /// The same certificate, of X.509 version 1 and so without extensions.
    pub fn as_version_1(&self, leaf: &Leaf) -> Leaf {
        let der = resign(&der(&leaf.certificate), self.issuer.key(), |parts| {
            parts.remove(0);
            parts.truncate(6);
        });
        Leaf { certificate: pem(&der), ..leaf.clone() }
    }

    /// The same certificate, with the public key of another one in PEM.
    pub fn with_key_of(&self, leaf: &Leaf, other: &str) -> Leaf {
        let der = resign(&der(&leaf.certificate), self.issuer.key(), |parts| {
            parts[6] = subject_public_key_info(other);
        });
        Leaf { certificate: pem(&der), ..leaf.clone() }
    }

    /// The same certificate, which does not say by which key it was signed.
    pub fn as_of_unnamed_key(&self, leaf: &Leaf) -> Leaf {
        let der = resign(&der(&leaf.certificate), self.issuer.key(), |parts| {
            forget_key(parts.last_mut().expect("a certificate has extensions"));
        });
        Leaf { certificate: pem(&der), ..leaf.clone() }
    }

    /// A revocation list, as PEM.
    pub fn list(&self, list: &List<'_>) -> String {
        list_pem(&self.list_der(list))
    }

    /// A list of changes alone (a delta CRL), as PEM.
    pub fn delta_list(&self) -> String {
        let list = self.list_der(&List::default());
        let changed = resign(&list, self.issuer.key(), |parts| {
            let extensions = parts.last_mut().expect("a list has extensions");
            // cRLNumber becomes deltaCRLIndicator: both are a number.
            let at = extensions.windows(3).position(|it| it == [0x55, 0x1d, 20]);
            extensions[at.expect("rcgen numbers its lists") + 2] = 27;
        });
        list_pem(&changed)
    }

    /// A list with one more extension ([`extension`]), as PEM.
    pub fn list_with(&self, list: &List<'_>, extension: &[u8]) -> String {
        let changed = resign(&self.list_der(list), self.issuer.key(), |parts| {
            let all = parts.last_mut().expect("a list has extensions");
            *all = tlv(0xa0, &tlv(0x30, &[contents(contents(all)), extension].concat()));
        });
        list_pem(&changed)
    }

    /// A list that does not say which key signed it, as PEM.
    pub fn list_of_unnamed_key(&self, list: &List<'_>) -> String {
        let changed = resign(&self.list_der(list), self.issuer.key(), |parts| {
            forget_key(parts.last_mut().expect("a list has extensions"));
        });
        list_pem(&changed)
    }

    /// A list of version 2 without any extension, as PEM.
    pub fn list_without_extensions(&self, list: &List<'_>) -> String {
        let changed = resign(&self.list_der(list), self.issuer.key(), |parts| {
            parts.pop().expect("a list has extensions");
        });
        list_pem(&changed)
    }

    fn list_der(&self, list: &List<'_>) -> Vec<u8> {
        let (from, until) = match list.validity {
            Validity::Now => (2020, 2049),
            Validity::Expired => (2000, 2001),
            Validity::NotYet => (2100, 2101),
        };
        let from = date_time_ymd(list.since.unwrap_or(from), 1, 1);
        let params = CertificateRevocationListParams {
            this_update: from,
            next_update: date_time_ymd(until, 1, 1),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: list
                .revoked
                .iter()
                .map(|pem| RevokedCertParams {
                    serial_number: serial(pem),
                    revocation_time: from,
                    reason_code: None,
                    invalidity_date: None,
                })
                .collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        // An authority that says that it signs none could not be made to.
        let willing = authority(&self.name);
        let issuer = Issuer::from_params(&willing, self.issuer.key());
        params.signed_by(&issuer).expect("an authority signs its list").der().to_vec()
    }
}

/// An extension in DER. Its type comes without a tag.
pub fn extension(kind: &[u8], critical: bool, value: &[u8]) -> Vec<u8> {
    let critical = if critical { tlv(0x01, &[0xff]) } else { Vec::new() };
    tlv(0x30, &[tlv(0x06, kind), critical, tlv(0x04, value)].concat())
}

/// A distinguished name in DER.
pub fn name(names: &[&[Attribute<'_>]]) -> Vec<u8> {
    let relative = |attributes: &&[Attribute<'_>]| {
        let attribute = |(kind, tag, value): &Attribute<'_>| {
            tlv(0x30, &[tlv(0x06, kind), tlv(*tag, value)].concat())
        };
        tlv(0x31, &attributes.iter().map(attribute).collect::<Vec<_>>().concat())
    };
    tlv(0x30, &names.iter().map(relative).collect::<Vec<_>>().concat())
}

/// A PEM section's octets.
pub fn der(pem: &str) -> Vec<u8> {
    let mut bits = 0_u32;
    let mut count = 0;
    let mut octets = Vec::new();
    let digits = pem.lines().filter(|line| !line.starts_with("-----")).flat_map(str::bytes);
    for digit in digits.take_while(|digit| *digit != b'=') {
        let value = BASE64.iter().position(|it| *it == digit).expect("a PEM section is base64");
        bits = (bits << 6) | u32::try_from(value).expect("a digit is below 64");
        count += 6;
        if count >= 8 {
            count -= 8;
            octets.push((bits >> count).to_be_bytes()[3]);
        }
    }
    octets
}

/// A PEM section that holds these octets.
pub fn section(label: &str, octets: &[u8]) -> String {
    let mut text = format!("-----BEGIN {label}-----\n");
    for line in octets.chunks(48) {
        for group in line.chunks(3) {
            let three = [group[0], *group.get(1).unwrap_or(&0), *group.get(2).unwrap_or(&0)];
            let bits = u32::from_be_bytes([0, three[0], three[1], three[2]]);
            for digit in 0..4 {
                let value = usize::try_from((bits >> (18 - 6 * digit)) & 63).expect("below 64");
                text.push(if digit <= group.len() { char::from(BASE64[value]) } else { '=' });
            }
        }
        text.push('\n');
    }
    text + "-----END " + label + "-----\n"
}

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

fn pem(certificate: &[u8]) -> String {
    section("CERTIFICATE", certificate)
}

fn list_pem(list: &[u8]) -> String {
    section("X509 CRL", list)
}

fn serial(certificate: &str) -> SerialNumber {
    let certificate = der(certificate);
    let tbs = &parts(contents(&certificate))[0].clone();
    let parts = parts(contents(tbs));
    let serial = parts.iter().find(|part| part[0] == 0x02).expect("a certificate has a serial");
    SerialNumber::from_slice(contents(serial))
}

fn subject_public_key_info(certificate: &str) -> Vec<u8> {
    let certificate = der(certificate);
    parts(contents(&parts(contents(&certificate))[0]))[6].clone()
}

/// Takes the signed part of a certificate or list apart, and signs what becomes of it.
fn resign(signed: &[u8], key: &KeyPair, change: impl FnOnce(&mut Vec<Vec<u8>>)) -> Vec<u8> {
    let outer = parts(contents(signed));
    let mut inner = parts(contents(&outer[0]));
    change(&mut inner);
    let tbs = tlv(0x30, &inner.concat());
    let signature = key.sign(&tbs).expect("a key signs");
    let signature = tlv(0x03, &[&[0][..], &signature].concat());
    tlv(0x30, &[tbs, outer[1].clone(), signature].concat())
}

/// Makes authorityKeyIdentifier, where it is there, an extension that nobody knows.
fn forget_key(extensions: &mut [u8]) {
    if let Some(at) = extensions.windows(3).position(|it| it == [0x55, 0x1d, 35]) {
        extensions[at + 2] = 99;
    }
}

fn tlv(tag: u8, contents: &[u8]) -> Vec<u8> {
    let length = contents.len().to_be_bytes();
    let short = length.iter().position(|octet| *octet != 0).unwrap_or(length.len() - 1);
    let length = &length[short..];
    let mut out = vec![tag];
    if length[0] >= 0x80 || length.len() > 1 {
        out.push(0x80 | u8::try_from(length.len()).expect("a length has 8 octets at most"));
    }
    out.extend_from_slice(length);
    out.extend_from_slice(contents);
    out
}

/// How many octets the tag and the length take, and how many follow them.
fn header(der: &[u8]) -> (usize, usize) {
    match der[1] {
        short @ 0..=0x7f => (2, usize::from(short)),
        long => {
            let octets = usize::from(long & 0x7f);
            let length = der[2..2 + octets].iter().fold(0, |all, it| (all << 8) | usize::from(*it));
            (2 + octets, length)
        }
    }
}

fn contents(der: &[u8]) -> &[u8] {
    let (begin, length) = header(der);
    &der[begin..begin + length]
}

fn parts(mut der: &[u8]) -> Vec<Vec<u8>> {
    let mut parts = Vec::new();
    while !der.is_empty() {
        let (begin, length) = header(der);
        let (part, rest) = der.split_at(begin + length);
        parts.push(part.to_vec());
        der = rest;
    }
    parts
}
