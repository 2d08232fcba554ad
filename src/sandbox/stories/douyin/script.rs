// SPDX-License-Identifier: Apache-2.0

//! What the stories of a Douyin guest can do and see beside what every story can.

use chrono::NaiveDate;
use serde_json::Value;
use std::time::Duration;

use crate::SimDouyin;
use crate::douyin::{AfterSale, Books, Creation, Refund, RefundRequest, RefundState, Reservation, Spi};
use crate::journal::Party;
use crate::stories::script::{Broken, LOOK_EVERY, text_at};

/// A script with a Douyin in it.
pub(super) type Script = crate::stories::script::Script<SimDouyin>;

/// How long policy gets to decide a refund by itself before a person does, real time.
const POLICY_DECIDES_WITHIN: Duration = Duration::from_millis(1_500);

impl Script {
    /// Buys `count` copies; the bridge must accept.
    pub(in super::super) async fn buy(&mut self, count: u32) -> Result<String, Broken> {
        let sale = self.stage.channel.buy(&self.stage.purchase(count)).await;
        self.orders.push(sale.order_id.clone());
        self.check(sale.is_good(), "the purchase is accepted");
        if sale.is_good() { Ok(sale.order_id) } else { Err(Broken(format!("purchase: {}", sale.outcome))) }
    }

    /// A voucher of which the bridge never hears.
    pub(in super::super) fn buy_untold(&mut self, count: u32) -> String {
        let id = self.stage.channel.buy_untold(&self.stage.purchase(count));
        self.orders.push(id.clone());
        id
    }

    /// Books a day, whatever the bridge says to it.
    pub(in super::super) async fn try_reserve(&mut self, voucher: &str, date: NaiveDate) -> Creation {
        let copies = self.stage.channel.books().vouchers.get(voucher).map_or(1, |v| v.copies);
        let booking = self.stage.channel.reserve(voucher, date, &self.stage.visitors(copies)).await;
        self.orders.push(booking.order_id.clone());
        booking
    }

    /// Books a day; the bridge must accept.
    pub(in super::super) async fn reserve(&mut self, voucher: &str, date: NaiveDate) -> Result<String, Broken> {
        let booking = self.try_reserve(voucher, date).await;
        self.check(booking.is_good(), "the booking is accepted");
        if booking.is_good() { Ok(booking.order_id) } else { Err(Broken(format!("booking: {}", booking.outcome))) }
    }

    /// The same in the second generation.
    pub(in super::super) async fn reserve_v2(&mut self, voucher: &str, date: NaiveDate) -> Result<String, Broken> {
        let copies = self.stage.channel.books().vouchers.get(voucher).map_or(1, |v| v.copies);
        let booking = self.stage.channel.reserve_v2(voucher, date, &self.stage.visitors(copies)).await;
        self.orders.push(booking.order_id.clone());
        self.check(booking.is_good(), "the booking is accepted");
        if booking.is_good() { Ok(booking.order_id) } else { Err(Broken(format!("booking: {}", booking.outcome))) }
    }

    /// Buys, books and waits for the tickets: voucher and reservation number.
    pub(in super::super) async fn ticketed(&mut self, count: u32, date: NaiveDate) -> Result<(String, String), Broken> {
        let voucher = self.buy(count).await?;
        let reservation = self.reserve(&voucher, date).await?;
        self.codes_at_douyin(&reservation).await?;
        Ok((voucher, reservation))
    }

    /// Waits for something in Douyin's books about a reservation.
    pub(in super::super) async fn at_douyin(
        &mut self,
        id: &str,
        should: &str,
        patience: Duration,
        look: impl Fn(&Reservation) -> bool,
    ) -> Result<Reservation, Broken> {
        let found =
            self.stage.channel.until(patience, |books| books.reservations.get(id).filter(|r| look(r)).cloned()).await;
        let seen = self.stage.channel.books().reservations.get(id).map(|r| r.state);
        self.check(found.is_some(), format!("at Douyin: {should}"));
        found.ok_or_else(|| Broken(format!("Douyin waited in vain: {should} (the reservation is {seen:?})")))
    }

    /// Waits until Douyin has asked for the tickets and was told to wait for them.
    pub(in super::super) async fn told_to_wait(&mut self, id: &str) -> Result<(), Broken> {
        let told = |answer: &Value| answer.pointer("/data/result").and_then(Value::as_i64) == Some(0);
        let look = |b: &Books| b.calls_about(Spi::IssueVoucher.path(), id).any(|c| told(&c.answer)).then_some(());
        let found = self.stage.channel.until(self.stage.patience, look).await;
        self.check(found.is_some(), "Douyin asks for the tickets and is told to wait");
        found.ok_or_else(|| Broken("Douyin was not told to wait for the tickets".to_owned()))
    }

    /// Waits until Douyin has the tickets; they must be the back-end's own.
    pub(in super::super) async fn codes_at_douyin(&mut self, id: &str) -> Result<Reservation, Broken> {
        let patience = self.stage.patience;
        let reservation = self.at_douyin(id, "the guest has tickets", patience, |r| r.codes.is_some()).await?;
        let shown = reservation.codes.as_ref().map(|c| c.codes.clone()).unwrap_or_default();
        let issued = self.stage.backend.books();
        let supplier = self.stage.supplier.clone();
        let known = |code: &String| {
            issued.reservations.values().any(|r| r.codes.contains(code))
                || supplier.iter().any(|supplier| supplier.octo.with_books(|books| books.made(code)))
        };
        self.check(shown.iter().all(known), "the guest's codes are the back-end's own");
        Ok(reservation)
    }

    /// The guest (or Douyin) asks for money back or for the booking's end.
    pub(in super::super) async fn apply(&mut self, id: &str, source: i64, kind: AfterSale) -> Result<Refund, Broken> {
        let request = RefundRequest { order_id: id.to_owned(), source, kind, fee: 0 };
        self.stage.channel.apply_refund(request).await.map_err(|refusal| Broken(format!("application: {refusal}")))
    }

    /// Lets policy decide a refund; when it leaves it open, a member of the staff does.
    pub(in super::super) async fn decide(
        &mut self,
        voucher: &str,
        key: &str,
        wanted: RefundState,
    ) -> Result<(), Broken> {
        let begin = self.stage.channel.time().elapsed();
        let mut acted = false;
        loop {
            let state = self.stage.channel.books().refunds.get(key).map(|r| r.state);
            if let Some(state) = state.filter(|s| *s != RefundState::Waiting) {
                self.check(state == wanted, format!("the refund is {wanted:?} at Douyin (it is {state:?})"));
                return Ok(());
            }
            let waited = self.stage.channel.time().elapsed().saturating_sub(begin);
            if waited > self.stage.patience {
                return Err(Broken("nobody decided the refund".to_owned()));
            }
            if !acted && let Ok(order) = self.order(voucher).await {
                let open = text_at(&order, "refund_case.state") == "under_review";
                let waits = text_at(&order, "attention.kind") == "refund_waits";
                if open && (waits || waited > POLICY_DECIDES_WITHIN) {
                    acted = self.decide_by_hand(voucher, &order, wanted).await?;
                }
            }
            self.stage.channel.time().pass_really(LOOK_EVERY).await;
        }
    }

    async fn decide_by_hand(&mut self, voucher: &str, order: &Value, wanted: RefundState) -> Result<bool, Broken> {
        let id = text_at(order, "refund_case.id");
        let (what, done) = match wanted {
            RefundState::Accepted => ("approves the refund", self.stage.ops.approve(id, 0).await),
            _ => ("rejects the refund", self.stage.ops.reject(id, "decided by the sandbox's staff").await),
        };
        let now = self.stage.channel.time().elapsed();
        self.stage.channel.journal().note(now, Party::Ops, Some(voucher), what);
        // The bridge may have decided in the same moment: then its own decision counts, and the loop sees it.
        match done {
            Ok(_) => Ok(true),
            Err(crate::ops::OpsError::Refused { status: 409, .. }) => Ok(false),
            Err(error) => Err(Broken(format!("{error}"))),
        }
    }
}
