#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A complete ticketing back-end for ticketbridge (adapter `ticketing_http`), with Python's standard library alone.

    back_end.py serve                        answers ticketbridge's calls
    back_end.py redeem RESERVATION           tells ticketbridge that the guest was there
    back_end.py list                         what is in the books

Settings come from the environment: GATE_SECRET (the one that ticketbridge has), PORT (9102), BOOKS (a file, gate.sqlite),
BRIDGE (http://127.0.0.1:8080), BACKEND (gate).

What to keep when you write your own: the reservation is keyed by ticketbridge's `reservation_id`, so that a repeated call gives the
answer of the first one; the books are written before the answer is sent; a ticket that was used is never cancelled.
"""

import json
import os
import secrets
import sqlite3
import sys
import time
import urllib.error
import urllib.request
import uuid
from datetime import date, datetime, timedelta, timezone

from signed_server import serve
from standard_webhooks import signed

SECRET = os.environ.get("GATE_SECRET", "")
PLACES_A_DAY = 200
PRICE = 9900


def books():
    """One connection for each call. `immediate`: who writes waits for the one before, so that a place is never sold twice."""
    connection = sqlite3.connect(os.environ.get("BOOKS", "gate.sqlite"), timeout=5, isolation_level=None)
    connection.execute(
        """CREATE TABLE IF NOT EXISTS reservation (
             id TEXT PRIMARY KEY, product TEXT NOT NULL, visit_date TEXT, quantity INTEGER NOT NULL,
             state TEXT NOT NULL CHECK (state IN ('issued', 'cancelled', 'redeemed')),
             backend_ref TEXT NOT NULL, tickets TEXT NOT NULL, redeemed_at TEXT)"""
    )
    return connection


def now():
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


def sold(connection, product, day):
    row = connection.execute(
        "SELECT COALESCE(SUM(quantity), 0) FROM reservation WHERE product = ? AND visit_date IS ? AND state != 'cancelled'",
        (product, day),
    ).fetchone()
    return row[0]


def answer_of(row):
    """A reservation as ticketbridge reads it."""
    _, _, _, _, state, backend_ref, tickets, redeemed_at = row
    return {"state": state, "backend_ref": backend_ref, "tickets": json.loads(tickets), "redeemed_at": redeemed_at}


def find(connection, reservation_id):
    return connection.execute("SELECT * FROM reservation WHERE id = ?", (reservation_id,)).fetchone()


def reserve(request):
    connection = books()
    connection.execute("BEGIN IMMEDIATE")
    try:
        known = find(connection, request["reservation_id"])
        if known:  # The same call again: the same answer, and nothing new is made.
            return 200, answer_of(known)
        product, day, quantity = request["product"], request["visit_date"], request["quantity"]
        if sold(connection, product, day) + quantity > PLACES_A_DAY:
            return 409, {"state": "refused", "reason": "sold out"}
        tickets = [{"code": "T-" + secrets.token_hex(6).upper(), "kind": "code"} for _ in range(quantity)]
        connection.execute(
            "INSERT INTO reservation VALUES (?, ?, ?, ?, 'issued', ?, ?, NULL)",
            (request["reservation_id"], product, day, quantity, "GATE-" + secrets.token_hex(4), json.dumps(tickets)),
        )
        return 200, answer_of(find(connection, request["reservation_id"]))
    finally:
        connection.execute("COMMIT")
        connection.close()


def read(reservation_id):
    row = find(books(), reservation_id)
    return (200, answer_of(row)) if row else (404, {"reason": "no such reservation"})


def cancel(reservation_id):
    connection = books()
    # In one statement: between looking and writing the guest could have gone in.
    connection.execute("UPDATE reservation SET state = 'cancelled' WHERE id = ? AND state = 'issued'", (reservation_id,))
    row = find(connection, reservation_id)
    if not row:
        return 404, {"reason": "no such reservation"}
    if row[4] == "redeemed":
        return 409, {"state": "refused", "reason": "used"}
    return 200, {"state": "cancelled"}


def availability(query):
    connection, days = books(), []
    day, last = date.fromisoformat(query["from"]), date.fromisoformat(query["to"])
    while day <= last and len(days) < 400:
        remaining = PLACES_A_DAY - sold(connection, query["product"], day.isoformat())
        days.append({"date": day.isoformat(), "remaining": max(remaining, 0), "price": PRICE, "currency": "CNY"})
        day += timedelta(days=1)
    return 200, {"days": days}


def carry_out(method, parts, query, body, _headers):
    match (method, parts):
        case ("POST", ["reservations"]):
            return reserve(json.loads(body))
        case ("GET", ["reservations", reservation_id]):
            return read(reservation_id)
        case ("POST", ["reservations", reservation_id, "cancel"]):
            return cancel(reservation_id)
        case ("GET", ["availability"]):
            return availability(query)
        case _:
            return 404, {"reason": "no such call"}


def redeem(reservation_id):
    """The turnstile: the books first, then ticketbridge. What it does not acknowledge is told again, under the same id."""
    connection = books()
    at = now()
    changed = connection.execute(
        "UPDATE reservation SET state = 'redeemed', redeemed_at = ? WHERE id = ? AND state = 'issued'", (at, reservation_id)
    )
    if changed.rowcount == 0:
        row = find(connection, reservation_id)
        if not row or row[4] != "redeemed":
            sys.exit(f"{reservation_id} has no ticket that admits")
        at = row[7]  # Told again, with the time of the first entry.
    event = {"type": "ticket.redeemed", "reservation_id": reservation_id, "occurred_at": at, "data": {}}
    body = json.dumps(event).encode()
    message_id = str(uuid.uuid5(uuid.NAMESPACE_URL, f"redeemed:{reservation_id}"))
    url = f"{os.environ.get('BRIDGE', 'http://127.0.0.1:8080')}/backends/{os.environ.get('BACKEND', 'gate')}/events"
    for pause in (0, 1, 5, 25):
        time.sleep(pause)
        headers = {"content-type": "application/json"} | signed(SECRET, message_id, body)
        try:
            with urllib.request.urlopen(urllib.request.Request(url, body, headers), timeout=10) as answer:
                return print(answer.read().decode())
        except urllib.error.HTTPError as refused:
            if refused.code < 500 and refused.code != 429:
                sys.exit(refused.read().decode())
            print(f"answered {refused.code}: again", file=sys.stderr)
        except urllib.error.URLError as away:
            print(f"{away.reason}: again", file=sys.stderr)
    sys.exit("ticketbridge did not take it; run this again")


def main():
    if not SECRET:
        sys.exit("set GATE_SECRET to the secret that ticketbridge was started with")
    match sys.argv[1:]:
        case ["serve"]:
            serve("the back-end", int(os.environ.get("PORT", "9102")), SECRET, carry_out)
        case ["redeem", reservation_id]:
            redeem(reservation_id)
        case ["list"]:
            for row in books().execute("SELECT id, state, visit_date, quantity FROM reservation ORDER BY rowid"):
                print(*row)
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main()
