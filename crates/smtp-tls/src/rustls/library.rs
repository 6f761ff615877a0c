//! Which suites rustls has.

use crate::{
    Backend, LibrarySuites,
    cipher::{self, Release, SecurityLevel},
};

pub(crate) fn suites() -> LibrarySuites {
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    let numbers = provider.cipher_suites.iter().map(|suite| u16::from(suite.suite()));
    LibrarySuites {
        backend: Backend::Rustls,
        release: Release::default(),
        level: SecurityLevel::USUAL,
        suites: numbers.filter_map(cipher::suite).collect(),
    }
}
