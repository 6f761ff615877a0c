//! `hvmail-send`: one message, under the outgoing rules of a control directory.
//!
//! Does: find each recipient's rule and route, deliver, print one line per recipient. Does not: look
//! up MX hosts, or try again later. Fails: 75 when any recipient is deferred, else 69 when any is
//! rejected, 78 when the rules cannot be read, 64 for the command line.

mod arguments;
mod plan;

use std::fs;
use std::io::{self, ErrorKind, Write};
use std::path::Path;
use std::process::ExitCode;

use hvmail_control::Control;
use hvmail_control::diagnostic::Severity;
use hvmail_control::source::Directory;
use smtp_client::session::Utf8Header;
use smtp_client::wire::sasl::Secret;
use smtp_client::wire::{ClientName, EnvelopeId, MailParameters};
use smtp_client::{Authentication, Client, Config, KEPT_IN_MEMORY, Message, Sender};

pub use self::arguments::Arguments;
use self::plan::{Line, Plan};
use crate::exit::{Exit, Failure};
use crate::{print, tls};

/// Runs the program.
///
/// # Errors
/// What keeps the message from being tried at all.
pub fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let sender = sender(arguments)?;
    let authentication = authentication(arguments)?;
    let backend = tls::backend(arguments.tls)?;
    let directory = Directory::open(&arguments.control)
        .map_err(|error| Failure::bad_configuration(error.to_string()))?
        .with_process_environment();
    let control = Control::load(&directory);
    say_outgoing(&control);
    if !control.configuration_is_good() {
        return Err(Failure::bad_configuration("the outgoing rules cannot be read"));
    }
    let plan = Plan::new(&control, arguments, backend, authentication)?;

    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::try_later(format!("cannot start: {error}")))?;
    let lines = runtime.block_on(async {
        let message = message(arguments).await?;
        let client = Client::new(config(&control, arguments, backend));
        Ok(plan.deliver(&client, &sender, &message).await)
    })?;
    finish(&lines)
}

fn sender(arguments: &Arguments) -> Result<Sender, Failure> {
    let unusable = |error: &dyn std::fmt::Display| {
        Failure::usage(format!("--from {:?}: {error}", arguments.from))
    };
    one_line(&arguments.from).map_err(|error| unusable(&error))?;
    let sender = Sender::parse(&arguments.from).map_err(|error| unusable(&error))?;
    Ok(sender.with(MailParameters {
        ret: arguments.ret,
        envid: arguments.envid.as_deref().and_then(EnvelopeId::parse),
        requiretls: arguments.requiretls,
        ..MailParameters::default()
    }))
}

/// What UTF-8 allows in an address (RFC 6531, 3.3) and a line of output does not bear.
fn one_line(address: &str) -> Result<(), &'static str> {
    let breaks = |letter: char| letter.is_control() || matches!(letter, '\u{2028}' | '\u{2029}');
    match address.contains(breaks) {
        true => Err("a control character"),
        false => Ok(()),
    }
}

fn authentication(arguments: &Arguments) -> Result<Option<Authentication>, Failure> {
    let (Some(user), Some(path)) = (&arguments.auth_user, &arguments.auth_password_file) else {
        return Ok(None);
    };
    let password = password(path).map_err(|error| {
        Failure::usage(format!("--auth-password-file {}: {error}", path.display()))
    })?;
    let failed = |error| Failure::usage(format!("--auth-user {user:?}: {error}"));
    let text = std::str::from_utf8(password.as_octets()).unwrap_or_default();
    Authentication::password(user, text).map(Some).map_err(failed)
}

/// The first line of a file, without its end.
fn password(path: &Path) -> Result<Secret, String> {
    let content = Secret::from(fs::read(path).map_err(|error| error.to_string())?);
    let line = content.as_octets().split(|&octet| octet == b'\n').next().unwrap_or_default();
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    match line {
        [] => Err("its first line is empty".to_owned()),
        _ if std::str::from_utf8(line).is_err() => Err("its first line is not UTF-8".to_owned()),
        _ => Ok(Secret::from(line.to_vec())),
    }
}

/// What concerns outgoing mail, or the directory as a whole; a service's own is for its server.
fn say_outgoing(control: &Control) {
    let said = control.diagnostics.iter().filter(|diagnostic| {
        diagnostic.services.is_empty() && diagnostic.severity >= Severity::Warning
    });
    for diagnostic in said {
        print::line(diagnostic.display(&control.snapshot));
    }
}

fn config(control: &Control, arguments: &Arguments, backend: smtp_tls::Backend) -> Config {
    // A name that EHLO cannot carry is as good as none; RFC 5321 section 4.1.4 then wants a
    // literal, and loopback's is the one that is true everywhere.
    let name = control.me.as_ref().and_then(|me| ClientName::parse(&me.value).ok());
    let fallback = || ClientName::parse("[127.0.0.1]").expect("an address literal");
    let mut config = Config::new(name.unwrap_or_else(fallback));
    config.backend = Some(backend);
    config.session.lmtp = arguments.lmtp;
    // On purpose not the library's default, which keeps to RFC 6531, 3.1: messages come here as
    // others wrote them, and qmail sends such headers as they are. To refuse them would lose mail
    // that arrives today. Where SMTPUTF8 is offered, it is declared all the same.
    config.session.utf8_header = Utf8Header::SendAsIs;
    if let Some(connect) = control.outgoing.timeout_connect.value {
        config.timeouts.connect = connect;
    }
    if let Some(remote) = control.outgoing.timeout_remote.value {
        config.timeouts.remote = Some(remote);
        config.timeouts.handshake = config.timeouts.handshake.min(remote);
    }
    config
}

async fn message(arguments: &Arguments) -> Result<Message, Failure> {
    let Some(path) = &arguments.file else {
        let message = Message::from_reader(tokio::io::stdin(), KEPT_IN_MEMORY).await;
        return message.map_err(|error| match error.kind() {
            ErrorKind::FileTooLarge => Failure::usage(format!(
                "standard input: {error}, and is kept in memory: name a file that holds it"
            )),
            _ => Failure::try_later(format!("cannot read standard input: {error}")),
        });
    };
    Message::from_file(path)
        .await
        .map_err(|error| Failure::usage(format!("cannot read {}: {error}", path.display())))
}

fn finish(lines: &[Line]) -> Result<ExitCode, Failure> {
    for line in lines {
        for extension in line.left_out().iter() {
            print::line(format_args!(
                "hvmail-send: {}: the server does not offer {extension}: sent without",
                line.address()
            ));
        }
    }
    let mut out = io::stdout().lock();
    for line in lines {
        writeln!(out, "{line}").map_err(|error| {
            // What became of the message can no longer be told: trying again is the safe reading.
            Failure::try_later(format!("cannot write to standard output: {error}"))
        })?;
    }
    let any = |word| lines.iter().any(|line| line.word() == word);
    Ok(match (any("deferred"), any("rejected")) {
        (true, _) => Exit::TryLater.into(),
        (false, true) => Exit::Rejected.into(),
        (false, false) => ExitCode::SUCCESS,
    })
}
