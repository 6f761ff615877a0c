"""A receiving SMTP server with TLS, from Python's standard library alone.

Says on stdout what it saw, one line an event; writes each message, as it came but for the dots, to
a file of the folder. The reply to a recipient follows from its local-part: reject…, defer…, else 250.
"""
import argparse
import base64
import pathlib
import socket
import ssl

parser = argparse.ArgumentParser()
parser.add_argument("--address", required=True)
parser.add_argument("--port", type=int, required=True)
parser.add_argument("--mode", choices=["starttls", "implicit", "none", "refuses"], required=True)
parser.add_argument("--chain", required=True)
parser.add_argument("--version", choices=["TLSv1_1", "TLSv1_2", "TLSv1_3"])
parser.add_argument("--folder", type=pathlib.Path, required=True)
parser.add_argument("--offer", action="append", default=[])
parser.add_argument("--user")
parser.add_argument("--password")
arguments = parser.parse_args()


def say(*words):
    print(*words, flush=True)


def tls_context():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(arguments.chain)
    if arguments.version:
        version = getattr(ssl.TLSVersion, arguments.version)
        if version < ssl.TLSVersion.TLSv1_2:
            context.set_ciphers("ALL:@SECLEVEL=0")
        context.minimum_version = context.maximum_version = version
    context.sni_callback = lambda connection, name, _: say("sni", name)
    return context


class Lost(Exception):
    pass


class Connection:
    def __init__(self, stream):
        self.stream = stream
        self.buffer = b""

    def line(self):
        while b"\r\n" not in self.buffer:
            octets = self.stream.recv(65536)
            if not octets:
                raise Lost
            self.buffer += octets
        line, self.buffer = self.buffer.split(b"\r\n", 1)
        return line

    def reply(self, *lines):
        self.stream.sendall(b"".join(line.encode() + b"\r\n" for line in lines))

    def handshake(self):
        if self.buffer:
            say("octets-behind-starttls", self.buffer)
            raise Lost
        try:
            self.stream = tls.wrap_socket(self.stream, server_side=True)
        except (ssl.SSLError, OSError) as error:
            say("tls-failed", error)
            raise Lost from error
        say("tls", self.stream.version() + "/" + self.stream.cipher()[0])

    def message(self):
        lines = []
        while (line := self.line()) != b".":
            lines.append(line.removeprefix(b".") + b"\r\n")
        self.keep(b"".join(lines))

    def keep(self, octets):
        name = str(len(list(arguments.folder.iterdir())))
        (arguments.folder / name).write_bytes(octets)
        self.reply("250 2.0.0 taken as " + name)
        say("message", name)

    def octets(self, count):
        while len(self.buffer) < count:
            octets = self.stream.recv(65536)
            if not octets:
                raise Lost
            self.buffer += octets
        octets, self.buffer = self.buffer[:count], self.buffer[count:]
        return octets

    def ask(self, challenge):
        self.reply("334 " + base64.b64encode(challenge).decode())
        return base64.b64decode(self.line(), validate=True)

    def authenticate(self, mechanism, initial=None):
        """Says what was shown, never the password."""
        if mechanism == "PLAIN":
            message = self.ask(b"") if initial is None else base64.b64decode(initial, validate=True)
            _, user, password = message.decode().split("\0")
        elif mechanism == "LOGIN":
            user, password = self.ask(b"Username:").decode(), self.ask(b"Password:").decode()
        else:
            self.reply("504 5.5.4 unrecognised authentication type")
            return
        good = (user, password) == (arguments.user, arguments.password)
        self.reply("235 2.7.0 welcome" if good else "535 5.7.8 authentication credentials invalid")
        say("auth", mechanism, user, "good" if good else "bad")

    def serve(self):
        secret = arguments.mode == "implicit"
        if secret:
            self.handshake()
        self.reply("220 receiver.example ESMTP")
        accepted, chunks = 0, b""
        while True:
            line = self.line().decode()
            verb = line.upper().split()[0].split(":")[0]
            if verb not in ("DATA", "STARTTLS", "QUIT", "AUTH"):
                say(line)
            if verb == "EHLO":
                offered = [] if secret or arguments.mode == "none" else ["250-STARTTLS"]
                offered += ["250-" + keyword for keyword in arguments.offer]
                self.reply("250-receiver.example", *offered, "250-PIPELINING", "250 8BITMIME")
            elif verb == "STARTTLS" and arguments.mode == "refuses":
                self.reply("454 4.7.0 TLS not available")
            elif verb == "STARTTLS":
                self.reply("220 2.0.0 go ahead")
                self.handshake()
                secret = True
            elif verb == "RCPT" and "<reject" in line:
                self.reply("550 5.1.1 no such user")
            elif verb == "RCPT" and "<defer" in line:
                self.reply("450 4.2.1 mailbox busy")
            elif verb == "RCPT":
                accepted += 1
                self.reply("250 2.1.5 ok")
            elif verb == "DATA" and not accepted:
                self.reply("554 5.5.1 no valid recipients")
            elif verb == "DATA":
                self.reply("354 go ahead")
                self.message()
            elif verb == "AUTH":
                self.authenticate(*line.split()[1:])
            elif verb == "BDAT":
                chunks += self.octets(int(line.split()[1]))
                if not accepted:
                    self.reply("503 5.5.1 no valid recipients")
                elif line.endswith(" LAST"):
                    self.keep(chunks)
                else:
                    self.reply("250 2.0.0 more")
            elif verb == "QUIT":
                self.reply("221 2.0.0 bye")
                say("quit")
                return
            else:
                self.reply("250 2.0.0 ok")


tls = tls_context()
with socket.create_server((arguments.address, arguments.port)) as listener:
    say("listening")
    while True:
        stream, _ = listener.accept()
        stream.settimeout(20)
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection = Connection(stream)
        try:
            connection.serve()
        except (Lost, OSError):
            say("lost")
        finally:
            connection.stream.close()
            stream.close()
