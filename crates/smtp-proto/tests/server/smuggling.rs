//! End of DATA is CRLF.CRLF alone: nothing that looks like it lets a command out of a message.

use smtp_testkit::transcript::{Side, Transcript, schedules};

use super::driver::Driver;

const ENVELOPE: &[u8] =
    b"EHLO a.example\r\nMAIL FROM:<s@a.example>\r\nRCPT TO:<r@b.example>\r\nDATA\r\n";

const SMUGGLED: &[u8] = b"MAIL FROM:<x@a.example>\r\nRCPT TO:<v@b.example>\r\nDATA\r\n\
    Subject: smuggled\r\n\r\nB";

/// What somebody else might take for the end of a message.
const NOT_AN_END: &[&[u8]] = &[
    b"\n.\n",
    b"\n.\r\n",
    b"\r\n.\n",
    b"\r.\r",
    b"\r.\n",
    b"\n.\r",
    b"\r.\r\n",
    b"\r\n.\r",
    b"\r\n\0.\r\n",
    b"\r\n.\0\r\n",
    b"\r\n.\r\r\n",
    b"\r\r\n.\r\r\n",
    b"\r\n\r.\r\n",
    b"\n\n\n.\r\n",
    b"\r\n..\r\n",
    b"\r\n .\r\n",
    b"\r\n. \r\n",
    b"\r\n.\t\r\n",
    b"\xe2\x80\xa8.\xe2\x80\xa8",
    b"\xc2\x85.\xc2\x85",
    b"\x85.\x85",
    b"\x0b.\x0b",
    b"\x0c.\x0c",
];

/// Replies to a message in which `sequence` stands before a smuggled group, and whether the
/// message was taken. `settings` are a transcript's.
fn replies(settings: &str, sequence: &[u8]) -> Vec<(String, usize)> {
    let message =
        [ENVELOPE, b"Subject: x\r\n\r\nA", sequence, SMUGGLED, b"\r\n.\r\n", b"QUIT\r\n"].concat();
    let transcript = Transcript::parse("smuggling", settings).unwrap();
    let mut seen = Vec::new();
    for schedule in schedules(message.len()) {
        let mut driver = Driver::new(&transcript);
        for chunk in schedule.chunks(&message) {
            driver.feed(chunk);
        }
        assert!(driver.closed(), "QUIT is read as a command, {schedule}");
        let output = String::from_utf8(driver.take_output()).unwrap();
        let events = driver.take_events();
        let mails = events.iter().filter(|event| event.starts_with("mail ")).count();
        let taken = events.iter().filter(|event| event.starts_with("message ")).count();
        assert_eq!(mails, 1, "one MAIL is answered, {schedule}: {events:?}");
        assert!(taken <= 1);
        let reply = (output, taken);
        if !seen.contains(&reply) {
            seen.push(reply);
        }
    }
    seen
}

#[test]
fn no_command_leaves_a_message() {
    for settings in ["", "#! bare-lf: normalize"] {
        for sequence in NOT_AN_END {
            let seen = replies(settings, sequence);
            assert_eq!(seen.len(), 1, "cuts change nothing: {sequence:?} {seen:?}");
            let (output, taken) = &seen[0];
            let after_data = output.split("354 go ahead\r\n").nth(1).unwrap();
            let lines: Vec<_> = after_data.lines().collect();
            let bare_lf = sequence.windows(2).any(|pair| pair[1] == b'\n' && pair[0] != b'\r')
                || sequence[0] == b'\n';
            if bare_lf && settings.is_empty() {
                assert_eq!(*taken, 0, "{sequence:?}");
                assert!(lines[0].starts_with("550 5.5.2 "), "{sequence:?} {lines:?}");
            } else {
                assert_eq!(*taken, 1, "{sequence:?}");
                assert!(lines[0].starts_with("250 2.0.0 "), "{sequence:?} {lines:?}");
            }
            assert!(lines[1].starts_with("221 "), "{sequence:?} {lines:?}");
            assert_eq!(lines.len(), 2, "{sequence:?}");
        }
    }
}

#[test]
fn the_true_end_is_one_wherever_a_read_ends() {
    // The end of the message stands at every offset around the sizes that buffers have.
    let transcript = Transcript::parse("edges", "").unwrap();
    for size in [1024, 2048, 4096, 16 * 1024, 65_535, 65_536] {
        for length in size - 8..size + 8 {
            let text = vec![b'x'; length];
            let message = [ENVELOPE, &text, b"\r\n.\r\nQUIT\r\n"].concat();
            let mut driver = Driver::new(&transcript);
            driver.feed(&message);
            assert!(driver.closed());
            let expected = format!("message {}\\r\\n", "x".repeat(length));
            assert!(driver.take_events().contains(&expected), "{length}");
        }
    }
}
