//! A server session with a scripted handler, driven as the loop's contract says.

use std::mem;
use std::time::Duration;

use smtp_proto::server::{
    AuthVerdict, Commit, Config, Event, ExtensionsAfterHelo, ImproperPipelining, Output, Session,
    Tls, Verdict,
};
use smtp_proto::wire::sasl::Exchange;
use smtp_proto::wire::{
    BareLf, Capability, ClientNames, Code, Command, Detail, Extension, Refusal, Reply,
    UnknownParameters,
};
use smtp_testkit::transcript::{Side, Transcript, escape};

/// What the handler does is written in the address: its local part is an [`Answer`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    Accept,
    Refuse,
    Later,
    /// A refusal with 421, which ends the session.
    Shut,
    RefuseAndClose,
    /// A refusal with a letter outside ASCII.
    Accent,
    Drop,
}

impl Answer {
    fn of(word: &str) -> Self {
        match word.split('@').next() {
            Some("refuse") => Self::Refuse,
            Some("later") => Self::Later,
            Some("shut") => Self::Shut,
            Some("close") => Self::RefuseAndClose,
            Some("drop") => Self::Drop,
            Some("accent") => Self::Accent,
            _ => Self::Accept,
        }
    }

    /// `None` drops the question.
    fn verdict(self) -> Option<Verdict> {
        let shut = Reply::new_static(Code::SERVICE_NOT_AVAILABLE, Some(Detail::new(3, 2)), "go");
        Some(match self {
            Self::Accept => Verdict::Accept,
            Self::Refuse => Verdict::Refuse(Refusal::permanent(Detail::new(1, 1), "no")),
            Self::Later => Verdict::Refuse(Refusal::transient(Detail::new(3, 0), "later")),
            Self::Shut => Verdict::Refuse(Refusal::new(shut).unwrap()),
            Self::RefuseAndClose => {
                Verdict::RefuseAndClose(Refusal::permanent(Detail::new(7, 1), "go away"))
            }
            Self::Accent => Verdict::Refuse(Refusal::permanent(Detail::new(1, 1), "n\u{e9}")),
            Self::Drop => return None,
        })
    }
}

pub(crate) struct Driver {
    session: Session,
    data: Answer,
    commit: Option<Commit>,
    message: Vec<u8>,
    output: Vec<u8>,
    events: Vec<String>,
    /// Whether it is reported depends on the cut, unless the transcript glues its lines.
    notes_pipelining: bool,
    wants_tls: bool,
    closed: bool,
}

impl Driver {
    pub(crate) fn new(transcript: &Transcript) -> Self {
        let mut config = Config::new("mx.example");
        let mut data = Answer::Accept;
        let mut commit = Some(Commit::Accepted(None));
        let mut notes_pipelining = false;
        for name in transcript.setting_names() {
            let value = transcript.setting(name).unwrap();
            match (name, value) {
                ("tls", "starttls") => config.tls = Tls::StartTls,
                ("tls", "implicit") => config.tls = Tls::Implicit,
                ("bare-lf", "normalize") => config.bare_lf = BareLf::Normalize,
                ("size", _) => config.max_message_size = Some(value.parse().unwrap()),
                ("recipients", _) => config.max_recipients = value.parse().unwrap(),
                ("errors", _) => config.max_errors = value.parse().unwrap(),
                ("line", _) => config.max_command_line = value.parse().unwrap(),
                ("junk", _) => config.max_junk = value.parse().unwrap(),
                ("refusals", _) => config.max_refusals = value.parse().unwrap(),
                ("messages", _) => config.max_messages = Some(value.parse().unwrap()),
                ("refused-octets", _) => config.max_refused_octets = Some(value.parse().unwrap()),
                ("tls-required", "yes") => config.tls_required = true,
                ("auth-required", "yes") => config.auth_required = true,
                ("auth-in-clear", "yes") => config.auth_in_clear = true,
                ("lmtp", "yes") => config.lmtp = true,
                ("parameters", "keep") => config.unknown_parameters = UnknownParameters::Keep,
                ("helo", "extended") => {
                    config.extensions_after_helo = ExtensionsAfterHelo::Take;
                }
                ("names", "lenient") => config.client_names = ClientNames::Lenient,
                ("offer", _) => {
                    for line in value.split(", ") {
                        config.capabilities.insert(Capability::parse(line).unwrap());
                    }
                }
                ("withdraw", _) => {
                    let extension = Extension::from_keyword(value).unwrap();
                    config.capabilities.remove(extension);
                }
                ("requests", "all") => {
                    let all = &mut config.requests;
                    (all.vrfy, all.expn, all.help) = (true, true, true);
                    (all.etrn, all.xclient, all.xforward) = (true, true, true);
                }
                ("greeting-delay", _) => {
                    config.greeting_delay = Some(Duration::from_secs(value.parse().unwrap()));
                }
                ("waiting", "enforced") => {
                    config.improper_pipelining = ImproperPipelining::Refuse;
                }
                ("waiting", "noted") => notes_pipelining = true,
                ("greeting", _) => config.greeting = value.replace("CRLF", "\r\n"),
                ("data", _) => data = Answer::of(value),
                ("commit", "reply") => {
                    commit = Some(Commit::Accepted(Some(Reply::new(Code::OK, None, "kept as 1"))));
                }
                ("commit", "contradiction") => {
                    let reply = Reply::new(Code::OK, None, "5.0.0 kept as 1");
                    commit = Some(Commit::Accepted(Some(reply)));
                }
                ("commit", "wrong reply") => {
                    let reply = Reply::new(Code::LOCAL_ERROR, None, "not a yes");
                    commit = Some(Commit::Accepted(Some(reply)));
                }
                ("commit", "refuse") => {
                    let full = Refusal::transient(Detail::new(3, 1), "full");
                    commit = Some(Commit::Refused(full));
                }
                ("commit", "drop") => commit = None,
                ("commits", _) => {
                    let commits = value.split(", ").map(|word| match Answer::of(word).verdict() {
                        Some(Verdict::Accept) => Commit::Accepted(None),
                        Some(Verdict::Refuse(refusal)) => Commit::Refused(refusal),
                        other => panic!("{other:?}"),
                    });
                    commit = Some(Commit::PerRecipient(commits.collect()));
                }
                _ => panic!("{}: no such setting: {name}: {value}", transcript.name),
            }
        }
        let mut driver = Self {
            session: Session::new(config.into()),
            data,
            commit,
            message: Vec::new(),
            output: Vec::new(),
            events: Vec::new(),
            notes_pipelining,
            wants_tls: false,
            closed: false,
        };
        driver.drain();
        driver
    }

    fn drain(&mut self) {
        loop {
            let mut events = mem::take(&mut self.events);
            match self.session.poll_output() {
                Output::Transmit(octets) => {
                    assert!(!octets.is_empty());
                    self.output.extend_from_slice(octets);
                }
                Output::Hello(hello) => {
                    let verb = if hello.extended { "ehlo" } else { "helo" };
                    events.push(format!("{verb} {}", hello.name));
                }
                Output::Mail(ask, mail) => {
                    events.push(format!("mail {mail}"));
                    if let Some(verdict) = Answer::of(mail.reverse_path.as_str()).verdict() {
                        self.session.answer(ask, verdict).unwrap();
                    }
                }
                Output::Rcpt(ask, rcpt) => {
                    events.push(format!("rcpt {rcpt}"));
                    if let Some(verdict) = Answer::of(rcpt.forward_path.as_str()).verdict() {
                        self.session.answer(ask, verdict).unwrap();
                    }
                }
                Output::Auth(ask, exchange) => {
                    let (event, verdict) = authenticate(exchange);
                    events.push(event);
                    if let Some(verdict) = verdict {
                        self.session.answer(ask, verdict).unwrap();
                    }
                }
                Output::Request(ask, command) => {
                    events.push(format!("request {command}"));
                    if let Some(reply) = reply_to(command) {
                        self.session.answer(ask, reply).unwrap();
                    }
                }
                Output::Data(ask) => {
                    self.message.clear();
                    if let Some(verdict) = self.data.verdict() {
                        self.session.answer(ask, verdict).unwrap();
                    }
                }
                Output::Body(octets) => {
                    assert!(!octets.is_empty());
                    self.message.extend_from_slice(octets);
                }
                Output::EndOfMessage(ask) => {
                    events.push(format!("message {}", escape(&self.message)));
                    if let Some(commit) = self.commit.clone() {
                        self.session.answer(ask, commit).unwrap();
                    }
                }
                Output::Abort => events.push("abort".to_owned()),
                // How many there are depends on the cut.
                Output::Note(Event::InputBehindStartTls { octets }) => {
                    assert!(octets > 0);
                    events.push("InputBehindStartTls".to_owned());
                }
                Output::Note(Event::ImproperPipelining { .. }) if !self.notes_pipelining => {}
                Output::Note(event) => events.push(format!("{event:?}")),
                Output::StartTls => self.wants_tls = true,
                Output::Wait(_) => {}
                Output::Close => self.closed = true,
            }
            self.events = events;
            if self.wants_tls || self.closed || !self.session.input().is_empty() {
                return;
            }
        }
    }
}

/// Whatever the mechanism: a message is asked for until there is one, and behind `more`; `good` is
/// the password.
fn authenticate(exchange: Exchange<'_>) -> (String, Option<AuthVerdict>) {
    let (event, message) = match exchange {
        Exchange::Begin { mechanism, initial_response } => {
            let message = initial_response.map(escape).unwrap_or("nothing".to_owned());
            (format!("auth {mechanism} {message}"), initial_response)
        }
        Exchange::Response(message) => (format!("auth {}", escape(message)), Some(message)),
    };
    let failed = Reply::new_static(Code::new(535).unwrap(), Some(Detail::new(7, 8)), "failed");
    let shut = Reply::new_static(Code::SERVICE_NOT_AVAILABLE, Some(Detail::new(7, 0)), "go");
    let verdict = match message {
        None => AuthVerdict::Challenge(Vec::new()),
        Some(b"more") => AuthVerdict::Challenge(b"and?".to_vec()),
        Some(b"good") => AuthVerdict::Accept,
        Some(b"shut") => AuthVerdict::Refuse(Refusal::new(shut).unwrap()),
        Some(b"drop") => return (event, None),
        Some(_) => AuthVerdict::Refuse(Refusal::new(failed).unwrap()),
    };
    (event, Some(verdict))
}

fn reply_to(command: Command<'_>) -> Option<Reply> {
    let code = |code| Code::new(code).unwrap();
    Some(match command {
        Command::Vrfy(query) if query.text().as_str() == "drop" => return None,
        Command::Vrfy(query) if query.text().as_str() == "shut" => {
            Reply::new_static(Code::SERVICE_NOT_AVAILABLE, Some(Detail::new(3, 2)), "go")
        }
        Command::Vrfy(query) if query.text().as_str() == "go-on" => {
            Reply::new_static(Code::START_MAIL_INPUT, None, "go on")
        }
        Command::Vrfy(query) if query.text().as_str() == "challenge" => {
            Reply::new_static(Code::CHALLENGE, None, "")
        }
        Command::Vrfy(query) if query.text().as_str() == "accent" => {
            Reply::new(code(252), Some(Detail::new(1, 5)), "\u{e9}")
        }
        Command::Vrfy(_) => Reply::new(code(553), Some(Detail::new(1, 4)), "ambiguous"),
        Command::Expn(_) => Reply::new(code(250), Some(Detail::new(1, 5)), "a\nb"),
        Command::Xclient(attributes) => match attributes.iter().count() {
            1 => Reply::new(code(220), None, "mx.example ESMTP"),
            _ => Reply::new(code(550), Some(Detail::new(7, 0)), "not you"),
        },
        _ => Reply::new(code(250), Some(Detail::new(0, 0)), "done"),
    })
}

impl Side for Driver {
    fn feed(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() && !self.closed {
            if bytes.len().is_multiple_of(2) {
                // Some waits are long ones.
                self.session.idle();
            }
            let space = self.session.input();
            let n = space.len().min(bytes.len());
            assert!(n > 0, "a session that waits has space");
            space[..n].copy_from_slice(&bytes[..n]);
            self.session.received(n).unwrap();
            bytes = &bytes[n..];
            self.drain();
        }
    }

    fn take_output(&mut self) -> Vec<u8> {
        mem::take(&mut self.output)
    }

    fn take_events(&mut self) -> Vec<String> {
        mem::take(&mut self.events)
    }

    fn wants_tls(&self) -> bool {
        self.wants_tls
    }

    fn tls_established(&mut self) {
        assert!(self.session.input().is_empty(), "nothing is read before the handshake");
        self.wants_tls = false;
        self.session.tls_established().unwrap();
        assert!(self.session.under_tls() && self.session.hello().is_none());
        assert!(!self.session.authenticated());
        self.drain();
    }

    fn tls_failed(&mut self) {
        self.wants_tls = false;
        self.session.tls_failed().unwrap();
        self.drain();
    }

    fn end_of_input(&mut self) {
        self.session.end_of_input();
        self.drain();
    }

    fn timed_out(&mut self) {
        self.session.timed_out();
        self.drain();
    }

    fn shut_down(&mut self) {
        self.session.shut_down();
        self.drain();
    }

    fn closed(&self) -> bool {
        self.closed
    }
}
