//! Temporary keys, made by OpenSSL.

use openssl::{dh::Dh, error::ErrorStack, pkey::PKey, rsa::Rsa};

use super::error;
use crate::TemporaryKeyError;

/// The generator that every DHE group of servers has; any safe prime goes with it.
const GENERATOR: u32 = 2;

/// A new RSA key in PKCS#8, unencrypted.
pub(crate) fn rsa_key_pem(bits: u32) -> Result<String, TemporaryKeyError> {
    let made =
        Rsa::generate(bits).and_then(PKey::from_rsa).and_then(|key| key.private_key_to_pem_pkcs8());
    text(made)
}

/// A new group for DHE, whose modulus is a safe prime.
pub(crate) fn dh_group_pem(bits: u32) -> Result<String, TemporaryKeyError> {
    text(Dh::generate_params(bits, GENERATOR).and_then(|group| group.params_to_pem()))
}

fn text(made: Result<Vec<u8>, ErrorStack>) -> Result<String, TemporaryKeyError> {
    let pem = made.map_err(|failure| TemporaryKeyError::Library(error::line(&failure)))?;
    String::from_utf8(pem).map_err(|_| TemporaryKeyError::Library("its PEM is no text".to_owned()))
}

/// The size of an RSA key in PKCS#8.
#[cfg(test)]
pub(crate) fn rsa_key_bits(der: &[u8]) -> Result<u32, ErrorStack> {
    PKey::private_key_from_der(der)?.rsa().map(|key| key.size() * 8)
}
