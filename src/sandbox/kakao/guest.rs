// SPDX-License-Identifier: Apache-2.0

//! What guests do at the platform, and what it does by itself.

use chrono::{Days, NaiveDate};
use serde_json::{Value, json};

use super::SimKakao;
use super::books::{Accepts, Line, Reservation, Status};
use super::policy::Policy;
use crate::journal::Party;
use crate::platform::money::{self, CancelStatus, Payment, give_back, with_commas};
use crate::platform::{Desk, Event, Told};
use crate::time::Zone;
use crate::webhook::Answer;

/// What a guest wishes to book: two adults and a child.
#[derive(Clone, Debug)]
pub struct Wish {
    /// Who accepts it.
    pub accepts: Accepts,
    /// The day of the visit.
    pub visit: NaiveDate,
    /// Whether it is paid with the booking, by card and points; otherwise nothing is paid here.
    pub paid: bool,
    /// Minutes in which cancelling is free.
    pub free_minutes: i64,
    /// Number of somebody who never came before.
    pub person: u64,
}

impl Wish {
    fn reservation(&self, number: &str, product: &str, now_ms: i64) -> Reservation {
        let midnight_ms = |days_before: u64| {
            let day = self.visit.checked_sub_days(Days::new(days_before)).unwrap_or(self.visit);
            Zone::SEOUL.midnight_s(day) * 1_000
        };
        let payment = |name: &str, by, amount| Payment {
            id: format!("{name}-{number}"),
            by,
            amount,
            at_ms: now_ms,
            link: None,
            cancels: Vec::new(),
        };
        let payments = vec![payment("card", "KAKAOPAY_CARD", 90_000), payment("point", "POINT", 3_000)];
        Reservation {
            number: number.to_owned(),
            product: product.to_owned(),
            accepts: self.accepts,
            status: if self.accepts == Accepts::Manager { Status::Requested } else { Status::Confirmed },
            booked_at_ms: now_ms,
            visit: self.visit,
            lines: vec![
                Line { detail: "D1", label: "성인", quantity: 2, unit_price: 38_000 },
                Line { detail: "D2", label: "어린이", quantity: 1, unit_price: 22_000 },
            ],
            discount: 5_000,
            fee: 0,
            payments: if self.paid { payments } else { Vec::new() },
            policy: Policy {
                until_ms: midnight_ms(0),
                free_minutes: self.free_minutes,
                tiers: vec![(midnight_ms(14), 0), (midnight_ms(3), 3_000), (midnight_ms(0), 5_000)],
            },
            name: "김예시".to_owned(),
            phone: format!("010-0000-{:04}", self.person % 10_000),
            quote: None,
        }
    }
}

/// Calls a reservation off; gives what is told of it.
pub(super) fn cancel_all(desk: &mut Desk<'_, Reservation>, number: &str, kind: &'static str, by: &str, fee: i64) {
    let (waits, now_ms) = (desk.faults.refunds_wait, desk.now_ms);
    let ids: Vec<String> = (0..2).map(|_| desk.number("cx_")).collect();
    let mut ids = ids.into_iter();
    let by = by.to_owned();
    desk.change(number, "reservation.canceled", |it| {
        let refund = it.held() - fee;
        it.status = Status::Canceled(kind);
        it.fee = fee;
        give_back(&mut it.payments, refund, waits, now_ms, || ids.next().unwrap_or_default());
        canceled(it, &by, fee, refund, now_ms)
    });
}

fn canceled(it: &Reservation, by: &str, fee: i64, refund: i64, now_ms: i64) -> Value {
    let line = |line: &Line| json!({ "detail_no": line.detail, "quantity": line.quantity });
    json!({
        "by": by, "ex_officio": false, "lines": it.lines.iter().map(line).collect::<Vec<_>>(),
        "fee_krw": fee, "refund_krw": refund, "canceled_at": Zone::SEOUL.written(now_ms),
    })
}

impl SimKakao {
    /// A guest books; the platform tells it, and keeps to itself whether the bridge liked it. Its number beside what was told.
    pub async fn book(&self, wish: &Wish) -> (String, Told) {
        let number = self.new_number();
        let it = wish.reservation(&number, &self.options().product, self.time().now_ms());
        let how = if wish.paid {
            format!("and pays {} won", with_commas(it.net()))
        } else {
            "and pays nothing yet".to_owned()
        };
        self.note(Party::Guest, &number, format!("books {} units for {} {how}", it.units(), wish.visit));
        let (kind, change) = match wish.accepts {
            Accepts::Manager => ("reservation.requested", json!({})),
            Accepts::Platform => {
                let at = Zone::SEOUL.written(self.time().now_ms());
                ("reservation.confirmed", json!({ "by": "AUTO", "confirmed_at": at }))
            }
        };
        let told = self.open(it, &number, kind, change).await;
        (number, told)
    }

    /// Asks what is left of a day; `None` when the answer is no or no answer.
    pub async fn left(&self, date: NaiveDate, units: i64) -> Option<i64> {
        let body = json!({ "product_id": self.options().product, "date": date.to_string(), "quantity": units });
        let Answer { body, .. } = self.ask("availability", "", &body).await;
        let is_available = body.get("available").and_then(Value::as_bool) == Some(true);
        body.get("remaining").and_then(Value::as_i64).filter(|_| is_available)
    }

    /// The guest calls the reservation off; what it costs is the policy's.
    pub async fn guest_cancels(&self, number: &str) -> Option<Told> {
        let event = self.guest_cancels_quietly(number)?;
        Some(self.tell(event).await)
    }

    /// The same, and its event is not told yet.
    pub fn guest_cancels_quietly(&self, number: &str) -> Option<Event> {
        let (now_ms, waits) = (self.time().now_ms(), self.faults().refunds_wait);
        let fee = self.kept(number)?.it.quote(now_ms).fee;
        self.note(Party::Guest, number, format!("cancels it; the policy keeps {} won", with_commas(fee)));
        let mut ids = vec![self.new_id("cx_"), self.new_id("cx_")];
        self.note_change(number, "reservation.canceled", |it| {
            let refund = it.held() - fee;
            it.status = Status::Canceled("BY_BOOKER");
            it.fee = fee;
            give_back(&mut it.payments, refund, waits, now_ms, || ids.pop().unwrap_or_default());
            canceled(it, "BOOKER", fee, refund, now_ms)
        })
    }

    /// A manager accepts the reservation on the platform's own screen; nobody is told yet.
    pub fn confirmed_there_quietly(&self, number: &str) -> Option<Event> {
        let at = Zone::SEOUL.written(self.time().now_ms());
        self.note_change(number, "reservation.confirmed", |it| {
            it.status = Status::Confirmed;
            json!({ "by": "MANAGER", "confirmed_at": at })
        })
    }

    /// The day after, the platform marks a reservation as used by itself.
    pub async fn used_by_itself(&self, number: &str) -> Option<Told> {
        let used_at = Zone::SEOUL.written(self.time().now_ms());
        self.happens(number, "reservation.used", move |it| {
            it.status = Status::Used;
            json!({ "by": "AUTO_NEXT_DAY", "used_at": used_at })
        })
        .await
    }

    /// The product's state changes.
    pub async fn product_is(&self, from: &str, to: &str, cause: &str) -> Answer {
        let product = &self.options().product;
        let change = json!({ "product_id": product, "from": from, "to": to, "cause": cause });
        self.tell_beside("product.status_changed", change).await
    }

    /// Ends every refund that was on its way.
    pub async fn refunds_end(&self, number: &str, status: CancelStatus) -> Vec<Told> {
        let waiting: Vec<String> = match self.kept(number) {
            None => Vec::new(),
            Some(kept) => {
                let cancels = kept.it.payments.iter().flat_map(|payment| payment.cancels.clone());
                cancels
                    .filter(|c| matches!(c.status, CancelStatus::Pending | CancelStatus::Failed))
                    .map(|c| c.id)
                    .collect()
            }
        };
        let now_ms = self.time().now_ms();
        let mut told = Vec::new();
        for id in waiting {
            let happened = self
                .happens(number, "payment.refund_updated", move |it| {
                    if let Some(cancel) = money::find_cancel(&mut it.payments, &id) {
                        cancel.status = status;
                        cancel.done_at_ms = (status != CancelStatus::Failed).then_some(now_ms);
                    }
                    json!({ "cancel_id": id, "status": status.word() })
                })
                .await;
            told.extend(happened);
        }
        told
    }
}
