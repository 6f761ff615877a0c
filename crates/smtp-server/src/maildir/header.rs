//! The lines that a delivery puts before a message.
//!
//! Does: print Return-Path (RFC 5321 section 4.4), Delivered-To, and Received in qmail's form, with the
//! cipher suite and the client certificate that qmail's TLS patch shows.
//! Does not: touch the message. Fails: never; an octet that has no place in a header becomes a
//! question mark.

use std::fmt::{self, Write};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::Envelope;
use crate::context::Context;

pub(super) fn write(
    out: &mut Vec<u8>,
    context: &Context<'_>,
    envelope: &Envelope,
    host_name: &str,
    now: SystemTime,
) {
    let mut text = String::with_capacity(512);
    let printed = print(&mut text, context, envelope, host_name, now);
    debug_assert!(printed.is_ok(), "printing to memory does not fail");
    out.extend_from_slice(text.as_bytes());
}

fn print(
    out: &mut String,
    context: &Context<'_>,
    envelope: &Envelope,
    host_name: &str,
    now: SystemTime,
) -> fmt::Result {
    let printable = |text| Printable { text, utf8: context.smtputf8 };
    writeln!(out, "Return-Path: <{}>", printable(envelope.reverse_path()))?;
    for recipient in envelope.recipients() {
        writeln!(out, "Delivered-To: {}", printable(recipient))?;
    }
    // The peer's name in the DNS is not looked up: to qmail such a peer is `unknown`.
    write!(out, "Received: from unknown ")?;
    if let Some(hello) = context.hello {
        write!(out, "(HELO {}) ", Safe(hello.name))?;
    }
    write!(out, "({})\n  by {} with ", context.peer.address.ip().to_canonical(), Safe(host_name))?;
    out.push_str(context.protocol());
    if let Some(tls) = context.tls {
        let encrypted = if tls.is_encrypted() { " encrypted" } else { "" };
        write!(out, " ({}{encrypted})", Safe(tls.suite))?;
    }
    if let Some(address) = envelope.certified() {
        write!(out, "\n  (cert {})", Comment(address.as_str()))?;
    }
    writeln!(out, "; {}", Date(now))
}

/// A text from the peer inside a header: what is not printable becomes a question mark, and so does
/// what is outside ASCII, unless the message came with SMTPUTF8 (RFC 6532).
struct Printable<'a> {
    text: &'a str,
    utf8: bool,
}

impl fmt::Display for Printable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Some readers end a line at the separators of Unicode, too.
        let stays = |character: char| match character {
            ' '..='~' => true,
            '\u{2028}' | '\u{2029}' => false,
            _ => self.utf8 && !character.is_ascii() && !character.is_control(),
        };
        self.text
            .chars()
            .try_for_each(|character| f.write_char(if stays(character) { character } else { '?' }))
    }
}

/// A word from the peer inside Received, where parentheses and semicolons have a meaning: only
/// what names and address literals are made of stays.
struct Safe<'a>(&'a str);

impl fmt::Display for Safe<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|character| {
            let safe = character.is_ascii_alphanumeric() || ".@%+/=:-_[]".contains(character);
            f.write_char(if safe { character } else { '?' })
        })
    }
}

/// What stands in a comment of its own (RFC 5322 section 3.2.2): printable, and nothing that opens,
/// closes or quotes.
struct Comment<'a>(&'a str);

impl fmt::Display for Comment<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|character| {
            let stays = character.is_ascii_graphic() && !"()\\".contains(character);
            f.write_char(if stays { character } else { '?' })
        })
    }
}

/// A date as RFC 5322 section 3.3 has it, in UTC and in qmail's form: without the day's name, and
/// with `-0000`, which says that the host's own zone is not told.
struct Date(SystemTime);

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const MONTHS: [&str; 12] =
            ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
        let seconds = self.0.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs();
        let (days, time) = (seconds / 86_400, seconds % 86_400);
        let (year, month, day) = civil(days);
        write!(
            f,
            "{day} {} {year:04} {:02}:{:02}:{:02} -0000",
            MONTHS[month],
            time / 3600,
            time / 60 % 60,
            time % 60
        )
    }
}

/// Year, month (from 0) and day (from 1) of a day counted from 1970-01-01, in the Gregorian
/// calendar. Years are counted from March, so that the leap day is their last.
fn civil(days: u64) -> (u64, usize, u64) {
    const DAYS_IN_400_YEARS: u64 = 146_097;
    // 0000-03-01 is 719 468 days before 1970-01-01.
    let days = days + 719_468;
    let (era, day) = (days / DAYS_IN_400_YEARS, days % DAYS_IN_400_YEARS);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let from_march = (5 * day + 2) / 153;
    let day = day - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 2 } else { from_march - 10 };
    let year = era * 400 + year + u64::from(month < 2);
    (year, usize::try_from(month).expect("a month is below 12"), day)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::handler::Peer;
    use smtp_proto::server::Hello;
    use smtp_tls::ClientAddress;

    fn date(seconds: u64) -> String {
        Date(UNIX_EPOCH + Duration::from_secs(seconds)).to_string()
    }

    #[test]
    fn dates_are_the_calendar_s() {
        assert_eq!(date(0), "1 Jan 1970 00:00:00 -0000");
        assert_eq!(date(951_782_399), "28 Feb 2000 23:59:59 -0000");
        assert_eq!(date(951_782_400), "29 Feb 2000 00:00:00 -0000");
        assert_eq!(date(1_709_251_199), "29 Feb 2024 23:59:59 -0000");
        assert_eq!(date(1_709_251_200), "1 Mar 2024 00:00:00 -0000");
        assert_eq!(date(1_798_761_599), "31 Dec 2026 23:59:59 -0000");
        assert_eq!(date(4_107_542_400), "1 Mar 2100 00:00:00 -0000");
    }

    #[test]
    fn every_day_follows_the_one_before() {
        let mut last = civil(0);
        for day in 1..200_000 {
            let next = civil(day);
            let follows =
                if next.2 == 1 { next.1 == (last.1 + 1) % 12 } else { next.2 == last.2 + 1 };
            assert!(follows && next > last, "{last:?} then {next:?}");
            last = next;
        }
    }

    #[test]
    fn what_a_peer_says_cannot_make_a_line() {
        let peer =
            Peer::new("smtp", "192.0.2.7:4000".parse().unwrap(), "192.0.2.1:25".parse().unwrap());
        let hello = Hello { name: "a\r\nX: (b);\0\u{e9}", extended: true };
        let mut envelope = Envelope::new("s\n@x");
        envelope.add_recipient("r\r@y");
        let mut out = Vec::new();
        let context = Context::new(peer, Some(hello), None);
        write(&mut out, &context, &envelope, "me.example", UNIX_EPOCH);
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "Return-Path: <s?@x>\n\
             Delivered-To: r?@y\n\
             Received: from unknown (HELO a??X:??b????) (192.0.2.7)\n  \
             by me.example with ESMTP; 1 Jan 1970 00:00:00 -0000\n"
        );
    }

    #[test]
    fn a_certificate_that_opened_the_relay_is_named() {
        let address = "192.0.2.7:4000".parse().unwrap();
        let hello = Hello { name: "a.example", extended: true };
        let context = Context::new(Peer::new("smtp", address, address), Some(hello), None);
        let received = |certified: &[u8]| {
            let mut envelope = Envelope::new("s@x");
            envelope.set_certified(Some(ClientAddress::from_octets(certified).unwrap()));
            let mut out = Vec::new();
            write(&mut out, &context, &envelope, "me.example", UNIX_EPOCH);
            String::from_utf8(out).unwrap()
        };
        assert_eq!(
            received(b"user@example.org"),
            "Return-Path: <s@x>\n\
             Received: from unknown (HELO a.example) (192.0.2.7)\n  \
             by me.example with ESMTP\n  \
             (cert user@example.org); 1 Jan 1970 00:00:00 -0000\n"
        );
        // Every octet that an address can have, and none of them ends the comment or the line.
        for octet in b'!'..=b'~' {
            let text = received(&[b'a', octet, b'b']);
            assert_eq!((text.matches('\n').count(), text.matches(')').count()), (4, 3), "{text}");
            let shown = if b"()\\".contains(&octet) { b'?' } else { octet };
            assert!(text.contains(&format!("(cert a{}b);", char::from(shown))), "{text}");
        }
    }

    #[test]
    fn letters_outside_ascii_stay_where_the_message_may_have_them() {
        let address = "192.0.2.7:4000".parse().unwrap();
        let hello = Hello { name: "b\u{fc}ro", extended: true };
        let mut context = Context::new(Peer::new("smtp", address, address), Some(hello), None);
        context.smtputf8 = true;
        let mut envelope = Envelope::new("\u{65e5}\u{85}\n@x");
        envelope.add_recipient("r\u{2028}\u{7f}\u{e9}@y");
        let mut out = Vec::new();
        write(&mut out, &context, &envelope, "me.example", UNIX_EPOCH);
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "Return-Path: <\u{65e5}??@x>\n\
             Delivered-To: r??\u{e9}@y\n\
             Received: from unknown (HELO b?ro) (192.0.2.7)\n  \
             by me.example with UTF8SMTP; 1 Jan 1970 00:00:00 -0000\n"
        );
    }
}
