"""People are told by mail and chat as each of them wishes: at once, in a digest, after the quiet hours, once."""

from __future__ import annotations

import json
import socketserver
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from sqlalchemy import select

from detector import mutes, notices, triage
from integrations.chat import Chat
from integrations.http import SourceError
from integrations.mail import Mail
from people import telling, wishes
from people.wishes import BadWishes, Wishes
from store import operational
from store.notice_tables import Telling
from store.operational_tables import Load
from tests.web.company import Home
from tests.web.signing import person

FRIDAY = datetime(2026, 11, 20, 15, tzinfo=UTC)
BASE = "https://trueup.example.com"


@pytest.fixture
def home(many_signals: Home, tmp_path: Path) -> Home:
    return many_signals.copy(tmp_path / "home")


class Box:
    """A way that keeps what it is handed, or says why it does not."""

    def __init__(self) -> None:
        self.messages: list[telling.Message] = []
        self.problem: SourceError | None = None

    def __call__(self, message: telling.Message, at: datetime) -> None:
        if self.problem is not None:
            raise self.problem
        self.messages.append(message)


def wish(home: Home, who: str, now: datetime = FRIDAY, **given: str) -> None:
    with operational.writing(home.engine()) as session:
        fields = {name.replace("__", "."): value for name, value in given.items()}
        wishes.keep(session, who, wishes.read(wishes.of(session, who), fields), now=now)


def assign(home: Home, who: str, *signals: int, now: datetime = FRIDAY, actor: str = "Bob") -> None:
    with operational.writing(home.engine()) as session:
        triage.assign(session, list(signals), who, actor=actor, now=now)


def tell(home: Home, now: datetime, **ways: telling.Way) -> int:
    with operational.writing(home.engine()) as session:
        telling.gather(session, now)
    return telling.send(home.engine(), ways, BASE, lambda: now)


def rows(home: Home) -> list[Telling]:
    with operational.reading(home.engine()) as session:
        found = session.scalars(select(Telling).order_by(Telling.id)).all()
        session.expunge_all()
        return list(found)


def test_who_asked_for_it_is_told_at_once_and_only_once(home: Home) -> None:
    chat, minute = Box(), timedelta(minutes=1)
    assign(home, "Ana", 1)
    wish(home, "Ana", FRIDAY + minute, assigned__chat="once")
    assign(home, "Ana", 2, now=FRIDAY + 2 * minute)
    assign(home, "Ben", 3, now=FRIDAY + 2 * minute)
    assert tell(home, FRIDAY + 3 * minute, chat=chat) == 1
    assert tell(home, FRIDAY + 4 * minute, chat=chat) == 0
    (message,) = chat.messages
    assert message.to == "Ana"
    assert "Bob gave you SIG-2" in message.subject
    assert f"{BASE}/signals/SIG-2" in message.text
    assert "SIG-1" not in message.text, "what was before the wish is no news"


def test_quiet_hours_end_in_one_message_and_what_was_read_meanwhile_is_left_out(home: Home) -> None:
    chat, late = Box(), datetime(2026, 11, 20, 22, 30, tzinfo=UTC)
    wish(home, "Ana", assigned__chat="once", mentioned__chat="once", quiet_from="20:00", quiet_to="07:00",
         timezone="Europe/Berlin")  # fmt: skip
    assign(home, "Ana", 1, now=late)
    assert tell(home, late, chat=chat) == 0
    with operational.writing(home.engine()) as session:
        read = max(each.event.id for each in notices.notices(session, "Ana"))
        notices.mark_read(session, "Ana", read)
    assign(home, "Ana", 2, 3, now=late)
    with operational.writing(home.engine()) as session:
        triage.comment(session, [4], "@Ana look", actor="Bob", now=late)
    assert tell(home, datetime(2026, 11, 21, 5, 59, tzinfo=UTC), chat=chat) == 0
    assert tell(home, datetime(2026, 11, 21, 6, 0, tzinfo=UTC), chat=chat) == 1, "seven in Berlin"
    (message,) = chat.messages
    assert message.subject == "Trueup: 3 things ask for you"
    assert "@Ana look" in message.text
    assert "SIG-1:" not in message.text
    assert next((row.status, row.error) for row in rows(home)) == ("dropped", "read in the console meanwhile")


def test_a_digest_gathers_a_day(home: Home) -> None:
    mail = Box()
    person(home, "Ada Admin", "admin")
    person(home, "Ana Ruiz", "analyst")
    wish(home, "Ana Ruiz", assigned__mail="digest", digest_at="08:00")
    for hour in (1, 5):
        assign(home, "Ana Ruiz", hour, now=FRIDAY + timedelta(hours=hour))
        assert tell(home, FRIDAY + timedelta(hours=hour), mail=mail) == 0
    assert tell(home, datetime(2026, 11, 21, 8, tzinfo=UTC), mail=mail) == 1
    assert mail.messages[0].address == "ana@example.com"
    assert mail.messages[0].text.count(f"{BASE}/signals/") == 2


def test_what_is_muted_is_not_told_and_long_lists_are_cut(home: Home) -> None:
    chat = Box()
    wish(home, "Ana", assigned__chat="once")
    assign(home, "Ana", *range(1, 41))
    assert tell(home, FRIDAY, chat=chat) == 1
    assert "and 20 more" in chat.messages[0].text
    with operational.writing(home.engine()) as session:
        mutes.mute(session, "Ana", "rule", "wrong_tier_mode", FRIDAY + timedelta(days=2), now=FRIDAY)
    assign(home, "Ana", 50)
    assert tell(home, FRIDAY, chat=chat) == 0


def test_an_overdue_signal_is_told_when_its_time_is_up_not_before_and_not_again(home: Home) -> None:
    chat, seen = Box(), datetime(2026, 11, 19, 9, 30, tzinfo=UTC)  # critical: a day to deal with it
    assign(home, "Ana", 1, now=seen)
    wish(home, "Ana", seen, overdue__chat="once")
    assert tell(home, seen + timedelta(hours=23), chat=chat) == 0
    assert tell(home, seen + timedelta(hours=25), chat=chat) == 1
    assert "SIG-1 is overdue" in chat.messages[0].text
    assert tell(home, seen + timedelta(hours=30), chat=chat) == 0


def test_a_source_that_stays_broken_is_told_once_and_again_after_it_was_well(home: Home) -> None:
    chat = Box()
    wish(home, "Ana", source__chat="once")

    def load(status: str, minutes: int) -> None:
        at = FRIDAY + timedelta(minutes=minutes)
        with operational.writing(home.engine()) as session:
            session.add(Load(integration="stripe", kind="sync", started_at=at, finished_at=at, status=status,
                             error="401: the key is refused" if status == "failed" else None))  # fmt: skip

    for minutes, status, messages in ((1, "failed", 1), (2, "failed", 0), (3, "ok", 0), (4, "failed", 1)):
        load(status, minutes)
        assert tell(home, FRIDAY + timedelta(minutes=minutes), chat=chat) == messages
    assert "stripe could not be read: 401: the key is refused" in chat.messages[0].text


def test_a_server_that_is_away_is_tried_again_and_one_that_refuses_is_told_on_the_page(home: Home) -> None:
    chat = Box()
    wish(home, "Ana", assigned__chat="once")
    assign(home, "Ana", 1)
    chat.problem = SourceError("the chat gives no answer", permanent=False)
    assert tell(home, FRIDAY, chat=chat) == 0
    assert tell(home, FRIDAY + timedelta(minutes=1), chat=chat) == 0
    chat.problem = None
    assert tell(home, FRIDAY + timedelta(minutes=2), chat=chat) == 1
    assign(home, "Ana", 2)
    chat.problem = SourceError("the chat refuses the message (404)", permanent=True)
    tell(home, FRIDAY + timedelta(minutes=3), chat=chat)
    assert (rows(home)[-1].status, rows(home)[-1].error) == ("failed", "the chat refuses the message (404)")
    assign(home, "Ana", 3)
    tell(home, FRIDAY + timedelta(minutes=4))
    assert rows(home)[-1].error == "no chat is configured; notify in config.yaml names it"


def test_a_message_whose_process_ended_half_way_is_sent_again(home: Home) -> None:
    chat = Box()
    wish(home, "Ana", assigned__chat="once")
    assign(home, "Ana", 1)

    def dies(message: telling.Message, at: datetime) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tell(home, FRIDAY, chat=dies)
    assert tell(home, FRIDAY + timedelta(minutes=4), chat=chat) == 0, "it may still be under way"
    assert tell(home, FRIDAY + timedelta(minutes=6), chat=chat) == 1


def test_who_has_no_account_any_more_is_told_nothing(home: Home) -> None:
    chat = Box()
    wish(home, "Ana", assigned__chat="once")
    person(home, "Ada Admin", "admin")
    assign(home, "Ana", 1)
    assert tell(home, FRIDAY, chat=chat) == 0


def test_a_test_comes_at_once_in_the_quiet_hours_too_and_not_twice_a_minute(home: Home) -> None:
    chat = Box()
    wish(home, "Ana", quiet_from="00:00", quiet_to="23:59")
    with operational.writing(home.engine()) as session:
        telling.test(session, "Ana", "chat", now=FRIDAY)
        with pytest.raises(telling.TooSoon):
            telling.test(session, "Ana", "chat", now=FRIDAY + timedelta(seconds=20))
    assert tell(home, FRIDAY, chat=chat) == 1
    with operational.reading(home.engine()) as session:
        assert telling.latest(session, "Ana")["chat"].status == "sent"


def test_every_wrong_wish_is_named() -> None:
    with pytest.raises(BadWishes) as caught:
        wishes.read(Wishes(), {"mentoined.mail": "once", "assigned.mail": "often", "quiet_from": "25:00",
                               "quiet_to": "07:00", "digest_at": "", "timezone": "Berlin"})  # fmt: skip
    told = caught.value.problems
    assert "did you mean mentioned.mail?" in told["mentoined.mail"]
    assert "one of never, once, digest" in told["assigned.mail"]
    assert "such as 08:00" in told["quiet_from"]
    assert set(told) >= {"digest_at", "timezone"}


class Mailbox(socketserver.StreamRequestHandler):
    """A mail server that takes everything, except what goes to nobody."""

    def handle(self) -> None:
        """One session of SMTP."""
        self.wfile.write(b"220 box\r\n")
        while line := self.rfile.readline():
            word = line.split()[0].upper() if line.split() else b""
            if word == b"DATA":
                self.wfile.write(b"354 go on\r\n")
                lines: list[bytes] = []
                while (part := self.rfile.readline()) != b".\r\n":
                    lines.append(part)
                self.server.taken.append(b"".join(lines))  # type: ignore[attr-defined]
            elif word == b"RCPT" and b"nobody@" in line:
                self.wfile.write(b"550 no such person\r\n")
                continue
            self.wfile.write(b"221 bye\r\n" if word == b"QUIT" else b"250 good\r\n")


@pytest.fixture
def mailbox() -> Iterator[socketserver.TCPServer]:
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Mailbox) as server:
        server.taken = []  # type: ignore[attr-defined]
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def test_mail_goes_by_smtp_and_a_refusal_says_by_whom(mailbox: socketserver.TCPServer) -> None:
    mail = Mail("127.0.0.1", mailbox.server_address[1], "Trueup <trueup@example.com>", "none")
    subject = "Bob gave you SIG-1: Müller\r\nBcc: eve@example.com"
    mail.send("ana@example.com", subject, "Grüße", key="trueup-1", at=FRIDAY)
    message = message_from_bytes(mailbox.taken[0], policy=policy.default)  # type: ignore[attr-defined]
    assert message["To"] == "ana@example.com"
    assert message["Bcc"] is None, "a customer's name cannot add a header"
    assert message["Subject"] == "Bob gave you SIG-1: Müller Bcc: eve@example.com"
    assert message["Message-ID"] == "<trueup-1@example.com>"
    assert message.get_content().strip() == "Grüße"
    with pytest.raises(SourceError, match=r"refuses nobody@example.com .550 no such person") as refused:
        mail.send("nobody@example.com", "x", "y", key="trueup-2", at=FRIDAY)
    assert refused.value.permanent
    with pytest.raises(SourceError, match="does not take mail") as away:
        Mail("127.0.0.1", 9, "t@example.com", "none").send("a@example.com", "x", "y", key="k", at=FRIDAY)
    assert not away.value.permanent


def test_chat_takes_text_that_cannot_call_everybody_and_errors_keep_the_address_secret() -> None:
    taken: list[dict[str, str]] = []

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            taken.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200 if self.path == "/services/secret" else 404)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    server = HTTPServer(("127.0.0.1", 0), Hook)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    base = f"http://127.0.0.1:{server.server_port}/services"
    Chat(f"{base}/secret").send("Acme <!channel> & @here <https://evil.example|click> is overdue")
    assert taken[0]["text"] == "Acme &lt;!channel&gt; &amp; @\u2060here &lt;https://evil.example|click&gt; is overdue"
    with pytest.raises(SourceError) as refused:
        Chat(f"{base}/wrong-secret").send("x")
    server.shutdown()
    assert refused.value.permanent
    assert "wrong-secret" not in str(refused.value)
