// SPDX-License-Identifier: Apache-2.0

//! Stories in which a booking is cancelled, and what happens to the money.

use serde_json::json;

use super::script::Script;
use crate::backend::ReservationState as AtBackend;
use crate::kakao::{Accepts, Status, Wish};
use crate::platform::{Answering, CancelStatus};
use crate::stories::script::Broken;

pub(super) async fn cancel_in_a_tier(s: &mut Script) -> Result<(), Broken> {
    let later = s.stage.in_days(10);
    let kakao = s.stage.channel.clone();
    let before = kakao.left(later, 1).await;
    let number = s.accepted(&s.stage.wish(Accepts::Manager, later)).await?;
    let id = s.booking_id(&number).await?;
    let told = kakao.guest_cancels(&number).await;
    s.taken(told.as_ref(), "accepted");
    s.backend_is(&id, AtBackend::Cancelled).await?;
    let order = s.order_is(&number, "state", "cancelled").await?;
    s.check(order["payment"]["fee"] == 27_900, format!("30 % of 93000 won are kept ({})", order["payment"]["fee"]));
    s.check(order["payment"]["refunded"] == 65_100, "the rest went back");
    s.check(kakao.left(later, 1).await == before, "the places are free again");
    Ok(())
}

pub(super) async fn cancel_in_free_hour(s: &mut Script) -> Result<(), Broken> {
    // The ladder alone would keep a half of it.
    let tomorrow = s.stage.in_days(1);
    let wish = Wish { free_minutes: 60, ..s.stage.wish(Accepts::Manager, tomorrow) };
    let number = s.accepted(&wish).await?;
    let told = s.stage.channel.guest_cancels(&number).await;
    s.taken(told.as_ref(), "accepted");
    let order = s.order_is(&number, "payment.state", "refunded").await?;
    s.check(order["payment"]["fee"] == 0 && order["payment"]["refunded"] == 93_000, "all of it went back");
    Ok(())
}

pub(super) async fn cancel_by_partner(s: &mut Script) -> Result<(), Broken> {
    let later = s.stage.in_days(10);
    let number = s.accepted(&s.stage.wish(Accepts::Manager, later)).await?;
    let reason = "the road is closed";
    s.staff_cannot(&number, "cancel", json!({ "reason": reason, "fee": 27_901 }), "fee_above_default").await;
    s.stage.channel.set_faults(|faults| faults.answering = Answering::Later);
    let wanted = json!({ "reason": reason, "fee": 10_000 });
    s.staff(&number, "cancels it for 10,000 won: the road is closed", "cancel", wanted).await?;
    s.there(&number, "it is cancelled", |it| it.status == Status::Canceled("BY_PARTNER")).await?;
    s.called("reservations/cancel-quote", &number, 1).await?;
    s.called("reservations/cancel", &number, 1).await?;
    let order = s.order_is(&number, "state", "cancelled").await?;
    s.check(order["payment"]["fee"] == 10_000, "10000 won are kept");
    Ok(())
}

pub(super) async fn refund_fails(s: &mut Script) -> Result<(), Broken> {
    let later = s.stage.in_days(20);
    let kakao = s.stage.channel.clone();
    let number = s.accepted(&s.stage.wish(Accepts::Manager, later)).await?;
    kakao.set_faults(|faults| faults.refunds_wait = true);
    kakao.guest_cancels(&number).await;
    s.order_is(&number, "state", "cancelled").await?;
    s.order_is(&number, "payment.state", "refund_pending").await?;
    kakao.refunds_end(&number, CancelStatus::Failed).await;
    s.order_is(&number, "payment.state", "refund_failed").await?;
    s.order_is(&number, "state", "cancelled").await?;
    kakao.refunds_end(&number, CancelStatus::Credited).await;
    let order = s.order_is(&number, "payment.state", "refunded").await?;
    s.check(order["payment"]["refunded"] == 93_000, "the guest has all of it, as credit");
    Ok(())
}
