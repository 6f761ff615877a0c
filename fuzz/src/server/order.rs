//! The order in which a server session's outputs may come.

use smtp_proto::server::Output;

/// What was said so far, as far as it decides what may be said next.
#[derive(Debug, Default)]
pub(super) struct Order {
    pub(super) greeted: bool,
    pub(super) under_tls: bool,
    pub(super) auth_in_clear: bool,
    pub(super) authenticated: bool,
    /// MAIL was accepted, and neither the end of the message nor an abort has come.
    pub(super) open: bool,
    pub(super) recipients: usize,
    /// DATA was accepted, and the message is not over.
    pub(super) message: bool,
    pub(super) closed: bool,
}

impl Order {
    /// Checks that an output may come now.
    pub(super) fn check(&self, output: &Output<'_>) {
        assert!(!self.closed || matches!(output, Output::Close), "{output:?} behind Close");
        match output {
            Output::Hello(hello) => {
                assert!(!self.open, "a new name inside a transaction");
                assert!(!hello.name.is_empty());
            }
            Output::Auth(..) => {
                assert!(self.greeted && !self.open && !self.authenticated, "AUTH: {self:?}");
                assert!(self.under_tls || self.auth_in_clear, "AUTH in clear");
            }
            Output::Mail(..) => assert!(self.greeted && !self.open, "MAIL: {self:?}"),
            Output::Rcpt(..) => assert!(self.open && !self.message, "RCPT: {self:?}"),
            Output::Data(_) => {
                assert!(self.open && !self.message && self.recipients > 0, "DATA: {self:?}");
            }
            Output::Body(octets) => {
                assert!(self.message && !octets.is_empty(), "a piece of no message: {self:?}");
            }
            Output::EndOfMessage(_) => assert!(self.message, "the end of no message: {self:?}"),
            Output::Abort => assert!(self.open, "the end of no transaction"),
            Output::StartTls => assert!(!self.open && !self.under_tls, "StartTls: {self:?}"),
            Output::Close => assert!(!self.open, "Close inside a transaction"),
            Output::Transmit(octets) => assert!(!octets.is_empty()),
            // A request may stand between the chunks of a message.
            Output::Request(..) | Output::Wait(_) | Output::Note(_) => {}
        }
    }

    pub(super) fn mail_accepted(&mut self) {
        self.open = true;
        self.recipients = 0;
    }

    pub(super) fn transaction_ended(&mut self) {
        self.open = false;
        self.message = false;
    }

    pub(super) fn tls_established(&mut self) {
        self.under_tls = true;
        self.forget_client();
    }

    pub(super) fn forget_client(&mut self) {
        self.greeted = false;
        self.authenticated = false;
    }
}
