//! `--demo`: a directory to try everything with.

use std::path::{Path, PathBuf};

use hvmail_control::write;
use smtp_tls::self_signed;

use crate::exit::Failure;
use crate::print;

/// What a demo directory has beside its control files.
pub(super) struct Demo {
    pub(super) maildir: PathBuf,
}

/// Makes what is missing of a demo directory, and says what to try with it.
pub(super) fn make(directory: &Path) -> Result<Demo, Failure> {
    // Nothing would be overwritten, but a live host would get rules that it never had.
    let there = |name: &str| directory.join(name).symlink_metadata().is_ok();
    if !there(write::DEMO_CERTIFICATE) && (there("me") || there("greenarrow.conf")) {
        return Err(Failure::usage(format!(
            "--demo {}: this is a control directory already; serve it by --control",
            directory.display()
        )));
    }
    let names: Vec<String> =
        ["localhost", write::DEMO_HOST, write::DEMO_DOMAIN, "127.0.0.1"].map(str::to_owned).into();
    let made = self_signed(&names)
        .map_err(|error| Failure::try_later(format!("--demo: no certificate: {error}")))?;
    let files = write::write_demo(directory, &made.certificate_pem, &made.key_pem)
        .map_err(|error| Failure::try_later(format!("--demo: {error}")))?;
    for path in &files.made {
        print::line(format_args!("made {}", path.display()));
    }
    let maildir = directory.join("Maildir");
    print::line(instructions(directory, &maildir));
    Ok(Demo { maildir })
}

fn instructions(directory: &Path, maildir: &Path) -> String {
    let (shown, domain) = (quoted(directory), write::DEMO_DOMAIN);
    let certificate = quoted(&directory.join(write::DEMO_CERTIFICATE));
    // Under cargo the other program may not be built yet, and is on no path.
    let send = match std::env::var_os("CARGO") {
        Some(_) => "cargo run --release --bin hvmail-send --",
        None => "hvmail-send",
    };
    format!(
        "
Try, from another terminal:

  printf 'Subject: hello\\n\\nOver TLS.\\n' | {send} \\
      --control {shown} --from me@{domain} --to you@{domain}
  (the same with the server's certificate checked: --verify --ca {certificate})

  cat {maildir}/new/*

  openssl s_client -quiet -starttls smtp -connect 127.0.0.1:2525
  openssl s_client -quiet -connect 127.0.0.1:2465
",
        maildir = quoted(maildir),
    )
}

/// A path as a shell takes it.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:@%".contains(c);
    match text.chars().all(plain) {
        true => text,
        false => format!("'{}'", text.replace('\'', "'\\''")),
    }
}
