// SPDX-License-Identifier: Apache-2.0

//! What guests do: ask, buy, reserve, cancel. And what Douyin makes of the bridge's answers (chapters 3 to 6).

use std::fmt;

use chrono::NaiveDate;
use serde_json::Value;

use super::bodies::certificate_id;
use super::books::{Reservation, ReservationState, Rule, Visitor, Voucher, VoucherState};
use super::check::Terms;
use super::delivery::Attempt;
use super::options::{CreationTiming, Generation, Reorder, TradeMode};
use super::running::SimDouyin;
use super::spi::{Answer, Spi};
use crate::journal::Party;

/// `cancel_type`: before payment, after payment, creation failed (chapter 9).
pub const CANCEL_AFTER_PAYMENT: i64 = 2;
/// See [`CANCEL_AFTER_PAYMENT`].
pub const CANCEL_CREATION_FAILED: i64 = 3;
/// `refund_scene`: the order was rejected (chapter 12).
const SCENE_REJECTED: i64 = 153;

/// What a guest wants to buy.
#[derive(Clone, Debug)]
pub struct Purchase {
    /// The bridge's product id, for example `LP-V2|LP-B2`.
    pub product_out_id: String,
    /// Copies.
    pub count: u32,
    /// All of it, fen.
    pub amount: i64,
    /// The buyer's phone.
    pub phone: String,
}

/// What became of telling the bridge of an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Accepted.
    Accepted,
    /// Stored; the acceptance is to follow by order/confirm.
    Pending,
    /// A definite no.
    Refused {
        /// The code of 4.5; 0 when the order was created and not accepted.
        code: i64,
        /// The bridge's words.
        description: String,
    },
    /// Never answered well, after all attempts.
    Unanswered,
    /// Not told at all: trade without voucher.
    Untold,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Outcome::Accepted => f.write_str("accepted"),
            Outcome::Pending => f.write_str("stored, and not accepted yet"),
            Outcome::Refused { code, description } => write!(f, "refused with {code}: {description}"),
            Outcome::Unanswered => f.write_str("never answered well"),
            Outcome::Untold => f.write_str("not told at all"),
        }
    }
}

/// An order and what became of telling it.
#[derive(Clone, Debug)]
pub struct Creation {
    /// Douyin's number of the order.
    pub order_id: String,
    /// What became of it.
    pub outcome: Outcome,
}

impl Creation {
    /// Whether the bridge accepted, or will say later.
    pub fn is_good(&self) -> bool {
        matches!(self.outcome, Outcome::Accepted | Outcome::Pending | Outcome::Untold)
    }
}

impl SimDouyin {
    /// Asks whether a purchase would be accepted (chapter 3).
    pub async fn can_buy(&self, wish: &Purchase) -> Answer {
        let body = self.can_buy_body(&self.product(&wish.product_out_id), wish.count, wish.amount, &wish.phone);
        self.deliver(Spi::CanBuy, &body, None, 1).await
    }

    /// A guest buys a voucher and pays; the bridge is told as the trade mode and the timing demand.
    pub async fn buy(&self, wish: &Purchase) -> Creation {
        let voucher = self.enter_voucher(wish);
        let id = voucher.id.clone();
        self.journal().note(
            self.time().elapsed(),
            Party::Guest,
            Some(&id),
            format!(
                "buys {} × {} for {}.{:02} CNY",
                wish.count,
                wish.product_out_id,
                wish.amount / 100,
                wish.amount % 100
            ),
        );
        if self.options().trade == TradeMode::WithoutVoucher {
            return Creation { order_id: id, outcome: Outcome::Untold };
        }
        let body = self.create_voucher_body(&voucher);
        let outcome = self.create(Spi::CreateOrder, &id, &body).await;
        if let Outcome::Refused { .. } = outcome {
            self.refund_rejected_voucher(&id);
        }
        Creation { order_id: id, outcome }
    }

    /// A guest buys a voucher of which the bridge never hears (H2: every attempt to tell it failed).
    pub fn buy_untold(&self, wish: &Purchase) -> String {
        self.enter_voucher(wish).id
    }

    /// A guest picks a day. On acceptance the issue calls and the ten minutes begin by themselves.
    pub async fn reserve(&self, voucher_id: &str, date: NaiveDate, visitors: &[Visitor]) -> Creation {
        self.reserve_as(Generation::First, voucher_id, date, visitors).await
    }

    /// The same in the second generation of the calls.
    pub async fn reserve_v2(&self, voucher_id: &str, date: NaiveDate, visitors: &[Visitor]) -> Creation {
        self.reserve_as(Generation::Second, voucher_id, date, visitors).await
    }

    async fn reserve_as(
        &self,
        generation: Generation,
        voucher_id: &str,
        date: NaiveDate,
        visitors: &[Visitor],
    ) -> Creation {
        let Some((voucher, reservation)) = self.enter_reservation(generation, voucher_id, date, visitors) else {
            let refused = Outcome::Refused { code: 0, description: "this voucher cannot be reserved now".to_owned() };
            return Creation { order_id: String::new(), outcome: refused };
        };
        let id = reservation.id.clone();
        self.journal().note(
            self.time().elapsed(),
            Party::Guest,
            Some(voucher_id),
            format!("picks {date} for {} visitors", visitors.len()),
        );
        let reorder = self.change(|state| {
            let due = |r: &Reorder| matches!(r, Reorder::IssueFirst | Reorder::CancelFirst);
            state.faults.reorder.take_if(|r| due(r))
        });
        match reorder {
            Some(Reorder::IssueFirst) => self.first_issue_call_early(&id).await,
            Some(Reorder::CancelFirst) => {
                self.close_reservation(&id, ReservationState::Cancelled);
                self.notify_cancelled(&id, CANCEL_CREATION_FAILED).await;
            }
            Some(Reorder::ExpiryCrossesCallback) | None => {}
        }
        let (spi, body) = match generation {
            Generation::First => (Spi::CreateOrder, self.create_reservation_body(&voucher, &reservation)),
            Generation::Second => (Spi::V2CreateOrder, self.v2_create_body(&voucher, &reservation)),
        };
        let outcome = self.create(spi, &id, &body).await;
        self.book_reservation_outcome(&id, &outcome);
        Creation { order_id: id, outcome }
    }

    /// Douyin tells that a reservation (or voucher order) is cancelled; nobody is asked. `cancel_type` as in chapter 9.
    pub async fn cancel(&self, order_id: &str, cancel_type: i64) -> Answer {
        self.close_reservation(order_id, ReservationState::Cancelled);
        self.notify_cancelled(order_id, cancel_type).await
    }

    /// Tells of a payment (chapter 5), whatever Douyin's books say: also for an order the bridge never heard of (H11).
    pub async fn pay_notify(&self, order_id: &str) -> Answer {
        let out_id = self.out_id(order_id);
        let body = self.pay_notify_body(order_id, out_id.as_deref());
        let answer = self.deliver(Spi::PayNotify, &body, Some(order_id), self.create_attempts()).await;
        self.check_out_id(order_id, &answer);
        answer
    }

    /// Asks for the state of an order (chapter 15). What the bridge reports as used, Douyin redeems.
    pub async fn query_order(&self, order_id: &str) -> Answer {
        let body = self.query_body(order_id, self.out_id(order_id).as_deref());
        let answer = self.deliver(Spi::QueryOrder, &body, Some(order_id), 1).await;
        if answer.code() == Some(0) && answer.number("used_voucher_quantity").is_some_and(|used| used > 0) {
            self.change(|state| {
                if let Some(reservation) = state.books.reservations.get_mut(order_id) {
                    reservation.state = ReservationState::Redeemed;
                }
            });
        }
        answer
    }

    /// Pulls prices and stock of the first product for some days (chapter 16).
    pub async fn pull_calendar(&self, from: NaiveDate, to: NaiveDate) -> Answer {
        let product = self.options().products.first().map(|p| p.product_out_id.clone()).unwrap_or_default();
        let body = self.calendar_body(&self.product(&product), from, to);
        self.deliver(Spi::PullCalendar, &body, None, 1).await
    }

    /// Tells the bridge of an order as often as the protocol does, and pays in the other timing.
    async fn create(&self, spi: Spi, order_id: &str, body: &Value) -> Outcome {
        if self.options().creation == CreationTiming::AfterPayment || spi == Spi::V2CreateOrder {
            let answer = self.deliver(spi, body, Some(order_id), self.create_attempts()).await;
            self.check_out_id(order_id, &answer);
            return self.read_creation(spi, order_id, &answer);
        }
        let first_stamp_ms = self.time().now_ms();
        let submitted = self.attempt(Attempt { spi, body, order_id: Some(order_id), number: 1, first_stamp_ms }).await;
        self.check_out_id(order_id, &submitted);
        match submitted {
            // No answer counts as created: payment goes ahead.
            Answer::Failed(_) | Answer::Data { code: 0, .. } => {
                let paid = self.pay_notify(order_id).await;
                self.read_creation(Spi::PayNotify, order_id, &paid)
            }
            Answer::Data { .. } => self.read_creation(spi, order_id, &submitted),
        }
    }

    fn read_creation(&self, spi: Spi, order_id: &str, answer: &Answer) -> Outcome {
        let (code, data) = match answer {
            Answer::Data { code, data } => (*code, data),
            Answer::Failed(_) => return Outcome::Unanswered,
        };
        let description = data.get("description").and_then(Value::as_str).unwrap_or_default().to_owned();
        if code == super::spi::TRY_AGAIN {
            return Outcome::Unanswered;
        }
        if code != 0 {
            return Outcome::Refused { code, description };
        }
        let confirm = |field: &str| data.get("confirm_info").and_then(|c| c.get(field)).and_then(Value::as_i64);
        match (confirm("confirm_mode"), confirm("confirm_result")) {
            (Some(2), _) => Outcome::Pending,
            (Some(1), Some(1)) => Outcome::Accepted,
            (Some(1), Some(2)) => Outcome::Refused { code: 0, description },
            // The second generation's answer has no confirm_info: created is accepted.
            _ if spi == Spi::V2CreateOrder => Outcome::Accepted,
            _ => {
                self.violation(Rule::MalformedAnswer, order_id, "the answer has no usable confirm_info (4.4)");
                Outcome::Unanswered
            }
        }
    }

    fn book_reservation_outcome(&self, id: &str, outcome: &Outcome) {
        match outcome {
            Outcome::Accepted => self.begin_ticketing(id),
            Outcome::Pending => self.await_confirmation(id),
            Outcome::Untold => {}
            Outcome::Refused { .. } => self.close_reservation(id, ReservationState::Rejected),
            Outcome::Unanswered => {
                self.close_reservation(id, ReservationState::Cancelled);
                let id = id.to_owned();
                self.meanwhile(|douyin| async move {
                    douyin.notify_cancelled(&id, CANCEL_CREATION_FAILED).await;
                });
            }
        }
    }

    /// Waits for order/confirm; without it in time the reservation falls (chapter 6).
    fn await_confirmation(&self, id: &str) {
        let asked = self.change(|state| {
            let reservation = state.books.reservations.get_mut(id)?;
            if reservation.state != ReservationState::Requested {
                return None;
            }
            reservation.state = ReservationState::AwaitingConfirmation;
            reservation.asynchronous = true;
            Some(())
        });
        if asked.is_none() {
            return;
        }
        let id = id.to_owned();
        self.meanwhile(|douyin| async move {
            douyin.time().pass(douyin.options().limits.acceptance).await;
            let waits = |s: &ReservationState| *s == ReservationState::AwaitingConfirmation;
            if douyin.state().books.reservations.get(&id).is_some_and(|r| waits(&r.state)) {
                douyin.close_reservation(&id, ReservationState::Cancelled);
                douyin.notify_cancelled(&id, CANCEL_AFTER_PAYMENT).await;
            }
        });
    }

    pub(super) async fn notify_cancelled(&self, order_id: &str, cancel_type: i64) -> Answer {
        let body = self.cancel_body(order_id, self.out_id(order_id).as_deref(), cancel_type);
        self.deliver(Spi::CancelNotify, &body, Some(order_id), usize::MAX).await
    }

    /// Ends a reservation that was not used, and frees its voucher (U-01: it can be reserved again).
    pub(super) fn close_reservation(&self, id: &str, end: ReservationState) {
        self.change(|state| {
            let Some(reservation) = state.books.reservations.get_mut(id) else { return };
            if reservation.state == ReservationState::Redeemed {
                return;
            }
            reservation.state = end;
            if let Some(voucher) = state.books.vouchers.get_mut(&reservation.voucher_id)
                && voucher.state == VoucherState::Reserved
            {
                voucher.state = VoucherState::Unreserved;
            }
        });
    }

    fn refund_rejected_voucher(&self, id: &str) {
        let id = id.to_owned();
        self.meanwhile(|douyin| async move {
            douyin.refund_money(&id, &douyin.new_number(), 0, SCENE_REJECTED).await;
        });
    }

    fn enter_voucher(&self, wish: &Purchase) -> Voucher {
        let voucher = Voucher {
            id: self.new_number(),
            product_out_id: wish.product_out_id.clone(),
            copies: wish.count,
            amount: wish.amount,
            phone: wish.phone.clone(),
            state: VoucherState::Unreserved,
            out_id: None,
            bought_at_s: self.time().now_s(),
            refunded: 0,
        };
        self.change(|state| state.books.vouchers.insert(voucher.id.clone(), voucher.clone()));
        voucher
    }

    fn enter_reservation(
        &self,
        generation: Generation,
        voucher_id: &str,
        date: NaiveDate,
        visitors: &[Visitor],
    ) -> Option<(Voucher, Reservation)> {
        let id = self.new_number();
        let voucher = self.state().books.vouchers.get(voucher_id).cloned()?;
        let product = self.product(&voucher.product_out_id);
        self.change(|state| {
            let voucher = state.books.vouchers.get_mut(voucher_id).filter(|v| v.state == VoucherState::Unreserved)?;
            voucher.state = VoucherState::Reserved;
            let reservation = Reservation {
                id: id.clone(),
                voucher_id: voucher_id.to_owned(),
                visit_date: date,
                visitors: visitors.to_vec(),
                generation,
                state: ReservationState::Requested,
                out_id: None,
                asynchronous: false,
                confirmed: None,
                ticketing_since: None,
                expired: false,
                terms: Terms {
                    copies: voucher.copies,
                    per_copy: product.visitors_per_copy,
                    kinds: product.code_sending_info,
                    documents: visitors.iter().map(|v| v.document_number.clone()).collect(),
                    certificates: (0..voucher.copies).map(|n| certificate_id(&id, n)).collect(),
                },
                codes: None,
                redeemed: None,
                refunds: Vec::new(),
            };
            state.books.reservations.insert(id, reservation.clone());
            Some((voucher.clone(), reservation))
        })
    }

    pub(super) fn out_id(&self, order_id: &str) -> Option<String> {
        let state = self.state();
        let of_voucher = state.books.vouchers.get(order_id).and_then(|v| v.out_id.clone());
        of_voucher.or_else(|| state.books.reservations.get(order_id).and_then(|r| r.out_id.clone()))
    }

    /// Remembers the bridge's own number; another one later is a violation (chapter 4: same id, same answer).
    fn check_out_id(&self, order_id: &str, answer: &Answer) {
        let named = answer.field("order_out_id").or_else(|| answer.field("ext_order_id")).and_then(Value::as_str);
        let Some(named) = named.filter(|id| !id.is_empty()) else { return };
        let before = self.change(|state| {
            let books = &mut state.books;
            let kept = match books.vouchers.get_mut(order_id) {
                Some(voucher) => &mut voucher.out_id,
                None => &mut books.reservations.get_mut(order_id)?.out_id,
            };
            kept.replace(named.to_owned())
        });
        if before.is_some_and(|before| before != named) {
            self.violation(Rule::OutIdChanged, order_id, "the bridge named another number of its own than before");
        }
    }

    fn create_attempts(&self) -> usize {
        self.options().limits.create_attempts as usize
    }
}
