#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Makes one signed call as a Kakao-style platform would: examples/kakao-call.sh [CALL] < body.json
#
#   examples/kakao-call.sh < event.json                 an event (docs/src/contract/channels.md has a complete one)
#   examples/kakao-call.sh availability < question.json
#
# Settings: CHANNEL (kakao-jeju), KAKAO_WEBHOOK_SECRET (required), and those of signed-call.sh beside this one.
set -eu
SECRET=${KAKAO_WEBHOOK_SECRET:?set KAKAO_WEBHOOK_SECRET to the secret that the bridge was started with}
export SECRET
exec "$(dirname "$0")/signed-call.sh" "channels/${CHANNEL:-kakao-jeju}/${1:-events}"
