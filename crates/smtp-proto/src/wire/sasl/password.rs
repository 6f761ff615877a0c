//! The messages of PLAIN, LOGIN and EXTERNAL.

use core::fmt;

use super::{SaslError, Secret};

/// The message of PLAIN (RFC 4616). [`Debug`](fmt::Debug) does not show the password.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Plain<'a> {
    authorization_id: &'a str,
    authentication_id: &'a str,
    password: &'a str,
}

impl<'a> Plain<'a> {
    /// `authorization_id` is who one acts as: empty for whoever `authentication_id` is.
    ///
    /// # Errors
    /// One of them holds a NUL, or one but the first is empty.
    pub fn new(
        authorization_id: &'a str,
        authentication_id: &'a str,
        password: &'a str,
    ) -> Result<Self, SaslError> {
        if authentication_id.is_empty() {
            return Err(SaslError::Malformed("an authentication identity"));
        }
        if password.is_empty() {
            return Err(SaslError::Malformed("a password"));
        }
        if [authorization_id, authentication_id, password].iter().any(|text| text.contains('\0')) {
            return Err(SaslError::Malformed("text without NUL"));
        }
        Ok(Self { authorization_id, authentication_id, password })
    }

    /// `message = [authzid] UTF8NUL authcid UTF8NUL passwd`, `authcid = 1*SAFE`,
    /// `authzid = 1*SAFE`, `passwd = 1*SAFE`, `SAFE` any UTF-8 but NUL (RFC 4616, 2).
    ///
    /// # Errors
    /// The message is not of this form.
    pub fn decode(message: &'a [u8]) -> Result<Self, SaslError> {
        let text = utf8(message)?;
        let mut fields = text.split('\0');
        match (fields.next(), fields.next(), fields.next(), fields.next()) {
            (Some(authorization), Some(authentication), Some(password), None) => {
                Self::new(authorization, authentication, password)
            }
            _ => Err(SaslError::Malformed("two NULs")),
        }
    }

    /// The message.
    #[must_use]
    pub fn encode(&self) -> Secret {
        let Self { authorization_id, authentication_id, password } = self;
        Secret::from(
            [authorization_id, "\0", authentication_id, "\0", password].concat().into_bytes(),
        )
    }

    /// Who one acts as; empty for whoever [`authentication_id`](Self::authentication_id) is.
    #[must_use]
    pub const fn authorization_id(&self) -> &'a str {
        self.authorization_id
    }

    /// Whose the password is.
    #[must_use]
    pub const fn authentication_id(&self) -> &'a str {
        self.authentication_id
    }

    /// The password.
    #[must_use]
    pub const fn password(&self) -> &'a str {
        self.password
    }
}

impl fmt::Debug for Plain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plain")
            .field("authorization_id", &self.authorization_id)
            .field("authentication_id", &self.authentication_id)
            .finish_non_exhaustive()
    }
}

/// The two answers of LOGIN, which no RFC describes: a name, and then a password.
/// [`Debug`](fmt::Debug) does not show the password.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Login<'a> {
    name: &'a str,
    password: &'a [u8],
}

impl<'a> Login<'a> {
    /// The first challenge, as clients want it. Its words mean nothing to a client: the first
    /// challenge asks for the name, whatever it says.
    pub const NAME_CHALLENGE: &'static [u8] = b"Username:";
    /// The second challenge.
    pub const PASSWORD_CHALLENGE: &'static [u8] = b"Password:";

    /// The two answers, as they are decoded.
    ///
    /// # Errors
    /// One of them is empty or holds a NUL, CR or LF, or the name is not UTF-8.
    pub fn new(name: &'a [u8], password: &'a [u8]) -> Result<Self, SaslError> {
        for answer in [name, password] {
            if answer.is_empty() {
                return Err(SaslError::Malformed("a name and a password"));
            }
            if answer.iter().any(|octet| matches!(octet, b'\0' | b'\r' | b'\n')) {
                return Err(SaslError::Malformed("text without NUL, CR or LF"));
            }
        }
        Ok(Self { name: utf8(name)?, password })
    }

    /// The first answer.
    #[must_use]
    pub const fn name(&self) -> &'a str {
        self.name
    }

    /// The second answer.
    #[must_use]
    pub const fn password(&self) -> &'a [u8] {
        self.password
    }
}

impl fmt::Debug for Login<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login").field("name", &self.name).finish_non_exhaustive()
    }
}

/// The message of EXTERNAL (RFC 4422, appendix A): who one acts as. Who one is, is known already,
/// from TLS say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct External<'a> {
    authorization_id: &'a str,
}

impl<'a> External<'a> {
    /// Empty for whoever one is.
    ///
    /// # Errors
    /// It holds a NUL.
    pub fn new(authorization_id: &'a str) -> Result<Self, SaslError> {
        match authorization_id.contains('\0') {
            false => Ok(Self { authorization_id }),
            true => Err(SaslError::Malformed("text without NUL")),
        }
    }

    /// `initial-response = [ authz-id-string ]`, `authz-id-string = *( UTF8-char-no-nul )`
    /// (RFC 4422, A.1).
    ///
    /// # Errors
    /// The message is not of this form.
    pub fn decode(message: &'a [u8]) -> Result<Self, SaslError> {
        Self::new(utf8(message)?)
    }

    /// The message.
    #[must_use]
    pub const fn encode(&self) -> &'a [u8] {
        self.authorization_id.as_bytes()
    }

    /// Who one acts as; empty for whoever one is.
    #[must_use]
    pub const fn authorization_id(&self) -> &'a str {
        self.authorization_id
    }
}

pub(super) fn utf8(message: &[u8]) -> Result<&str, SaslError> {
    core::str::from_utf8(message).map_err(|_| SaslError::Malformed("UTF-8"))
}
