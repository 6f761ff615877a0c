//! The commonest parameters, in one go.
//!
//! Does: take SIZE, BODY, NOTIFY and ORCPT where nothing unusual stands in them, to the same value
//! as the list's parser in [`super`]. Does not: take anything else, or say what is wrong with it.
//! Fails: `None`, and nothing is taken then; the list's parser goes on from there.
//!
//! Where a value is followed by what is not of it, the value is taken, and the list is refused
//! there: whatever comes next begins with a space.

use super::message::split_plain_size;
use super::{BodyType, MailParameters, Notify, OriginalRecipient, RcptParameters};
use crate::wire::extension::{Extension, Extensions};
use crate::wire::grammar::starts_with;

impl<'a> MailParameters<'a> {
    /// Takes the first of a list that is not empty: the list behind it.
    #[inline(always)]
    pub(super) fn take_plain(&mut self, list: &'a str, allowed: Extensions) -> Option<&'a str> {
        if starts_with(list.as_bytes(), b" SIZE=") {
            if self.size.is_some() || !allowed.contains(Extension::Size) {
                return None;
            }
            let (size, behind) = split_plain_size(list.get(" SIZE=".len()..)?)?;
            self.size = Some(size);
            return Some(behind);
        }
        if starts_with(list.as_bytes(), b" BODY=") {
            if self.body.is_some() || !allowed.contains(Extension::EightBitMime) {
                return None;
            }
            let value = list.get(" BODY=".len()..)?;
            let (body, behind) = if starts_with(value.as_bytes(), b"8BITMIME") {
                (BodyType::EightBitMime, value.get("8BITMIME".len()..)?)
            } else if starts_with(value.as_bytes(), b"7BIT") {
                (BodyType::SevenBit, value.get("7BIT".len()..)?)
            } else {
                return None;
            };
            self.body = Some(body);
            return Some(behind);
        }
        None
    }
}

impl<'a> RcptParameters<'a> {
    /// As [`MailParameters::take_plain`].
    #[inline(always)]
    pub(super) fn take_plain(&mut self, list: &'a str, allowed: Extensions) -> Option<&'a str> {
        if !allowed.contains(Extension::Dsn) {
            return None;
        }
        if starts_with(list.as_bytes(), b" NOTIFY=") && self.notify.is_none() {
            let (notify, behind) = Notify::split_plain(list.get(" NOTIFY=".len()..)?)?;
            self.notify = Some(notify);
            return Some(behind);
        }
        if starts_with(list.as_bytes(), b" ORCPT=") && self.orcpt.is_none() {
            let (orcpt, behind) = OriginalRecipient::split_plain(list.get(" ORCPT=".len()..)?)?;
            self.orcpt = Some(orcpt);
            return Some(behind);
        }
        None
    }
}
