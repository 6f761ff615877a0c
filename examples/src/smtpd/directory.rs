//! The control directory, as the programs load it.

use std::path::Path;

use hvmail_control::Control;
use hvmail_control::certificate::CertificateRequest;
use hvmail_control::source::{Directory, Source};
use smtp_tls::self_signed;

use super::watch::{Looks, Watched};
use crate::exit::Failure;
use crate::print;

/// A directory that was read.
#[derive(Debug)]
pub(super) struct Loaded {
    pub(super) control: Control,
    /// It asks for a certificate that could not be made: what needs one is without.
    pub(super) lacks_certificate: bool,
}

/// Loads a directory, and makes the certificate that it asks for, if it asks for one. What its files
/// were is told, whatever comes of it.
pub(super) fn load(path: &Path) -> (Result<Loaded, Failure>, Looks) {
    match Directory::open(path) {
        Ok(directory) => {
            let directory = directory.with_process_environment();
            let watched = Watched::new(&directory);
            let loaded = load_from(&watched);
            (Ok(loaded), watched.looks())
        }
        Err(error) => (Err(Failure::bad_configuration(error.to_string())), Looks::default()),
    }
}

fn load_from(source: &dyn Source) -> Loaded {
    let control = Control::load(source);
    let renewal = || control.certificate_renewal(print::unix_seconds());
    let Some(request) = control.certificate_request.as_ref().or_else(renewal) else {
        return Loaded { control, lacks_certificate: false };
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
            // One that could not be renewed is there all the same.
            let lacks_certificate = control.certificate_request.is_some();
            return Loaded { control, lacks_certificate };
        }
    }
    let loaded = Control::load(source);
    let lacks_certificate = loaded.certificate_request.is_some();
    if lacks_certificate {
        failed(&format!("{} is there and cannot be followed", request.path.display()));
    }
    Loaded { control: loaded, lacks_certificate }
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
