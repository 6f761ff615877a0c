//! Clients are asked for a certificate, and may show any or none: trust is judged later.
//!
//! OpenSSL looks at the chain before anything here can count it; its own bound is then 100 KiB of
//! certificates. What it finds wrong is passed over. That the client has the key is not: OpenSSL
//! checks the handshake's signature by itself.

use std::sync::Arc;

use openssl::{
    error::ErrorStack,
    ssl::{SslContextBuilder, SslRef, SslVerifyMode},
    stack::Stack,
    x509::X509Name,
};

use super::error;
use crate::{
    Certificate, HandshakeError,
    clients::{self, CERTIFICATES},
};

/// Asks for a certificate of the authorities with these names, in DER. A name that OpenSSL cannot read
/// is not shown.
pub(super) fn ask(context: &mut SslContextBuilder, names: &[&[u8]]) -> Result<(), ErrorStack> {
    let mut shown = Stack::new()?;
    for name in names {
        if let Ok(name) = X509Name::from_der(name) {
            shown.push(name)?;
        }
    }
    context.set_client_ca_list(shown);
    context.set_verify_depth(u32::try_from(CERTIFICATES).unwrap_or(u32::MAX));
    context.set_verify_callback(SslVerifyMode::PEER, |_, _| true);
    Ok(())
}

/// What the client showed, its own certificate first.
pub(super) fn chain(ssl: &SslRef) -> Result<Arc<[Certificate]>, HandshakeError> {
    let Some(leaf) = ssl.peer_certificate() else { return Ok(Arc::default()) };
    let failed = |e: ErrorStack| HandshakeError::Library(error::line(&e));
    let mut chain = vec![leaf.to_der().map_err(failed)?];
    // On a server these are the others alone.
    for issuer in ssl.peer_cert_chain().into_iter().flatten() {
        chain.push(issuer.to_der().map_err(failed)?);
        if chain.len() > CERTIFICATES {
            break;
        }
    }
    clients::check_size(chain.iter().map(Vec::len))
        .map_err(|problem| HandshakeError::ClientCertificate { problem })?;
    Ok(chain.into_iter().map(Certificate::from_der).collect())
}
