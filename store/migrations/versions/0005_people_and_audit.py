"""People with their sessions, invitations and tokens, and the audit that is only ever added to."""

from __future__ import annotations

from alembic.op import create_index, create_table, execute, get_bind
from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    ForeignKeyConstraint,
    Integer,
    PrimaryKeyConstraint,
    Text,
)
from sqlalchemy.dialects.postgresql import JSONB

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

ID = BigInteger().with_variant(Integer, "sqlite")
TEXT, INT, INSTANT = Text(), Integer(), DateTime(timezone=True)
DOCUMENT = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")

REFUSE = """
CREATE FUNCTION audit_is_added_to_only() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'the audit is only ever added to'; END $$
"""


def upgrade() -> None:
    """Five new tables; what is there stays as it is."""
    _people()
    _sessions()
    _invitations()
    _tokens()
    _audit()


def _people() -> None:
    create_table(
        "people",
        Column("id", ID, nullable=False),
        *(Column(name, TEXT, nullable=False) for name in ("email", "name", "name_key")),
        Column("roles", DOCUMENT, nullable=False),
        Column("limits", DOCUMENT, nullable=False),
        *(Column(name, TEXT) for name in ("password_hash", "subject", "totp_secret")),
        Column("totp_since", INSTANT),
        Column("totp_step", INT),
        Column("recovery_hashes", DOCUMENT),
        Column("created_at", INSTANT, nullable=False),
        Column("created_by", TEXT, nullable=False),
        Column("seen_at", INSTANT),
        Column("disabled_at", INSTANT),
        Column("disabled_by", TEXT),
        PrimaryKeyConstraint("id"),
    )
    for name in ("email", "name_key", "subject"):
        create_index(f"uq_people_{name}", "people", [name], unique=True)


def _sessions() -> None:
    create_table(
        "sessions",
        Column("id", ID, nullable=False),
        Column("person_id", ID, nullable=False),
        Column("token_hash", TEXT, nullable=False),
        Column("waits_for_code", Boolean(), nullable=False),
        Column("attempts", INT, nullable=False),
        *(Column(name, TEXT, nullable=False) for name in ("browser", "address")),
        *(Column(name, INSTANT, nullable=False) for name in ("created_at", "seen_at", "expires_at")),
        Column("ended_at", INSTANT),
        ForeignKeyConstraint(["person_id"], ["people.id"]),
        PrimaryKeyConstraint("id"),
    )
    create_index("uq_sessions_token", "sessions", ["token_hash"], unique=True)
    create_index("ix_sessions_person", "sessions", ["person_id", "ended_at"])


def _invitations() -> None:
    create_table(
        "invitations",
        Column("id", ID, nullable=False),
        Column("token_hash", TEXT, nullable=False),
        Column("email", TEXT),
        Column("roles", DOCUMENT, nullable=False),
        Column("limits", DOCUMENT, nullable=False),
        Column("invited_by", TEXT, nullable=False),
        *(Column(name, INSTANT, nullable=False) for name in ("created_at", "expires_at")),
        *(Column(name, INSTANT) for name in ("used_at", "withdrawn_at")),
        PrimaryKeyConstraint("id"),
    )
    create_index("uq_invitations_token", "invitations", ["token_hash"], unique=True)


def _tokens() -> None:
    create_table(
        "tokens",
        Column("id", ID, nullable=False),
        Column("person_id", ID, nullable=False),
        *(Column(name, TEXT, nullable=False) for name in ("name", "token_hash", "start")),
        Column("scopes", DOCUMENT, nullable=False),
        *(Column(name, INSTANT, nullable=False) for name in ("created_at", "expires_at")),
        *(Column(name, INSTANT) for name in ("used_at", "revoked_at")),
        Column("revoked_by", TEXT),
        ForeignKeyConstraint(["person_id"], ["people.id"]),
        PrimaryKeyConstraint("id"),
    )
    create_index("uq_tokens_token", "tokens", ["token_hash"], unique=True)
    create_index("ix_tokens_person", "tokens", ["person_id"])


def _audit() -> None:
    create_table(
        "audit",
        Column("id", ID, nullable=False),
        Column("at", INSTANT, nullable=False),
        *(Column(name, TEXT, nullable=False) for name in ("actor_kind", "actor")),
        Column("via", TEXT),
        *(Column(name, TEXT, nullable=False) for name in ("action", "object_type", "object_id")),
        *(Column(name, TEXT) for name in ("before", "after", "reason", "request_id")),
        *(Column(name, TEXT, nullable=False) for name in ("previous", "hash")),
        PrimaryKeyConstraint("id"),
    )
    create_index("ix_audit_actor", "audit", ["actor", "id"])
    create_index("ix_audit_action", "audit", ["action", "id"])
    create_index("ix_audit_object", "audit", ["object_id", "object_type", "id"])
    if get_bind().dialect.name == "postgresql":
        execute(REFUSE)
        execute(
            "CREATE TRIGGER audit_stays BEFORE UPDATE OR DELETE OR TRUNCATE ON audit "
            "FOR EACH STATEMENT EXECUTE FUNCTION audit_is_added_to_only()"
        )
    else:
        for deed in ("UPDATE", "DELETE"):
            execute(
                f"CREATE TRIGGER audit_stays_{deed.lower()} BEFORE {deed} ON audit "
                "BEGIN SELECT RAISE(ABORT, 'the audit is only ever added to'); END"
            )
