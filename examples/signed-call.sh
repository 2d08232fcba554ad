#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Makes one call signed as Standard Webhooks: examples/signed-call.sh PATH [BODY]
#
#   examples/signed-call.sh channels/kakao-jeju/events < event.json
#   examples/signed-call.sh backends/gate/events '{"type":"reservation.cancelled","reservation_id":"bkg_…"}'
#
# Settings come from the environment:
#   BRIDGE       where the bridge listens                                   (http://127.0.0.1:8080)
#   SECRET       whsec_ and base64                                          (required)
#   WEBHOOK_ID   the message's id, the same when it is sent again           (event_id of the body, else a new one)
#
# The rule: base64 of HMAC-SHA256 over  id.timestamp.body , with the bytes of the body as they are sent.
set -eu
path=${1:?which call? for example channels/kakao-jeju/events}
secret=${SECRET:?set SECRET to the secret that the bridge was started with}
bridge=${BRIDGE:-http://127.0.0.1:8080}

body=$(mktemp)
trap 'rm -f "$body"' EXIT
if [ $# -ge 2 ]; then printf '%s' "$2" > "$body"; else cat > "$body"; fi

at=$(date +%s)
id=${WEBHOOK_ID:-$(tr '\n' ' ' < "$body" | sed -n 's/.*"event_id" *: *"\([^"]*\)".*/\1/p')}
id=${id:-msg-$at-$$}
key=$(printf %s "${secret#whsec_}" | base64 -d | od -An -vtx1 | tr -d ' \n')
signature=$({ printf '%s.%s.' "$id" "$at"; cat "$body"; } | openssl dgst -sha256 -mac HMAC -macopt hexkey:"$key" -binary | base64)

curl -sS -X POST "$bridge/$path" \
    -H 'Content-Type: application/json' \
    -H "webhook-id: $id" -H "webhook-timestamp: $at" -H "webhook-signature: v1,$signature" \
    --data-binary @"$body"
echo
