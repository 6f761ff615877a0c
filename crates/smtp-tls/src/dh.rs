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

#[cfg(feature = "openssl")]
use crate::read_once::ReadOnce;
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
    /// Whether the modulus is a safe prime: to find out takes longer than a handshake.
    #[cfg(feature = "openssl")]
    pub(crate) is_safe: ReadOnce<bool>,
}

impl PartialEq for DhParameters {
    fn eq(&self, other: &Self) -> bool {
        let Self { der, .. } = self;
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
        Ok(Self {
            der: der.into(),
            bits,
            origin: None,
            #[cfg(feature = "openssl")]
            is_safe: ReadOnce::default(),
        })
    }

    /// The group ffdhe2048 (RFC 7919 appendix A.1).
    #[must_use]
    pub fn ffdhe2048() -> Self {
        ffdhe(2048, 560_316)
    }

    /// The group ffdhe3072 (RFC 7919 appendix A.2): the smallest of 128 bits of strength, which
    /// OpenSSL's security level 3 asks for.
    #[must_use]
    pub fn ffdhe3072() -> Self {
        ffdhe(3072, 2_625_351)
    }

    /// The group ffdhe8192 (RFC 7919 appendix A.5): the smallest of 192 bits of strength, which
    /// OpenSSL's security level 4 asks for.
    #[must_use]
    pub fn ffdhe8192() -> Self {
        ffdhe(8192, 10_965_728)
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

/// A group of RFC 7919 appendix A, by its size and the constant that makes its modulus a safe prime:
/// 2^b - 2^(b-64) + (floor(2^(b-130) e) + constant) 2^64 - 1.
fn ffdhe(bits: usize, constant: u64) -> DhParameters {
    let mut middle = e_and_constant(bits / 8 - 16, constant - 1);
    let mut prime = vec![0xff; 8];
    prime.append(&mut middle);
    prime.extend_from_slice(&[0xff; 8]);
    // INTEGER of one octet more, as the first bit would be a sign; INTEGER 2.
    let mut numbers = header(0x02, prime.len() + 1);
    numbers.push(0);
    numbers.append(&mut prime);
    numbers.extend_from_slice(&[0x02, 0x01, 0x02]);
    let der = [header(0x30, numbers.len()), numbers].concat();
    DhParameters::from_der(der).expect("a tag, a length and what it holds are DER")
}

/// A tag with a length of 256 octets or more.
fn header(tag: u8, length: usize) -> Vec<u8> {
    let length = u16::try_from(length).expect("no group has 64 KiB").to_be_bytes();
    vec![tag, 0x82, length[0], length[1]]
}

/// The first bits of e, and so its two before the point, as a number with another one added.
fn e_and_constant(octets: usize, constant: u64) -> Vec<u8> {
    // What the terms are cut off by, a unit of the last digit each, does not come up through two more.
    let digits = octets / DIGIT + 2;
    let mut term = vec![0; digits];
    term[0] = 1 << 30;
    let mut sum = term.clone();
    for divisor in 1.. {
        divide(&mut term, divisor);
        if term.iter().all(|digit| *digit == 0) {
            break;
        }
        add(&mut sum, &term);
    }
    let mut last = vec![0; digits];
    last[digits - 3] = constant;
    add(&mut sum, &last);
    sum[..digits - 2].iter().flat_map(|digit| digit.to_be_bytes()[8 - DIGIT..].to_vec()).collect()
}

/// The octets of a digit of the numbers below, whose first digit is the most significant.
const DIGIT: usize = 4;

fn divide(number: &mut [u64], divisor: u64) {
    let mut rest = 0;
    for digit in number {
        let all = (rest << (8 * DIGIT)) | *digit;
        (*digit, rest) = (all / divisor, all % divisor);
    }
}

fn add(number: &mut [u64], other: &[u64]) {
    let mut carry = 0;
    for (digit, other) in number.iter_mut().zip(other).rev() {
        let all = *digit + other + carry;
        (*digit, carry) = (all & 0xffff_ffff, all >> (8 * DIGIT));
    }
}

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
    fn the_groups_of_the_rfc_are_what_they_say() {
        // The digits before the last 64 bits of ones, as RFC 7919 appendix A prints them.
        for (group, bits, last) in [
            (DhParameters::ffdhe2048(), 2048, [0x88, 0x6b, 0x42, 0x38, 0x61, 0x28, 0x5c, 0x97]),
            (DhParameters::ffdhe3072(), 3072, [0x25, 0xe4, 0x1d, 0x2b, 0x66, 0xc6, 0x2e, 0x37]),
            (DhParameters::ffdhe8192(), 8192, [0xd6, 0x8c, 0x8b, 0xb7, 0xc5, 0xc6, 0x42, 0x4c]),
        ] {
            assert_eq!(group.bits(), bits);
            let (prime, generator) = numbers(group.der()).unwrap();
            let (middle, end) = prime.split_at(bits / 8 - 8);
            assert_eq!(middle[..8], [0xff; 8]);
            assert_eq!(middle[8..16], [0xad, 0xf8, 0x54, 0x58, 0xa2, 0xbb, 0x4a, 0x9a]);
            assert_eq!(middle[middle.len() - 8..], last);
            assert_eq!(end, [0xff; 8]);
            assert_eq!(generator, [2]);
            assert!(group.to_pem().starts_with("-----BEGIN DH PARAMETERS-----"));
        }
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
