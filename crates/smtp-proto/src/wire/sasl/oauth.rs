//! The messages of XOAUTH2 and OAUTHBEARER, which carry a bearer token.

use alloc::borrow::Cow;
use alloc::string::{String, ToString};
use core::fmt;

use super::password::utf8;
use super::{SaslError, Secret};

/// `kvsep`
const SEPARATOR: char = '\x01';

/// The message of XOAUTH2, which no RFC describes: a user and a bearer token.
/// [`Debug`](fmt::Debug) does not show the token.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct XOAuth2<'a> {
    user: &'a str,
    token: &'a str,
}

impl<'a> XOAuth2<'a> {
    /// # Errors
    /// The user is empty or holds a control character, or the token is no `b64token` (RFC 6750, 2.1).
    pub fn new(user: &'a str, token: &'a str) -> Result<Self, SaslError> {
        if user.is_empty() || user.chars().any(char::is_control) {
            return Err(SaslError::Malformed("a user"));
        }
        Ok(Self { user, token: b64token(token)? })
    }

    /// `"user=" user %x01 "auth=Bearer " token %x01 %x01`
    ///
    /// # Errors
    /// The message is not of this form.
    pub fn decode(message: &'a [u8]) -> Result<Self, SaslError> {
        let text = utf8(message)?;
        let text = text.strip_prefix("user=").ok_or(SaslError::Malformed("user="))?;
        let (user, pairs) =
            text.split_once(SEPARATOR).ok_or(SaslError::Malformed("a separator"))?;
        let value = pairs.strip_prefix("auth=").ok_or(SaslError::Malformed("auth="))?;
        let value = value.strip_suffix("\x01\x01").ok_or(SaslError::Malformed("two separators"))?;
        Self::new(user, bearer(value)?)
    }

    /// The message.
    #[must_use]
    pub fn encode(&self) -> Secret {
        let text = ["user=", self.user, "\x01auth=Bearer ", self.token, "\x01\x01"].concat();
        Secret::from(text.into_bytes())
    }

    /// The user.
    #[must_use]
    pub const fn user(&self) -> &'a str {
        self.user
    }

    /// The token.
    #[must_use]
    pub const fn token(&self) -> &'a str {
        self.token
    }
}

impl fmt::Debug for XOAuth2<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("XOAuth2").field("user", &self.user).finish_non_exhaustive()
    }
}

/// The message of OAUTHBEARER (RFC 7628): a bearer token, perhaps with whom one acts as and where
/// the client believes to be. [`Debug`](fmt::Debug) does not show the token.
///
/// Channel binding is not known here: a message that uses it is refused.
#[derive(Clone, PartialEq, Eq)]
pub struct OAuthBearer<'a> {
    authorization_id: Cow<'a, str>,
    host: Option<&'a str>,
    port: Option<u16>,
    token: &'a str,
}

impl<'a> OAuthBearer<'a> {
    /// `authorization_id` is empty where the token says enough.
    ///
    /// # Errors
    /// The identity or the host holds a control character, or the token is no `b64token`
    /// (RFC 6750, 2.1).
    pub fn new(
        authorization_id: &'a str,
        host: Option<&'a str>,
        port: Option<u16>,
        token: &'a str,
    ) -> Result<Self, SaslError> {
        Self::checked(Cow::Borrowed(authorization_id), host, port, token)
    }

    fn checked(
        authorization_id: Cow<'a, str>,
        host: Option<&'a str>,
        port: Option<u16>,
        token: &'a str,
    ) -> Result<Self, SaslError> {
        if authorization_id.chars().any(char::is_control) {
            return Err(SaslError::Malformed("an identity"));
        }
        if host.is_some_and(|host| !host.bytes().all(|octet| octet.is_ascii_graphic())) {
            return Err(SaslError::Malformed("a host"));
        }
        Ok(Self { authorization_id, host, port, token: b64token(token)? })
    }

    /// `client-resp = gs2-header kvsep *kvpair kvsep`, `kvpair = key "=" value kvsep`,
    /// `key = 1*(ALPHA)`, `kvsep = %x01` (RFC 7628, 3.1),
    /// `gs2-header = ("n" / "y") "," ["a=" saslname] ","` (RFC 5801, 4). Pairs with other keys than
    /// `host`, `port` and `auth` are passed over.
    ///
    /// # Errors
    /// The message is not of this form.
    pub fn decode(message: &'a [u8]) -> Result<Self, SaslError> {
        let text = utf8(message)?;
        let text = text.strip_prefix("n,").or_else(|| text.strip_prefix("y,"));
        let text = text.ok_or(SaslError::Malformed("n, or y,"))?;
        let (name, pairs) = text.split_once(",\x01").ok_or(SaslError::Malformed("a header"))?;
        let authorization_id = match name {
            "" => Cow::Borrowed(""),
            _ => saslname(name.strip_prefix("a=").ok_or(SaslError::Malformed("a="))?)?,
        };
        let pairs = pairs.strip_suffix("\x01\x01").ok_or(SaslError::Malformed("two separators"))?;
        let (mut host, mut port, mut token) = (None, None, None);
        for pair in pairs.split(SEPARATOR) {
            let (key, value) = pair.split_once('=').ok_or(SaslError::Malformed("a pair"))?;
            if key.is_empty() || !key.bytes().all(|octet| octet.is_ascii_alphabetic()) {
                return Err(SaslError::Malformed("a key"));
            }
            let twice = match key {
                "host" => host.replace(value).is_some(),
                "port" => port.replace(port_number(value)?).is_some(),
                "auth" => token.replace(bearer(value)?).is_some(),
                _ => false,
            };
            if twice {
                return Err(SaslError::Malformed("each key once"));
            }
        }
        Self::checked(authorization_id, host, port, token.ok_or(SaslError::Malformed("auth="))?)
    }

    /// The message.
    #[must_use]
    pub fn encode(&self) -> Secret {
        let mut text = String::from("n,");
        if !self.authorization_id.is_empty() {
            text.extend(["a=", &self.authorization_id.replace('=', "=3D").replace(',', "=2C")]);
        }
        text.push_str(",\x01");
        if let Some(host) = self.host {
            text.extend(["host=", host, "\x01"]);
        }
        if let Some(port) = self.port {
            text.extend(["port=", &port.to_string(), "\x01"]);
        }
        // Reserved for what follows, so that no copy of the token is left behind.
        text.reserve_exact(self.token.len() + 16);
        text.extend(["auth=Bearer ", self.token, "\x01\x01"]);
        Secret::from(text.into_bytes())
    }

    /// Whom one acts as; empty where the token says enough.
    #[must_use]
    pub fn authorization_id(&self) -> &str {
        &self.authorization_id
    }

    /// The host that the client believes to be connected to.
    #[must_use]
    pub const fn host(&self) -> Option<&'a str> {
        self.host
    }

    /// The port that the client believes to be connected to.
    #[must_use]
    pub const fn port(&self) -> Option<u16> {
        self.port
    }

    /// The token.
    #[must_use]
    pub const fn token(&self) -> &'a str {
        self.token
    }
}

impl fmt::Debug for OAuthBearer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OAuthBearer")
            .field("authorization_id", &self.authorization_id)
            .field("host", &self.host)
            .field("port", &self.port)
            .finish_non_exhaustive()
    }
}

/// `"Bearer" 1*SP b64token`, the scheme in any case (RFC 6750, 2.1; RFC 7235, 2.1).
fn bearer(value: &str) -> Result<&str, SaslError> {
    const SCHEME: &str = "Bearer ";
    match value.split_at_checked(SCHEME.len()) {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case(SCHEME) => {
            b64token(token.trim_start_matches(' '))
        }
        _ => Err(SaslError::Malformed("Bearer")),
    }
}

/// `b64token = 1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"="` (RFC 6750, 2.1)
fn b64token(token: &str) -> Result<&str, SaslError> {
    let characters = token.trim_end_matches('=');
    let of_token = |octet: u8| octet.is_ascii_alphanumeric() || b"-._~+/".contains(&octet);
    match !characters.is_empty() && characters.bytes().all(of_token) {
        true => Ok(token),
        false => Err(SaslError::Malformed("a token")),
    }
}

/// `saslname = 1*(UTF8-char-safe / "=2C" / "=3D")`, where the safe ones are all but NUL, `,` and `=`
/// (RFC 5801, 4).
fn saslname(name: &str) -> Result<Cow<'_, str>, SaslError> {
    const MALFORMED: SaslError = SaslError::Malformed("a name with =2C for , and =3D for =");
    if name.is_empty() || name.contains(',') {
        return Err(MALFORMED);
    }
    let Some((first, rest)) = name.split_once('=') else { return Ok(Cow::Borrowed(name)) };
    let mut decoded = String::from(first);
    for part in rest.split('=') {
        let (character, rest) = match part.split_at_checked(2) {
            Some(("2C", rest)) => (',', rest),
            Some(("3D", rest)) => ('=', rest),
            _ => return Err(MALFORMED),
        };
        decoded.push(character);
        decoded.push_str(rest);
    }
    Ok(Cow::Owned(decoded))
}

/// A port in decimal.
fn port_number(value: &str) -> Result<u16, SaslError> {
    let digits = value.bytes().all(|octet| octet.is_ascii_digit());
    let port = if digits { value.parse().ok() } else { None };
    port.ok_or(SaslError::Malformed("a port"))
}
