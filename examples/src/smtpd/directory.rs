//! The control directory, as the programs load it.
//!
//! Does: read it until nothing has changed while it was read, and make the certificate that it asks
//! for. Does not: judge what was read, or say it. Fails: where it is out of reach, or never at rest.

use std::path::Path;
use std::thread;
use std::time::Duration;

use hvmail_control::Control;
use hvmail_control::certificate::CertificateRequest;
use hvmail_control::source::Directory;
use smtp_tls::self_signed;

use super::watch::{Looks, Watched};
use crate::exit::Failure;
use crate::print;

/// How often a directory that changes meanwhile is read. With the pauses that is a second more than
/// the readings take: a directory is replaced, or its files are written, in less.
const READINGS: u32 = 10;

/// How long what changes is left alone before it is read again.
const PAUSE: Duration = Duration::from_millis(100);

/// A directory that was read.
#[derive(Debug)]
pub(super) struct Loaded<K> {
    pub(super) control: Control,
    /// What was read beside it.
    pub(super) keys: K,
    /// It asks for a certificate that could not be made: what needs one is without.
    pub(super) lacks_certificate: bool,
    /// What there is to say of the making of certificates.
    pub(super) said: Vec<String>,
}

/// Loads a directory, and makes the certificate that it asks for, if it asks for one; `keys` reads a
/// file beside it. What the files were is told, whatever comes of it.
pub(super) fn load<K>(
    path: &Path,
    beside: Option<&Path>,
    keys: impl Fn() -> K,
) -> (Result<Loaded<K>, Failure>, Looks) {
    let (read, looks) = read_at_rest(path, beside, &keys);
    let (control, keys_read) = match read {
        Ok(read) => read,
        Err(failure) => return (Err(failure), looks),
    };
    let renewal = || control.certificate_renewal(print::unix_seconds());
    let Some(request) = control.certificate_request.as_ref().or_else(renewal) else {
        let said = Vec::new();
        return (Ok(Loaded { control, keys: keys_read, lacks_certificate: false, said }), looks);
    };
    let failed = |reason: &str| {
        let place = print::place(&control, request.origin).unwrap_or_default();
        format!("{place}: error: tls_certificate_auto_generate: {reason}")
    };
    match generate(request) {
        Ok(true) => {
            print::line(format_args!("made a self-signed certificate: {}", request.path.display()));
        }
        // Another program may have made it since the directory was read.
        Ok(false) => {}
        Err(reason) => {
            let said = vec![failed(&reason)];
            // One that could not be renewed is there all the same.
            let lacks_certificate = control.certificate_request.is_some();
            return (Ok(Loaded { control, keys: keys_read, lacks_certificate, said }), looks);
        }
    }
    let (read, looks) = read_at_rest(path, beside, &keys);
    let loaded = read.map(|(again, keys)| {
        let lacks_certificate = again.certificate_request.is_some();
        let cannot = format!("{} is there and cannot be followed", request.path.display());
        let said = lacks_certificate.then(|| failed(&cannot)).into_iter().collect();
        Loaded { control: again, keys, lacks_certificate, said }
    });
    (loaded, looks)
}

/// Reads a directory, and again while its files are no longer those that were read: another directory
/// may be put in its place meanwhile, and no reading is to have a part of each.
fn read_at_rest<K>(
    path: &Path,
    beside: Option<&Path>,
    keys: impl Fn() -> K,
) -> (Result<(Control, K), Failure>, Looks) {
    let mut all = Looks::default();
    for reading in 0..READINGS {
        if reading > 0 {
            thread::sleep(PAUSE);
        }
        let mut looks = Looks::default();
        looks.look_at(path);
        if let Some(beside) = beside {
            looks.look_at(beside);
        }
        let (read, still_fails) = match Directory::open(path) {
            Ok(directory) => {
                let directory = directory.with_process_environment();
                let watched = Watched::new(&directory);
                let read = (Control::load(&watched), keys());
                let still_fails = watched.fails_as_before();
                looks.add(watched.looks());
                (Ok(read), still_fails)
            }
            Err(error) => (Err(Failure::bad_configuration(error.to_string())), true),
        };
        // Twice, for the files are looked at one after the other too.
        if still_fails && (0..2).all(|_| looks.again() == looks) {
            return (read, looks);
        }
        all = looks;
    }
    all.restless(path);
    let restless = "the directory keeps changing while it is read";
    (Err(Failure::try_later(restless)), all)
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
