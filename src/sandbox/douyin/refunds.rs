// SPDX-License-Identifier: Apache-2.0

//! Refunds: applications, decisions by every path, the 72 hours, and what Douyin decides alone (chapters 10 to 13).

use serde_json::Value;
use thiserror::Error;

use super::books::{AfterSale, Path, Refund, RefundState, ReservationState, Rule, VoucherState};
use super::running::SimDouyin;
use super::sale::CANCEL_AFTER_PAYMENT;
use super::spi::{Answer, Spi};
use crate::journal::Party;

/// `apply_source`: the consumer.
pub const SOURCE_CONSUMER: i64 = 101;
/// `apply_source`: customer service.
pub const SOURCE_SERVICE: i64 = 103;
/// `apply_source`: no codes in time; codes may still be handed over with the rejection.
pub const SOURCE_NO_CODES: i64 = 301;
/// `refund_scene`: the consumer (chapter 12).
const SCENE_CONSUMER: i64 = 1;
/// `refund_scene`: customer service or the platform.
const SCENE_SERVICE: i64 = 50;
/// `refund_scene`: no codes in time.
const SCENE_NO_CODES: i64 = 155;

/// A refund that is to be asked for.
#[derive(Clone, Debug)]
pub struct RefundRequest {
    /// The reservation, or the voucher order where Douyin audits that.
    pub order_id: String,
    /// `apply_source`.
    pub source: i64,
    /// What is asked for.
    pub kind: AfterSale,
    /// Douyin's fee, fen.
    pub fee: i64,
}

/// Why Douyin itself does not take an application.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum Refusal {
    /// No such order.
    #[error("Douyin knows no such order")]
    Unknown,
    /// Used: matrix row D.
    #[error("the order was redeemed; nobody can ask for a refund through the channel")]
    Redeemed,
    /// Over already.
    #[error("the reservation is over")]
    Over,
    /// One application at a time.
    #[error("an application is waiting for its decision")]
    Pending,
}

/// Who refunds without asking the bridge (chapter 13).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ForcedBy {
    /// Customer service.
    Service,
    /// The merchant in the console.
    Console,
}

/// A decision of the bridge's.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Decision {
    Accept { fee: i64 },
    Reject { vouchers: Option<Value> },
}

/// What Douyin makes of a decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Taken {
    Yes,
    Repeat,
    No(String),
}

impl SimDouyin {
    /// Asks the bridge for a refund and books its decision; the application afterwards. The settlement goes on in the
    /// background. `Err` when Douyin itself would not take the application.
    pub async fn apply_refund(&self, request: RefundRequest) -> Result<Refund, Refusal> {
        let refund = self.enter_refund(&request)?;
        let sale = self.state().books.sale_of(&request.order_id);
        let who = if request.source == SOURCE_NO_CODES { Party::Douyin } else { Party::Guest };
        let what = match (request.kind, request.source) {
            (_, SOURCE_NO_CODES) => "finds no tickets after ten minutes and asks for the money back".to_owned(),
            (AfterSale::CancelReservation, _) => "wants to cancel the booking".to_owned(),
            _ => format!("wants the money back (source {})", request.source),
        };
        self.journal().note(self.time().elapsed(), who, sale.as_deref(), what);
        let body = self.refund_apply_body(&refund, self.out_id(&refund.order_id).as_deref());
        let answer = self.deliver(Spi::RefundApply, &body, Some(&refund.order_id), usize::MAX).await;
        self.read_decision(&refund.key, &answer);
        self.watch_review(&refund.key);
        Ok(self.state().books.refunds.get(&refund.key).cloned().unwrap_or(refund))
    }

    /// Sends the application that is on the books once more, as after a lost answer; it must be decided the same.
    pub async fn repeat_application(&self, key: &str) -> Option<Answer> {
        let refund = self.state().books.refunds.get(key).cloned()?;
        let body = self.refund_apply_body(&refund, self.out_id(&refund.order_id).as_deref());
        let answer = self.deliver(Spi::RefundApply, &body, Some(&refund.order_id), 1).await;
        self.read_decision(key, &answer);
        Some(answer)
    }

    /// An unreserved voucher is refunded: nobody is asked, the bridge is told (matrix row A).
    pub async fn refund_voucher(&self, voucher_id: &str) -> Answer {
        let what = "takes the money back for the voucher, which was never booked";
        self.journal().note(self.time().elapsed(), Party::Guest, Some(voucher_id), what);
        self.refund_money(voucher_id, &self.new_number(), 0, SCENE_CONSUMER).await
    }

    /// Douyin refunds without asking (H7): info-sync, cancel_notify, refund_notify.
    pub async fn force_refund(&self, reservation_id: &str, by: ForcedBy) {
        let Some((voucher, _)) = self.pair(reservation_id) else { return };
        let who = if by == ForcedBy::Service { "customer service" } else { "the merchant's console" };
        self.journal().note(
            self.time().elapsed(),
            Party::Douyin,
            Some(&voucher.id),
            format!("{who} refunds without asking"),
        );
        let key = self.new_number();
        self.close_reservation(reservation_id, ReservationState::Cancelled);
        self.info_sync(reservation_id, AfterSale::Refund, Some(&key)).await;
        self.notify_cancelled(reservation_id, CANCEL_AFTER_PAYMENT).await;
        self.refund_money(&voucher.id, &key, 0, SCENE_SERVICE).await;
    }

    /// Money back and nothing else, after agreement: the reservation stays as it is (info-sync type 3).
    pub async fn money_only(&self, reservation_id: &str) -> Answer {
        let key = self.new_number();
        self.info_sync(reservation_id, AfterSale::MoneyOnly, Some(&key)).await
    }

    /// Tells of a decision that the bridge did not take (chapter 13); `after_sale_id` may be absent (H12).
    pub async fn info_sync(&self, order_id: &str, kind: AfterSale, after_sale_id: Option<&str>) -> Answer {
        let codes = self.state().books.reservations.get(order_id).and_then(|r| r.codes.clone());
        let codes = codes.map(|c| c.codes).unwrap_or_default();
        let body = self.info_sync_body(order_id, kind, after_sale_id, &codes);
        self.deliver(Spi::InfoSync, &body, Some(order_id), usize::MAX).await
    }

    /// Tells the last such decision about an order once more, byte for byte the same (H12).
    pub async fn info_sync_again(&self, order_id: &str) -> Option<Answer> {
        let last =
            self.state().books.calls_about(Spi::InfoSync.path(), order_id).last().map(|call| call.body.clone())?;
        Some(self.deliver(Spi::InfoSync, &last, Some(order_id), usize::MAX).await)
    }

    /// Gives money back and tells the bridge (chapter 12: about the voucher order).
    pub(super) async fn refund_money(&self, voucher_id: &str, key: &str, fee: i64, scene: i64) -> Answer {
        let (amount, copies) = self.change(|state| match state.books.vouchers.get_mut(voucher_id) {
            Some(voucher) => {
                voucher.state = VoucherState::Refunded;
                voucher.refunded = voucher.amount - fee;
                (voucher.refunded, voucher.copies)
            }
            None => (0, 0),
        });
        let body = self.refund_notify_body(voucher_id, key, amount, scene, copies);
        self.deliver(Spi::RefundNotify, &body, Some(voucher_id), usize::MAX).await
    }

    fn enter_refund(&self, request: &RefundRequest) -> Result<Refund, Refusal> {
        let (key, applied_at_s) = (self.new_number(), self.time().now_s());
        self.change(|state| {
            let books = &mut state.books;
            if books.waiting_refund(&request.order_id).is_some() {
                return Err(Refusal::Pending);
            }
            let refund = Refund {
                key: key.clone(),
                order_id: request.order_id.clone(),
                source: request.source,
                kind: request.kind,
                fee: request.fee,
                applied_at_s,
                decided_at_s: None,
                state: RefundState::Waiting,
                settled: false,
            };
            match books.reservations.get_mut(&request.order_id) {
                Some(reservation) => match reservation.state {
                    ReservationState::Redeemed => return Err(Refusal::Redeemed),
                    ReservationState::Cancelled | ReservationState::Rejected => return Err(Refusal::Over),
                    _ => reservation.refunds.push(key.clone()),
                },
                None if books.vouchers.contains_key(&request.order_id) => {}
                None => return Err(Refusal::Unknown),
            }
            books.refunds.insert(key, refund.clone());
            Ok(refund)
        })
    }

    /// Books the decision in an answer to refund_apply.
    fn read_decision(&self, key: &str, answer: &Answer) {
        if answer.code() != Some(0) {
            return;
        }
        let fee = answer.number("refund_fee_amount");
        let order_id = self.state().books.refunds.get(key).map(|r| r.order_id.clone()).unwrap_or_default();
        match (answer.number("audit_refund_result"), fee) {
            (Some(1), Some(fee)) => {
                self.take_decision(key, Decision::Accept { fee });
            }
            (Some(1), None) => {
                self.violation(Rule::MalformedAnswer, &order_id, "an approval without refund_fee_amount");
            }
            (Some(2), _) => {
                self.take_decision(key, Decision::Reject { vouchers: answer.field("vouchers").cloned() });
            }
            (Some(3), _) => {}
            _ => self.violation(Rule::MalformedAnswer, &order_id, "no known audit_refund_result"),
        }
    }

    /// Takes a decision that came in an answer or by the audit call: the first one stands (U-15).
    pub(super) fn take_decision(&self, key: &str, decision: Decision) -> Taken {
        let Some(refund) = self.state().books.refunds.get(key).cloned() else {
            self.violation(Rule::Uncalled, "", format!("a decision on the unknown application {key}"));
            return Taken::No("no such application".to_owned());
        };
        let stands = match (refund.state, &decision) {
            (RefundState::Waiting, _) => None,
            (RefundState::Accepted, Decision::Accept { .. }) | (RefundState::Rejected, Decision::Reject { .. }) => {
                Some(Taken::Repeat)
            }
            (RefundState::TimedOut, _) => Some(Taken::No("the review is over".to_owned())),
            _ => {
                self.violation(Rule::ContradictoryDecision, &refund.order_id, "another decision than before");
                Some(Taken::No("decided otherwise before".to_owned()))
            }
        };
        if let Some(taken) = stands {
            return taken;
        }
        match decision {
            Decision::Accept { fee } if fee > refund.fee => {
                let what = format!("a fee of {fee} fen, above Douyin's {}: counts as a rejection", refund.fee);
                self.violation(Rule::FeeTooHigh, &refund.order_id, what);
                self.decide(key, RefundState::Rejected);
            }
            Decision::Accept { .. } => {
                self.decide(key, RefundState::Accepted);
                let key = key.to_owned();
                self.meanwhile(|douyin| async move { douyin.settle(&key).await });
            }
            Decision::Reject { vouchers } if refund.source == SOURCE_NO_CODES => {
                let Some(vouchers) = vouchers.filter(|v| v.as_array().is_some_and(|list| !list.is_empty())) else {
                    let what = "a 301 application was rejected without vouchers: the rejection is void";
                    self.violation(Rule::RejectionWithoutVouchers, &refund.order_id, what);
                    return Taken::No("vouchers are missing".to_owned());
                };
                if let Err(why) = self.take_codes(&refund.order_id, &vouchers, Path::Reissue) {
                    return Taken::No(why);
                }
                self.decide(key, RefundState::Rejected);
            }
            Decision::Reject { .. } => self.decide(key, RefundState::Rejected),
        }
        Taken::Yes
    }

    fn decide(&self, key: &str, end: RefundState) {
        let now_s = self.time().now_s();
        self.change(|state| {
            if let Some(refund) = state.books.refunds.get_mut(key) {
                refund.state = end;
                refund.decided_at_s = Some(now_s);
            }
        });
    }

    /// The 72 hours: without a decision Douyin refunds by itself, and info-sync tells (chapters 11 and 13).
    fn watch_review(&self, key: &str) {
        let waits = |douyin: &Self, key: &str| {
            douyin.state().books.refunds.get(key).is_some_and(|r| r.state == RefundState::Waiting)
        };
        if !waits(self, key) {
            return;
        }
        let key = key.to_owned();
        self.meanwhile(|douyin| async move {
            douyin.time().pass(douyin.options().limits.review).await;
            if !waits(&douyin, &key) {
                return;
            }
            douyin.decide(&key, RefundState::TimedOut);
            let refund = douyin.state().books.refunds.get(&key).cloned();
            if let Some(refund) = refund {
                douyin.info_sync(&refund.order_id, refund.kind, Some(&refund.key)).await;
                douyin.settle(&key).await;
            }
        });
    }

    /// Carries a granted application out: the reservation falls, and for a refund the money goes back.
    async fn settle(&self, key: &str) {
        let Some(refund) = self.state().books.refunds.get(key).cloned() else { return };
        let voucher_id = self.state().books.sale_of(&refund.order_id).unwrap_or_else(|| refund.order_id.clone());
        if refund.order_id != voucher_id {
            self.close_reservation(&refund.order_id, ReservationState::Cancelled);
            self.notify_cancelled(&refund.order_id, CANCEL_AFTER_PAYMENT).await;
        }
        if refund.kind != AfterSale::CancelReservation {
            let scene = match refund.source {
                SOURCE_NO_CODES => SCENE_NO_CODES,
                SOURCE_SERVICE => SCENE_SERVICE,
                _ => SCENE_CONSUMER,
            };
            self.refund_money(&voucher_id, key, refund.fee, scene).await;
        }
        self.change(|state| {
            if let Some(refund) = state.books.refunds.get_mut(key) {
                refund.settled = true;
            }
        });
    }
}
