"""What the words over columns and figures mean, one sentence each: shown on hover, and listed at the foot of the page.

A template says `means("At risk")` where the word stands. A sentence under `<blueprint>:<word>` goes first.
"""

from __future__ import annotations

from collections.abc import Mapping

from flask import g, request
from markupsafe import Markup

MEANINGS: Mapping[str, str] = {
    "Actual": "What the record says, in its own unit.",
    "Anchor": "The instant from which its billing periods are counted.",
    "As it is": "The line as the books rate it now.",
    "As of": "The present instant as the run took it.",
    "Assignee": "Whose signal it is; nobody's until somebody takes it.",
    "At risk": "Underbilled, overbilled and exposed: each in full, per currency, none set off against another.",
    "At risk here": "What the signal puts at risk on the drafts of this run alone.",
    "At the gate": "Whether the draft may go out: pass, warn, or hold while a signal of a rule that holds is open.",
    "Begins with": "The first letters of the token, by which it is told from others.",
    "Becomes final": "From then on the draft is an invoice that can only be credited, not corrected.",
    "Billed": "What the invoice line says, after discounts and credit notes.",
    "Category": "Where such a defect comes from: the configuration, the data, or what passes data on.",
    "Cause": "The one record that has to change so that the rest comes right.",
    "Code": "The number of the fault in the catalogue of what can go wrong.",
    "Compared": "When everything that is there was last held beside the books, and how many records were not alike.",
    "Comes to": "What the lines add up to.",
    "Confidence": "Exact is worked out from the records; statistical is unusual, so likely wrong.",
    "Credits left": "What the movements of the ledger leave of prepaid credit.",
    "Difference": "How far what is billed is from what is expected, and in which direction.",
    "Draft becomes final": "From then on the draft is an invoice that can only be credited, not corrected.",
    "Drafts": "Draft invoices of this run that the signal names.",
    "Due": "Until when somebody should have dealt with it, by severity; below it, when its draft becomes final.",
    "Executed": "When it was carried out; a dash while it was not.",
    "Expected": "What it should be: the metered quantity at the agreed price, with every discount that holds.",
    "Exposed": "Money at stake that is not billed wrongly yet, such as an invoice that nobody collects.",
    "False": "Signals that people closed as false positives.",
    "Fault": "Labels that said: a fault.",
    "Findings": "Rows of the rule's query: one subject and one period each.",
    "First becomes final": "When the first draft of the run can no longer be corrected.",
    "First seen": "When a run found it for the first time.",
    "Flat": "What the tier costs once, whatever is used in it.",
    "Found": "Rows of the rule's query: one subject and one period each.",
    "Gate": "Whether the draft may go out: pass, warn, or hold while a signal of a rule that holds is open.",
    "Half within": "The median: half of the signals took no longer.",
    "Happened": "When the event says that it happened.",
    "In 24 hours": "Records that came in within a day, beside what comes in on a usual one.",
    "In force": "Whether rules use this model.",
    "In service": "From when to when the item is to be billed.",
    "In time": "Of the signals closed in the last 30 days, how many within the hours of their severity.",
    "Its lines": "Each line worked out again from the books, beside what was billed.",
    "Its sums": "Whether subtotal, discounts, tax and total follow from the lines.",
    "Labels": "Signals of unusual usage on which people said what it was.",
    "Last change": "When a row of the table was last written.",
    "Last good sync": "When everything that had changed there was last read without an error.",
    "Last load": "When records last came in, by import or sync.",
    "Last message": "What was last sent to you this way, or waits to be sent.",
    "Last run": "When the rule was last evaluated.",
    "Last runs": "What the signal was worth after each of the last 14 runs.",
    "Last seen": "When a run last found it.",
    "Late": "Closed after the hours of their severity were over.",
    "manager_report:In time": "Signals closed within the hours of their severity.",
    "manager_report:Open": "Open signals of that age.",
    "Metered": "What the product's events add up to.",
    "May": "What the token permits; never more than its owner may.",
    "Meter": "What counts the usage that the item is billed by.",
    "Newest row": "When the latest row of the table came in.",
    "Nine of ten within": "The ninth decile: nine of ten signals took no longer.",
    "Not": "Labels that said: not a fault.",
    "Object": "What was changed.",
    "Off the score": "How much labels took off the score of such cases, so that fewer are told.",
    "On sale": "The newest version of the plan that customers can choose.",
    "Open": "Open signals that are assigned to them.",
    "Open signals": "Signals of the rule that somebody still has to do something about.",
    "Overbilled": "Money that was billed and should not have been.",
    "Overdue": "Open signals older than the hours of their severity.",
    "People said": "How people closed the same signals.",
    "Per unit": "What one unit in the tier costs.",
    "Period": "The billing period, by its days in UTC.",
    "Planned": "Labels that said: planned, so the expectation begins anew.",
    "Precision": "Of the signals closed as right or false, the share that was right; told from 30 on.",
    "Rate": "What one unit costs; agreed where the customer has terms of their own.",
    "Received": "When it came in here.",
    "Recorded": "What the billing system says was used.",
    "Records": "How many records of the books it names.",
    "Request": "The number of the request, which errors and the log name too.",
    "Result": "How the run ended, and why where it did not end well.",
    "Right": "Signals that people or runs closed as resolved.",
    "Right of judged": "Of its signals that were closed as resolved or as a false positive, how many were resolved.",
    "Row": "Its place in the chain; each row holds the hash of the one before.",
    "Runs": "When the rule is evaluated.",
    "Seen": "When a run last found it, and when the first one did.",
    "Series": "Customers' uses of meters that the model was taught on.",
    "Severity": "How bad it is; the settings say what each word means.",
    "Share": "Of those that were closed, the part that was closed in time.",
    "Snapshot": "The version of the books that the run read, so that it can be looked at again.",
    "Source": "What sent it.",
    "Stated": "What the invoice says.",
    "Status": "How far it has got: in Trueup for a signal, in its own system for a record.",
    "Still drafts": "Invoices of the run that can still be corrected.",
    "Subject": "Whose usage it is, as the product names them.",
    "Taught": "When the model was made from the books.",
    "Target date": "The date that the record is about: its period or its due date.",
    "Took": "How long it ran.",
    "Total": "What the invoice asks for, with tax.",
    "Underbilled": "Money that should have been billed and was not.",
    "Units": "The quantity that falls into the tier.",
    "Up to": "The last unit of the tier.",
    "Whom": "The customers that the days are about, or everybody.",
    "What came in": "Rows that were new, changed, the same, or could not be read.",
    "What if": "The line under the change that was asked for.",
    "Worst": "The worst severity among them.",
    "Write access": "Whether approved actions may write there; off is the kill switch.",
    "account:Last seen": "When it was last used.",
    "audit:Change": "What was before, struck out, and what is after.",
    "audit:Why": "The reason that whoever did it gave.",
    "bill_runs:Last run": "The same of the bill run before.",
    "customer:Open signals": "Signals about the customer that somebody still has to do something about.",
    "data:Source": "The integration that the records come from.",
    "integrations:Cause": "Why it could not be applied or taken over.",
    "integrations:Records": "Rows of the books that came from there.",
    "invoice:Due": "What is left to pay, and by when.",
    "records:Value": "What the field holds in the books.",
    "runs:Why": "What started the run: the clock, an event, a person.",
    "runs:Run": "The number of the run, which signals name too.",
    "rules:Run": "The number of the run, which signals name too.",
    "rule_trials:Records": "How many records they would name.",
    "scores:Signals": "How many signals the number counts; each leads to its list.",
    "signals:Records": "How many records of the books it names; after \u00d7, how many runs brought something new.",
    "unusual:Why": "Why the model is in force, or is not.",
    "usage:Source": "What sent the event.",
    "usage:Status": "Of an event, whether it was counted or why not; of a line, how far its invoice is.",
    "usage:Value": "What the event counts for.",
    "users:Last seen": "When the person last used the console or a token.",
}


def means(word: str) -> Markup:
    """The attribute that tells what a word means, which puts it on the page's list too; nothing for other words."""
    said = MEANINGS.get(f"{request.blueprint}:{word}") or MEANINGS.get(word)
    if said is None:
        return Markup("")
    if "meanings" not in g:
        g.meanings = {}
    g.meanings[word] = said
    return Markup(' title="{}"').format(said)


def told() -> list[tuple[str, str]]:
    """The words of this page that have a meaning, in the order of the alphabet."""
    return sorted(g.get("meanings", {}).items())
