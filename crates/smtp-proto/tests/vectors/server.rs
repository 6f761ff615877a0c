//! A server session as a vector's settings want it, that takes every sender, recipient and
//! message.

use std::mem;

use smtp_proto::server::{AuthVerdict, Commit, Config, Output, Session, Tls, Verdict};
use smtp_proto::wire::sasl::Exchange;
use smtp_proto::wire::{BareLf, Capability, Detail, Refusal};
use smtp_testkit::transcript::Side;
use smtp_testkit::vector::{Inside, Subject, Vector};

pub(crate) struct Driver {
    session: Session,
    message: Vec<u8>,
    messages: Vec<Vec<u8>>,
    output: Vec<u8>,
    wants_tls: bool,
    closed: bool,
}

impl Driver {
    pub(crate) fn new(vector: &Vector, policy: &str) -> Self {
        let mut config = Config::new("mx.example");
        config.tls = match vector.setting("tls") {
            None | Some("none") => Tls::Unavailable,
            Some("starttls") => Tls::StartTls,
            Some("implicit") => Tls::Implicit,
            Some(other) => panic!("{}: tls: {other}", vector.name),
        };
        config.bare_lf = match policy {
            "reject" => BareLf::Reject,
            "normalize" => BareLf::Normalize,
            other => panic!("no policy: {other}"),
        };
        if let Some(errors) = vector.setting("errors") {
            config.max_errors = errors.parse().unwrap();
        }
        for need in vector.needs() {
            match need {
                "auth" => config.capabilities.insert(Capability::parse("AUTH PLAIN").unwrap()),
                "auth-in-clear" => config.auth_in_clear = true,
                "auth-required" => config.auth_required = true,
                "chunking" => config.capabilities.insert(Capability::parse("CHUNKING").unwrap()),
                "error-limit" | "http-refused" => {}
                other => panic!("{}: needs {other}", vector.name),
            }
        }
        let mut driver = Self {
            session: Session::new(config.into()),
            message: Vec::new(),
            messages: Vec::new(),
            output: Vec::new(),
            wants_tls: false,
            closed: false,
        };
        driver.drain();
        driver
    }

    fn drain(&mut self) {
        while !self.wants_tls && !self.closed {
            match self.session.poll_output() {
                Output::Transmit(octets) => self.output.extend_from_slice(octets),
                Output::Mail(ask, _) => self.session.answer(ask, Verdict::Accept).unwrap(),
                Output::Rcpt(ask, _) => self.session.answer(ask, Verdict::Accept).unwrap(),
                Output::Data(ask) => {
                    self.message.clear();
                    self.session.answer(ask, Verdict::Accept).unwrap();
                }
                Output::Body(octets) => self.message.extend_from_slice(octets),
                Output::EndOfMessage(ask) => {
                    self.messages.push(mem::take(&mut self.message));
                    self.session.answer(ask, Commit::Accepted(None)).unwrap();
                }
                Output::Hello(_) | Output::Abort | Output::Note(_) => {}
                Output::StartTls => self.wants_tls = true,
                Output::Auth(ask, exchange) => {
                    let verdict = match exchange {
                        Exchange::Begin { initial_response: Some(b"\0user\0secret"), .. } => {
                            AuthVerdict::Accept
                        }
                        _ => AuthVerdict::Refuse(Refusal::permanent(Detail::new(7, 8), "no")),
                    };
                    self.session.answer(ask, verdict).unwrap();
                }
                Output::Request(..) => unreachable!("no vector offers it"),
                Output::Wait(_) => return,
                Output::Close => self.closed = true,
            }
        }
    }
}

impl Side for Driver {
    fn feed(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() && !self.closed {
            if self.wants_tls {
                // The rest of the read is no handshake.
                return self.tls_failed();
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

    fn wants_tls(&self) -> bool {
        self.wants_tls
    }

    fn tls_established(&mut self) {
        assert!(self.session.input().is_empty(), "nothing is read before the handshake");
        self.wants_tls = false;
        self.session.tls_established().unwrap();
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

impl Subject for Driver {
    fn inside(&self) -> Inside {
        Inside { messages: Some(self.messages.clone()), outcomes: None }
    }
}
