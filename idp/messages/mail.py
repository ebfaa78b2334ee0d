"""Mail: a text in the reader's language, plain and as HTML, handed to a server that the settings name (RFC 5321, RFC 5322).

`Message-ID` is made of the outbox row's id, so a mail that is handed over twice is one to every reader. `Auto-Submitted` (RFC 3834) keeps
vacation notices from answering. NOTE: the subject never holds the code: subjects stand on lock screens and in the logs of mail servers.
"""

from __future__ import annotations

import smtplib
import time
from contextlib import suppress
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP as POLICY
from urllib.parse import urlsplit

import idna
from markupsafe import Markup

from idp import clock
from idp.config import settings
from idp.config_gateways import Smtp
from idp.messages.gateway import GatewayFailed, Taken, context, word_for
from idp.messages.wording import Text, brand

_INK, _FONT = "#1f2328", "font-family:-apple-system,'Segoe UI',Roboto,Arial,sans-serif;font-size:16px;line-height:24px"
_CODE = Markup('<p style="margin:0 0 16px;font-size:32px;line-height:40px;letter-spacing:4px;font-weight:600">{}</p>')
_PAGE = Markup(
    '<!doctype html>\n<html lang="{language}">\n<head><meta charset="utf-8"><title>{subject}</title></head>\n'
    '<body style="margin:0;padding:24px;color:{ink};background:#ffffff;{font}">\n'
    '<p style="margin:0 0 16px;font-weight:600">{brand}</p>\n{code}<p style="margin:0">{text}</p>\n</body>\n</html>\n'
)


def send(name: str, smtp: Smtp, message_id: str, to: str, text: Text) -> Taken:
    """Hand a mail to the server, which is the gateway `name`; raises GatewayFailed."""
    mail = compose(smtp.sender, message_id, to, text)
    try:
        server = _session(smtp)
        try:
            server.send_message(mail)
        finally:
            _leave(server)
    except Exception as e:
        raise GatewayFailed(name, _word(e), is_about_message=_is_about_mail(e)) from None  # whose text holds the address
    return Taken(name)


def look(name: str, smtp: Smtp) -> str:
    """What `idp doctor` says: the server takes us in (STARTTLS and login included) and answers NOOP. Raises GatewayFailed."""
    try:
        server = _session(smtp)
        try:
            status = server.noop()[0]
        finally:
            _leave(server)
    except Exception as e:
        raise GatewayFailed(name, _word(e)) from None
    if status != 250:
        raise GatewayFailed(name, f"status_{status}")
    return f"{smtp.host}:{smtp.port} answers ({smtp.security})"


def compose(sender: str, message_id: str, to: str, text: Text) -> EmailMessage:
    """The mail: headers, plain text, HTML."""
    local, _, host = sender.rpartition("@")
    mail = EmailMessage(policy=POLICY)
    mail["From"] = Address(brand(text.language), local, host)
    mail["To"] = Address(addr_spec=_address(to))
    mail["Subject"] = text.subject
    mail["Date"] = clock.now()
    mail["Message-ID"] = f"<{message_id}@{_host()}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(f"{text.text}\n", cte="base64")
    page = _PAGE.format(
        language=text.language,
        subject=text.subject,
        ink=_INK,
        font=Markup(_FONT),  # noqa: S704 - ours
        brand=brand(text.language),
        code=_CODE.format(text.code) if text.code else "",
        text=text.text,
    )
    mail.add_alternative(str(page), subtype="html", cte="base64")
    mail["Content-Language"] = text.language  # after the content, which sweeps away what it finds of it
    return mail


def _address(to: str) -> str:
    """The address as servers without SMTPUTF8 take it: its domain as DNS has it."""
    local, _, domain = to.rpartition("@")
    return f"{local}@{domain if domain.isascii() else idna.encode(domain, uts46=True).decode('ascii')}"


def _host() -> str:
    return urlsplit(settings().server.issuer).hostname or "localhost"


class _InTime:
    """One time limit over a whole conversation, in which the server speaks many times."""

    until = 0.0

    def getreply(self) -> tuple[int, bytes]:
        """The server's next answer."""
        left = self.until - time.monotonic()
        if left <= 0:
            raise TimeoutError
        if sock := getattr(self, "sock", None):
            sock.settimeout(left)
        answer: tuple[int, bytes] = super().getreply()  # type: ignore[misc] # of smtplib.SMTP
        return answer


class _Plain(_InTime, smtplib.SMTP):
    """Begins in clear."""


class _Tls(_InTime, smtplib.SMTP_SSL):
    """TLS from the first byte."""


def _session(smtp: Smtp) -> _Plain | _Tls:
    """A session with the server, in which it has been proved who it is and who we are."""
    checked = context(smtp.certificate_authority)
    until = time.monotonic() + smtp.timeout
    server: _Plain | _Tls
    if smtp.security == "tls":
        server = _Tls(local_hostname=_host(), timeout=smtp.timeout, context=checked)
    else:
        server = _Plain(local_hostname=_host(), timeout=smtp.timeout)
    server.until = until
    server._host = smtp.host  # type: ignore[union-attr] # smtplib checks the certificate against it, and sets it only in its constructor
    try:
        server.connect(smtp.host, smtp.port)
        if smtp.security == "starttls":
            server.starttls(context=checked)  # raises when it is not offered: nobody can take TLS out of the conversation
        if smtp.user:
            server.login(smtp.user, smtp.password)
    except BaseException:
        server.close()
        raise
    return server


def _leave(server: _Plain | _Tls) -> None:
    """Say good-bye, and not for long: the mail has been taken by then, and whatever goes wrong here must not send it again."""
    server.until = min(server.until, time.monotonic() + 1)
    with suppress(Exception):
        server.quit()
    server.close()


def _is_about_mail(error: Exception) -> bool:
    """Whether the server said no to RCPT, or for ever to DATA (5yz, RFC 5321 §4.2.1): that may be about this mail only."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return True
    return isinstance(error, smtplib.SMTPDataError) and error.smtp_code >= 500


def _word(error: Exception) -> str:
    if isinstance(error, smtplib.SMTPResponseException):
        return f"status_{error.smtp_code}"
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return f"status_{next((code for code, _ in error.recipients.values()), 550)}"
    if isinstance(error, smtplib.SMTPNotSupportedError):
        return "not_supported"
    return word_for(error)
