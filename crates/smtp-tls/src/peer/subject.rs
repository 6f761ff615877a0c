//! Where the mail addresses of a certificate stand.
//!
//! Does: read the first emailAddress of the subject and the rfc822Names of the subject alternative
//! name. Does not: ask who says so, or who is listed; that is the judge's. Fails: by a typed reason
//! for each address, or [`MalformedCertificate`] where none can be found.

use x509_cert::{
    der::{Decode, Header, Reader, SliceReader, Tag, asn1::ObjectIdentifier},
    ext::pkix::{SubjectAltName, name::GeneralName},
};

use super::{ClientAddress, UnusableAddress};
use crate::{
    MalformedCertificate,
    certificate::{Fields, enter, enter_tagged},
};

/// The emailAddress attribute (RFC 2985 section 5.2.1).
const EMAIL_ADDRESS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.1");

/// UTF8String, PrintableString and IA5String. RFC 2985 has the last alone; the others can say the
/// same, and are seen.
const STRINGS: [u8; 3] = [0x0c, 0x13, 0x16];

/// An address, as far as what stands there is one.
pub(super) type Found = Result<ClientAddress, UnusableAddress>;

/// The first emailAddress of the subject, in the order of the encoding, as OpenSSL looks for it. An
/// empty one counts as the first.
pub(super) fn of_subject(fields: &Fields<'_>) -> Result<Option<Found>, MalformedCertificate> {
    let mut name = SliceReader::new(fields.subject)?;
    let mut name = enter(&mut name)?;
    while !name.is_finished() {
        let mut attributes = enter_tagged(&mut name, Tag::Set)?;
        while !attributes.is_finished() {
            let mut attribute = enter(&mut attributes)?;
            if ObjectIdentifier::decode(&mut attribute)? == EMAIL_ADDRESS {
                return Ok(Some(of_value(attribute.read_slice(attribute.remaining_len())?)?));
            }
        }
    }
    Ok(None)
}

/// Each rfc822Name, in order.
pub(super) fn of_alternative_names(
    fields: &Fields<'_>,
) -> Result<Vec<Found>, MalformedCertificate> {
    let names: Option<SubjectAltName> = fields.extension()?;
    let names = names.map_or_else(Vec::new, |SubjectAltName(names)| names);
    let addresses = names.iter().filter_map(|name| match name {
        GeneralName::Rfc822Name(address) => {
            Some(ClientAddress::from_octets(address.as_str().as_bytes()))
        }
        _ => None,
    });
    Ok(addresses.collect())
}

/// From a value with its tag, which may be one that no reader knows.
fn of_value(value: &[u8]) -> Result<Found, MalformedCertificate> {
    let tag = value.first().copied().unwrap_or_default();
    if !STRINGS.contains(&tag) {
        return Ok(Err(UnusableAddress::StringType { tag }));
    }
    let mut value = SliceReader::new(value)?;
    let length = usize::try_from(Header::peek(&value)?.length())?;
    let whole = value.tlv_bytes()?;
    value.finish()?;
    Ok(ClientAddress::from_octets(&whole[whole.len() - length..]))
}
