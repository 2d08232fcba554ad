// SPDX-License-Identifier: Apache-2.0

//! The ten minutes: issue calls, codes by any path, expiry (`adapters/douyin/README.md`).

use serde_json::Value;
use std::time::Duration;

use super::books::{AfterSale, Codes, Path, Reservation, ReservationState, Rule, Voucher};
use super::check::{IN_ANSWER, check_certificates, check_vouchers, codes_in};
use super::delivery::Attempt;
use super::options::{Generation, RefundAt};
use super::refunds::{RefundRequest, SOURCE_NO_CODES};
use super::running::SimDouyin;
use super::sale::CANCEL_AFTER_PAYMENT;
use super::spi::{Answer, Spi};

/// `refund_scene`: issue failed (chapter 12).
const SCENE_NO_CODES: i64 = 155;
/// How early or late the automatic application comes when the switch says so.
const EDGE: Duration = Duration::from_secs(1);

/// What an answer to the issue call means.
enum Issue {
    Codes(Value),
    Later,
    Never,
    Again,
}

impl SimDouyin {
    /// The reservation is accepted: asks for codes, unless it is over by now.
    pub(super) fn begin_ticketing(&self, id: &str) {
        let begins = self.change(|state| match state.books.reservations.get_mut(id) {
            Some(r) if matches!(r.state, ReservationState::Requested | ReservationState::AwaitingConfirmation) => {
                r.state = ReservationState::Accepted;
                true
            }
            _ => false,
        });
        if begins {
            let id = id.to_owned();
            self.meanwhile(|douyin| async move { douyin.ask_for_codes(&id).await });
        }
    }

    /// H1: one issue call before the bridge has heard of the reservation. The ten minutes start with it.
    pub(super) async fn first_issue_call_early(&self, id: &str) {
        self.start_clock(id);
        if let Some((spi, body)) = self.issue_call(id) {
            let first_stamp_ms = self.time().now_ms();
            let answer =
                self.attempt(Attempt { spi, body: &body, order_id: Some(id), number: 1, first_stamp_ms }).await;
            if let Issue::Never = self.read_issue(id, &answer) {
                self.violation(Rule::MalformedAnswer, id, "result 2 to an issue call that overtook the creation (7.5)");
            }
        }
    }

    async fn ask_for_codes(&self, id: &str) {
        let Some((spi, body)) = self.issue_call(id) else { return };
        let first_stamp_ms = self.time().now_ms();
        self.start_clock(id);
        for (gap, number) in std::iter::once(Duration::ZERO).chain(spi.gaps()).zip(1..) {
            self.time().pass(gap).await;
            if !self.wants_codes(id) {
                return;
            }
            let answer = self.attempt(Attempt { spi, body: &body, order_id: Some(id), number, first_stamp_ms }).await;
            match self.read_issue(id, &answer) {
                Issue::Codes(codes) => match self.take_codes(id, &codes, Path::Answer) {
                    Ok(()) => return,
                    // U-26: a list that breaks 7.4 counts as a failed attempt.
                    Err(_) => continue,
                },
                Issue::Later => return,
                Issue::Never => return self.refund_unasked(id).await,
                Issue::Again => continue,
            }
        }
    }

    fn issue_call(&self, id: &str) -> Option<(Spi, Value)> {
        let (voucher, reservation) = self.pair(id)?;
        Some(match reservation.generation {
            Generation::First => (Spi::IssueVoucher, self.issue_body(&voucher, &reservation)),
            Generation::Second => (Spi::V2IssueVoucher, self.v2_issue_body(&voucher, &reservation)),
        })
    }

    pub(super) fn pair(&self, id: &str) -> Option<(Voucher, Reservation)> {
        let state = self.state();
        let reservation = state.books.reservations.get(id)?.clone();
        let voucher = state.books.vouchers.get(&reservation.voucher_id)?.clone();
        Some((voucher, reservation))
    }

    fn read_issue(&self, id: &str, answer: &Answer) -> Issue {
        if answer.code() != Some(0) {
            return Issue::Again;
        }
        match answer.number("result") {
            Some(0) => Issue::Later,
            Some(2) => Issue::Never,
            Some(1) => {
                let codes = answer.field("vouchers").or_else(|| answer.field("certificate_info"));
                match codes {
                    Some(codes) => Issue::Codes(codes.clone()),
                    None => {
                        self.violation(Rule::MalformedAnswer, id, "result 1 without vouchers");
                        Issue::Again
                    }
                }
            }
            _ => {
                self.violation(Rule::MalformedAnswer, id, "an issue answer without a known result");
                Issue::Again
            }
        }
    }

    fn wants_codes(&self, id: &str) -> bool {
        let state = self.state();
        let Some(reservation) = state.books.reservations.get(id) else { return false };
        reservation.state == ReservationState::Accepted
            && reservation.codes.is_none()
            && !reservation.expired
            && state.books.waiting_refund(id).is_none()
    }

    /// Starts the ten minutes, once.
    fn start_clock(&self, id: &str) {
        let now = self.time().stated_elapsed();
        let first = self.change(|state| {
            let reservation = state.books.reservations.get_mut(id)?;
            let first = reservation.ticketing_since.is_none();
            reservation.ticketing_since.get_or_insert(now);
            first.then_some(())
        });
        if first.is_none() {
            return;
        }
        let limit = self.options().limits.ticketing;
        let due = match self.faults().refund_301_at {
            Some(RefundAt::Early) => limit.saturating_sub(EDGE),
            Some(RefundAt::Late) => limit + EDGE,
            None => limit,
        };
        let id = id.to_owned();
        self.meanwhile(|douyin| async move {
            douyin.time().pass(due).await;
            douyin.apply_for_missing_codes(&id).await;
        });
    }

    /// The ten minutes are over: without codes, Douyin asks for its refund (301).
    pub(super) async fn apply_for_missing_codes(&self, id: &str) {
        if !self.wants_codes(id) {
            return;
        }
        self.change(|state| {
            if let Some(reservation) = state.books.reservations.get_mut(id) {
                reservation.expired = true;
            }
        });
        let request =
            RefundRequest { order_id: id.to_owned(), source: SOURCE_NO_CODES, kind: AfterSale::Refund, fee: 0 };
        // A refusal of Douyin's own means that the order moved on meanwhile: nothing is to be asked any more.
        let _ = self.apply_refund(request).await;
    }

    /// `result` 2: the money goes back at once, nobody is asked.
    async fn refund_unasked(&self, id: &str) {
        let Some((voucher, _)) = self.pair(id) else { return };
        self.close_reservation(id, ReservationState::Cancelled);
        self.notify_cancelled(id, CANCEL_AFTER_PAYMENT).await;
        self.refund_money(&voucher.id, &self.new_number(), 0, SCENE_NO_CODES).await;
    }

    /// Whether the ten minutes of a reservation are over.
    pub(super) fn is_late(&self, reservation: &Reservation) -> bool {
        let limit = self.options().limits.ticketing;
        reservation.ticketing_since.is_none_or(|since| self.time().stated_elapsed() > since + limit)
    }

    /// Takes codes that came by any path: checks 7.4, accepts identical repeats, refuses contradictions.
    pub(super) fn take_codes(&self, id: &str, body: &Value, path: Path) -> Result<(), String> {
        let Some((_, reservation)) = self.pair(id) else { return Err("no such reservation".to_owned()) };
        let checked = match (reservation.generation, path) {
            (Generation::First, _) | (Generation::Second, Path::Reissue) => check_vouchers(body, &reservation.terms),
            (Generation::Second, Path::Answer) => check_certificates(body, IN_ANSWER, &reservation.terms),
            (Generation::Second, Path::Callback) => {
                check_certificates(body, super::check::IN_CALLBACK, &reservation.terms)
            }
        };
        if let Err(broken) = checked {
            self.violation(Rule::BadVouchers, id, broken.clone());
            return Err(broken);
        }
        let codes = codes_in(body);
        let now = self.time().stated_elapsed();
        let same = self.change(|state| {
            let reservation = state.books.reservations.get_mut(id)?;
            if let Some(kept) = &mut reservation.codes {
                let same = kept.codes == codes;
                kept.times += u32::from(same);
                return Some(same);
            }
            reservation.codes = Some(Codes { body: body.clone(), codes, path, at: now, times: 1 });
            if matches!(reservation.state, ReservationState::Requested | ReservationState::Accepted) {
                reservation.state = ReservationState::Issued;
            }
            Some(true)
        });
        if same == Some(true) {
            return Ok(());
        }
        self.violation(Rule::ContradictoryCodes, id, "other codes than the ones that Douyin has");
        Err("contradicts the codes received before".to_owned())
    }
}
