// SPDX-License-Identifier: Apache-2.0

//! What the bridge can ask of the marketplace (`adapters/tripstore/README.md`), and what it must not.

use serde_json::{Value, json};

use super::books::{Booking, Link, LinkState, Owner, Status, Way};
use crate::journal::Party;
use crate::platform::money::{Cancel, CancelKind, CancelStatus, give_back};
use crate::platform::{Asked, Desk, Said, Trade};
use crate::time::Zone;

impl Trade for Booking {
    const PARTY: Party = Party::Market;
    const WHOLE: &'static str = "booking";
    const PREFIX: &'static str = "TS-";

    fn name_of(asked: &Asked) -> &'static str {
        match (asked.method.as_str(), asked.part(2), asked.part(4)) {
            ("POST", "complete", "") => "bookings/complete",
            ("POST", "payment-links", "") => "payment-links/send",
            ("DELETE", "payment-links", "") => "payment-links/revoke",
            ("POST", "cancel", "") => "bookings/cancel",
            ("POST", "payments", "cancel") => "payments/cancel",
            ("GET", "", "") => "bookings/read",
            _ => "unknown call",
        }
    }

    fn came_to(asked: &Asked, _answer: &Value) -> &'static str {
        match (asked.part(2), asked.method.as_str()) {
            ("complete", _) => "completed",
            ("payment-links", "POST") => "sent to the guest",
            ("payments", _) => "returned",
            ("", _) => "it stands so",
            _ => "done",
        }
    }

    fn told(&self) -> Value {
        Booking::told(self)
    }

    fn carry_out(desk: &mut Desk<'_, Self>, asked: &Asked) -> Said {
        let Some(kept) = desk.books.trades.get(&asked.number).cloned() else { return Said::No(404, "not_found") };
        let it = kept.it;
        // A call that names another revision than ours was decided on something that is over.
        let overtaken = asked.amount("/expected_revision").is_some_and(|n| u64::try_from(n) != Ok(kept.revision));
        if asked.is_question() {
            return Said::With(200, json!({ "booking": it.told(), "revision": kept.revision }));
        }
        if it.owner == Owner::Agency {
            return wrong(
                desk,
                asked,
                "read_only_order",
                "the agency keeps this booking; nothing leaves the bridge for it",
            );
        }
        match Self::name_of(asked) {
            _ if overtaken => Said::Overtaken,
            "bookings/complete" => complete(desk, asked, &it),
            "payment-links/send" => send_link(desk, asked, &it),
            "payment-links/revoke" => revoke_link(desk, asked, &it),
            "bookings/cancel" => cancel(desk, asked, &it),
            "payments/cancel" => return_payment(desk, asked, &it),
            _ => Said::NoSuchCall,
        }
    }
}

type At<'a, 'd> = &'a mut Desk<'d, Booking>;

/// The bridge should have known better.
fn wrong(desk: At<'_, '_>, asked: &Asked, code: &'static str, sentence: &str) -> Said {
    desk.violation(&asked.number, format!("{}: {sentence}", Booking::name_of(asked)));
    Said::No(422, code)
}

fn complete(desk: At<'_, '_>, asked: &Asked, it: &Booking) -> Said {
    match it.status {
        Status::Received => {}
        Status::Completed => return Said::Done,
        Status::CancelRequested | Status::Canceled | Status::Departed => {
            return wrong(desk, asked, "not_received", "only what was received is completed");
        }
    }
    let needed = match it.way {
        Way::Full => it.total,
        Way::Partial => it.deposit,
        Way::Link => 0,
    };
    if it.held() < needed {
        return wrong(desk, asked, "not_paid", "completed before it was paid as it must be");
    }
    let named = asked.body.get("agency_booking_no").and_then(|value| value.as_str()).map(str::to_owned);
    if it.agency_number.is_some() && it.agency_number != named {
        return wrong(desk, asked, "agency_number_old", "completed under a number that the agency has changed");
    }
    let at = Zone::SEOUL.written(desk.now_ms);
    desk.change(&asked.number, "booking.completed", |it| {
        it.status = Status::Completed;
        it.agency_number = named;
        json!({ "completed_at": at, "by_account": "acc_3" })
    });
    Said::Done
}

fn send_link(desk: At<'_, '_>, asked: &Asked, it: &Booking) -> Said {
    let (purpose, amount) = (asked.text("/purpose"), asked.amount("/amount_krw").unwrap_or(0));
    let purpose = ["FULL", "DEPOSIT", "BALANCE"].into_iter().find(|known| *known == purpose).unwrap_or_default();
    let fits = match it.held() {
        0 => matches!(purpose, "FULL" | "DEPOSIT"),
        _ => purpose == "BALANCE",
    };
    if it.status != Status::Completed || it.open() <= 0 || !fits {
        return wrong(desk, asked, "link_not_needed", "a link goes to a completed booking, for what is still open");
    }
    if amount <= 0 || amount > it.open() {
        return wrong(desk, asked, "amount_invalid", "the link asks for more than is open");
    }
    if it.links.iter().any(|link| link.state == LinkState::Sent) {
        return wrong(desk, asked, "link_live", "a second link while one is live");
    }
    let id = desk.number("L");
    let link = Link { id: id.clone(), purpose, amount, state: LinkState::Sent };
    let (told, url) = (json!({ "link_id": id, "status": "SENT" }), format!("https://pay.example/{id}"));
    desk.change(&asked.number, "payment_link.updated", |it| {
        it.links.push(link);
        told
    });
    Said::With(201, json!({ "link_id": id, "url": url, "expires_at": asked.text("/expires_at") }))
}

fn revoke_link(desk: At<'_, '_>, asked: &Asked, it: &Booking) -> Said {
    let id = asked.part(3).to_owned();
    match it.links.iter().find(|link| link.id == id).map(|link| link.state) {
        None => return Said::No(404, "not_found"),
        // The traveller was faster, or it was done before.
        Some(LinkState::Paid) => return Said::No(410, "closed"),
        Some(LinkState::Revoked) => return Said::With(200, json!({})),
        Some(LinkState::Sent) => {}
    }
    desk.change(&asked.number, "payment_link.updated", |it| {
        it.links.iter_mut().filter(|link| link.id == id).for_each(|link| link.state = LinkState::Revoked);
        json!({ "link_id": id, "status": "REVOKED" })
    });
    Said::With(200, json!({}))
}

fn cancel(desk: At<'_, '_>, asked: &Asked, it: &Booking) -> Said {
    let (fee, refund) = (asked.amount("/fee_krw").unwrap_or(-1), asked.amount("/refund_krw").unwrap_or(-1));
    if it.status != Status::CancelRequested {
        return wrong(desk, asked, "not_requested", "only what the traveller asked for is finished");
    }
    if fee < 0 || refund < 0 || fee + refund != it.held() {
        return wrong(desk, asked, "refund_invalid", "fee and refund are not what was paid");
    }
    let (waits, now_ms) = (desk.faults.refunds_wait, desk.now_ms);
    let mut ids: Vec<String> = it.payments.iter().map(|_| desk.number("cx_")).collect();
    desk.change(&asked.number, "booking.canceled", |it| {
        it.status = Status::Canceled;
        it.fee = fee;
        give_back(&mut it.payments, refund, waits, now_ms, || ids.pop().unwrap_or_default());
        json!({ "canceled_at": Zone::SEOUL.written(now_ms), "fee_krw": fee, "refund_krw": refund })
    });
    Said::Done
}

fn return_payment(desk: At<'_, '_>, asked: &Asked, it: &Booking) -> Said {
    let id = asked.part(3).to_owned();
    let Some(index) = it.payments.iter().position(|payment| payment.id == id) else {
        return Said::No(404, "not_found");
    };
    let left = it.payments.get(index).map_or(0, |payment| payment.left());
    let amount = asked.amount("/cancel_krw").unwrap_or(0);
    if asked.amount("/expect_cancelable_krw") != Some(left) {
        return Said::No(409, "cancelable_changed");
    }
    if amount <= 0 || amount > left {
        return wrong(desk, asked, "amount_invalid", "more than what is left of the payment");
    }
    if it.payments.iter().skip(index + 1).any(|newer| newer.left() > 0) {
        return wrong(desk, asked, "newest_first", "a newer payment has not gone back yet");
    }
    let (waits, now_ms) = (desk.faults.refunds_wait, desk.now_ms);
    let cancel = Cancel {
        id: desk.number("cx_"),
        amount,
        kind: CancelKind::PaymentOnly,
        status: if waits { CancelStatus::Pending } else { CancelStatus::Done },
        done_at_ms: (!waits).then_some(now_ms),
    };
    desk.change(&asked.number, "payment.canceled", |it| {
        let told = json!({ "payment_id": id, "cancel": cancel.told() });
        it.payments.iter_mut().filter(|payment| payment.id == id).for_each(|p| p.cancels.push(cancel.clone()));
        told
    });
    Said::Done
}
