#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A small but complete Kakao-style channel for ticketbridge, with Python's standard library alone.

    channel.py serve                              keeps the reservations, answers what ticketbridge asks
    channel.py book NUMBER DATE UNITS             a guest books: told to ticketbridge, waits for its decision
    channel.py cancel NUMBER                      the guest cancels; the money goes back
    channel.py deliver                            tells ticketbridge what it has not acknowledged yet
    channel.py show NUMBER                        the reservation as it stands

Settings come from the environment: KAKAO_WEBHOOK_SECRET (signs events), KAKAO_API_SECRET (signs ticketbridge's calls), PORT (9101),
BOOKS (a file, channel.sqlite), BRIDGE (http://127.0.0.1:8080), CHANNEL (kakao-jeju), PRODUCT (FOREST), PRICE (38000, whole won).

What to keep when you write your own: every event tells the whole reservation and a revision one higher than the last; it stays in an
outbox until it was acknowledged; a decision that names an older revision is refused with 409 and the reservation as it stands.
"""

import json
import os
import sqlite3
import sys
import urllib.error
import urllib.request
from datetime import datetime, timedelta, timezone

from signed_server import serve
from standard_webhooks import signed

SEOUL = timezone(timedelta(hours=9))
WEBHOOK_SECRET = os.environ.get("KAKAO_WEBHOOK_SECRET", "")
API_SECRET = os.environ.get("KAKAO_API_SECRET", "")


def books():
    connection = sqlite3.connect(os.environ.get("BOOKS", "channel.sqlite"), timeout=5, isolation_level=None)
    connection.execute("CREATE TABLE IF NOT EXISTS reservation (number TEXT PRIMARY KEY, revision INTEGER NOT NULL, it TEXT NOT NULL)")
    connection.execute("CREATE TABLE IF NOT EXISTS outbox (id INTEGER PRIMARY KEY, event_id TEXT NOT NULL, body TEXT NOT NULL)")
    connection.execute("CREATE TABLE IF NOT EXISTS done (key TEXT PRIMARY KEY, answer TEXT NOT NULL)")
    return connection


def now():
    return datetime.now(SEOUL).isoformat(timespec="seconds")


def find(connection, number):
    row = connection.execute("SELECT revision, it FROM reservation WHERE number = ?", (number,)).fetchone()
    return (row[0], json.loads(row[1])) if row else (0, None)


def tell(connection, kind, number, it, change):
    """A change and the event that tells it: one transaction (that the caller has begun), so that there is never one without the other."""
    revision = find(connection, number)[0] + 1
    connection.execute("INSERT OR REPLACE INTO reservation VALUES (?, ?, ?)", (number, revision, json.dumps(it)))
    event_id = f"evt-{number}-{revision}"
    event = {
        "event_id": event_id, "event_type": kind, "schema_version": "1", "occurred_at": now(), "revision": revision,
        "partner_id": "p_1", "place_id": "pl_1", "reservation": it, "change": change,
    }
    connection.execute("INSERT INTO outbox (event_id, body) VALUES (?, ?)", (event_id, json.dumps(event)))


def deliver():
    """What is in the outbox, oldest first; what is not acknowledged stays there."""
    connection = books()
    url = f"{os.environ.get('BRIDGE', 'http://127.0.0.1:8080')}/channels/{os.environ.get('CHANNEL', 'kakao-jeju')}/events"
    for row_id, event_id, text in connection.execute("SELECT id, event_id, body FROM outbox ORDER BY id").fetchall():
        body = text.encode()
        headers = {"content-type": "application/json"} | signed(WEBHOOK_SECRET, event_id, body)
        try:
            with urllib.request.urlopen(urllib.request.Request(url, body, headers), timeout=10) as answer:
                print(event_id, answer.status, answer.read().decode(), flush=True)
        except urllib.error.HTTPError as refused:
            print(event_id, refused.code, refused.read().decode(), file=sys.stderr, flush=True)
            if refused.code >= 500 or refused.code in (401, 403, 429):
                return  # Later: and what comes after it waits.
        except urllib.error.URLError as away:
            print(f"{event_id}: {away.reason}, later", file=sys.stderr, flush=True)
            return
        connection.execute("DELETE FROM outbox WHERE id = ?", (row_id,))


def a_booking(number, day, units):
    price = int(os.environ.get("PRICE", "38000"))
    product, total, at = os.environ.get("PRODUCT", "FOREST"), price * units, now()
    until = f"{day}T00:00:00+09:00"
    return {
        "reservation_no": number, "status": "REQUESTED", "cancel_kind": None, "ex_officio": False, "confirm_mode": "MANAGER",
        "payment_mode": "PAY_WITH_BOOKING", "booked_at": at,
        "product": {"product_id": product, "name": "Forest class", "type": "DATE_TIME", "category": "LEISURE"},
        "use": {"from": f"{day}T10:00:00+09:00", "to": f"{day}T12:00:00+09:00", "date": None, "valid_until": None},
        "booker": {"name": "Test Guest", "phone": "010-1111-2222", "masked": False, "user_ref": None},
        "lines": [{"detail_no": "D1", "price_id": "adult", "label": "adult", "quantity": units, "unit_price_krw": price,
                   "amount_krw": total, "canceled_quantity": 0, "used_quantity": 0}],
        "amounts": {"gross_krw": total, "discount_krw": 0, "net_krw": total, "onsite_krw": 0, "paid_krw": total,
                    "refunded_krw": 0, "fee_krw": 0},
        "payments": [{"payment_id": f"pay-{number}", "method": "CARD", "amount_krw": total, "approved_at": at,
                      "cancelable_krw": total, "cancels": []}],
        "cancel_policy": {"cancelable": True, "free_minutes_after_booking": 60, "unused_action": "AUTO_USE_NEXT_DAY",
                          "partial_allowed": False, "tiers": [{"until": until, "fee_rate_bp": 0}],
                          "deadline": {"kind": "FIXED", "fixed_until": until, "days_before": None, "at_time": None,
                                       "resolved_until": until}},
    }  # fmt: skip


def pay_back(it, amount, kind):
    """Money goes back from the only payment; the entry that says so."""
    payment = it["payments"][0]
    payment["cancelable_krw"] -= amount
    it["amounts"]["refunded_krw"] += amount
    entry = {"cancel_id": f"cx-{payment['payment_id']}-{len(payment['cancels'])}", "amount_krw": amount,
             "kind": kind, "status": "DONE", "done_at": now()}  # fmt: skip
    payment["cancels"].append(entry)
    return entry | {"payment_id": payment["payment_id"]}


def give_back(it, kind, fee=0):
    """The whole reservation ends, and the money goes back but for the fee."""
    it["status"], it["cancel_kind"] = "CANCELED", kind
    back = it["amounts"]["paid_krw"] - it["amounts"]["refunded_krw"] - fee
    it["amounts"]["fee_krw"] += fee
    for line in it["lines"]:
        line["canceled_quantity"] = line["quantity"]
    if back > 0:
        pay_back(it, back, "WITH_BOOKING")
    return back


def cancelled(it, by, fee=0):
    """What is told of a cancellation."""
    back = give_back(it, "BY_BOOKER" if by == "BOOKER" else "BY_PARTNER", fee)
    lines = [{"detail_no": line["detail_no"], "quantity": line["quantity"]} for line in it["lines"]]
    return {"by": by, "ex_officio": False, "lines": lines, "fee_krw": fee, "refund_krw": back, "canceled_at": now()}


def decided(connection, number, call, body, key):
    """What ticketbridge decided, once for each key and only on the revision that it has seen."""
    known = connection.execute("SELECT answer FROM done WHERE key = ?", (key,)).fetchone()
    if known:
        return 200, json.loads(known[0])
    revision, it = find(connection, number)
    if it is None:
        return 404, {"code": "not_found"}
    if body.get("expected_revision") not in (None, revision):
        return 409, {"code": "revision_conflict", "reservation": it, "revision": revision}
    if call == "confirm" and it["status"] == "REQUESTED":
        it["status"] = "CONFIRMED"
        tell(connection, "reservation.confirmed", number, it, {"by": "MANAGER", "confirmed_at": now()})
    elif call == "reject" and it["status"] == "REQUESTED":
        give_back(it, "REJECTED")
        change = {"by": "MANAGER", "reason_code": body["reason_code"], "reason_text": body["reason_text"]}
        tell(connection, "reservation.rejected", number, it, change)
    elif call == "use" and it["status"] == "CONFIRMED":
        it["status"] = "USED"
        for line in it["lines"]:
            line["used_quantity"] = line["quantity"] - line["canceled_quantity"]
        lines = [{"detail_no": line["detail_no"], "quantity": line["used_quantity"]} for line in it["lines"]]
        tell(connection, "reservation.used", number, it, {"by": "MANAGER", "lines": lines, "used_at": body["used_at"]})
    elif call == "cancel" and it["status"] in ("REQUESTED", "CONFIRMED"):
        # Whole or not at all; and only if both sides count the same money.
        amounts, fee = it["amounts"], (body.get("fee") or {}).get("amount_krw") or 0
        counted = (body.get("expect_paid_krw"), body.get("expect_refunded_krw"))
        if counted != (amounts["paid_krw"], amounts["refunded_krw"]):
            return 409, {"code": "amounts_differ", "reservation": it, "revision": revision}
        if body.get("lines") or not 0 <= fee <= amounts["paid_krw"] - amounts["refunded_krw"]:
            return 422, {"code": "refund_invalid"}
        tell(connection, "reservation.canceled", number, it, cancelled(it, "MANAGER", fee))
    elif call == "no-show" and it["status"] == "CONFIRMED":
        it["status"] = "NO_SHOW"
        tell(connection, "reservation.no_show", number, it, {"marked_at": body["marked_at"]})
    elif call == "return-payment":
        payment = it["payments"][0]
        if body["expect_cancelable_krw"] != payment["cancelable_krw"]:
            return 409, {"code": "cancelable_changed", "reservation": it, "revision": revision}
        if not 0 < body["cancel_krw"] <= payment["cancelable_krw"]:
            return 422, {"code": "amount_invalid"}
        entry = pay_back(it, body["cancel_krw"], "PAYMENT_ONLY")
        tell(connection, "payment.canceled", number, it, {"cancels": [entry]})
    else:
        return 410, {"code": "closed", "reservation": it, "revision": revision}
    revision, it = find(connection, number)
    answer = {"reservation": it, "revision": revision}
    connection.execute("INSERT INTO done VALUES (?, ?)", (key, json.dumps(answer)))
    return 200, answer


def carry_out(method, parts, _query, body, headers):
    connection = books()
    match (method, parts):
        case ("GET", ["v1", "reservations", number]):
            revision, it = find(connection, number)
            return (200, {"reservation": it, "revision": revision}) if it else (404, {"code": "not_found"})
        case ("GET", ["v1", "reservations", number, "cancel-quote"]):
            # Nothing is kept: the policy of `a_booking` is free until the day itself.
            known = find(connection, number)[1] is not None
            return (200, {"fee_krw": None, "refund_krw": None}) if known else (404, {"code": "not_found"})
        case ("POST", ["v1", "reservations", number, "confirm" | "reject" | "use" | "cancel" | "no-show" as call]):
            return in_one(connection, number, call, body, headers)
        case ("POST", ["v1", "reservations", number, "payments", payment, "cancel"]) if payment == f"pay-{number}":
            return in_one(connection, number, "return-payment", body, headers)
        case _:
            return 404, {"code": "no_such_call"}


def in_one(connection, number, call, body, headers):
    connection.execute("BEGIN IMMEDIATE")
    try:
        return decided(connection, number, call, json.loads(body), headers["webhook-id"])
    finally:
        connection.execute("COMMIT")


def act(number, kind, make):
    connection = books()
    connection.execute("BEGIN IMMEDIATE")
    it, change = make(find(connection, number)[1])
    tell(connection, kind, number, it, change)
    connection.execute("COMMIT")
    deliver()


def cancel(it):
    if it is None or it["status"] not in ("REQUESTED", "CONFIRMED"):
        sys.exit("there is nothing to cancel")
    return it, cancelled(it, "BOOKER")


def main():
    if not WEBHOOK_SECRET or not API_SECRET:
        sys.exit("set KAKAO_WEBHOOK_SECRET and KAKAO_API_SECRET to the secrets that ticketbridge was started with")
    match sys.argv[1:]:
        case ["serve"]:
            serve("the channel", int(os.environ.get("PORT", "9101")), API_SECRET, carry_out, afterwards=deliver)
        case ["book", number, day, units]:
            act(number, "reservation.requested", lambda _: (a_booking(number, day, int(units)), {}))
        case ["cancel", number]:
            act(number, "reservation.canceled", cancel)
        case ["deliver"]:
            deliver()
        case ["show", number]:
            print(json.dumps(find(books(), number)[1], indent=2, ensure_ascii=False))
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main()
