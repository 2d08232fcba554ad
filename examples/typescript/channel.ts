// SPDX-License-Identifier: Apache-2.0

// A small but complete Kakao-style channel for ticketbridge, with Node's standard library alone.
//
//   node channel.ts serve                     keeps the reservations, answers what ticketbridge asks
//   node channel.ts book NUMBER DATE UNITS    a guest books: told to ticketbridge, waits for its decision
//   node channel.ts cancel NUMBER             the guest cancels; the money goes back
//   node channel.ts deliver                   tells ticketbridge what it has not acknowledged yet
//   node channel.ts show NUMBER               the reservation as it stands
//
// Node 22.18 or newer runs it as it stands; an older one with `npx tsx`. Settings come from the environment: KAKAO_WEBHOOK_SECRET (signs
// events), KAKAO_API_SECRET (signs ticketbridge's calls), PORT (9101), BOOKS (a file, channel.json), BRIDGE (http://127.0.0.1:8080),
// CHANNEL (kakao-jeju), PRODUCT (FOREST), PRICE (38000, whole won).
//
// What to keep when you write your own: every event tells the whole reservation and a revision one higher than the last; it stays in an
// outbox until it was acknowledged; a decision that names an older revision is refused with 409 and the reservation as it stands.

import { Books } from "./books.ts";
import { type Answer, atTheDesk, type Call, fromEnv, serve } from "./http.ts";
import { signed } from "./standard_webhooks.ts";

type Line = { detail_no: string; quantity: number; canceled_quantity: number; used_quantity: number; [more: string]: unknown };
type Payment = { payment_id: string; cancelable_krw: number; cancels: unknown[]; [more: string]: unknown };
type Reservation = {
  status: "REQUESTED" | "CONFIRMED" | "USED" | "NO_SHOW" | "CANCELED";
  cancel_kind: string | null;
  lines: Line[];
  amounts: { paid_krw: number; refunded_krw: number; fee_krw: number; [more: string]: number };
  payments: Payment[];
  [more: string]: unknown;
};
type Kept = { revision: number; it: Reservation };
type Pages = { kept: Record<string, Kept>; outbox: { id: string; event: unknown }[]; done: Record<string, unknown> };

const webhookSecret = fromEnv("KAKAO_WEBHOOK_SECRET");
const apiSecret = fromEnv("KAKAO_API_SECRET");
const port = Number(fromEnv("PORT", "9101"));
const books = new Books<Pages>(fromEnv("BOOKS", "channel.json"), { kept: {}, outbox: [], done: {} });

/** An instant in Seoul. */
function now(): string {
  return new Date(Date.now() + 9 * 3_600_000).toISOString().slice(0, 19) + "+09:00";
}

/** A change and the event that tells it: together, so that there is never one without the other. */
function tell(pages: Pages, kind: string, number: string, it: Reservation, change: unknown): Kept {
  const revision = (pages.kept[number]?.revision ?? 0) + 1;
  const id = `evt-${number}-${revision}`;
  pages.outbox.push({ id, event: {
    event_id: id, event_type: kind, schema_version: "1", occurred_at: now(), revision, partner_id: "p_1", place_id: "pl_1",
    reservation: structuredClone(it), change,
  } });
  return (pages.kept[number] = { revision, it });
}

let delivering: Promise<unknown> = Promise.resolve();
/** What is in the outbox, oldest first and one at a time; what is not acknowledged stays there. */
function deliver(): Promise<unknown> {
  delivering = delivering.then(deliverAll);
  return delivering;
}

async function deliverAll(): Promise<unknown> {
  const url = `${fromEnv("BRIDGE", "http://127.0.0.1:8080")}/channels/${fromEnv("CHANNEL", "kakao-jeju")}/events`;
  const told: unknown[] = [];
  for (const { id, event } of [...books.pages.outbox]) {
    const body = Buffer.from(JSON.stringify(event));
    try {
      const answer = await fetch(url, { method: "POST", headers: signed(webhookSecret, id, body), body });
      told.push({ id, status: answer.status, answer: await answer.json() });
      if (answer.status >= 500 || [401, 403, 429].includes(answer.status)) break; // Later: and what comes after it waits.
    } catch {
      told.push({ id, later: "ticketbridge cannot be reached" });
      break;
    }
    books.change((pages) => { pages.outbox = pages.outbox.filter((each) => each.id !== id); });
  }
  return told;
}

function aBooking(number: string, day: string, units: number): Reservation {
  const price = Number(fromEnv("PRICE", "38000"));
  const [total, at, until] = [price * units, now(), `${day}T00:00:00+09:00`];
  return {
    reservation_no: number, status: "REQUESTED", cancel_kind: null, ex_officio: false, confirm_mode: "MANAGER",
    payment_mode: "PAY_WITH_BOOKING", booked_at: at,
    product: { product_id: fromEnv("PRODUCT", "FOREST"), name: "Forest class", type: "DATE_TIME", category: "LEISURE" },
    use: { from: `${day}T10:00:00+09:00`, to: `${day}T12:00:00+09:00`, date: null, valid_until: null },
    booker: { name: "Test Guest", phone: "010-1111-2222", masked: false, user_ref: null },
    lines: [{ detail_no: "D1", price_id: "adult", label: "adult", quantity: units, unit_price_krw: price, amount_krw: total,
              canceled_quantity: 0, used_quantity: 0 }],
    amounts: { gross_krw: total, discount_krw: 0, net_krw: total, onsite_krw: 0, paid_krw: total, refunded_krw: 0, fee_krw: 0 },
    payments: [{ payment_id: `pay-${number}`, method: "CARD", amount_krw: total, approved_at: at, cancelable_krw: total, cancels: [] }],
    cancel_policy: { cancelable: true, free_minutes_after_booking: 60, unused_action: "AUTO_USE_NEXT_DAY", partial_allowed: false,
                     tiers: [{ until, fee_rate_bp: 0 }],
                     deadline: { kind: "FIXED", fixed_until: until, days_before: null, at_time: null, resolved_until: until } },
  };
}

/** Money goes back from the only payment; the entry that says so. */
function payBack(it: Reservation, amount_krw: number, kind: string): unknown {
  const payment = it.payments[0]!;
  payment.cancelable_krw -= amount_krw;
  it.amounts.refunded_krw += amount_krw;
  const entry = { cancel_id: `cx-${payment.payment_id}-${payment.cancels.length}`, amount_krw, kind, status: "DONE", done_at: now() };
  payment.cancels.push(entry);
  return { ...entry, payment_id: payment.payment_id };
}

/** The whole reservation ends, and the money goes back but for the fee. */
function giveBack(it: Reservation, kind: string, fee = 0): number {
  const back = it.amounts.paid_krw - it.amounts.refunded_krw - fee;
  it.status = "CANCELED";
  it.cancel_kind = kind;
  it.amounts.fee_krw += fee;
  for (const line of it.lines) line.canceled_quantity = line.quantity;
  if (back > 0) payBack(it, back, "WITH_BOOKING");
  return back;
}

/** What is told of a cancellation. */
function cancelled(it: Reservation, by: "BOOKER" | "MANAGER", fee = 0): unknown {
  const refund_krw = giveBack(it, by === "BOOKER" ? "BY_BOOKER" : "BY_PARTNER", fee);
  const lines = it.lines.map((line) => ({ detail_no: line.detail_no, quantity: line.quantity }));
  return { by, ex_officio: false, lines, fee_krw: fee, refund_krw, canceled_at: now() };
}

type Decision = {
  expected_revision?: number | null; reason_code?: string; reason_text?: string; used_at?: string; marked_at?: string;
  fee?: { amount_krw?: number | null } | null; expect_paid_krw?: number; expect_refunded_krw?: number; lines?: unknown[];
  cancel_krw?: number; expect_cancelable_krw?: number;
};

/** What ticketbridge decided, once for each key and only on the revision that it has seen. */
function decided(number: string, call: string, body: Decision, key: string): Answer {
  const known = books.pages.done[key];
  if (known) return [200, known];
  const kept = books.pages.kept[number];
  if (!kept) return [404, { code: "not_found" }];
  const standing = { reservation: kept.it, revision: kept.revision };
  if (body.expected_revision != null && body.expected_revision !== kept.revision) return [409, { code: "revision_conflict", ...standing }];
  const it = structuredClone(kept.it);
  let kind: string, change: unknown;
  if (call === "confirm" && it.status === "REQUESTED") {
    it.status = "CONFIRMED";
    [kind, change] = ["reservation.confirmed", { by: "MANAGER", confirmed_at: now() }];
  } else if (call === "reject" && it.status === "REQUESTED") {
    giveBack(it, "REJECTED");
    [kind, change] = ["reservation.rejected", { by: "MANAGER", reason_code: body.reason_code, reason_text: body.reason_text }];
  } else if (call === "use" && it.status === "CONFIRMED") {
    it.status = "USED";
    for (const line of it.lines) line.used_quantity = line.quantity - line.canceled_quantity;
    const lines = it.lines.map((line) => ({ detail_no: line.detail_no, quantity: line.used_quantity }));
    [kind, change] = ["reservation.used", { by: "MANAGER", lines, used_at: body.used_at }];
  } else if (call === "cancel" && ["REQUESTED", "CONFIRMED"].includes(it.status)) {
    // Whole or not at all; and only if both sides count the same money.
    const fee = body.fee?.amount_krw ?? 0;
    const { paid_krw, refunded_krw } = it.amounts;
    if (body.expect_paid_krw !== paid_krw || body.expect_refunded_krw !== refunded_krw) return [409, { code: "amounts_differ", ...standing }];
    if (body.lines?.length || fee < 0 || fee > paid_krw - refunded_krw) return [422, { code: "refund_invalid" }];
    [kind, change] = ["reservation.canceled", cancelled(it, "MANAGER", fee)];
  } else if (call === "no-show" && it.status === "CONFIRMED") {
    it.status = "NO_SHOW";
    [kind, change] = ["reservation.no_show", { marked_at: body.marked_at }];
  } else if (call === "return-payment") {
    const [left, amount] = [it.payments[0]!.cancelable_krw, body.cancel_krw ?? 0];
    if (body.expect_cancelable_krw !== left) return [409, { code: "cancelable_changed", ...standing }];
    if (amount <= 0 || amount > left) return [422, { code: "amount_invalid" }];
    [kind, change] = ["payment.canceled", { cancels: [payBack(it, amount, "PAYMENT_ONLY")] }];
  } else {
    return [410, { code: "closed", ...standing }];
  }
  return books.change((pages): Answer => {
    const now = tell(pages, kind, number, it, change);
    return [200, (pages.done[key] = { reservation: now.it, revision: now.revision })];
  });
}

function book(number: string, day: string, units: number): Answer {
  if (books.pages.kept[number]) return [409, { reason: `${number} is taken` }];
  books.change((pages) => tell(pages, "reservation.requested", number, aBooking(number, day, units), {}));
  return [200, {}];
}

function cancel(number: string): Answer {
  const it = structuredClone(books.pages.kept[number]?.it);
  if (!it || !["REQUESTED", "CONFIRMED"].includes(it.status)) return [409, { reason: "there is nothing to cancel" }];
  const change = cancelled(it, "BOOKER");
  books.change((pages) => tell(pages, "reservation.canceled", number, it, change));
  return [200, {}];
}

async function carryOut({ method, parts, body, key }: Call): Promise<Answer> {
  const [first, second, number = "", call, ...rest] = parts;
  if (method === "POST" && first === "desk") {
    const [status, answer] =
      second === "book" ? book(number, call ?? "", Number(rest[0]))
      : second === "cancel" ? cancel(number)
      : second === "deliver" ? [200, {}] as Answer
      : [404, { reason: "no such command" }] as Answer;
    return status === 200 ? [200, await deliver()] : [status, answer];
  }
  if (first !== "v1" || second !== "reservations") return [404, { code: "no_such_call" }];
  if (method === "GET" && call === undefined) {
    const kept = books.pages.kept[number];
    return kept ? [200, { reservation: kept.it, revision: kept.revision }] : [404, { code: "not_found" }];
  }
  if (method === "GET" && call === "cancel-quote") {
    // Nothing is kept: the policy of `aBooking` is free until the day itself.
    return books.pages.kept[number] ? [200, { fee_krw: null, refund_krw: null }] : [404, { code: "not_found" }];
  }
  if (method === "POST" && call !== undefined) {
    const isPayment = call === "payments" && rest[0] === `pay-${number}` && rest[1] === "cancel";
    const answer = decided(number, isPayment ? "return-payment" : call, JSON.parse(body.toString()) as Decision, key);
    void deliver(); // After the answer: ticketbridge does not wait for its own event.
    return answer;
  }
  return [404, { code: "no_such_call" }];
}

const [verb, ...words] = process.argv.slice(2);
const path = [verb ?? "", ...words].map(encodeURIComponent).join("/");
if (verb === "serve") serve("the channel", port, apiSecret, carryOut);
else if ((verb === "book" && words.length === 3) || (verb === "cancel" && words.length === 1) || verb === "deliver") await atTheDesk(port, path);
else if (verb === "show" && words[0]) console.log(JSON.stringify(books.pages.kept[words[0]]?.it ?? null, null, 2));
else {
  console.error("channel.ts serve | book NUMBER DATE UNITS | cancel NUMBER | deliver | show NUMBER");
  process.exit(1);
}
