// SPDX-License-Identifier: Apache-2.0

//! Stories in which money goes back, or is asked for: each row of the refund matrix.

use std::time::Duration;

use super::script::Script;
use crate::backend::{IssueMode, ReservationState as AtBackend};
use crate::douyin::api::path::AUDIT;
use crate::douyin::refunds::{SOURCE_CONSUMER, SOURCE_NO_CODES};
use crate::douyin::{AfterSale, ForcedBy, Path, RefundState, ReservationState};
use crate::stories::script::{Broken, text_at};
use crate::time::Zone;

pub(super) async fn before_booking(s: &mut Script) -> Result<(), Broken> {
    let voucher = s.buy(1).await?;
    let told = s.stage.channel.refund_voucher(&voucher).await;
    s.check(told.code() == Some(0), "the notice of the refund is taken");
    s.order_is(&voucher, "payment.state", "refunded").await?;
    s.order_is(&voucher, "state", "cancelled").await?;
    let asked = s.at_backend(&voucher).await?;
    s.check(asked.is_empty(), "the back-end never heard of it");
    Ok(())
}

pub(super) async fn after_ticketing(s: &mut Script) -> Result<(), Broken> {
    let later = s.stage.in_days(7);
    let (voucher, reservation) = s.ticketed(1, later).await?;
    let id = s.booking_id(&voucher).await?;
    let from = s.stage.channel.journal().entries().len();
    let refund = s.apply(&reservation, SOURCE_CONSUMER, AfterSale::Refund).await?;
    s.decide(&voucher, &refund.key, RefundState::Accepted).await?;
    s.backend_is(&id, AtBackend::Cancelled).await?;
    let void_at = s.position("cancel", "void", from);
    let approved_at = s.position(AUDIT, "accepted", from).or_else(|| s.position("refund-apply", "approved", from));
    s.check(void_at.is_some() && void_at < approved_at, "the tickets were void before the approval left");
    s.order_is(&voucher, "payment.state", "refunded").await?;
    s.order_is(&voucher, "state", "cancelled").await?;
    Ok(())
}

pub(super) async fn cancel_and_rebook(s: &mut Script) -> Result<(), Broken> {
    let (first_day, second_day) = (s.stage.in_days(7), s.stage.in_days(9));
    let (voucher, reservation) = s.ticketed(1, first_day).await?;
    let refund = s.apply(&reservation, SOURCE_CONSUMER, AfterSale::CancelReservation).await?;
    s.decide(&voucher, &refund.key, RefundState::Accepted).await?;
    s.order_is(&voucher, "state", "awaiting_booking").await?;
    let again = s.reserve(&voucher, second_day).await?;
    s.codes_at_douyin(&again).await?;
    let order = s.order_is(&voucher, "state", "booked").await?;
    s.check(text_at(&order, "booking.visit_date") == second_day.to_string(), "the order shows the new day");
    s.check(text_at(&order, "payment.state") == "paid", "the money stayed where it was");
    let live = s.at_backend(&voucher).await?.into_iter().filter(|r| r.state == AtBackend::Issued).count();
    s.check(live == 1, format!("one set of tickets lives at the back-end ({live} do)"));
    Ok(())
}

pub(super) async fn missed_deadline(s: &mut Script) -> Result<(), Broken> {
    s.stage.backend.set_issue_mode(IssueMode::Pending { issue_after: None });
    let voucher = s.buy(1).await?;
    let later = s.stage.in_days(7);
    let reservation = s.reserve(&voucher, later).await?;
    let key = application_of_tenth_minute(s, &reservation).await?;
    s.order_is(&voucher, "booking.ticketing.overdue", "true").await?;
    s.decide(&voucher, &key, RefundState::Accepted).await?;
    s.order_is(&voucher, "payment.state", "refunded").await?;
    s.order_is(&voucher, "state", "cancelled").await?;
    Ok(())
}

/// Waits for the application that Douyin makes by itself when no codes came.
async fn application_of_tenth_minute(s: &mut Script, reservation: &str) -> Result<String, Broken> {
    let patience = s.longest_wait();
    s.at_douyin(reservation, "ten minutes pass without tickets", patience, |r| !r.refunds.is_empty()).await?;
    let refund = s.stage.channel.books().last_refund(reservation).cloned();
    let refund = refund.ok_or_else(|| Broken("Douyin's application is not in its books".to_owned()))?;
    s.check(refund.source == SOURCE_NO_CODES, "Douyin asks because no tickets came");
    Ok(refund.key)
}

pub(super) async fn late_ticket(s: &mut Script) -> Result<(), Broken> {
    s.stage.backend.set_issue_mode(IssueMode::Pending { issue_after: None });
    let voucher = s.buy(1).await?;
    let later = s.stage.in_days(7);
    let reservation = s.reserve(&voucher, later).await?;
    let id = s.asked_at_backend(&voucher).await?;
    let key = application_of_tenth_minute(s, &reservation).await?;
    s.stage.backend.issue_now(&id).await;
    s.order_is(&voucher, "booking.ticketing.state", "issued").await?;
    s.decide(&voucher, &key, RefundState::Rejected).await?;
    let issued = s.codes_at_douyin(&reservation).await?;
    s.check(issued.codes.is_some_and(|c| c.path == Path::Reissue), "the tickets came with the rejection");
    s.order_is(&voucher, "state", "booked").await?;
    Ok(())
}

pub(super) async fn forced(s: &mut Script) -> Result<(), Broken> {
    let later = s.stage.in_days(7);
    let (voucher, reservation) = s.ticketed(1, later).await?;
    let id = s.booking_id(&voucher).await?;
    s.stage.channel.force_refund(&reservation, ForcedBy::Service).await;
    s.backend_is(&id, AtBackend::Cancelled).await?;
    s.order_is(&voucher, "payment.state", "refunded").await?;
    s.order_is(&voucher, "state", "cancelled").await?;
    Ok(())
}

pub(super) async fn redeemed_in_review(s: &mut Script) -> Result<(), Broken> {
    let today = s.stage.today();
    let (voucher, reservation) = s.ticketed(1, today).await?;
    let id = s.booking_id(&voucher).await?;
    // The guest is inside; the gate tells it only after he has asked for his money back.
    let went_in = s.stage.backend.time().now_ms();
    s.stage.backend.mark_used(&id);
    one_second_later(s).await;
    let refund = s.apply(&reservation, SOURCE_CONSUMER, AfterSale::Refund).await?;
    let told = s.stage.backend.redeem_at(&id, went_in).await;
    s.check(matches!(told.status, 200 | 202), format!("the gate's report is kept (HTTP {})", told.status));
    s.decide(&voucher, &refund.key, RefundState::Rejected).await?;
    let patience = s.stage.patience;
    let used = s.at_douyin(&reservation, "redeemed", patience, |r| r.state == ReservationState::Redeemed).await?;
    let told_time = used.redeemed.and_then(|r| r.verify_time_s).unwrap_or_default();
    s.check(told_time < refund.applied_at_s, "Douyin was told the time at which the guest really went in");
    s.check(Zone::SHANGHAI.date(told_time) == today, "which is on the day of the visit");
    s.order_is(&voucher, "state", "completed").await?;
    Ok(())
}

pub(super) async fn used_before_void(s: &mut Script) -> Result<(), Broken> {
    let today = s.stage.today();
    let (voucher, reservation) = s.ticketed(1, today).await?;
    let id = s.booking_id(&voucher).await?;
    let went_in = s.stage.backend.time().now_ms();
    s.stage.backend.mark_used(&id);
    one_second_later(s).await;
    let refund = s.apply(&reservation, SOURCE_CONSUMER, AfterSale::Refund).await?;
    s.decide(&voucher, &refund.key, RefundState::Rejected).await?;
    s.stage.backend.redeem_at(&id, went_in).await;
    let patience = s.stage.patience;
    s.at_douyin(&reservation, "redeemed", patience, |r| r.state == ReservationState::Redeemed).await?;
    let order = s.order_is(&voucher, "state", "completed").await?;
    s.check(text_at(&order, "payment.state") == "paid", "the money was not given back");
    Ok(())
}

/// Timestamps are whole seconds: what is to lie before must lie a second before.
async fn one_second_later(s: &Script) {
    s.stage.channel.time().pass_really(Duration::from_millis(1_100)).await;
}
