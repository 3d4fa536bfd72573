"""A wrong draft from the first look to the last: found, held, explained, corrected, verified, released."""

from __future__ import annotations

from typing import Any

from tests.remediation.house import House


def test_a_wrong_draft_is_held_corrected_verified_and_released(made: House) -> None:
    signal = made.signal("TU-19")
    invoice = next(each["id"] for each in signal["entities"] if (each["type"], each["status"]) == ("invoice", "draft"))
    (blocked,) = made.json("gate", invoice)
    assert blocked["state"] == "blocked" and blocked["finalizes_at"]
    assert blocked["reasons"][0]["signal"] == signal["id"]

    advice = made.json("advise", signal["id"])
    assert advice["root_cause"]["class"] == "pricing"
    assert advice["root_cause"]["entity"] == signal["cause"]
    assert [step["phase"] for step in advice["steps"]] == sorted(
        (step["phase"] for step in advice["steps"]), key=["contain", "root_cause", "downstream", "verify"].index
    )

    hold = one(made.actions(signal["id"], "hold_draft"))
    assert "is proposed" in made.run("actions", "apply", hold["id"], code=1)
    made.approve(hold["id"])
    made.run("actions", "apply", hold["id"])
    assert made.peer.object(invoice)["auto_advance"] is False
    made.run("actions", "verify", hold["id"])
    assert one(made.json("gate", invoice))["state"] == "held"

    correction = one(made.actions(signal["id"], "correct_draft"))
    refused = made.run("actions", "approve", correction["id"], "--as", "ann", "--reason", "now", code=1)
    assert "first the root cause" in refused
    ticket = one(made.actions(signal["id"], "open_ticket"))
    made.approve(ticket["id"])
    made.run("actions", "apply", ticket["id"])
    made.run("actions", "verify", ticket["id"], "--as", "ben", "--reason", "made a new price and moved the items")

    before = int(str(made.peer.object(invoice)["total"]))
    made.approve(correction["id"])
    made.run("actions", "apply", correction["id"])
    moved = int(str(made.peer.object(invoice)["total"])) - before
    over = next(each for each in signal["entities"] if each["id"] == correction["object"].partition(":")[2])
    assert moved == -round(1000 * (float(over["actual"]) - float(over["expected"])))
    made.run("actions", "verify", correction["id"])

    credits = made.actions(signal["id"], "credit_note")
    assert len(credits) == 3
    for each in credits:
        made.approve(each["id"])
        made.run("actions", "apply", each["id"])
    made.run("sync", "stripe")
    made.run("actions", "verify", credits[-1]["id"])
    (after,) = made.json("signals", "--status", "any", "--code", "TU-19")
    assert after["status"] == "resolved"

    made.run("advise", signal["id"])
    release = one(made.actions(signal["id"], "release_draft"))
    made.approve(release["id"])
    made.run("actions", "apply", release["id"])
    assert made.peer.object(invoice)["auto_advance"] is True
    made.run("actions", "verify", release["id"])
    assert one(made.json("gate", invoice))["state"] == "corrected"

    done = made.peer.done()
    keys = [each["key"] for each in done]
    assert len(keys) == len(set(keys)) == 6, keys  # hold, correction, three credit notes, release
    assert all(each["approved_by"] == "ann" for each in made.actions(signal["id"]))


def one(found: list[dict[str, Any]]) -> dict[str, Any]:
    """The only one."""
    (only,) = found
    return only
