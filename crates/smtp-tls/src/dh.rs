//! Parameters for finite-field Diffie-Hellman, as a server's temporary key files hold them.
//!
//! Plain data: a modulus and a generator in DER (RFC 3279 section 2.3.3 names the fields; the form is
//! that of PKCS #3). Whether the modulus is a safe prime is for the TLS library to check; what is
//! no such structure at all is a [`MalformedDhParameters`].

use std::{
    hash::{Hash, Hasher},
    sync::Arc,
};

use thiserror::Error;
use x509_cert::der::{Reader, SliceReader, asn1::UintRef};

use crate::{OriginId, certificate::enter, pem};

/// The bits of a modulus that are worth a look: below, it is no parameter of any TLS; above, a
/// handshake would take seconds (OpenSSL's own limit is the same).
const BITS: std::ops::RangeInclusive<usize> = 256..=10_000;

/// A group for DHE: its modulus and generator.
///
/// Equal parameters are equal wherever they were written. Cheap to clone, and to hash: a policy is looked up
/// for each connection.
#[derive(Clone, Debug)]
pub struct DhParameters {
    der: Arc<[u8]>,
    bits: usize,
    origin: Option<OriginId>,
}

impl PartialEq for DhParameters {
    fn eq(&self, other: &Self) -> bool {
        let Self { der, bits: _, origin: _ } = self;
        *der == other.der
    }
}

impl Eq for DhParameters {}

/// The last octets are of the modulus and the generator: they differ where groups do.
impl Hash for DhParameters {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.der.last_chunk::<32>().map_or(&self.der[..], |end| end).hash(state);
    }
}

/// The octets are no parameters for Diffie-Hellman.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("not DH parameters: {0}")]
pub struct MalformedDhParameters(String);

impl DhParameters {
    /// Parameters in DER: `SEQUENCE { prime, generator, … }`.
    ///
    /// # Errors
    /// [`MalformedDhParameters`] if they are not, if the modulus is even or has fewer than 256 bits or
    /// more than 10,000, or if the generator is no number between 2 and the modulus.
    pub fn from_der(der: Vec<u8>) -> Result<Self, MalformedDhParameters> {
        let malformed = |what: String| MalformedDhParameters(what);
        let (prime, generator) = numbers(&der).map_err(|e| malformed(e.to_string()))?;
        let bits = bits(&prime);
        if !BITS.contains(&bits) {
            let (lowest, highest) = (BITS.start(), BITS.end());
            return Err(malformed(format!(
                "a modulus of {bits} bits, where {lowest} to {highest} are possible"
            )));
        }
        if prime.last().is_none_or(|last| last % 2 == 0) {
            return Err(malformed("the modulus is even, and so no prime".to_owned()));
        }
        let below =
            generator.len() < prime.len() || (generator.len() == prime.len() && generator < prime);
        if !below || generator == [0] || generator == [1] {
            return Err(malformed("the generator is not between 2 and the modulus".to_owned()));
        }
        Ok(Self { der: der.into(), bits, origin: None })
    }

    /// The group ffdhe2048 (RFC 7919 appendix A.1).
    #[must_use]
    pub fn ffdhe2048() -> Self {
        // SEQUENCE of 264 octets: INTEGER of 257 (its first octet would be negative), INTEGER 2.
        let mut der = vec![0x30, 0x82, 0x01, 0x08, 0x02, 0x82, 0x01, 0x01, 0x00];
        der.extend_from_slice(&FFDHE2048);
        der.extend_from_slice(&[0x02, 0x01, 0x02]);
        Self::from_der(der).expect("the constant makes DER")
    }

    /// The same parameters, with where they came from.
    #[must_use]
    pub fn with_origin(self, origin: OriginId) -> Self {
        Self { origin: Some(origin), ..self }
    }

    /// The size of the modulus.
    #[must_use]
    pub const fn bits(&self) -> usize {
        self.bits
    }

    /// The parameters in DER.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// The parameters as a PEM section.
    #[must_use]
    pub fn to_pem(&self) -> String {
        pem::encode("DH PARAMETERS", &self.der)
    }

    /// Where they came from, if that was said.
    #[must_use]
    pub const fn origin(&self) -> Option<OriginId> {
        self.origin
    }
}

/// (modulus, generator), most significant octet first, without leading zeros but for 0 itself.
fn numbers(der: &[u8]) -> x509_cert::der::Result<(Vec<u8>, Vec<u8>)> {
    let mut whole = SliceReader::new(der)?;
    let mut fields = enter(&mut whole)?;
    whole.finish()?;
    let mut number = || fields.decode::<UintRef<'_>>().map(|n| n.as_bytes().to_vec());
    Ok((number()?, number()?))
}

fn bits(number: &[u8]) -> usize {
    number.first().map_or(0, |first| number.len() * 8 - first.leading_zeros() as usize)
}

/// The modulus of ffdhe2048 (RFC 7919 appendix A.1).
#[rustfmt::skip]
const FFDHE2048: [u8; 256] = [
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xad, 0xf8, 0x54, 0x58, 0xa2, 0xbb, 0x4a, 0x9a,
    0xaf, 0xdc, 0x56, 0x20, 0x27, 0x3d, 0x3c, 0xf1, 0xd8, 0xb9, 0xc5, 0x83, 0xce, 0x2d, 0x36, 0x95,
    0xa9, 0xe1, 0x36, 0x41, 0x14, 0x64, 0x33, 0xfb, 0xcc, 0x93, 0x9d, 0xce, 0x24, 0x9b, 0x3e, 0xf9,
    0x7d, 0x2f, 0xe3, 0x63, 0x63, 0x0c, 0x75, 0xd8, 0xf6, 0x81, 0xb2, 0x02, 0xae, 0xc4, 0x61, 0x7a,
    0xd3, 0xdf, 0x1e, 0xd5, 0xd5, 0xfd, 0x65, 0x61, 0x24, 0x33, 0xf5, 0x1f, 0x5f, 0x06, 0x6e, 0xd0,
    0x85, 0x63, 0x65, 0x55, 0x3d, 0xed, 0x1a, 0xf3, 0xb5, 0x57, 0x13, 0x5e, 0x7f, 0x57, 0xc9, 0x35,
    0x98, 0x4f, 0x0c, 0x70, 0xe0, 0xe6, 0x8b, 0x77, 0xe2, 0xa6, 0x89, 0xda, 0xf3, 0xef, 0xe8, 0x72,
    0x1d, 0xf1, 0x58, 0xa1, 0x36, 0xad, 0xe7, 0x35, 0x30, 0xac, 0xca, 0x4f, 0x48, 0x3a, 0x79, 0x7a,
    0xbc, 0x0a, 0xb1, 0x82, 0xb3, 0x24, 0xfb, 0x61, 0xd1, 0x08, 0xa9, 0x4b, 0xb2, 0xc8, 0xe3, 0xfb,
    0xb9, 0x6a, 0xda, 0xb7, 0x60, 0xd7, 0xf4, 0x68, 0x1d, 0x4f, 0x42, 0xa3, 0xde, 0x39, 0x4d, 0xf4,
    0xae, 0x56, 0xed, 0xe7, 0x63, 0x72, 0xbb, 0x19, 0x0b, 0x07, 0xa7, 0xc8, 0xee, 0x0a, 0x6d, 0x70,
    0x9e, 0x02, 0xfc, 0xe1, 0xcd, 0xf7, 0xe2, 0xec, 0xc0, 0x34, 0x04, 0xcd, 0x28, 0x34, 0x2f, 0x61,
    0x91, 0x72, 0xfe, 0x9c, 0xe9, 0x85, 0x83, 0xff, 0x8e, 0x4f, 0x12, 0x32, 0xee, 0xf2, 0x81, 0x83,
    0xc3, 0xfe, 0x3b, 0x1b, 0x4c, 0x6f, 0xad, 0x73, 0x3b, 0xb5, 0xfc, 0xbc, 0x2e, 0xc2, 0x20, 0x05,
    0xc5, 0x8e, 0xf1, 0x83, 0x7d, 0x16, 0x83, 0xb2, 0xc6, 0xf3, 0x4a, 0x26, 0xc1, 0xb2, 0xef, 0xfa,
    0x88, 0x6b, 0x42, 0x38, 0x61, 0x28, 0x5c, 0x97, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
];

#[cfg(test)]
mod tests {
    use super::*;

    fn sequence(numbers: &[&[u8]]) -> Vec<u8> {
        let mut content = Vec::new();
        for number in numbers {
            content.extend([0x02, u8::try_from(number.len()).unwrap()]);
            content.extend_from_slice(number);
        }
        let mut der = vec![0x30, u8::try_from(content.len()).unwrap()];
        der.extend(content);
        der
    }

    #[test]
    fn the_group_of_the_rfc_is_what_it_says() {
        let group = DhParameters::ffdhe2048();
        assert_eq!(group.bits(), 2048);
        let (prime, generator) = numbers(group.der()).unwrap();
        // RFC 7919 appendix A: each modulus begins and ends with 64 bits of ones, around digits of e.
        assert_eq!(prime[..8], [0xff; 8]);
        assert_eq!(prime[248..], [0xff; 8]);
        assert_eq!(prime[8..16], [0xad, 0xf8, 0x54, 0x58, 0xa2, 0xbb, 0x4a, 0x9a]);
        assert_eq!(generator, [2]);
        assert!(group.to_pem().starts_with("-----BEGIN DH PARAMETERS-----"));
    }

    #[test]
    fn what_is_no_group_is_refused() {
        let odd = [&[0x7f; 39][..], &[0x01]].concat();
        assert_eq!(DhParameters::from_der(sequence(&[&odd, &[2]])).unwrap().bits(), 319);
        let even = [&[0x7f; 39][..], &[0x02]].concat();
        let cases: [(Vec<u8>, &str); 9] = [
            (Vec::new(), "not DH parameters"),
            (b"garbage".to_vec(), "not DH parameters"),
            (sequence(&[&odd]), "not DH parameters"),
            (sequence(&[&even, &[2]]), "even"),
            (sequence(&[&[0x7f; 20], &[2]]), "159 bits"),
            (sequence(&[&odd, &[1]]), "generator"),
            (sequence(&[&odd, &[0]]), "generator"),
            (sequence(&[&odd, &odd]), "generator"),
            ([sequence(&[&odd, &[2]]), vec![0]].concat(), "not DH parameters"),
        ];
        for (der, what) in cases {
            let error = DhParameters::from_der(der.clone()).unwrap_err().to_string();
            assert!(error.contains(what), "{der:02x?}: {error}");
        }
    }

    #[test]
    fn parameters_are_equal_wherever_they_were_written() {
        let here = DhParameters::ffdhe2048().with_origin(OriginId(1));
        assert_eq!(here, DhParameters::ffdhe2048());
    }
}
