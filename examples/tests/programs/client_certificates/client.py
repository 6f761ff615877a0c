"""Sends one message by Python's own smtplib and ssl, and prints what the server said.

client.py PORT starttls|late|smtps 1.2|1.3 RECIPIENT [CHAIN KEY]

`late` is STARTTLS after the recipient was named in clear.
"""

import smtplib
import ssl
import sys

port, door, version, recipient = int(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4]

context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
context.check_hostname = False
context.verify_mode = ssl.CERT_NONE
context.minimum_version = context.maximum_version = {
    "1.2": ssl.TLSVersion.TLSv1_2,
    "1.3": ssl.TLSVersion.TLSv1_3,
}[version]
if len(sys.argv) > 5:
    context.load_cert_chain(sys.argv[5], sys.argv[6])

if door == "smtps":
    client = smtplib.SMTP_SSL("127.0.0.1", port, "client.example.net", context=context, timeout=20)
else:
    client = smtplib.SMTP("127.0.0.1", port, "client.example.net", timeout=20)
    if door == "late":
        client.ehlo()
        client.mail("a@example.net")
        code, text = client.rcpt(recipient)
        print("clear", code, text.decode())
    client.starttls(context=context)
client.ehlo()
print("tls", client.sock.version(), client.sock.cipher()[0])
client.mail("a@example.net")
for _ in range(2):
    code, text = client.rcpt(recipient)
    print("rcpt", code, text.decode())
if code == 250:
    code, text = client.data("Subject: by certificate\r\n\r\nhello\r\n")
    print("data", code, text.decode())
client.quit()
