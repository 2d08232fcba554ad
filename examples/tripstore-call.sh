#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Makes one signed call as a TripStore-style marketplace would: examples/tripstore-call.sh < event.json
#
# Settings: CHANNEL (trip), TRIPSTORE_WEBHOOK_SECRET (required), and those of signed-call.sh beside this one.
set -eu
SECRET=${TRIPSTORE_WEBHOOK_SECRET:?set TRIPSTORE_WEBHOOK_SECRET to the secret that the bridge was started with}
export SECRET
exec "$(dirname "$0")/signed-call.sh" "channels/${CHANNEL:-trip}/${1:-events}"
