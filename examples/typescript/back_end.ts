// SPDX-License-Identifier: Apache-2.0

// A complete ticketing back-end for ticketbridge (adapter `ticketing_http`), with Node's standard library alone.
//
//   node back_end.ts serve                   answers ticketbridge's calls
//   node back_end.ts redeem RESERVATION      tells ticketbridge that the guest was there
//   node back_end.ts list                    what is in the books
//
// Node 22.18 or newer runs it as it stands; an older one with `npx tsx`. Settings come from the environment: GATE_SECRET (the one that
// ticketbridge has), PORT (9102), BOOKS (a file, gate.json), BRIDGE (http://127.0.0.1:8080), BACKEND (gate).
//
// What to keep when you write your own: the reservation is keyed by ticketbridge's `reservation_id`, so that a repeated call gives the
// answer of the first one; the books are written before the answer is sent; a ticket that was used is never cancelled.

import { createHash, randomBytes } from "node:crypto";
import { Books } from "./books.ts";
import { type Answer, atTheDesk, type Call, fromEnv, serve } from "./http.ts";
import { signed } from "./standard_webhooks.ts";

const PLACES_A_DAY = 200;
const PRICE = 9900;
const DAY_MS = 86_400_000;

type Ticket = { code: string; kind: "code" };
type Reservation = {
  product: string;
  visit_date: string | null;
  quantity: number;
  state: "issued" | "cancelled" | "redeemed";
  backend_ref: string;
  tickets: Ticket[];
  redeemed_at: string | null;
};
type Pages = { reservations: Record<string, Reservation> };
type Request = { reservation_id: string; product: string; visit_date: string | null; quantity: number };

const secret = fromEnv("GATE_SECRET");
const port = Number(fromEnv("PORT", "9102"));
const books = new Books<Pages>(fromEnv("BOOKS", "gate.json"), { reservations: {} });

function sold(pages: Readonly<Pages>, product: string, day: string | null): number {
  return Object.values(pages.reservations)
    .filter((it) => it.product === product && it.visit_date === day && it.state !== "cancelled")
    .reduce((sum, it) => sum + it.quantity, 0);
}

function answerOf(it: Reservation): Answer {
  return [200, { state: it.state, backend_ref: it.backend_ref, tickets: it.tickets, redeemed_at: it.redeemed_at }];
}

function reserve(request: Request): Answer {
  const known = books.pages.reservations[request.reservation_id];
  if (known) return answerOf(known); // The same call again: the same answer, and nothing new is made.
  if (sold(books.pages, request.product, request.visit_date) + request.quantity > PLACES_A_DAY) {
    return [409, { state: "refused", reason: "sold out" }];
  }
  const tickets = Array.from({ length: request.quantity }, (): Ticket => {
    return { code: `T-${randomBytes(6).toString("hex").toUpperCase()}`, kind: "code" };
  });
  const { product, visit_date, quantity } = request;
  const backend_ref = `GATE-${randomBytes(4).toString("hex")}`;
  const made: Reservation = { product, visit_date, quantity, state: "issued", backend_ref, tickets, redeemed_at: null };
  books.change((pages) => { pages.reservations[request.reservation_id] = made; });
  return answerOf(made);
}

function cancel(id: string): Answer {
  const it = books.pages.reservations[id];
  if (!it) return [404, { reason: "no such reservation" }];
  if (it.state === "redeemed") return [409, { state: "refused", reason: "used" }];
  books.change((pages) => { pages.reservations[id]!.state = "cancelled"; });
  return [200, { state: "cancelled" }];
}

function availability(query: URLSearchParams): Answer {
  const days = [];
  const last = Date.parse(query.get("to") ?? "");
  for (let at = Date.parse(query.get("from") ?? ""); at <= last && days.length < 400; at += DAY_MS) {
    const date = new Date(at).toISOString().slice(0, 10);
    const remaining = Math.max(PLACES_A_DAY - sold(books.pages, query.get("product") ?? "", date), 0);
    days.push({ date, remaining, price: PRICE, currency: "CNY" });
  }
  return [200, { days }];
}

/** The turnstile: the books first, then ticketbridge. What it does not acknowledge is told again, under the same id. */
async function redeem(id: string): Promise<Answer> {
  const it = books.pages.reservations[id];
  if (!it || it.state === "cancelled") return [409, { reason: `${id} has no ticket that admits` }];
  const at = it.redeemed_at ?? new Date().toISOString();
  books.change((pages) => { Object.assign(pages.reservations[id]!, { state: "redeemed", redeemed_at: at }); });
  const body = Buffer.from(JSON.stringify({ type: "ticket.redeemed", reservation_id: id, occurred_at: at, data: {} }));
  const messageId = createHash("sha256").update(`redeemed:${id}`).digest("hex").slice(0, 32);
  const url = `${fromEnv("BRIDGE", "http://127.0.0.1:8080")}/backends/${fromEnv("BACKEND", "gate")}/events`;
  for (const pause of [0, 1, 5, 25]) {
    await new Promise((later) => setTimeout(later, pause * 1000));
    try {
      const answer = await fetch(url, { method: "POST", headers: signed(secret, messageId, body), body });
      if (answer.ok || (answer.status < 500 && answer.status !== 429)) return [answer.status, await answer.json()];
    } catch {
      // Nobody there: again.
    }
  }
  return [503, { reason: "ticketbridge did not take it; run this again" }];
}

function carryOut({ method, parts, query, body }: Call): Answer | Promise<Answer> {
  const [first, id, last] = parts;
  if (method === "POST" && first === "desk" && id === "redeem" && last) return redeem(last);
  if (method === "GET" && first === "availability") return availability(query);
  if (first !== "reservations") return [404, { reason: "no such call" }];
  if (method === "POST" && id === undefined) return reserve(JSON.parse(body.toString()) as Request);
  if (method === "POST" && id !== undefined && last === "cancel") return cancel(id);
  if (method === "GET" && id !== undefined && last === undefined) {
    const it = books.pages.reservations[id];
    return it ? answerOf(it) : [404, { reason: "no such reservation" }];
  }
  return [404, { reason: "no such call" }];
}

const [verb, number] = process.argv.slice(2);
if (verb === "serve") serve("the back-end", port, secret, carryOut);
else if (verb === "redeem" && number) await atTheDesk(port, `redeem/${encodeURIComponent(number)}`);
else if (verb === "list") {
  for (const [id, it] of Object.entries(books.pages.reservations)) console.log(id, it.state, it.visit_date, it.quantity);
} else {
  console.error("back_end.ts serve | redeem RESERVATION | list");
  process.exit(1);
}
