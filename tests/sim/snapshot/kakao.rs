// SPDX-License-Identifier: Apache-2.0

//! The books of a simulated Kakao-style platform: reservations, what cancelling them costs, and the bridge's calls.

use serde_json::{Value, json};
use ticketbridge_core::{Date, Millis, TimeZone, UnixMillis};

use super::books::{Asked, Books, CancelStatus, Payment, Purse, Said, Trade, written};

/// Ten-thousandths in a whole.
const WHOLE_BP: i64 = 10_000;
/// The fee from three days before the visit on.
const LATE_FEE_BP: i64 = 3_000;
/// Days before the visit until which cancelling is free.
const FREE_DAYS: i64 = 3;
/// Minutes after the booking in which cancelling is free, where the guest chose so.
const FREE_MINUTES: i64 = 60;
/// Codes that a refusal can have.
const REASONS: [&str; 4] = ["SOLD_OUT", "CLOSED", "CONDITION", "OTHER"];

/// Where a reservation stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    Requested,
    Confirmed,
    Canceled(&'static str),
    Used,
    NoShow,
}

impl Status {
    fn word(self) -> &'static str {
        match self {
            Status::Requested => "REQUESTED",
            Status::Confirmed => "CONFIRMED",
            Status::Canceled(_) => "CANCELED",
            Status::Used => "USED",
            Status::NoShow => "NO_SHOW",
        }
    }
    /// The guest has been there, or has not come.
    pub(crate) fn is_over(self) -> bool {
        matches!(self, Status::Used | Status::NoShow)
    }
    pub(crate) fn is_canceled(self) -> bool {
        matches!(self, Status::Canceled(_))
    }
}

/// So many units of one price.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    detail: &'static str,
    pub(crate) quantity: i64,
    unit: i64,
    pub(crate) off: i64,
    pub(crate) used: i64,
}

impl Line {
    pub(super) fn left(&self) -> i64 {
        self.quantity - self.off - self.used
    }
}

/// A reservation of two adults and a child.
#[derive(Clone, Debug)]
pub(crate) struct Reservation {
    number: String,
    product: &'static str,
    /// Whether a manager of ours accepts it; otherwise the platform did.
    by_manager: bool,
    pub(crate) status: Status,
    ex_officio: bool,
    booked_at: UnixMillis,
    pub(crate) visit: Date,
    pub(crate) lines: [Line; 2],
    discount: i64,
    /// What was kept, won.
    pub(crate) fee: i64,
    pub(crate) purse: Purse,
    free_minutes: i64,
}

/// What a guest books.
pub(crate) struct Wish {
    pub(crate) product: &'static str,
    pub(crate) by_manager: bool,
    pub(crate) visit: Date,
    pub(crate) paid: bool,
    pub(crate) free: bool,
}

/// What happens at the platform.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum There {
    Cancels,
    CancelsPart,
    Confirms,
    Rejects,
    Uses,
    UsesPart,
    NoShow,
    /// The platform takes a visit back that has been: against its rules.
    ExOfficio,
    /// Money goes back after the visit, by the platform's own hand.
    ReturnsPayment,
    RefundsEnd(CancelStatus),
}

impl Reservation {
    fn new(number: &str, wish: &Wish, now: UnixMillis) -> Self {
        let payment = |name: &str, by, amount| Payment {
            id: format!("{name}-{number}"),
            by,
            amount,
            at: now,
            link: None,
            cancels: Vec::new(),
        };
        let line = |detail, quantity, unit| Line { detail, quantity, unit, off: 0, used: 0 };
        Self {
            number: number.to_owned(),
            product: wish.product,
            by_manager: wish.by_manager,
            status: if wish.by_manager { Status::Requested } else { Status::Confirmed },
            ex_officio: false,
            booked_at: now,
            visit: wish.visit,
            lines: [line("D1", 2, 38_000), line("D2", 1, 22_000)],
            discount: 5_000,
            fee: 0,
            purse: Purse(match wish.paid {
                true => vec![payment("card", "KAKAOPAY_CARD", 90_000), payment("point", "POINT", 3_000)],
                false => Vec::new(),
            }),
            free_minutes: if wish.free { FREE_MINUTES } else { 0 },
        }
    }
    /// Units that were not cancelled.
    pub(crate) fn units(&self) -> i64 {
        self.lines.iter().map(|line| line.quantity - line.off).sum()
    }
    fn gross(&self) -> i64 {
        self.lines.iter().map(|line| line.quantity * line.unit).sum()
    }
    fn net(&self) -> i64 {
        self.gross() - self.discount
    }
    fn midnight(&self, days_before: i64) -> UnixMillis {
        TimeZone::SEOUL.instant(self.visit.plus_days(-days_before), 0)
    }
    /// What cancelling units costs now: the fee, and what goes back. No units are all.
    fn quote(&self, parts: &[(String, i64)], now: UnixMillis) -> (i64, i64) {
        let held = self.purse.left();
        let share: i64 = parts
            .iter()
            .map(|(detail, units)| self.lines.iter().find(|l| l.detail == *detail).map_or(0, |l| l.unit * units))
            .sum();
        let base = if parts.is_empty() { self.net() } else { self.net() * share / self.gross() };
        let rate = if self.status.is_over() || now >= self.midnight(0) {
            WHOLE_BP
        } else if now < self.booked_at + Millis::minutes(self.free_minutes) || now < self.midnight(FREE_DAYS) {
            0
        } else {
            LATE_FEE_BP
        };
        let fee = (base * rate / WHOLE_BP).min(held);
        let back = if parts.is_empty() { held - fee } else { base.min(held) - fee };
        (fee, back)
    }
}

/// The parts that a call or a question names.
fn parts(asked: &Asked) -> Vec<(String, i64)> {
    if let Some(named) = asked.query("lines") {
        let pair = |text: &str| {
            let (detail, units) = text.split_once(':').or_else(|| text.split_once("%3A"))?;
            Some((detail.to_owned(), units.parse().ok()?))
        };
        return named.replace("%2C", ",").split(',').filter_map(pair).collect();
    }
    let lines = asked.body.get("lines").and_then(Value::as_array).cloned().unwrap_or_default();
    let one = |line: &Value| Some((line["detail_no"].as_str()?.to_owned(), line["quantity"].as_i64()?));
    lines.iter().filter_map(one).collect()
}

impl Trade for Reservation {
    const WHOLE: &'static str = "reservation";
    const LIST: &'static str = "reservations";

    fn told(&self) -> Value {
        let line = |line: &Line| {
            json!({
                "detail_no": line.detail, "price_id": line.detail, "label": line.detail, "quantity": line.quantity,
                "unit_price_krw": line.unit, "amount_krw": line.quantity * line.unit,
                "canceled_quantity": line.off, "used_quantity": line.used,
            })
        };
        let payment = |payment: &Payment| {
            json!({
                "payment_id": payment.id, "method": payment.by, "amount_krw": payment.amount,
                "approved_at": written(payment.at), "cancelable_krw": payment.left(),
                "cancels": payment.cancels.iter().map(super::books::Cancel::told).collect::<Vec<_>>(),
            })
        };
        let kind = match self.status {
            Status::Canceled(kind) => Some(kind),
            _ => None,
        };
        let until = written(self.midnight(0));
        let hour = |hour: i64| written(self.midnight(0) + Millis::hours(hour));
        json!({
            "reservation_no": self.number, "status": self.status.word(), "cancel_kind": kind, "ex_officio": self.ex_officio,
            "confirm_mode": if self.by_manager { "MANAGER" } else { "AUTO" },
            "payment_mode": if self.purse.0.is_empty() { "BOOKING_ONLY" } else { "PAY_WITH_BOOKING" },
            "booked_at": written(self.booked_at),
            "product": { "product_id": self.product, "name": "A visit", "type": "DATE_TIME", "category": "LEISURE" },
            "use": { "from": hour(10), "to": hour(12), "date": null, "valid_until": null },
            "booker": { "name": "Ada Example", "phone": "010-1234-5678", "masked": false, "user_ref": null },
            "lines": self.lines.iter().map(line).collect::<Vec<_>>(),
            "amounts": {
                "gross_krw": self.gross(), "discount_krw": self.discount, "net_krw": self.net(), "onsite_krw": 0,
                "paid_krw": self.purse.paid(), "refunded_krw": self.purse.returned(), "fee_krw": self.fee,
            },
            "payments": self.purse.0.iter().map(payment).collect::<Vec<_>>(),
            "cancel_policy": {
                "cancelable": true,
                "deadline": { "kind": "FIXED", "fixed_until": until, "days_before": null, "at_time": null, "resolved_until": until },
                "free_minutes_after_booking": self.free_minutes,
                "tiers": [
                    { "until": written(self.midnight(FREE_DAYS)), "fee_rate_bp": 0 },
                    { "until": until, "fee_rate_bp": LATE_FEE_BP },
                ],
                "unused_action": "AUTO_USE_NEXT_DAY", "partial_allowed": true,
            },
        })
    }

    fn answer(books: &mut Books<Self>, asked: &Asked, now: UnixMillis) -> Said {
        let it = &books.orders[asked.part(1)].it;
        match asked.part(2) {
            "cancel-quote" => {
                let (fee, back) = it.quote(&parts(asked), now);
                Said::With(
                    200,
                    json!({ "fee_krw": fee, "refund_krw": back, "valid_until": written(now + Millis::minutes(1)) }),
                )
            }
            _ => Said::No(404, "no_such_question"),
        }
    }

    fn carry_out(books: &mut Books<Self>, asked: &Asked, now: UnixMillis) -> Said {
        let it = books.orders[asked.part(1)].it.clone();
        match (asked.part(2), asked.part(4)) {
            ("confirm", "") => confirm(books, asked, &it, now),
            ("reject", "") => reject(books, asked, &it, now),
            ("cancel", "") => cancel(books, asked, &it, now),
            ("use", "") => mark_used(books, asked, &it, now),
            ("no-show", "") => no_show(books, asked, &it, now),
            ("payments", "cancel") => return_payment(books, asked, &it, now),
            _ => Said::Wrong("no_such_call", "a call that this platform does not have"),
        }
    }
}

fn confirm(books: &mut Books<Reservation>, asked: &Asked, it: &Reservation, now: UnixMillis) -> Said {
    if !it.by_manager {
        return Said::Wrong("not_requested", "confirmed what the platform confirms by itself");
    }
    match it.status {
        Status::Requested => {}
        Status::Confirmed => return Said::Done,
        Status::Canceled(_) | Status::Used | Status::NoShow => {
            return Said::Wrong("not_requested", "confirmed what does not wait for a decision");
        }
    }
    books.effect("confirm", asked.part(1), 1);
    books.change(asked.part(1), "reservation.confirmed", now, |it| {
        it.status = Status::Confirmed;
        json!({ "by": "MANAGER", "confirmed_at": written(now) })
    });
    Said::Done
}

fn reject(books: &mut Books<Reservation>, asked: &Asked, it: &Reservation, now: UnixMillis) -> Said {
    if it.status == Status::Canceled("REJECTED") {
        return Said::Done;
    }
    if it.status != Status::Requested {
        return Said::Wrong("not_requested", "rejected what does not wait for a decision");
    }
    let text = asked.text("/reason_text").to_owned();
    if !REASONS.contains(&asked.text("/reason_code")) || text.trim().is_empty() || text.chars().count() > 200 {
        return Said::Wrong("reason_invalid", "rejected without a reason for the guest");
    }
    books.effect("reject", asked.part(1), 1);
    rejected(books, asked.part(1), now);
    Said::Done
}

fn rejected(books: &mut Books<Reservation>, number: &str, now: UnixMillis) {
    books.change(number, "reservation.rejected", now, |it| {
        cancel_all(it, "REJECTED", 0, false, now);
        json!({ "by": "MANAGER", "reason_code": "OTHER", "reason_text": "closed" })
    });
}

/// All that is left is cancelled; `fee` of what is held is kept.
fn cancel_all(it: &mut Reservation, kind: &'static str, fee: i64, waits: bool, now: UnixMillis) {
    let prefix = format!("cx-{}", it.number);
    let back = it.purse.left() - fee;
    it.status = Status::Canceled(kind);
    it.fee += fee;
    it.lines.iter_mut().for_each(|line| line.off = line.quantity - line.used);
    it.purse.give_back(back, false, waits, now, &prefix);
}

/// Some units are cancelled; with the last one the whole is.
fn cancel_parts(it: &mut Reservation, parts: &[(String, i64)], (fee, back): (i64, i64), waits: bool, now: UnixMillis) {
    let prefix = format!("cx-{}", it.number);
    for (detail, units) in parts {
        it.lines.iter_mut().filter(|line| line.detail == *detail).for_each(|line| line.off += units);
    }
    it.fee += fee;
    it.purse.give_back(back, false, waits, now, &prefix);
}

fn canceled(by: &str, fee: i64, back: i64, parts: &[(String, i64)], now: UnixMillis) -> Value {
    let lines: Vec<Value> = parts.iter().map(|(detail, n)| json!({ "detail_no": detail, "quantity": n })).collect();
    json!({ "by": by, "ex_officio": false, "lines": lines, "fee_krw": fee, "refund_krw": back, "canceled_at": written(now) })
}

fn cancel(books: &mut Books<Reservation>, asked: &Asked, it: &Reservation, now: UnixMillis) -> Said {
    let parts = parts(asked);
    if it.status.is_canceled() {
        return Said::No(410, "closed");
    }
    if it.status.is_over() {
        return Said::Wrong("over", "cancelled what has been");
    }
    let is_too_much = |(detail, units): &(String, i64)| {
        it.lines.iter().find(|line| line.detail == *detail).is_none_or(|line| *units > line.left() || *units < 1)
    };
    if parts.iter().any(is_too_much) {
        return Said::Wrong("lines_invalid", "cancelled units that are not there");
    }
    let (fee, back) = (asked.amount("/fee/amount_krw").unwrap_or(-1), asked.amount("/refund_krw").unwrap_or(-1));
    let (most, rest) = it.quote(&parts, now);
    if fee > most {
        // The quote may be older than a step of the ladder: the platform refuses, and nobody is to blame.
        return Said::No(422, "fee_above_default");
    }
    if fee < 0 || back < 0 || fee + back != most + rest {
        return Said::Wrong("refund_invalid", "cancelled with a fee and a refund that are not what is held");
    }
    books.effect("cancel", asked.part(1), if parts.is_empty() { it.units() } else { parts.iter().map(|p| p.1).sum() });
    books.change(asked.part(1), "reservation.canceled", now, |it| {
        let all = it.lines.iter().map(Line::left).sum::<i64>();
        if parts.is_empty()
            || parts.iter().map(|part| part.1).sum::<i64>() == all && it.lines.iter().all(|l| l.used == 0)
        {
            cancel_all(it, "BY_PARTNER", fee, false, now);
        } else {
            cancel_parts(it, &parts, (fee, back), false, now);
        }
        canceled("PARTNER", fee, back, &parts, now)
    });
    Said::Done
}

fn mark_used(books: &mut Books<Reservation>, asked: &Asked, it: &Reservation, now: UnixMillis) -> Said {
    match it.status {
        Status::Used => return Said::Done,
        Status::Confirmed => {}
        Status::Canceled(_) => return Said::No(410, "closed"),
        Status::Requested | Status::NoShow => return Said::Wrong("not_confirmed", "used what is not confirmed"),
    }
    if TimeZone::SEOUL.date_of(now) < it.visit {
        return Said::No(422, "too_early");
    }
    let named: i64 = parts(asked).iter().map(|part| part.1).sum();
    if named != it.lines.iter().map(Line::left).sum::<i64>() {
        return Said::Wrong("lines_invalid", "used other units than are left");
    }
    books.effect("use", asked.part(1), named);
    used(books, asked.part(1), "MANAGER", now);
    Said::Done
}

fn used(books: &mut Books<Reservation>, number: &str, by: &str, now: UnixMillis) {
    books.change(number, "reservation.used", now, |it| {
        it.status = Status::Used;
        it.lines.iter_mut().for_each(|line| line.used = line.quantity - line.off);
        json!({ "by": by, "used_at": written(now) })
    });
}

fn no_show(books: &mut Books<Reservation>, asked: &Asked, it: &Reservation, now: UnixMillis) -> Said {
    match it.status {
        Status::NoShow => return Said::Done,
        Status::Confirmed => {}
        Status::Canceled(_) => return Said::No(410, "closed"),
        Status::Requested | Status::Used => {
            return Said::Wrong("not_confirmed", "a guest stayed away who was not expected");
        }
    }
    books.effect("no-show", asked.part(1), 1);
    did_not_come(books, asked.part(1), now);
    Said::Done
}

fn did_not_come(books: &mut Books<Reservation>, number: &str, now: UnixMillis) {
    books.change(number, "reservation.no_show", now, |it| {
        it.status = Status::NoShow;
        json!({ "marked_at": written(now) })
    });
}

fn return_payment(books: &mut Books<Reservation>, asked: &Asked, it: &Reservation, now: UnixMillis) -> Said {
    if it.status.is_canceled() {
        // What was kept is not given back by this call; the bridge may ask, and tells a person of the refusal.
        return Said::No(422, "not_used");
    }
    if !it.status.is_over() {
        return Said::Wrong("not_used", "a payment alone goes back after the visit only");
    }
    let Some(payment) = it.purse.0.iter().find(|payment| payment.id == asked.part(3)) else {
        return Said::No(404, "not_found");
    };
    let amount = asked.amount("/cancel_krw").unwrap_or(0);
    if asked.amount("/expect_cancelable_krw") != Some(payment.left()) {
        return Said::No(409, "cancelable_changed");
    }
    if amount <= 0 || amount > payment.left() {
        return Said::Wrong("amount_invalid", "more than what is left of the payment");
    }
    let id = payment.id.clone();
    books.effect("return", asked.part(1), amount);
    payment_goes_back(books, asked.part(1), &id, amount, now);
    Said::Done
}

fn payment_goes_back(books: &mut Books<Reservation>, number: &str, id: &str, amount: i64, now: UnixMillis) {
    books.change(number, "payment.canceled", now, |it| {
        let prefix = format!("cp-{number}");
        let Some(payment) = it.purse.0.iter_mut().find(|payment| payment.id == id) else { return json!({}) };
        let cancel = super::books::Cancel {
            id: format!("{prefix}-{id}-{}", payment.cancels.len()),
            amount,
            alone: true,
            status: CancelStatus::Done,
            at: now,
        };
        let mut told = cancel.told();
        told["payment_id"] = json!(id);
        payment.cancels.push(cancel);
        json!({ "cancels": [told] })
    });
}

impl Books<Reservation> {
    /// A guest books.
    pub(crate) fn book(&mut self, number: &str, wish: &Wish, now: UnixMillis) {
        let it = Reservation::new(number, wish, now);
        let (kind, change) = match wish.by_manager {
            true => ("reservation.requested", json!({})),
            false => ("reservation.confirmed", json!({ "by": "AUTO", "confirmed_at": written(now) })),
        };
        self.open(number, it, kind, &change, now);
    }

    /// Something happens at the platform, if it can.
    pub(crate) fn happens(&mut self, number: &str, what: There, waits: bool, now: UnixMillis) {
        let Some(it) = self.orders.get(number).map(|kept| kept.it.clone()) else { return };
        let is_ahead = matches!(it.status, Status::Requested | Status::Confirmed);
        let is_whole = it.lines.iter().all(|line| line.used == 0);
        match what {
            There::Cancels if is_ahead && is_whole => {
                let (fee, back) = it.quote(&[], now);
                self.change(number, "reservation.canceled", now, |it| {
                    cancel_all(it, "BY_BOOKER", fee, waits, now);
                    canceled("BOOKER", fee, back, &[], now)
                });
            }
            There::CancelsPart if is_ahead && it.lines.iter().map(Line::left).sum::<i64>() > 1 => {
                let Some(line) = it.lines.iter().find(|line| line.left() > 0) else { return };
                let parts = [(line.detail.to_owned(), 1)];
                let (fee, back) = it.quote(&parts, now);
                self.change(number, "reservation.canceled", now, |it| {
                    cancel_parts(it, &parts, (fee, back), waits, now);
                    canceled("BOOKER", fee, back, &parts, now)
                });
            }
            There::Confirms if it.status == Status::Requested => {
                self.change(number, "reservation.confirmed", now, |it| {
                    it.status = Status::Confirmed;
                    json!({ "by": "MANAGER", "confirmed_at": written(now) })
                });
            }
            There::Rejects if it.status == Status::Requested => rejected(self, number, now),
            There::Uses if it.status == Status::Confirmed => used(self, number, "AUTO_NEXT_DAY", now),
            There::UsesPart if it.status == Status::Confirmed && it.lines.iter().map(Line::left).sum::<i64>() > 1 => {
                self.change(number, "reservation.used", now, |it| {
                    let Some(line) = it.lines.iter_mut().find(|line| line.left() > 0) else { return json!({}) };
                    line.used += 1;
                    json!({ "by": "CODE", "used_at": written(now), "lines": [{ "detail_no": line.detail, "quantity": 1 }] })
                });
            }
            There::NoShow if it.status == Status::Confirmed && is_whole => did_not_come(self, number, now),
            There::ExOfficio if it.status == Status::Used => {
                self.change(number, "reservation.canceled", now, |it| {
                    it.ex_officio = true;
                    it.lines.iter_mut().for_each(|line| line.used = 0);
                    cancel_all(it, "BY_PLATFORM", 0, waits, now);
                    json!({ "by": "PLATFORM", "ex_officio": true, "fee_krw": 0, "canceled_at": written(now) })
                });
            }
            There::ReturnsPayment if it.status.is_over() => {
                let Some(payment) = it.purse.0.iter().find(|payment| payment.left() > 0) else { return };
                let (id, amount) = (payment.id.clone(), payment.left().min(1_000));
                payment_goes_back(self, number, &id, amount, now);
            }
            There::RefundsEnd(status) if !it.purse.is_settled() => {
                let mut settled = it.purse.clone();
                let Some(change) = settled.settle(status, now) else { return };
                self.change(number, "payment.refund_updated", now, |it| {
                    it.purse = settled;
                    change
                });
            }
            There::Cancels
            | There::CancelsPart
            | There::Confirms
            | There::Rejects
            | There::Uses
            | There::UsesPart
            | There::NoShow
            | There::ExOfficio
            | There::ReturnsPayment
            | There::RefundsEnd(_) => {}
        }
    }

    /// The part of a call that says which units: D1 for one unit.
    pub(crate) fn first_line_with_units(&self, number: &str) -> Option<String> {
        let it = &self.orders.get(number)?.it;
        it.lines.iter().find(|line| line.left() > 0).map(|line| line.detail.to_owned())
    }
}
