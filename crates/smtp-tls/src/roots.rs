//! The operating system's certification authorities.

use rustls_pki_types::CertificateDer;

use crate::{Cause, ConfigError, Loss, OriginId, Unhonoured};

/// Loads them. What cannot be read of them is reported; none at all is an error.
pub(crate) fn system(
    origin: Option<OriginId>,
    unhonoured: &mut Vec<Unhonoured>,
) -> Result<Vec<CertificateDer<'static>>, ConfigError> {
    let loaded = rustls_native_certs::load_native_certs();
    let reasons = loaded.errors.iter().map(ToString::to_string);
    if loaded.certs.is_empty() {
        let reason = reasons.collect::<Vec<_>>().join("; ");
        let reason = if reason.is_empty() { "the system has none".to_owned() } else { reason };
        return Err(ConfigError::Roots { origin, reason });
    }
    unhonoured.extend(reasons.map(|reason| Unhonoured {
        origin,
        setting: "roots",
        loss: Loss::Partial,
        cause: Cause::Library,
        reason,
    }));
    Ok(loaded.certs)
}
