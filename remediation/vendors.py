"""Which action works with which billing system, and why one does not: the table in docs/remediation.md.

What works is what an integration's writing side says that it can. Why something does not is said here, by system and
verb: what the system itself has nothing for (spec/connectors.md 4.3 and 4.4), and what Trueup does not do there yet.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from integrations.chargebee.deeds import REQUESTS as CHARGEBEE
from integrations.lago.deeds import REQUESTS as LAGO
from integrations.openmeter.deeds import REQUESTS as OPENMETER
from integrations.stripe.deeds import REQUESTS as STRIPE
from integrations.zuora.deeds import REQUESTS as ZUORA
from remediation.actions import kinds

YET = "not yet: there it is work of people"

CAN: Mapping[str, frozenset[str]] = {
    "stripe": frozenset(STRIPE),
    "chargebee": frozenset(CHARGEBEE),
    "lago": frozenset(LAGO),
    "openmeter": frozenset(OPENMETER),
    "zuora": frozenset(ZUORA),
}
"""The verbs of each billing system that is read, in the order of the table."""

CANNOT: Mapping[str, Mapping[str, str]] = {
    "chargebee": {
        "hold": "no flag on one invoice: it is pending only where the site was set up so beforehand",
        "release": "closing a pending invoice makes it final at once",
        "edit_line": "a line is taken off and another one added, see correct_draft",
        "price": "an item there is its item price: another one makes another item",
        "undiscount": "its coupons are not read",
        "report": "a usage there is of an item and a day, not one of the product's events",
        "unreport": "a usage there is of an item and a day, not one of the product's events",
    },
    "lago": {
        "hold": "only by the grace period of the whole customer, which moves its due dates too",
        "release": "as holding: only for the whole customer",
        "adjust": "fees of a draft are adjusted in its own pages only",
        "edit_line": "fees of a draft are adjusted in its own pages only",
        "charge_next": "one-off charges need an add-on of the catalogue",
        "unreport": "an event cannot be deleted; one of less than nothing corrects it",
        "pause": "a subscription cannot be paused",
        "ask_method": "payment methods belong to the payment provider",
    },
    "openmeter": {
        "edit_line": "a line is changed by an adjustment beside it, see correct_draft",
        "credit": "it has no credit notes",
        "unreport": "an event cannot be deleted; one of less than nothing corrects it",
        "pause": "a subscription cannot be paused",
        "pay": "payments belong to the payment provider",
        "ask_method": "payment methods belong to the payment provider",
        "ask_tax_id": "it has no pages for customers",
        "undiscount": "a discount is of the subscription's item: another item has to be made",
    },
    "zuora": {
        "hold": "no flag on one invoice: it stays a draft only where its bill run does not post by itself",
        "release": "posting a draft makes it final at once",
        "adjust": "items of a bill run's draft cannot be edited: cancel it, mend the cause and run it again",
        "edit_line": "items of a bill run's draft cannot be edited: cancel it, mend the cause and run it again",
        "ask_method": "its hosted pages are set up for each tenant",
        "ask_tax_id": "it has no pages for customers",
        "undiscount": "a discount is a charge of the subscription: it ends by an order",
        "unreport": "usage that waits for billing is deleted in its own pages",
    },
}
"""Why a system cannot do a verb, where the reason is the system's own."""

_CONTENT = "where the content of the event is known"

PARTLY: Mapping[str, Mapping[str, str]] = {
    "chargebee": {
        "correct_usage": "where billing recorded too little",
        "correct_draft": "more is added; a line of which nothing is right is taken off (for good)",
    },
    "lago": {"resend_usage": _CONTENT, "correct_usage": _CONTENT},
    "openmeter": {"resend_usage": _CONTENT, "correct_usage": _CONTENT},
}
"""By system and action, for which records an action works where it does not for all."""

IRREVERSIBLE: Mapping[str, str] = {
    "cancel_usage": "usage that was taken back can only be reported anew",
    "correct_usage": "reported usage can be taken back for a day only",
    "credit_note": "a credit that was used is gone",
    "end_discount": "a discount is given anew only by its coupon",
    "request_tax_id": "the link runs out by itself",
    "request_payment_method": "the link runs out by itself",
    "resend_usage": "reported usage can be taken back for a day only",
    "retry_payment": "a charge can only be refunded",
    "sync_subscription": "a cancelled subscription cannot be revived",
    "void_invoice": "a voided invoice stays void",
}
"""Why an action cannot be undone."""


def table() -> str:
    """The table as Markdown: a row per action, a column per billing system, and what undoes it."""
    lines = [f"| action | {' | '.join(CAN)} | undone by |", f"| --- |{' --- |' * (len(CAN) + 1)}"]
    lines += [f"| `{name}` | {' | '.join(_cells(name))} |" for name in kinds()]
    return "\n".join(lines)


def _cells(name: str) -> Iterator[str]:
    kind = kinds()[name]
    for system, verbs in CAN.items():
        if not kind.needs:
            yield "any: nothing is written there"
        elif kind.needs[0] in verbs:
            yield "yes"
        else:
            others = any(verb in verbs for verb in kind.needs)
            yield PARTLY[system][name] if others else CANNOT.get(system, {}).get(kind.needs[0], YET)
    if kind.reverse is not None:
        yield f"`trueup actions reverse`: {(kind.reverse.__doc__ or '').strip().rstrip('.').lower()}"
    else:
        yield f"no: {IRREVERSIBLE[name]}" if kind.needs else "no: it is a record of what people did"


if __name__ == "__main__":
    print(table())  # noqa: T201
