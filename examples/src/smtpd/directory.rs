//! The control directory, as the programs load it.

use std::path::Path;

use hvmail_control::Control;
use hvmail_control::certificate::CertificateRequest;
use hvmail_control::source::Directory;
use smtp_tls::self_signed;

use crate::exit::Failure;
use crate::print;

/// Loads a directory, and makes the certificate that it asks for, if it asks for one. When that
/// cannot be done, the services are without a certificate: what needs one stays down.
pub(super) fn load(path: &Path) -> Result<Control, Failure> {
    let directory = Directory::open(path)
        .map_err(|error| Failure::bad_configuration(error.to_string()))?
        .with_process_environment();
    let control = Control::load(&directory);
    let renewal = || control.certificate_renewal(print::unix_seconds());
    let Some(request) = control.certificate_request.as_ref().or_else(renewal) else {
        return Ok(control);
    };
    let failed = |reason: &str| {
        let place = print::place(&control, request.origin).unwrap_or_default();
        print::line(format_args!("{place}: error: tls_certificate_auto_generate: {reason}"));
    };
    match generate(request) {
        Ok(true) => {
            print::line(format_args!("made a self-signed certificate: {}", request.path.display()));
        }
        // Another program may have made it since the directory was read.
        Ok(false) => {}
        Err(reason) => {
            failed(&reason);
            return Ok(control);
        }
    }
    let loaded = Control::load(&directory);
    if loaded.certificate_request.is_some() {
        failed(&format!("{} is there and cannot be followed", request.path.display()));
    }
    Ok(loaded)
}

/// Makes the certificate; `false` where somebody else did.
fn generate(request: &CertificateRequest) -> Result<bool, String> {
    let made = self_signed(&request.names).map_err(|error| error.to_string())?;
    let content = format!("{}{}", made.certificate_pem, made.key_pem);
    request.keep(&content).map_err(|error| error.to_string())
}

/// The name that the server gives itself: `me`, or the system's own name where there is none.
pub(super) fn host_name(control: &Control) -> String {
    if let Some(me) = &control.me {
        return me.value.clone();
    }
    let system = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    match system.trim() {
        "" => "localhost".to_owned(),
        name => name.to_owned(),
    }
}
