//! Certificates and keys that the maker of the others does not make, as PEM.
//!
//! Does: hold them. Does not: make any; `material/README.md` says what each is. Fails: never.

/// A certificate for `mx.example.com` that is signed over SHA-1, with its key and its issuer.
pub const SIGNED_OVER_SHA1: &str = include_str!("../material/sha1.pem");
/// A certificate for `mx.example.com` with an RSA key of 1024 bits, that key and its issuer.
pub const RSA_1024: &str = include_str!("../material/rsa1024.pem");
/// A certificate that signs itself and has `mx.example.com` in its subject alone, and its key.
pub const COMMON_NAME_ALONE: &str = include_str!("../material/common-name-alone.pem");
/// A key under a passphrase, in PKCS #8.
pub const ENCRYPTED_PKCS8: &str = include_str!("../material/encrypted-pkcs8.key");
/// A key under a passphrase, in the older form.
pub const ENCRYPTED_PKCS1: &str = include_str!("../material/encrypted-pkcs1.key");
