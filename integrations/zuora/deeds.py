"""What each deed is as a request to Zuora. No I/O.

Requests: developer.zuora.com/v1-api-reference, operations POST_CreditMemoFromInvoice, PUT_ReverseInvoice,
POST_CreatePayment, PUT_SuspendSubscription, PUT_ResumeSubscription, PUT_CancelSubscription. Credit memos and reversals
need Invoice Settlement.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from urllib.parse import quote

from integrations.writing import Deed, Request


def _credit(deed: Deed) -> Request:
    """Posted at once; applied to what is still due, or left as credit of the account where that was paid."""
    about = deed.about
    item = {"invoiceItemId": about["line"], "amount": about["amount"], "comment": about["memo"]}
    body = {"items": [item], "autoPost": True, "autoApplyToInvoiceUponPosting": not about["paid"],
            "comment": about["memo"]}  # fmt: skip
    return Request("post", f"v1/invoices/{_part(deed.id)}/credit-memos", body)


def _void(deed: Deed) -> Request:
    """A reversal: a credit memo over the whole invoice, applied to it."""
    return Request("put", f"v1/invoices/{_part(deed.id)}/reverse", {})


def _pay(deed: Deed) -> Request:
    """A payment by the account's default method; whose, how much and in what currency is read right before."""
    return Request("post", "v1/payments", {"type": "Electronic", "invoices": [{"invoiceId": deed.id}]})


def _pause(deed: Deed) -> Request:
    return Request("put", f"v1/subscriptions/{_part(deed.id)}/suspend", {"suspendPolicy": "Today"})


def _resume(deed: Deed) -> Request:
    body = {"resumePolicy": "Today", "extendsTerm": False}
    return Request("put", f"v1/subscriptions/{_part(deed.id)}/resume", body)


def _cancel(deed: Deed) -> Request:
    """As of the day on which it is sent, without a last invoice."""
    body = {"cancellationPolicy": "SpecificDate", "runBilling": False}
    return Request("put", f"v1/subscriptions/{_part(deed.id)}/cancel", body)


def _part(id: object) -> str:
    return quote(str(id), safe="")


REQUESTS: Mapping[str, Callable[[Deed], Request]] = {
    "credit": _credit,
    "void": _void,
    "pay": _pay,
    "pause": _pause,
    "resume": _resume,
    "cancel": _cancel,
}
"""The request of each verb."""
