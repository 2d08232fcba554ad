// SPDX-License-Identifier: Apache-2.0

//! What the bridge can ask of the platform (`adapters/kakao/README.md`), and what it must not.

use serde_json::{Value, json};

use super::books::{Accepts, Reservation, Status};
use super::guest::cancel_all;
use crate::journal::Party;
use crate::platform::money::{Cancel, CancelKind, CancelStatus, give_back};
use crate::platform::{Asked, Desk, Said, Trade};
use crate::time::Zone;

/// Characters of a reason that is written for the guest, at most.
const REASON_CHARS_MAX: usize = 200;
/// Codes that a refusal can have.
const REASON_CODES: [&str; 4] = ["SOLD_OUT", "CLOSED", "CONDITION", "OTHER"];

impl Trade for Reservation {
    const PARTY: Party = Party::Kakao;
    const WHOLE: &'static str = "reservation";
    const PREFIX: &'static str = "R";

    fn name_of(asked: &Asked) -> &'static str {
        match (asked.method.as_str(), asked.part(2), asked.part(4)) {
            ("POST", "confirm", "") => "reservations/confirm",
            ("POST", "reject", "") => "reservations/reject",
            ("GET", "cancel-quote", "") => "reservations/cancel-quote",
            ("POST", "cancel", "") => "reservations/cancel",
            ("POST", "use", "") => "reservations/use",
            ("POST", "no-show", "") => "reservations/no-show",
            ("POST", "payments", "cancel") => "payments/cancel",
            ("GET", "", "") => "reservations/read",
            _ => "unknown call",
        }
    }

    fn came_to(asked: &Asked, answer: &Value) -> &'static str {
        match asked.part(2) {
            "confirm" => "accepted",
            "reject" => "rejected, money back",
            "cancel-quote" if answer["fee_krw"] == 0 => "nothing",
            "cancel-quote" => "a fee",
            "payments" => "returned",
            "" => "it stands so",
            _ => "done",
        }
    }

    fn told(&self) -> Value {
        Reservation::told(self)
    }

    fn carry_out(desk: &mut Desk<'_, Self>, asked: &Asked) -> Said {
        let Some(kept) = desk.books.trades.get(&asked.number).cloned() else { return Said::No(404, "not_found") };
        let it = kept.it;
        // A call that names another revision than ours was decided on something that is over.
        let overtaken = asked.amount("/expected_revision").is_some_and(|n| u64::try_from(n) != Ok(kept.revision));
        match Self::name_of(asked) {
            "reservations/read" => Said::With(200, json!({ "reservation": it.told(), "revision": kept.revision })),
            "reservations/cancel-quote" => quote(desk, asked, &it),
            _ if overtaken => Said::Overtaken,
            "reservations/confirm" => confirm(desk, asked, &it),
            "reservations/reject" => reject(desk, asked, &it),
            "reservations/cancel" => cancel(desk, asked, &it),
            "reservations/use" => mark_used(desk, asked, &it),
            "reservations/no-show" => no_show(desk, asked, &it),
            "payments/cancel" => return_payment(desk, asked, &it),
            _ => Said::NoSuchCall,
        }
    }
}

type At<'a, 'd> = &'a mut Desk<'d, Reservation>;

/// The bridge should have known better.
fn wrong(desk: At<'_, '_>, asked: &Asked, code: &'static str, sentence: &str) -> Said {
    desk.violation(&asked.number, format!("{}: {sentence}", Reservation::name_of(asked)));
    Said::No(422, code)
}

fn confirm(desk: At<'_, '_>, asked: &Asked, it: &Reservation) -> Said {
    if it.accepts == Accepts::Platform {
        return wrong(desk, asked, "not_requested", "the platform accepts this one by itself");
    }
    if asked.body.get("lines").is_some() {
        return wrong(desk, asked, "whole_only", "a reservation is accepted whole or not at all");
    }
    match it.status {
        Status::Requested => {}
        Status::Confirmed => return Said::Done,
        Status::Canceled(_) | Status::Used | Status::NoShow => {
            return wrong(desk, asked, "not_requested", "it does not wait for a decision any more");
        }
    }
    let at = Zone::SEOUL.written(desk.now_ms);
    desk.change(&asked.number, "reservation.confirmed", |it| {
        it.status = Status::Confirmed;
        json!({ "by": "MANAGER", "confirmed_at": at })
    });
    Said::Done
}

fn reject(desk: At<'_, '_>, asked: &Asked, it: &Reservation) -> Said {
    if it.status != Status::Requested {
        return wrong(desk, asked, "not_requested", "only what waits for a decision is rejected");
    }
    let (code, text) = (asked.text("/reason_code").to_owned(), asked.text("/reason_text").to_owned());
    if !REASON_CODES.contains(&code.as_str()) || text.trim().is_empty() || text.chars().count() > REASON_CHARS_MAX {
        return wrong(desk, asked, "reason_invalid", "the reason is written for the guest, in 200 characters at most");
    }
    let (waits, now_ms) = (desk.faults.refunds_wait, desk.now_ms);
    let mut ids = vec![desk.number("cx_"), desk.number("cx_")];
    desk.change(&asked.number, "reservation.rejected", |it| {
        let refund = it.held();
        it.status = Status::Canceled("REJECTED");
        give_back(&mut it.payments, refund, waits, now_ms, || ids.pop().unwrap_or_default());
        json!({ "by": "MANAGER", "reason_code": code, "reason_text": text })
    });
    Said::Done
}

fn quote(desk: At<'_, '_>, asked: &Asked, it: &Reservation) -> Said {
    let quote = it.quote(desk.now_ms);
    if let Some(kept) = desk.books.trades.get_mut(&asked.number) {
        kept.it.quote = Some(quote);
    }
    let valid_until = Zone::SEOUL.written(desk.now_ms + 60_000);
    Said::With(200, json!({ "fee_krw": quote.fee, "refund_krw": quote.refund, "valid_until": valid_until }))
}

fn cancel(desk: At<'_, '_>, asked: &Asked, it: &Reservation) -> Said {
    let (fee, refund) = (asked.amount("/fee/amount_krw").unwrap_or(-1), asked.amount("/refund_krw").unwrap_or(-1));
    if let Status::Canceled(_) = it.status {
        return Said::No(410, "closed");
    }
    if it.quote.is_none() {
        return wrong(desk, asked, "quote_missing", "it was not asked before what cancelling costs");
    }
    if fee < 0 || fee > it.quote(desk.now_ms).fee {
        return wrong(desk, asked, "fee_above_default", "the fee is more than the policy's");
    }
    if fee + refund != it.held() {
        return wrong(desk, asked, "refund_invalid", "fee and refund are not what is held");
    }
    cancel_all(desk, &asked.number, "BY_PARTNER", "PARTNER", fee);
    Said::Done
}

fn mark_used(desk: At<'_, '_>, asked: &Asked, it: &Reservation) -> Said {
    match it.status {
        Status::Used => return Said::Done,
        Status::Confirmed => {}
        // The guest cancelled it while the bridge spoke: not the bridge's fault.
        Status::Canceled(_) => return Said::No(410, "closed"),
        Status::Requested | Status::NoShow => {
            return wrong(desk, asked, "not_confirmed", "only what is accepted is used");
        }
    }
    if Zone::SEOUL.date(desk.now_ms / 1_000) < it.visit {
        return wrong(desk, asked, "too_early", "used before the day of the visit");
    }
    let lines = asked.body.get("lines").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let units: i64 = lines.iter().filter_map(|line| line.get("quantity").and_then(Value::as_i64)).sum();
    if units != it.units() {
        return wrong(desk, asked, "lines_invalid", "not the units that were booked");
    }
    let used_at = asked.text("/used_at").to_owned();
    desk.change(&asked.number, "reservation.used", |it| {
        it.status = Status::Used;
        json!({ "by": "MANAGER", "used_at": used_at })
    });
    Said::Done
}

fn no_show(desk: At<'_, '_>, asked: &Asked, it: &Reservation) -> Said {
    if it.status == Status::NoShow {
        return Said::Done;
    }
    if it.status != Status::Confirmed {
        return wrong(desk, asked, "not_confirmed", "only who was accepted can stay away");
    }
    let marked_at = asked.text("/marked_at").to_owned();
    desk.change(&asked.number, "reservation.no_show", |it| {
        it.status = Status::NoShow;
        json!({ "marked_at": marked_at })
    });
    Said::Done
}

fn return_payment(desk: At<'_, '_>, asked: &Asked, it: &Reservation) -> Said {
    if !it.status.is_over() {
        return wrong(desk, asked, "not_used", "money alone goes back only after the visit");
    }
    let Some(payment) = it.payments.iter().find(|payment| payment.id == asked.part(3)) else {
        return Said::No(404, "not_found");
    };
    let (amount, expected) = (asked.amount("/cancel_krw").unwrap_or(0), asked.amount("/expect_cancelable_krw"));
    if expected != Some(payment.left()) {
        return Said::No(409, "cancelable_changed");
    }
    if amount <= 0 || amount > payment.left() {
        return wrong(desk, asked, "amount_invalid", "more than what is left of the payment");
    }
    let (waits, now_ms) = (desk.faults.refunds_wait, desk.now_ms);
    let cancel = Cancel {
        id: desk.number("cx_"),
        amount,
        kind: CancelKind::PaymentOnly,
        status: if waits { CancelStatus::Pending } else { CancelStatus::Done },
        done_at_ms: (!waits).then_some(now_ms),
    };
    let payment_id = payment.id.clone();
    desk.change(&asked.number, "payment.canceled", |it| {
        let mut told = cancel.told();
        told["payment_id"] = json!(payment_id);
        if let Some(payment) = it.payments.iter_mut().find(|payment| payment.id == payment_id) {
            payment.cancels.push(cancel);
        }
        json!({ "cancels": [told] })
    });
    Said::Done
}
