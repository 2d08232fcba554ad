#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Makes one signed call as Douyin would: examples/douyin-call.sh CALL [BODY]
#
#   examples/douyin-call.sh can-buy '{"count":1,…}'
#   examples/douyin-call.sh create-order < body.json
#
# Settings come from the environment:
#   BRIDGE         where the bridge listens            (http://127.0.0.1:8080)
#   CHANNEL        its channel                         (douyin-main)
#   CLIENT_KEY     the application's key               (awexampleclientkey)
#   DOUYIN_SECRET  the application's secret            (required)
#
# The rule: secret & every query parameter but `sign`, by name & http_body; SHA-256 for the header, MD5 for the URL.
set -eu
call=${1:?which call? for example can-buy, create-order, issue-voucher, query-order}
secret=${DOUYIN_SECRET:?set DOUYIN_SECRET to the secret that the bridge was started with}
bridge=${BRIDGE:-http://127.0.0.1:8080}
channel=${CHANNEL:-douyin-main}
key=${CLIENT_KEY:-awexampleclientkey}

body=$(mktemp)
trap 'rm -f "$body"' EXIT
if [ $# -ge 2 ]; then printf '%s' "$2" > "$body"; else cat > "$body"; fi

timestamp=$(date +%s)000
to_sign() {
    printf '%s&client_key=%s&timestamp=%s' "$secret" "$key" "$timestamp"
    if [ -s "$body" ]; then printf '&http_body='; cat "$body"; fi
}
header=$(to_sign | sha256sum | cut -d' ' -f1)
url_sign=$(to_sign | md5sum | cut -d' ' -f1)

curl -sS -X POST "$bridge/channels/$channel/$call?client_key=$key&timestamp=$timestamp&sign=$url_sign" \
    -H 'Content-Type: application/json' \
    -H "X-Bytedance-Logid: example-$timestamp" \
    -H "x-life-clientkey: $key" \
    -H "x-life-sign: $header" \
    --data-binary @"$body"
echo
