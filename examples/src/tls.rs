//! The choice of a TLS library.

use smtp_tls::Backend;

use crate::exit::Failure;

/// The library that `--tls` names, or this build's default (rustls where it is compiled in).
pub fn backend(asked: Option<Backend>) -> Result<Backend, Failure> {
    match asked {
        Some(backend) if backend.is_available() => Ok(backend),
        Some(backend) => Err(Failure::usage(format!(
            "--tls {backend}: this program was built without it; build it with --features {backend}"
        ))),
        None => Backend::default_available()
            .ok_or_else(|| Failure::usage("this program was built without a TLS library")),
    }
}
