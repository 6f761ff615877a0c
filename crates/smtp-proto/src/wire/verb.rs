//! The command verbs.
//!
//! Does: tell the verbs apart, those that are known but not implemented too, so that the reply
//! can be 502 and not 500. Does not: look behind the verb.

use core::fmt;

macro_rules! verbs {
    ($($(#[$doc:meta])* $name:ident = $text:literal, $implemented:literal;)*) => {
        /// The first word of a command (RFC 5321, 4.1.1).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum Verb { $($(#[$doc])* $name,)* }

        impl Verb {
            /// All verbs, in the order of their declaration.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The verb in capitals.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            #[inline]
            fn from_key(read: u64) -> Option<Self> {
                $(
                    const { assert!($text.len() <= 8) };
                    if read == const { key($text.as_bytes()).expect("a verb is letters") } {
                        return Some(Self::$name);
                    }
                )*
                None
            }

            /// Whether [`Command`](super::Command) has a value for it.
            #[must_use]
            pub const fn is_implemented(self) -> bool {
                match self { $(Self::$name => $implemented,)* }
            }
        }
    };
}

verbs! {
    /// Opens a session with extensions.
    Ehlo = "EHLO", true;
    /// Opens a session without extensions.
    Helo = "HELO", true;
    /// Opens a transaction, with its reverse-path.
    Mail = "MAIL", true;
    /// Adds a recipient to the transaction.
    Rcpt = "RCPT", true;
    /// Announces the message text.
    Data = "DATA", true;
    /// Gives the transaction up.
    Rset = "RSET", true;
    /// Does nothing.
    Noop = "NOOP", true;
    /// Ends the session.
    Quit = "QUIT", true;
    /// Asks whether a mailbox exists.
    Vrfy = "VRFY", true;
    /// Asks for help.
    Help = "HELP", true;
    /// Asks for TLS (RFC 3207).
    StartTls = "STARTTLS", true;
    /// Asks who is on a mailing list (RFC 5321, 4.1.1.7).
    Expn = "EXPN", true;
    /// Authenticates the client (RFC 4954).
    Auth = "AUTH", true;
    /// Sends a chunk of the message (RFC 3030).
    Bdat = "BDAT", true;
    /// Asks for the mail that waits for a domain (RFC 1985).
    Etrn = "ETRN", true;
    /// Asks for the mail that waits for an authenticated client (RFC 2645).
    Atrn = "ATRN", false;
    /// Opens an LMTP session (RFC 2033).
    Lhlo = "LHLO", true;
    /// Tells what a proxy knows of the client.
    Xclient = "XCLIENT", true;
    /// Tells what a filter's front end knows of the client.
    Xforward = "XFORWARD", true;
    /// Obsolete (RFC 5321, F.1).
    Turn = "TURN", false;
    /// Obsolete (RFC 5321, F.6).
    Send = "SEND", false;
    /// Obsolete (RFC 5321, F.6).
    Soml = "SOML", false;
    /// Obsolete (RFC 5321, F.6).
    Saml = "SAML", false;
}

impl Verb {
    /// The verb that a word is, in any case; `None` for an unknown word.
    #[must_use]
    #[inline]
    pub fn from_word(word: &str) -> Option<Self> {
        let key = match word.as_bytes() {
            // The mask makes letters capitals, and nothing else becomes a letter.
            [a, b, c, d] => u64::from(u32::from_le_bytes([*a, *b, *c, *d]) & 0xdfdf_dfdf),
            octets if octets.len() <= 8 => key(octets)?,
            _ => return None,
        };
        Self::from_key(key)
    }
}

/// The octets of a word of letters as one number, in capitals.
const fn key(word: &[u8]) -> Option<u64> {
    let (mut key, mut index) = (0, 0);
    while index < word.len() {
        if !word[index].is_ascii_alphabetic() {
            return None;
        }
        key |= (word[index].to_ascii_uppercase() as u64) << (8 * index);
        index += 1;
    }
    Some(key)
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_its_verb_in_any_case() {
        for verb in Verb::ALL {
            assert_eq!(Verb::from_word(verb.as_str()), Some(*verb));
            assert_eq!(Verb::from_word(&verb.as_str().to_ascii_lowercase()), Some(*verb));
        }
        for word in ["", "MAI", "MAILX", "EHL\u{d6}", "GET"] {
            assert_eq!(Verb::from_word(word), None, "{word}");
        }
    }
}
