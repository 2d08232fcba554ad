// SPDX-License-Identifier: Apache-2.0

// Standard Webhooks in forty lines: how both directions are signed where the contract is ticketbridge's own.
//
// The text that is signed is `{webhook-id}.{webhook-timestamp}.{raw body}`, the key what `whsec_` stands before, in base64.

import { createHmac, timingSafeEqual } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";

const CLOCKS_MAY_DIFFER_S = 300;

function signature(secret: string, id: string, timestamp: string, body: Buffer): Buffer {
  const key = Buffer.from(secret.replace(/^whsec_/, ""), "base64");
  return createHmac("sha256", key).update(`${id}.${timestamp}.`).update(body).digest();
}

/** The headers of a message that we send. */
export function signed(secret: string, id: string, body: Buffer): Record<string, string> {
  const timestamp = String(Math.floor(Date.now() / 1000));
  return {
    "content-type": "application/json",
    "webhook-id": id,
    "webhook-timestamp": timestamp,
    "webhook-signature": `v1,${signature(secret, id, timestamp, body).toString("base64")}`,
  };
}

/** Whether a message that came in is right: over the bytes as they came, before they are read as JSON. */
export function isSigned(secret: string, headers: IncomingHttpHeaders, body: Buffer): boolean {
  const id = String(headers["webhook-id"] ?? "");
  const timestamp = String(headers["webhook-timestamp"] ?? "");
  const off = Math.abs(Date.now() / 1000 - Number(timestamp));
  if (id === "" || !/^[0-9]+$/.test(timestamp) || off > CLOCKS_MAY_DIFFER_S) return false;
  const expected = signature(secret, id, timestamp, body);
  // Several signatures while a key is being replaced: one of them has to be right.
  return String(headers["webhook-signature"] ?? "").split(" ").some((each) => {
    const given = Buffer.from(each.startsWith("v1,") ? each.slice(3) : "", "base64");
    return given.length === expected.length && timingSafeEqual(given, expected);
  });
}
