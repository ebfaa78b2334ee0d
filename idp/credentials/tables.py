"""The rows behind what proves a person: one-time codes by phone and by mail, guesses at them, browsers, and the people they know;
authenticator apps and recovery codes; passkeys; passwords.
"""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from idp.db.columns import Base, Digest, Id, Instant, Json


class PhoneCode(Base):
    """One transaction of a one-time code: for one number, one sign-in, one purpose.

    NOTE: the code itself stands nowhere. It is derived from `id` by a key in `keys/`, so it comes out the same for every sending, and a
    copy of the database does not hold it. The number is sealed for the same reason; its digest only tells whether two are the same.
    NOTE: `tries` counts guesses, not wrong guesses, and is raised and committed before the guess is looked at.

    `sent`: the channel of each sending, the first one first; `sends` is how many, and decides who sends when two ask at once. `channel`: of
    the last one; once the code was used, the one by which the value came that was typed.
    """

    __tablename__ = "phone_codes"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    flow_id: Mapped[str] = mapped_column(Id, index=True)
    purpose: Mapped[str] = mapped_column(sa.String(32))
    phone: Mapped[str] = mapped_column(sa.String(120))
    phone_digest: Mapped[str] = mapped_column(Digest)
    budget: Mapped[str] = mapped_column(Digest)
    channel: Mapped[str] = mapped_column(sa.String(16))
    language: Mapped[str] = mapped_column(sa.String(16))
    network: Mapped[str] = mapped_column(sa.String(64))
    is_test: Mapped[bool] = mapped_column(default=False)
    tries: Mapped[int] = mapped_column(default=0)
    sends: Mapped[int] = mapped_column(default=1)
    sent: Mapped[list[str]] = mapped_column(Json, server_default='["sms"]')  # of a process that is one version behind
    created_at: Mapped[datetime] = mapped_column(Instant)
    expires_at: Mapped[datetime] = mapped_column(Instant, index=True)
    next_send_at: Mapped[datetime] = mapped_column(Instant)
    used_at: Mapped[datetime | None] = mapped_column(Instant)


class PhoneCodeSending(Base):
    """A message that was put out for a one-time code, the first one in `place` 0; its fate stands in the receipt of that message.

    `person_id`: of an e-mail, whose address it went to; none: nobody's.
    """

    __tablename__ = "phone_code_sendings"

    message_id: Mapped[str] = mapped_column(Id, primary_key=True)
    code_id: Mapped[str] = mapped_column(Id, index=True)
    place: Mapped[int]
    channel: Mapped[str] = mapped_column(sa.String(16))
    person_id: Mapped[str | None] = mapped_column(Id)
    created_at: Mapped[datetime] = mapped_column(Instant, index=True)


class EmailCode(Base):
    """One transaction of a one-time code by mail: for one address, one sign-in or session, one purpose. As `PhoneCode`.

    `is_sent`: False where the address is nobody's: all is done as ever, nothing goes out, and no guess is right.
    """

    __tablename__ = "email_codes"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    for_id: Mapped[str] = mapped_column(Id, index=True)
    purpose: Mapped[str] = mapped_column(sa.String(32))
    address: Mapped[str] = mapped_column(sa.Text)
    address_digest: Mapped[str] = mapped_column(Digest)
    language: Mapped[str] = mapped_column(sa.String(16))
    network: Mapped[str] = mapped_column(sa.String(64))
    is_sent: Mapped[bool]
    tries: Mapped[int] = mapped_column(default=0)
    sends: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[datetime] = mapped_column(Instant)
    expires_at: Mapped[datetime] = mapped_column(Instant, index=True)
    next_send_at: Mapped[datetime] = mapped_column(Instant)
    used_at: Mapped[datetime | None] = mapped_column(Instant)


class PhoneGuesses(Base):
    """How often codes for one number were guessed wrong, over all sign-ins; a known browser has a row of its own beside the number's, and
    so has an e-mail address.

    `recent`: microseconds since 1970 of the guesses of the last day that were not right, the oldest first; `sent`: the same of messages.
    """

    __tablename__ = "phone_guesses"

    digest: Mapped[str] = mapped_column(Digest, primary_key=True)
    recent: Mapped[list[int]] = mapped_column(Json)
    sent: Mapped[list[int]] = mapped_column(Json)
    in_a_row: Mapped[int]
    changed_at: Mapped[datetime] = mapped_column(Instant, index=True)


class Password(Base):
    """The password of a person (`usr_`) or of an account with a login e-mail (`acc_`).

    NOTE: `digest` is argon2id's of what was typed, byte for byte. No other table holds a password. `by_phone`: a code to the number and
    nothing else set it in place of another one.
    """

    __tablename__ = "passwords"

    owner_id: Mapped[str] = mapped_column(Id, primary_key=True)
    digest: Mapped[str] = mapped_column(sa.String(200))
    set_at: Mapped[datetime] = mapped_column(Instant)
    by_phone: Mapped[bool] = mapped_column(default=False)


class PasswordGuesses(Base):
    """How often the password of one login was guessed wrong; a browser that knows the person has a row of its own beside the login's.

    `recent`: microseconds since 1970 of the guesses of the last day that were not right, the oldest first.
    """

    __tablename__ = "password_guesses"

    digest: Mapped[str] = mapped_column(Digest, primary_key=True)
    recent: Mapped[list[int]] = mapped_column(Json)
    in_a_row: Mapped[int]
    changed_at: Mapped[datetime] = mapped_column(Instant, index=True)


class Browser(Base):
    """A browser that holds our rotating cookie. Its value is derived from `id` and `counter`, and stands nowhere.

    NOTE: `counter` only grows. A value two or more behind it has been used by somebody since: it was copied.
    """

    __tablename__ = "browsers"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    counter: Mapped[int]
    rotated_at: Mapped[datetime] = mapped_column(Instant)
    rotated_by: Mapped[str] = mapped_column(Digest)
    name: Mapped[str] = mapped_column(sa.String(80))
    first_ip: Mapped[str] = mapped_column(sa.String(45))
    last_ip: Mapped[str] = mapped_column(sa.String(45))
    language: Mapped[str | None] = mapped_column(sa.String(16))
    created_at: Mapped[datetime] = mapped_column(Instant)
    expires_at: Mapped[datetime] = mapped_column(Instant, index=True)
    ended_at: Mapped[datetime | None] = mapped_column(Instant)
    ended_reason: Mapped[str | None] = mapped_column(sa.String(32))


class Device(Base):
    """A browser that one person trusts. What it remembers is the last real proof, never more.

    NOTE: written only together with the sign-in that earned it, in one transaction.
    `password_at`: when they last gave a password or a passkey here: that it is asked for once in each browser hangs on it.
    """

    __tablename__ = "devices"
    __table_args__ = (
        sa.Index(
            "uq_devices_live",
            "browser_id",
            "user_id",
            unique=True,
            sqlite_where=sa.text("removed_at IS NULL"),
            postgresql_where=sa.text("removed_at IS NULL"),
        ),
    )

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    browser_id: Mapped[str] = mapped_column(Id, sa.ForeignKey("browsers.id", ondelete="CASCADE"))
    user_id: Mapped[str] = mapped_column(Id, sa.ForeignKey("users.id"), index=True)
    amr: Mapped[list[str]] = mapped_column(Json)
    auth_time: Mapped[datetime] = mapped_column(Instant)
    trusted_at: Mapped[datetime] = mapped_column(Instant)
    last_used_at: Mapped[datetime] = mapped_column(Instant)
    expires_at: Mapped[datetime] = mapped_column(Instant)
    removed_at: Mapped[datetime | None] = mapped_column(Instant)
    password_at: Mapped[datetime | None] = mapped_column(Instant)


class Authenticator(Base):
    """An authenticator app that a person set up, or is about to: `confirmed_at` is the moment of its first right code.

    NOTE: `last_step` only grows, by one conditional UPDATE: of the codes of a step one is taken, once.
    NOTE: `sealed` holds whose it is beside the secret, so a row that was copied to another person opens nothing.

    `session_id`: the session in which it is being set up. What was removed is no row any more: its secret is gone.
    """

    __tablename__ = "authenticators"
    __table_args__ = (
        sa.Index(
            "uq_authenticators_live",
            "user_id",
            unique=True,
            sqlite_where=sa.text("confirmed_at IS NOT NULL"),
            postgresql_where=sa.text("confirmed_at IS NOT NULL"),
        ),
    )

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    user_id: Mapped[str] = mapped_column(Id, sa.ForeignKey("users.id"), index=True)
    session_id: Mapped[str] = mapped_column(Id)
    sealed: Mapped[str] = mapped_column(sa.Text)
    last_step: Mapped[int] = mapped_column(sa.BigInteger)
    created_at: Mapped[datetime] = mapped_column(Instant, index=True)
    confirmed_at: Mapped[datetime | None] = mapped_column(Instant)
    last_used_at: Mapped[datetime | None] = mapped_column(Instant)


class RecoveryCodeSet(Base):
    """The recovery codes of a person, all that were made at once; a new set takes the place of the former one.

    NOTE: the salt is that of every code of the set: one hash tells which of them was typed, if any. Sealed with it is whose it is.
    """

    __tablename__ = "recovery_code_sets"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    user_id: Mapped[str] = mapped_column(Id, sa.ForeignKey("users.id"), unique=True)
    sealed_salt: Mapped[str] = mapped_column(sa.Text)
    made_at: Mapped[datetime] = mapped_column(Instant)


class RecoveryCode(Base):
    """One of them, as an argon2id hash; `used_at` is set once, by one conditional UPDATE."""

    __tablename__ = "recovery_codes"

    set_id: Mapped[str] = mapped_column(Id, sa.ForeignKey("recovery_code_sets.id", ondelete="CASCADE"), primary_key=True)
    digest: Mapped[str] = mapped_column(Digest, primary_key=True)

    used_at: Mapped[datetime | None] = mapped_column(Instant)


class PasskeyOwner(Base):
    """What a person's passkeys have in common: the handle that their authenticators know them by, and when they were last offered one.

    NOTE: the handle is random and says nothing: it lies in other people's password managers, where the id, which relying parties know as
    `sub`, would tell that two services mean the same person.
    """

    __tablename__ = "passkey_owners"

    user_id: Mapped[str] = mapped_column(Id, sa.ForeignKey("users.id"), primary_key=True)
    handle: Mapped[str] = mapped_column(sa.String(43), unique=True)
    offered_at: Mapped[datetime | None] = mapped_column(Instant)


class Passkey(Base):
    """A public key whose other half is in somebody's phone, computer or password manager; `name` is what its owner calls it.

    NOTE: `counter` only grows, or stays 0 for ever: an authenticator that counts and comes with no higher number was copied.
    NOTE: `eligible` (the key may leave its device) is what it was at the beginning, and never changes; `backed_up` does.
    """

    __tablename__ = "passkeys"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    user_id: Mapped[str] = mapped_column(Id, sa.ForeignKey("users.id"), index=True)
    credential_digest: Mapped[str] = mapped_column(Digest, unique=True)
    credential_id: Mapped[str] = mapped_column(sa.Text)
    public_key: Mapped[str] = mapped_column(sa.Text)
    counter: Mapped[int] = mapped_column(sa.BigInteger)
    aaguid: Mapped[str] = mapped_column(sa.String(36))
    eligible: Mapped[bool]
    backed_up: Mapped[bool]
    transports: Mapped[list[str]] = mapped_column(Json)
    name: Mapped[str] = mapped_column(sa.String(80))
    created_at: Mapped[datetime] = mapped_column(Instant)
    last_used_at: Mapped[datetime | None] = mapped_column(Instant)


class PasskeyChallenge(Base):
    """What an authenticator has to sign, once: for one ceremony, in one sign-in or session (`bound_to`), and for one person, if somebody is
    known already (`user_id`, else empty).

    NOTE: only the digest is kept; who can read the database cannot prepare an answer.
    """

    __tablename__ = "passkey_challenges"

    digest: Mapped[str] = mapped_column(Digest, primary_key=True)
    ceremony: Mapped[str] = mapped_column(sa.String(16))
    bound_to: Mapped[str] = mapped_column(Id, index=True)
    user_id: Mapped[str] = mapped_column(Id)
    created_at: Mapped[datetime] = mapped_column(Instant)
    expires_at: Mapped[datetime] = mapped_column(Instant, index=True)
    used_at: Mapped[datetime | None] = mapped_column(Instant)


class Identity(Base):
    """Who a person is at another provider: `issuer` and `subject`, and nothing else (threats: case 107). `label` is only for their eyes."""

    __tablename__ = "identities"
    __table_args__ = (sa.UniqueConstraint("issuer", "subject"),)

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    user_id: Mapped[str] = mapped_column(Id, sa.ForeignKey("users.id"), index=True)
    provider: Mapped[str] = mapped_column(sa.String(32))
    issuer: Mapped[str] = mapped_column(sa.String(255))
    subject: Mapped[str] = mapped_column(sa.String(255))
    label: Mapped[str | None] = mapped_column(sa.String(200))
    created_at: Mapped[datetime] = mapped_column(Instant)
    last_used_at: Mapped[datetime | None] = mapped_column(Instant)


class SocialRequest(Base):
    """Somebody was sent to another provider: from a sign-in (`flow_id`), or to link it to their ID (`session_id`, `user_id`).

    NOTE: nonce and code verifier stand nowhere, they are derived from the state, of which only the digest is kept; and only the browser of
    `browser_digest` can come back with it, once (threats: cases 108, 112, 113).
    `found`: sealed, who came back, when nobody here is linked to them: it is linked once they have proved who they are here and said yes.
    """

    __tablename__ = "social_requests"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    state_digest: Mapped[str] = mapped_column(Digest, unique=True)
    browser_digest: Mapped[str] = mapped_column(Digest)
    provider: Mapped[str] = mapped_column(sa.String(32))
    flow_id: Mapped[str | None] = mapped_column(Id)
    session_id: Mapped[str | None] = mapped_column(Id)
    user_id: Mapped[str | None] = mapped_column(Id)
    created_at: Mapped[datetime] = mapped_column(Instant)
    expires_at: Mapped[datetime] = mapped_column(Instant, index=True)
    used_at: Mapped[datetime | None] = mapped_column(Instant)
    found: Mapped[str | None] = mapped_column(sa.Text)
    found_at: Mapped[datetime | None] = mapped_column(Instant)
    settled_at: Mapped[datetime | None] = mapped_column(Instant)


class Recovery(Base):
    """A lost phone: somebody says which ID is theirs, proves a new number, proves the ID in another way, and waits.

    `state`: `draft` (typed, and not proved), `asking` (colleagues are to vouch), `waiting` (proved: the number changes at `due_at`), then
    `completed` or `cancelled`. `who`: the number or address as it was typed, sealed; `phone`: the new number, sealed.
    NOTE: `user_id` is empty where nobody has what was typed: all is written and answered as ever, and nothing ever follows (case 70).
    NOTE: `former_digest` is the number that the ID had when the waiting began: of another one nothing is changed.
    NOTE: one waits at a time for one ID: `uq_recoveries_waiting`.
    """

    __tablename__ = "recoveries"
    __table_args__ = (
        sa.Index(
            "uq_recoveries_waiting",
            "user_id",
            unique=True,
            sqlite_where=sa.text("state = 'waiting'"),
            postgresql_where=sa.text("state = 'waiting'"),
        ),
        sa.Index("ix_recoveries_state_due_at", "state", "due_at"),
    )

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    state: Mapped[str] = mapped_column(sa.String(16))
    flow_id: Mapped[str] = mapped_column(Id, index=True)
    who: Mapped[str] = mapped_column(sa.Text)
    user_id: Mapped[str | None] = mapped_column(Id, sa.ForeignKey("users.id"), index=True)
    phone: Mapped[str] = mapped_column(sa.Text)
    phone_digest: Mapped[str] = mapped_column(Digest, index=True)
    former_digest: Mapped[str | None] = mapped_column(Digest)
    phone_code_id: Mapped[str | None] = mapped_column(Id)
    phone_proved_at: Mapped[datetime | None] = mapped_column(Instant)
    email_code_id: Mapped[str | None] = mapped_column(Id)
    email_proved_at: Mapped[datetime | None] = mapped_column(Instant)
    vouch_digest: Mapped[str | None] = mapped_column(Digest, unique=True)
    way: Mapped[str | None] = mapped_column(sa.String(16))
    browser_id: Mapped[str | None] = mapped_column(Id)
    passkey_id: Mapped[str | None] = mapped_column(Id)
    created_at: Mapped[datetime] = mapped_column(Instant)
    expires_at: Mapped[datetime] = mapped_column(Instant, index=True)
    begun_at: Mapped[datetime | None] = mapped_column(Instant)
    due_at: Mapped[datetime | None] = mapped_column(Instant)
    ended_at: Mapped[datetime | None] = mapped_column(Instant)
    ended_reason: Mapped[str | None] = mapped_column(sa.String(32))


class RecoveryVouch(Base):
    """An administrator of one of the person's companies says: it is them, and they have lost their phone. Each says so once."""

    __tablename__ = "recovery_vouches"

    recovery_id: Mapped[str] = mapped_column(Id, sa.ForeignKey("recoveries.id", ondelete="CASCADE"), primary_key=True)
    user_id: Mapped[str] = mapped_column(Id, sa.ForeignKey("users.id"), primary_key=True)
    vouched_at: Mapped[datetime] = mapped_column(Instant)
