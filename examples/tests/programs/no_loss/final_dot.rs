//! What `hvmail-send` says of a server that is gone at the final dot.

use std::thread;

use smtp_testkit::peer::Listener;

use crate::support::Host;

#[test]
fn a_server_that_is_gone_at_the_final_dot_is_never_reported_as_delivery() {
    let host = Host::new();
    // How much of its answer the server says before it is gone.
    for (said, code, line) in [
        ("", 75, "deferred b@example.org 451 4.4.2 final dot: the connection was lost; "),
        ("250 2.0.0 ok\r", 75, "deferred b@example.org 451 4.4.2 final dot: "),
        ("452 4.3.1 full\r\n", 75, "deferred b@example.org 452 4.3.1 full tls=none/not-offered"),
        ("250 2.0.0 ok\r\n", 0, "delivered b@example.org 250 2.0.0 ok tls=none/not-offered"),
    ] {
        let listener = Listener::new();
        let port = listener.address().port();
        let server = thread::spawn(move || {
            let mut peer = listener.accept();
            peer.line("220 mx.example.org");
            for (command, reply) in
                [("EHLO", "250 mx.example.org"), ("MAIL", "250 ok"), ("RCPT", "250 ok")]
            {
                peer.expect(command);
                peer.line(reply);
            }
            peer.expect("DATA");
            peer.line("354 go");
            while peer.read_line().unwrap() != b".\r\n" {}
            peer.send(said);
        });
        let sent = host.send(port, &["--from", "a@example.org", "--to", "b@example.org"], "text\n");
        server.join().unwrap();
        assert_eq!(sent.code, Some(code), "{said:?}: {sent:?}");
        assert_eq!(sent.stdout.len(), 1, "{said:?}: {sent:?}");
        assert!(sent.stdout[0].starts_with(line), "{said:?}: {sent:?}");
        let in_doubt =
            sent.stdout[0].contains("; the server may already have accepted the message tls=");
        assert_eq!(in_doubt, !said.ends_with('\n'), "{said:?}: {sent:?}");
    }
}
