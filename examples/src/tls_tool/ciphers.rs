//! `ciphers`: what an OpenSSL cipher string means, and what a TLS library keeps of it.
//!
//! Does: print one suite a line on stdout, in order, and what had no effect on stderr, underlined.
//! Does not: judge whether the string is a wise one. Fails: 78 when OpenSSL refuses the string, and when
//! the library keeps none of it.

use std::io;
use std::ops::Range;
use std::process::ExitCode;

use hvmail_control::diagnostic::Severity;
use smtp_tls::cipher::{self, CipherError, Ignored};
use smtp_tls::{LibrarySuites, SuiteFate, Version};

use super::arguments::Ciphers;
use super::draw::Drawing;
use crate::exit::Failure;
use crate::print;
use crate::tls;

/// The versions that services offer.
const VERSIONS: (Version, Version) = (Version::Tls12, Version::Tls13);

/// How wide the column of names is; few names are longer.
const NAME: usize = 30;

/// Runs the command.
pub(super) fn run(arguments: &Ciphers) -> Result<ExitCode, Failure> {
    let backend = tls::backend(arguments.tls)?;
    let library = LibrarySuites::of(backend)
        .map_err(|error| Failure::try_later(format!("--tls {backend}: {error}")))?;
    let text = arguments.string.as_str();
    let drawing = Drawing::on(&io::stderr());
    let list = cipher::parse_as(text, library.release).map_err(|error| {
        let (span, words) = match &error {
            CipherError::Malformed { span, .. } => (span.clone(), &[][..]),
            CipherError::NoSuite { ignored } => (0..text.len(), &ignored[..]),
        };
        say_ignored(&drawing, text, words);
        say(&drawing, Severity::Error, ("cipher-string", &error.to_string()), text, span);
        if text.trim().is_empty() {
            print::line("help: of a service an empty cipher string is taken for DEFAULT");
        }
        Failure::bad_configuration("OpenSSL refuses this cipher string")
    })?;
    say_ignored(&drawing, text, &list.ignored);

    let judged = library.judge(&list, VERSIONS);
    for (suite, fate) in &judged {
        let name = suite.name();
        print::out(match fate {
            SuiteFate::Kept => format!("{name:<NAME$}  kept"),
            SuiteFate::Withheld(reason) => format!("{name:<NAME$}  not offered: {reason}"),
            SuiteFate::Lost(lack) => format!("{name:<NAME$}  not in {backend}: {lack}"),
        })?;
    }
    let kept = judged.iter().filter(|(_, fate)| *fate == SuiteFate::Kept).count();
    let tls13: Vec<_> = library.tls13(&list).iter().map(|suite| suite.name()).collect();
    let say = match list.security_level {
        Some(level) => format!("in which @SECLEVEL={level} alone has a say"),
        None => "in which no cipher string has a say".to_owned(),
    };
    print::line(format_args!(
        "{backend} keeps {kept} of {} suites; TLS 1.3, {say}, has {}",
        judged.len(),
        tls13.join(" ")
    ));
    if kept == 0 {
        let message = format!("{backend} keeps no suite of this cipher string");
        return Err(Failure::bad_configuration(message));
    }
    Ok(ExitCode::SUCCESS)
}

/// Names each word that had no effect. One that takes out what nobody has is worth a note alone.
fn say_ignored(drawing: &Drawing, text: &str, ignored: &[Ignored]) {
    for word in ignored {
        let severity = if word.is_harmless() { Severity::Note } else { Severity::Warning };
        let message = format!("no effect: {word}");
        say(drawing, severity, ("cipher-word-without-effect", &message), text, word.span.clone());
    }
}

fn say(
    drawing: &Drawing,
    severity: Severity,
    said: (&'static str, &str),
    text: &str,
    span: Range<usize>,
) {
    print::line(drawing.in_text(severity, said, ("cipher string", text), span));
}
