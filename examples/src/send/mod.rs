//! `hvmail-send`: one message, under the outgoing rules of a control directory.
//!
//! Does: find each recipient's rule and route, deliver, print one line per recipient. Does not: look
//! up MX hosts, or try again later. Fails: 75 when any recipient is deferred, else 69 when any is
//! rejected, 78 when the rules cannot be read, 64 for the command line.

mod arguments;
mod plan;

use std::io::{self, Read, Write};
use std::process::ExitCode;

use hvmail_control::Control;
use hvmail_control::diagnostic::Severity;
use hvmail_control::source::Directory;
use smtp_client::wire::ClientName;
use smtp_client::{Client, Config, Message, Sender};

pub use self::arguments::Arguments;
use self::plan::{Line, Plan};
use crate::exit::{Exit, Failure};
use crate::{print, tls};

/// Runs the program.
///
/// # Errors
/// What keeps the message from being tried at all.
pub fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let sender = Sender::parse(&arguments.from)
        .map_err(|error| Failure::usage(format!("--from {:?}: {error}", arguments.from)))?;
    let backend = tls::backend(arguments.tls)?;
    let directory = Directory::open(&arguments.control)
        .map_err(|error| Failure::bad_configuration(error.to_string()))?
        .with_process_environment();
    let control = Control::load(&directory);
    say_outgoing(&control);
    if !control.configuration_is_good() {
        return Err(Failure::bad_configuration("the outgoing rules cannot be read"));
    }
    let plan = Plan::new(&control, arguments, backend)?;

    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::try_later(format!("cannot start: {error}")))?;
    let lines = runtime.block_on(async {
        let message = message(arguments).await?;
        let client = Client::new(config(&control, backend));
        Ok(plan.deliver(&client, &sender, &message).await)
    })?;
    print(&lines)
}

/// What concerns outgoing mail, or the directory as a whole; a service's own is for its server.
fn say_outgoing(control: &Control) {
    let said = control.diagnostics.iter().filter(|diagnostic| {
        diagnostic.service.is_none() && diagnostic.severity >= Severity::Warning
    });
    for diagnostic in said {
        print::line(diagnostic.display(&control.snapshot));
    }
}

fn config(control: &Control, backend: smtp_tls::Backend) -> Config {
    // A name that EHLO cannot carry is as good as none; RFC 5321 section 4.1.4 then wants a
    // literal, and loopback's is the one that is true everywhere.
    let name = control.me.as_ref().and_then(|me| ClientName::parse(&me.value).ok());
    let fallback = || ClientName::parse("[127.0.0.1]").expect("an address literal");
    let mut config = Config::new(name.unwrap_or_else(fallback));
    config.backend = Some(backend);
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
        let mut text = Vec::new();
        io::stdin()
            .lock()
            .read_to_end(&mut text)
            .map_err(|error| Failure::try_later(format!("cannot read standard input: {error}")))?;
        return Ok(Message::from_bytes(text));
    };
    Message::from_file(path)
        .await
        .map_err(|error| Failure::usage(format!("cannot read {}: {error}", path.display())))
}

fn print(lines: &[Line]) -> Result<ExitCode, Failure> {
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
