"""Where mail ends: an SMTP server that keeps what it gets, and a real sendmail that brings it there."""

import email
import os
import socketserver
import threading


class _Session(socketserver.StreamRequestHandler):
    def say(self, line):
        self.wfile.write(line.encode() + b"\r\n")

    def message(self):
        lines = []
        while (line := self.rfile.readline().rstrip(b"\r\n")) != b".":
            lines.append(line[1:] if line.startswith(b"..") else line)
        return email.message_from_bytes(b"\n".join(lines) + b"\n")

    def handle(self):
        sender = recipient = None
        self.say("220 sink.example")
        while line := self.rfile.readline().decode().strip():
            word = line[:4].upper()
            if word == "MAIL":
                sender = line[line.index("<") + 1:line.index(">")]
            elif word == "RCPT":
                recipient = line[line.index("<") + 1:line.index(">")]
            elif word == "DATA":
                self.say("354 go on")
                self.server.mails.append((sender, recipient, self.message()))
            self.say("221 bye" if word == "QUIT" else "250 sink.example")
            if word == "QUIT":
                return


class MailSink(socketserver.ThreadingTCPServer):
    """`mails`: (sender, recipient, message), in the order in which they came."""

    allow_reuse_address = daemon_threads = True

    def __init__(self, address, mails):
        super().__init__(address, _Session)
        self.mails = mails
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def __exit__(self, *args):
        self.shutdown()
        super().__exit__(*args)


def make_sendmail(directory, host, port):
    """A program that hands mail to host:port by msmtp, which delivers at once or not at all."""
    conf, program = os.path.join(directory, "msmtprc"), os.path.join(directory, "sendmail")
    with open(conf, "w", encoding="ascii") as file:
        file.write(f"account default\nhost {host}\nport {port}\nauth off\ntls off\n"
                   "from nobody@invalid.example\n")
    with open(program, "w", encoding="ascii") as file:
        file.write(f'#!/bin/sh\nexec msmtp -C {conf} "$@"\n')
    os.chmod(conf, 0o600)
    os.chmod(program, 0o700)
    return program
