//! What every story can do and see: act as a guest, wait, look into the books, ask the ops interface.

use chrono::NaiveDate;
use serde_json::Value;
use std::time::Duration;

use super::{Stage, Step};
use crate::sandbox::backend::{
    CancelMode, IssueMode, Reservation as BackendReservation, ReservationState as AtBackend,
};
use crate::sandbox::douyin::{
    AfterSale, Books, Creation, Faults, Refund, RefundRequest, RefundState, Reservation, Spi,
};
use crate::sandbox::journal::Party;

/// How often the ops interface is asked while a story waits, real time.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// How long policy gets to decide a refund by itself before a person does, real time.
const POLICY_DECIDES_WITHIN: Duration = Duration::from_millis(1_500);

/// Why a story cannot go on.
#[derive(Clone, Debug)]
pub struct Broken(pub String);

/// A story while it is played.
#[derive(Debug)]
pub struct Script {
    pub(super) stage: Stage,
    steps: Vec<Step>,
    problems: Vec<String>,
    /// Numbers at Douyin whose violations count.
    orders: Vec<String>,
    violations_before: usize,
}

impl Script {
    pub(super) fn new(stage: Stage) -> Self {
        let violations_before = stage.backend.books().violations.len();
        Self { stage, steps: Vec::new(), problems: Vec::new(), orders: Vec::new(), violations_before }
    }

    /// Writes down whether something is as it should be; the sentence says how it should be.
    pub(super) fn check(&mut self, good: bool, should: impl Into<String>) {
        let text = should.into();
        if !good {
            self.problems.push(format!("not so: {text}"));
        }
        self.steps.push(Step { at: self.stage.douyin.time().elapsed(), text, good });
    }

    pub(super) fn fail(&mut self, problem: String) {
        self.steps.push(Step { at: self.stage.douyin.time().elapsed(), text: problem.clone(), good: false });
        self.problems.push(problem);
    }

    pub(super) fn into_findings(self) -> (Vec<Step>, Vec<String>) {
        (self.steps, self.problems)
    }

    /// Everything that both sets of books hold against the bridge about this story's orders.
    pub(super) fn judge_books(&mut self) {
        let books = self.stage.douyin.books();
        let mut held: Vec<String> = Vec::new();
        for id in &self.orders {
            held.extend(books.violations_about(id).map(|v| format!("Douyin holds against the bridge: {}", v.sentence)));
        }
        let backend = self.stage.backend.books();
        let new = backend.violations.iter().skip(self.violations_before);
        held.extend(new.map(|v| format!("the back-end holds against the bridge: {}", v.sentence)));
        held.extend(backend.reservations.values().filter(|r| r.issues > 1).map(|r| format!("issued twice: {}", r.id)));
        held.into_iter().for_each(|problem| self.fail(problem));
    }

    /// Puts switches and modes back.
    pub(super) fn tidy(&self) {
        self.stage.douyin.set_faults(|faults| *faults = Faults::default());
        self.stage.backend.set_issue_mode(IssueMode::Immediate);
        self.stage.backend.set_cancel_mode(CancelMode::Accept);
    }

    /// Buys `count` copies; the bridge must accept.
    pub(super) async fn buy(&mut self, count: u32) -> Result<String, Broken> {
        let sale = self.stage.douyin.buy(&self.stage.purchase(count)).await;
        self.orders.push(sale.order_id.clone());
        self.check(sale.is_good(), "the purchase is accepted");
        if sale.is_good() { Ok(sale.order_id) } else { Err(Broken(format!("purchase: {:?}", sale.outcome))) }
    }

    /// A voucher of which the bridge never hears.
    pub(super) fn buy_untold(&mut self, count: u32) -> String {
        let id = self.stage.douyin.buy_untold(&self.stage.purchase(count));
        self.orders.push(id.clone());
        id
    }

    /// Books a day, whatever the bridge says to it.
    pub(super) async fn try_reserve(&mut self, voucher: &str, date: NaiveDate) -> Creation {
        let copies = self.stage.douyin.books().vouchers.get(voucher).map_or(1, |v| v.copies);
        let booking = self.stage.douyin.reserve(voucher, date, &self.stage.visitors(copies)).await;
        self.orders.push(booking.order_id.clone());
        booking
    }

    /// Books a day; the bridge must accept.
    pub(super) async fn reserve(&mut self, voucher: &str, date: NaiveDate) -> Result<String, Broken> {
        let booking = self.try_reserve(voucher, date).await;
        self.check(booking.is_good(), "the booking is accepted");
        if booking.is_good() { Ok(booking.order_id) } else { Err(Broken(format!("booking: {:?}", booking.outcome))) }
    }

    /// The same in the second generation.
    pub(super) async fn reserve_v2(&mut self, voucher: &str, date: NaiveDate) -> Result<String, Broken> {
        let copies = self.stage.douyin.books().vouchers.get(voucher).map_or(1, |v| v.copies);
        let booking = self.stage.douyin.reserve_v2(voucher, date, &self.stage.visitors(copies)).await;
        self.orders.push(booking.order_id.clone());
        self.check(booking.is_good(), "the booking is accepted");
        if booking.is_good() { Ok(booking.order_id) } else { Err(Broken(format!("booking: {:?}", booking.outcome))) }
    }

    /// Buys, books and waits for the tickets: voucher and reservation number.
    pub(super) async fn ticketed(&mut self, count: u32, date: NaiveDate) -> Result<(String, String), Broken> {
        let voucher = self.buy(count).await?;
        let reservation = self.reserve(&voucher, date).await?;
        self.codes_at_douyin(&reservation).await?;
        Ok((voucher, reservation))
    }

    /// Waits for something in Douyin's books about a reservation.
    pub(super) async fn at_douyin(
        &mut self,
        id: &str,
        should: &str,
        patience: Duration,
        look: impl Fn(&Reservation) -> bool,
    ) -> Result<Reservation, Broken> {
        let found =
            self.stage.douyin.until(patience, |books| books.reservations.get(id).filter(|r| look(r)).cloned()).await;
        let seen = self.stage.douyin.books().reservations.get(id).map(|r| r.state);
        self.check(found.is_some(), format!("at Douyin: {should}"));
        found.ok_or_else(|| Broken(format!("Douyin waited in vain: {should} (the reservation is {seen:?})")))
    }

    /// Waits until Douyin has asked for the tickets and was told to wait for them.
    pub(super) async fn told_to_wait(&mut self, id: &str) -> Result<(), Broken> {
        let told = |answer: &Value| answer.pointer("/data/result").and_then(Value::as_i64) == Some(0);
        let look = |b: &Books| b.calls_about(Spi::IssueVoucher.path(), id).any(|c| told(&c.answer)).then_some(());
        let found = self.stage.douyin.until(self.stage.patience, look).await;
        self.check(found.is_some(), "Douyin asks for the tickets and is told to wait");
        found.ok_or_else(|| Broken("Douyin was not told to wait for the tickets".to_owned()))
    }

    /// Waits until Douyin has the tickets; they must be the back-end's own.
    pub(super) async fn codes_at_douyin(&mut self, id: &str) -> Result<Reservation, Broken> {
        let patience = self.stage.patience;
        let reservation = self.at_douyin(id, "the guest has tickets", patience, |r| r.codes.is_some()).await?;
        let shown = reservation.codes.as_ref().map(|c| c.codes.clone()).unwrap_or_default();
        let issued = self.stage.backend.books();
        let known = |code: &String| issued.reservations.values().any(|r| r.codes.contains(code));
        self.check(shown.iter().all(known), "the guest's codes are the back-end's own");
        Ok(reservation)
    }

    /// The order as the ops interface tells it.
    pub(super) async fn order(&self, voucher: &str) -> Result<Value, Broken> {
        let channel = &self.stage.douyin.options().channel_id;
        match self.stage.ops.order(channel, voucher).await {
            Ok(Some(order)) => Ok(order),
            Ok(None) => Err(Broken(format!("the bridge knows no order {voucher}"))),
            Err(error) => Err(Broken(format!("{error}"))),
        }
    }

    /// Waits until a field of the order (dots lead inside) has this value.
    pub(super) async fn order_is(&mut self, voucher: &str, field: &str, wanted: &str) -> Result<Value, Broken> {
        let deadline = self.stage.douyin.time().elapsed() + self.stage.patience;
        loop {
            let order = self.order(voucher).await;
            let now = order.as_ref().ok().map(|o| value_at(o, field)).unwrap_or_default();
            if let Ok(order) = order
                && now == wanted
            {
                self.check(true, format!("the order's {field} is {wanted}"));
                return Ok(order);
            }
            if self.stage.douyin.time().elapsed() > deadline {
                self.check(false, format!("the order's {field} is {wanted} (it is {now:?})"));
                return Err(Broken(format!("the order's {field} stayed {now:?}")));
            }
            self.stage.douyin.time().pass_really(LOOK_EVERY).await;
        }
    }

    /// The back-end's reservations for an order of the bridge's, oldest first.
    pub(super) async fn at_backend(&self, voucher: &str) -> Result<Vec<BackendReservation>, Broken> {
        let order = self.order(voucher).await?;
        let id = text_at(&order, "id");
        let books = self.stage.backend.books();
        let of_order = |r: &&BackendReservation| r.request.get("order_id").and_then(Value::as_str) == Some(id);
        Ok(books.reservations.values().filter(of_order).cloned().collect())
    }

    /// The bridge's id of the active booking, which is the back-end's reservation id.
    pub(super) async fn booking_id(&self, voucher: &str) -> Result<String, Broken> {
        Ok(text_at(&self.order(voucher).await?, "booking.id").to_owned())
    }

    /// Waits until the back-end has been asked for a booking; its reservation id.
    pub(super) async fn asked_at_backend(&mut self, voucher: &str) -> Result<String, Broken> {
        let id = self.booking_id(voucher).await?;
        let asked = self.stage.backend.until(self.stage.patience, |b| b.reservations.get(&id).map(|_| ())).await;
        self.check(asked.is_some(), "the back-end is asked for the tickets");
        if asked.is_some() { Ok(id) } else { Err(Broken("the back-end was never asked".to_owned())) }
    }

    /// Waits until the back-end's reservation is in this state.
    pub(super) async fn backend_is(&mut self, reservation_id: &str, wanted: AtBackend) -> Result<(), Broken> {
        let look = |b: &crate::sandbox::backend::Books| {
            b.reservations.get(reservation_id).filter(|r| r.state == wanted).map(|_| ())
        };
        let found = self.stage.backend.until(self.stage.patience, look).await;
        self.check(found.is_some(), format!("the back-end's reservation is {wanted:?}"));
        found.ok_or_else(|| Broken(format!("the back-end's reservation never became {wanted:?}")))
    }

    /// The guest (or Douyin) asks for money back or for the booking's end.
    pub(super) async fn apply(&mut self, id: &str, source: i64, kind: AfterSale) -> Result<Refund, Broken> {
        let request = RefundRequest { order_id: id.to_owned(), source, kind, fee: 0 };
        self.stage.douyin.apply_refund(request).await.map_err(|refusal| Broken(format!("application: {refusal}")))
    }

    /// Lets policy decide a refund; when it leaves it open, a member of the staff does.
    pub(super) async fn decide(&mut self, voucher: &str, key: &str, wanted: RefundState) -> Result<(), Broken> {
        let begin = self.stage.douyin.time().elapsed();
        let mut acted = false;
        loop {
            let state = self.stage.douyin.books().refunds.get(key).map(|r| r.state);
            if let Some(state) = state.filter(|s| *s != RefundState::Waiting) {
                self.check(state == wanted, format!("the refund is {wanted:?} at Douyin (it is {state:?})"));
                return Ok(());
            }
            let waited = self.stage.douyin.time().elapsed().saturating_sub(begin);
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
            self.stage.douyin.time().pass_really(LOOK_EVERY).await;
        }
    }

    async fn decide_by_hand(&mut self, voucher: &str, order: &Value, wanted: RefundState) -> Result<bool, Broken> {
        let id = text_at(order, "refund_case.id");
        let (what, done) = match wanted {
            RefundState::Accepted => ("approves the refund", self.stage.ops.approve(id, 0).await),
            _ => ("rejects the refund", self.stage.ops.reject(id, "decided by the sandbox's staff").await),
        };
        let now = self.stage.douyin.time().elapsed();
        self.stage.douyin.journal().note(now, Party::Ops, Some(voucher), what);
        // The bridge may have decided in the same moment: then its own decision counts, and the loop sees it.
        match done {
            Ok(_) => Ok(true),
            Err(crate::sandbox::ops::OpsError::Refused { status: 409, .. }) => Ok(false),
            Err(error) => Err(Broken(format!("{error}"))),
        }
    }

    /// Real time in which the stated ten minutes pass, and then some.
    pub(super) fn past_deadline(&self) -> Duration {
        let time = self.stage.douyin.time();
        time.scaled(self.stage.douyin.options().limits.ticketing + Duration::from_secs(2)) + self.stage.patience
    }

    /// How the journal's first entry of this kind stands among all; `None` when there is none.
    pub(super) fn position(&self, call: &str, words: &str, from: usize) -> Option<usize> {
        let entries = self.stage.douyin.journal().since(from);
        entries.iter().position(|e| e.call == call && e.outcome.contains(words)).map(|n| n + from)
    }
}

/// Text of a field, dots leading inside; empty when there is none.
pub(in crate::sandbox) fn text_at<'v>(value: &'v Value, field: &str) -> &'v str {
    field.split('.').try_fold(value, |inner, name| inner.get(name)).and_then(Value::as_str).unwrap_or_default()
}

/// The same for any plain value, written as text.
fn value_at(value: &Value, field: &str) -> String {
    match field.split('.').try_fold(value, |inner, name| inner.get(name)) {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}
