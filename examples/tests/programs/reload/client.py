"""Sessions of SMTP under TLS 1.2: one from each address, or one after the other until SIGTERM.

client.py PORT [--from ADDRESS]… [--certificate CHAIN KEY] [--forever]

A line for each on stdout: `session CERTIFICATE SUITE CODE`, or `failed …`.
"""

import signal
import smtplib
import ssl
import sys

arguments = sys.argv[1:]
port = int(arguments.pop(0))
sources, forever = [], False
context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
context.check_hostname = False
context.verify_mode = ssl.CERT_NONE
context.maximum_version = ssl.TLSVersion.TLSv1_2
while arguments:
    argument = arguments.pop(0)
    if argument == "--from":
        sources.append((arguments.pop(0), 0))
    elif argument == "--certificate":
        context.load_cert_chain(arguments.pop(0), arguments.pop(0))
    elif argument == "--forever":
        forever = True
    else:
        sys.exit("unknown argument " + argument)

going = True


def end(*_):
    global going
    going = False


signal.signal(signal.SIGTERM, end)


def expect(code, reply):
    if reply[0] != code:
        raise RuntimeError(f"{code} was expected: {reply}")


def session(source):
    smtp = smtplib.SMTP("127.0.0.1", port, "client.example.net", timeout=20, source_address=source)
    expect(250, smtp.ehlo())
    expect(220, smtp.starttls(context=context))
    expect(250, smtp.ehlo())
    certificate, suite = smtp.sock.getpeercert(True), smtp.sock.cipher()[0]
    expect(250, smtp.docmd("MAIL FROM:<a@example.net>"))
    recipient = smtp.docmd("RCPT TO:<b@elsewhere.example>")[0]
    expect(221, smtp.quit())
    return f"session {certificate.hex()} {suite} {recipient}"


while going:
    for source in sources or [None]:
        try:
            print(session(source), flush=True)
        except Exception as error:
            print("failed", repr(error), flush=True)
            if not forever:
                sys.exit(1)
    going = going and forever
