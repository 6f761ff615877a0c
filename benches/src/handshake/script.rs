//! The SMTP that both sides speak here, octet by octet.
//!
//! Whoever has a TLS library alone says these octets and understands none: each read of them ends
//! with a whole line. A session says the same; the octets on the wire are compared.

pub(super) const HOST: &str = "mx.example.org";
pub(super) const NAME: &str = "client.example.org";

pub(super) const GREETING: &[u8] = b"220 mx.example.org ESMTP\r\n";
pub(super) const OFFER: &[u8] =
    b"250-mx.example.org\r\n250-PIPELINING\r\n250-SIZE\r\n250-8BITMIME\r\n\
    250-ENHANCEDSTATUSCODES\r\n250 STARTTLS\r\n";
pub(super) const OFFER_INSIDE: &[u8] = b"250-mx.example.org\r\n250-PIPELINING\r\n250-SIZE\r\n\
    250-8BITMIME\r\n250 ENHANCEDSTATUSCODES\r\n";
pub(super) const READY: &[u8] = b"220 2.0.0 ready for tls\r\n";
pub(super) const BYE: &[u8] = b"221 2.0.0 mx.example.org\r\n";

pub(super) const EHLO: &[u8] = b"EHLO client.example.org\r\n";
pub(super) const STARTTLS: &[u8] = b"STARTTLS\r\n";
pub(super) const QUIT: &[u8] = b"QUIT\r\n";

/// The longest of them, and more.
pub(super) const ROOM: usize = 512;
