//! Whole connections through TLS, whose instructions are counted beside those of the library alone.
//!
//! Does: name them, and go through them. Does not: count. Fails: a connection that is not one of its
//! case is a panic.

use std::hint::black_box;

use hvmail_benches::handshake::{
    Case, Group, Key, Library, Material, Path, Prepared, Side, Tls, Who,
};

/// Every connection that is counted: through STARTTLS, with ECDSA on P-256 and X25519. A client's
/// certificate is the same work under either version: it is counted under one. A server on OpenSSL that is
/// shown one is left out: there, the library alone verifies it by its own means, which take more.
pub(crate) fn cases() -> impl Iterator<Item = (String, Case)> {
    let counted = |case: &Case| {
        (case.path, case.key, case.group) == (Path::StartTls, Key::P256, Group::X25519)
            && (case.tls == Tls::V13 || !case.shown)
            && !(case.shown && (case.side, case.library) == (Side::Server, Library::OpenSsl))
            && case.is_possible().is_ok()
    };
    Case::all().into_iter().filter(counted).map(|case| (name(&case), case))
}

fn name(case: &Case) -> String {
    let tls = match case.tls {
        Tls::V12 => "1.2",
        Tls::V13 => "1.3",
    };
    let how = if case.resumed { "resumed" } else { "full" };
    let shown = if case.shown { "-shown" } else { "" };
    format!("{}-{}-{tls}-{how}{shown}", case.side, case.library)
}

/// What does one connection of a case.
pub(crate) fn prepare(case: Case, who: Who) -> Box<dyn FnMut()> {
    let prepared = Prepared::new(who, case, &Material::new(case.key));
    Box::new(move || {
        black_box(prepared.run());
    })
}
