// SPDX-License-Identifier: Apache-2.0

//! Stories in which the guest gets what was bought, whatever the machines do meanwhile.

use super::script::Script;
use crate::backend::IssueMode;
use crate::douyin::{Path, ReservationState};
use crate::stories::script::Broken;

pub(super) async fn purchase_to_gate(s: &mut Script) -> Result<(), Broken> {
    let voucher = s.buy(2).await?;
    s.order_is(&voucher, "state", "awaiting_booking").await?;
    let today = s.stage.today();
    let reservation = s.reserve(&voucher, today).await?;
    s.codes_at_douyin(&reservation).await?;
    s.order_is(&voucher, "booking.ticketing.state", "issued").await?;
    go_in(s, &voucher, &reservation).await
}

/// The guest goes in: Douyin learns it once, the order is over, a repeat changes nothing.
async fn go_in(s: &mut Script, voucher: &str, reservation: &str) -> Result<(), Broken> {
    let id = s.booking_id(voucher).await?;
    let backend = s.stage.backend.clone();
    backend.mark_used(&id);
    let event = backend.event("ticket.redeemed", &id, backend.time().now_ms(), serde_json::json!({}));
    let answer = backend.send_event(&event, 1).await;
    s.check(answer.status == 200, format!("the gate's report is taken (HTTP {})", answer.status));
    let patience = s.stage.patience;
    s.at_douyin(reservation, "the whole order is redeemed", patience, |r| r.state == ReservationState::Redeemed)
        .await?;
    s.order_is(voucher, "booking.state", "used").await?;
    s.order_is(voucher, "state", "completed").await?;
    let again = backend.repeat(&event).await;
    s.check(again.result() == "duplicate", format!("the gate's repeat is recognised (it says {:?})", again.result()));
    Ok(())
}

pub(super) async fn slow_backend(s: &mut Script) -> Result<(), Broken> {
    s.stage.backend.set_issue_mode(IssueMode::Pending { issue_after: None });
    let voucher = s.buy(1).await?;
    let later = s.stage.in_days(7);
    let reservation = s.reserve(&voucher, later).await?;
    let id = s.asked_at_backend(&voucher).await?;
    s.told_to_wait(&reservation).await?;
    s.stage.backend.issue_now(&id).await;
    let issued = s.codes_at_douyin(&reservation).await?;
    s.check(issued.codes.is_some_and(|c| c.path == Path::Callback), "the tickets came by callback");
    s.order_is(&voucher, "booking.ticketing.state", "issued").await?;
    Ok(())
}

pub(super) async fn lost_answer(s: &mut Script) -> Result<(), Broken> {
    s.stage.backend.set_issue_mode(IssueMode::LoseAnswer(1));
    let later = s.stage.in_days(7);
    let (voucher, _) = s.ticketed(1, later).await?;
    let made: u32 = s.at_backend(&voucher).await?.iter().map(|r| r.issues).sum();
    s.check(made == 1, "the tickets were made once");
    Ok(())
}

pub(super) async fn hiccups(s: &mut Script) -> Result<(), Broken> {
    s.stage.backend.set_issue_mode(IssueMode::Pending { issue_after: None });
    let voucher = s.buy(1).await?;
    let later = s.stage.in_days(7);
    let reservation = s.reserve(&voucher, later).await?;
    let id = s.asked_at_backend(&voucher).await?;
    let patience = s.stage.patience;
    s.told_to_wait(&reservation).await?;
    s.stage.channel.set_faults(|f| {
        f.api_5xx_times = 1;
        f.fail_token_once = true;
        f.api_drop_answers = 1;
    });
    s.stage.backend.issue_now(&id).await;
    s.codes_at_douyin(&reservation).await?;
    let told = |r: &crate::douyin::Reservation| r.codes.as_ref().is_some_and(|c| c.times >= 2);
    s.at_douyin(&reservation, "the lost acknowledgement was asked for again, with the same codes", patience, told)
        .await?;
    Ok(())
}

pub(super) async fn second_generation(s: &mut Script) -> Result<(), Broken> {
    let voucher = s.buy(2).await?;
    let later = s.stage.in_days(7);
    let reservation = s.reserve_v2(&voucher, later).await?;
    s.codes_at_douyin(&reservation).await?;
    let asked = s.stage.channel.books().calls_about("v2-issue-voucher", &reservation).count();
    s.check(asked >= 1, "the second generation's issue call was used");
    Ok(())
}
