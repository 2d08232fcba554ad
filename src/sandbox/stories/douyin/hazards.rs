// SPDX-License-Identifier: Apache-2.0

//! The ordering hazards H1 to H13 of Douyin's messages, one story each. H7, H8 and H9 are among the refunds.

use super::script::Script;
use crate::backend::{IssueMode, ReservationState as AtBackend};
use crate::douyin::sale::{CANCEL_AFTER_PAYMENT, CANCEL_CREATION_FAILED};
use crate::douyin::{AfterSale, Outcome, RefundState, Reorder, ReservationState, Spi};
use crate::stories::script::Broken;

pub(super) async fn issue_first(s: &mut Script) -> Result<(), Broken> {
    let voucher = s.buy(1).await?;
    s.stage.channel.set_faults(|f| f.reorder = Some(Reorder::IssueFirst));
    let later = s.stage.in_days(7);
    let reservation = s.reserve(&voucher, later).await?;
    s.codes_at_douyin(&reservation).await?;
    issued_once(s, &voucher).await
}

pub(super) async fn unknown_voucher(s: &mut Script) -> Result<(), Broken> {
    let voucher = s.buy_untold(1);
    let later = s.stage.in_days(7);
    let reservation = s.reserve(&voucher, later).await?;
    s.codes_at_douyin(&reservation).await?;
    issued_once(s, &voucher).await
}

pub(super) async fn repeated_create(s: &mut Script) -> Result<(), Broken> {
    let voucher = s.buy(1).await?;
    s.stage.channel.set_faults(|f| {
        f.drop_answers.insert(Spi::CreateOrder, 1);
    });
    let later = s.stage.in_days(7);
    let reservation = s.reserve(&voucher, later).await?;
    let sent = s.stage.channel.books().calls_about("create-order", &reservation).count();
    s.check(sent >= 2, "the creation was sent again");
    s.codes_at_douyin(&reservation).await?;
    issued_once(s, &voucher).await
}

/// The back-end made one set of tickets for the order, and holds one reservation.
async fn issued_once(s: &mut Script, voucher: &str) -> Result<(), Broken> {
    let held = s.at_backend(voucher).await?;
    let made: u32 = held.iter().map(|r| r.issues).sum();
    s.check(held.len() == 1 && made == 1, format!("one reservation, issued once ({} and {made})", held.len()));
    Ok(())
}

/// No ticket of the order admits anybody.
async fn nothing_lives(s: &mut Script, voucher: &str) -> Result<(), Broken> {
    for held in s.at_backend(voucher).await? {
        if !matches!(held.state, AtBackend::Refused(_)) {
            s.backend_is(&held.id, AtBackend::Cancelled).await?;
        }
    }
    Ok(())
}

pub(super) async fn cancel_after_create(s: &mut Script) -> Result<(), Broken> {
    let later = s.stage.in_days(7);
    let (voucher, reservation) = s.ticketed(1, later).await?;
    let told = s.stage.channel.cancel(&reservation, CANCEL_CREATION_FAILED).await;
    s.check(told.code() == Some(0), "the cancellation is taken");
    nothing_lives(s, &voucher).await?;
    s.order_is(&voucher, "state", "awaiting_booking").await?;
    Ok(())
}

pub(super) async fn cancel_first(s: &mut Script) -> Result<(), Broken> {
    let voucher = s.buy(1).await?;
    s.stage.channel.set_faults(|f| f.reorder = Some(Reorder::CancelFirst));
    let later = s.stage.in_days(7);
    let booking = s.try_reserve(&voucher, later).await;
    let refused = matches!(booking.outcome, Outcome::Refused { .. });
    s.check(refused, format!("the creation that came too late is refused for good ({:?})", booking.outcome));
    nothing_lives(s, &voucher).await?;
    s.order_is(&voucher, "state", "awaiting_booking").await?;
    Ok(())
}

pub(super) async fn crossing(s: &mut Script) -> Result<(), Broken> {
    s.stage.backend.set_issue_mode(IssueMode::Pending { issue_after: None });
    let voucher = s.buy(1).await?;
    let later = s.stage.in_days(7);
    let reservation = s.reserve(&voucher, later).await?;
    let id = s.asked_at_backend(&voucher).await?;
    let patience = s.stage.patience;
    s.told_to_wait(&reservation).await?;
    s.stage.channel.set_faults(|f| f.reorder = Some(Reorder::ExpiryCrossesCallback));
    s.stage.backend.issue_now(&id).await;
    s.codes_at_douyin(&reservation).await?;
    s.at_douyin(&reservation, "its application crossed the tickets", patience, |r| !r.refunds.is_empty()).await?;
    let key = s.stage.channel.books().last_refund(&reservation).map(|r| r.key.clone()).unwrap_or_default();
    s.decide(&voucher, &key, RefundState::Rejected).await?;
    s.at_douyin(&reservation, "the guest keeps the tickets", patience, |r| r.state == ReservationState::Issued).await?;
    Ok(())
}

pub(super) async fn repeated_issue(s: &mut Script) -> Result<(), Broken> {
    s.stage.channel.set_faults(|f| {
        f.drop_answers.insert(Spi::IssueVoucher, 1);
    });
    let later = s.stage.in_days(7);
    let (voucher, reservation) = s.ticketed(1, later).await?;
    let asked = s.stage.channel.books().calls_about("issue-voucher", &reservation).count();
    s.check(asked >= 1, "tickets were asked for");
    issued_once(s, &voucher).await
}

pub(super) async fn unknown_payment(s: &mut Script) -> Result<(), Broken> {
    let voucher = s.buy_untold(1);
    // One attempt is enough to judge the answer: created and accepted, or "call again".
    let body =
        serde_json::json!({ "order_id": voucher, "order_out_id": "", "pay_time_unix": s.stage.channel.time().now_s() });
    let answer = s.stage.channel.raw("pay-notify", body.to_string().as_bytes()).await;
    let (status, bytes) = answer.map_err(|failure| Broken(format!("pay-notify: {failure}")))?;
    let code =
        serde_json::from_slice::<serde_json::Value>(&bytes).ok().and_then(|v| v.pointer("/data/error_code")?.as_i64());
    s.check(status == 200 && matches!(code, Some(0 | 100)), format!("the answer is 0 or 100 ({status}, {code:?})"));
    Ok(())
}

pub(super) async fn repeated_info_sync(s: &mut Script) -> Result<(), Broken> {
    let later = s.stage.in_days(7);
    let (voucher, reservation) = s.ticketed(1, later).await?;
    let id = s.booking_id(&voucher).await?;
    let told = s.stage.channel.info_sync(&reservation, AfterSale::Refund, None).await;
    s.check(told.code() == Some(0), "the decision that was not the bridge's is taken");
    let again = s.stage.channel.info_sync_again(&reservation).await;
    s.check(again.is_some_and(|told| told.code() == Some(0)), "its repeat is taken, too");
    s.stage.channel.cancel(&reservation, CANCEL_AFTER_PAYMENT).await;
    s.backend_is(&id, AtBackend::Cancelled).await?;
    s.stage.channel.refund_voucher(&voucher).await;
    s.order_is(&voucher, "payment.state", "refunded").await?;
    Ok(())
}

pub(super) async fn query_in_ticketing(s: &mut Script) -> Result<(), Broken> {
    s.stage.backend.set_issue_mode(IssueMode::Pending { issue_after: None });
    let voucher = s.buy(2).await?;
    let later = s.stage.in_days(7);
    let reservation = s.reserve(&voucher, later).await?;
    let id = s.asked_at_backend(&voucher).await?;
    let answer = s.stage.channel.query_order(&reservation).await;
    let (used, total) = (answer.number("used_voucher_quantity"), answer.number("total_voucher_quantity"));
    s.check(used == Some(0) && total == Some(2), format!("none of two is used (it says {used:?} of {total:?})"));
    s.stage.backend.issue_now(&id).await;
    s.codes_at_douyin(&reservation).await?;
    Ok(())
}

pub(super) async fn twice_at_once(s: &mut Script) -> Result<(), Broken> {
    s.stage.channel.set_faults(|f| f.duplicate_delivery = true);
    let later = s.stage.in_days(7);
    let (voucher, _) = s.ticketed(2, later).await?;
    issued_once(s, &voucher).await
}
