# SPDX-License-Identifier: Apache-2.0
"""Standard Webhooks in forty lines: how both directions are signed where the contract is ticketbridge's own.

The text that is signed is `{webhook-id}.{webhook-timestamp}.{raw body}`, the key what `whsec_` stands before, in base64.
"""

import base64
import hashlib
import hmac
import time

CLOCKS_MAY_DIFFER_S = 300


def key_of(secret):
    return base64.b64decode(secret.removeprefix("whsec_"))


def signature(secret, message_id, timestamp, body):
    text = f"{message_id}.{timestamp}.".encode() + body
    return base64.b64encode(hmac.new(key_of(secret), text, hashlib.sha256).digest()).decode()


def signed(secret, message_id, body):
    """The headers of a message that we send."""
    timestamp = int(time.time())
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": "v1," + signature(secret, message_id, timestamp, body),
    }


def is_signed(secret, headers, body):
    """Whether a message that came in is right: over the bytes as they came, before they are read as JSON."""
    message_id, timestamp = headers.get("webhook-id"), headers.get("webhook-timestamp", "")
    if not message_id or not timestamp.isdigit() or abs(time.time() - int(timestamp)) > CLOCKS_MAY_DIFFER_S:
        return False
    expected = signature(secret, message_id, timestamp, body)
    # Several signatures while a key is being replaced: one of them has to be right.
    given = [each[3:] for each in headers.get("webhook-signature", "").split() if each.startswith("v1,")]
    return any(hmac.compare_digest(each, expected) for each in given)
