//! What a client sends, as a server reads it.

use smtp_proto::wire::{BareLf, ClientNames, Command, Extension, Syntax, UnknownParameters, Verb};

use crate::oracle;

/// What a reply answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Sent {
    /// The connection itself.
    Connection,
    /// A command line.
    Line(Verb),
    /// RCPT, with its forward-path.
    Rcpt(String),
    /// The end of the message text, or the last chunk of it.
    EndOfMessage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Lines,
    /// DATA was accepted.
    Text,
    /// Octets of a chunk that are to come, and whether it is the last.
    Chunk(u64, bool),
}

/// A message that was sent to its end.
#[derive(Debug)]
pub(super) struct Sending {
    pub(super) text: Vec<u8>,
    pub(super) in_chunks: bool,
}

/// The server's end of what is transmitted.
#[derive(Debug)]
pub(super) struct View {
    mode: Mode,
    line: Vec<u8>,
    /// The server has asked for a line of a SASL exchange.
    challenged: bool,
    text: Vec<u8>,
    /// The messages that were sent to their end, as their text.
    pub(super) messages: Vec<Sending>,
    /// The parameters of MAIL and RCPT that were sent.
    pub(super) parameters: Vec<String>,
}

impl View {
    pub(super) fn new() -> Self {
        Self {
            mode: Mode::Lines,
            line: Vec::new(),
            challenged: false,
            text: Vec::new(),
            messages: Vec::new(),
            parameters: Vec::new(),
        }
    }

    /// Whether a command may begin here.
    pub(super) fn is_between_commands(&self) -> bool {
        self.mode == Mode::Lines && self.line.is_empty()
    }

    /// The server has said 354: the message comes next.
    pub(super) fn text_begins(&mut self) {
        assert!(self.is_between_commands(), "a command behind DATA: {:?}", self.line);
        self.mode = Mode::Text;
        self.text.clear();
    }

    /// The server has said 334: a line of the exchange comes next.
    pub(super) fn is_challenged(&mut self) {
        assert!(self.is_between_commands(), "a command behind AUTH");
        self.challenged = true;
    }

    /// Reads octets; what they are, in order.
    pub(super) fn read(&mut self, octets: &[u8]) -> Vec<Sent> {
        let mut sent = Vec::new();
        let mut rest = octets;
        while let Some(first) = rest.first() {
            match self.mode {
                Mode::Lines => {
                    rest = &rest[1..];
                    self.line.push(*first);
                    if *first == b'\n' {
                        sent.extend(self.command());
                    }
                }
                Mode::Text => {
                    let before = self.text.len().saturating_sub(2);
                    self.text.extend(rest);
                    if !self.text[before..].windows(3).any(|at| at == b".\r\n") {
                        return sent;
                    }
                    let message = oracle::data::decode(&self.text, BareLf::Reject);
                    assert_eq!(message.refused, None, "a bare LF is sent");
                    let Some(end) = message.end else { return sent };
                    rest = &rest[rest.len() - (self.text.len() - end)..];
                    self.messages.push(Sending { text: message.body, in_chunks: false });
                    self.mode = Mode::Lines;
                    sent.push(Sent::EndOfMessage);
                }
                Mode::Chunk(left, last) => {
                    let here = usize::try_from(left).unwrap_or(usize::MAX).min(rest.len());
                    self.text.extend(&rest[..here]);
                    rest = &rest[here..];
                    sent.extend(self.chunk(left - here as u64, last));
                }
            }
        }
        sent
    }

    fn chunk(&mut self, left: u64, last: bool) -> Option<Sent> {
        if left > 0 {
            self.mode = Mode::Chunk(left, last);
            return None;
        }
        self.mode = Mode::Lines;
        if last {
            let text = std::mem::take(&mut self.text);
            self.messages.push(Sending { text, in_chunks: true });
            return Some(Sent::EndOfMessage);
        }
        Some(Sent::Line(Verb::Bdat))
    }

    fn command(&mut self) -> Option<Sent> {
        let line = std::mem::take(&mut self.line);
        let shown = String::from_utf8_lossy(&line).into_owned();
        let syntax = Syntax {
            extensions: Extension::ALL.iter().copied().collect(),
            unknown_parameters: UnknownParameters::Refuse,
            client_names: ClientNames::Strict,
        };
        let line = line.strip_suffix(b"\r\n").unwrap_or_else(|| panic!("{shown:?} is sent"));
        if std::mem::take(&mut self.challenged) {
            let base64 = |octet: &u8| octet.is_ascii_alphanumeric() || b"+/=".contains(octet);
            assert!(line == b"*" || line.iter().all(base64), "{shown:?} is sent");
            return Some(Sent::Line(Verb::Auth));
        }
        let command = Command::parse_with(line, &syntax)
            .unwrap_or_else(|error| panic!("{shown:?} is sent: {error}"));
        assert_eq!(command.to_string().as_bytes(), line);
        match command {
            Command::Mail(mail) => {
                self.parameters.push(mail.parameters.to_string());
                self.text.clear();
            }
            Command::Rcpt(rcpt) => {
                self.parameters.push(rcpt.parameters.to_string());
                return Some(Sent::Rcpt(rcpt.forward_path.as_str().to_owned()));
            }
            Command::Bdat(bdat) => {
                return self.chunk(bdat.size, bdat.last);
            }
            _ => {}
        }
        Some(Sent::Line(command.verb()))
    }
}
