// SPDX-License-Identifier: Apache-2.0

//! Stories in which messages cross, overtake each other, come twice or get lost: both sides end with the same.

use serde_json::json;

use super::script::Script;
use crate::backend::ReservationState as AtBackend;
use crate::kakao::{Accepts, Status};
use crate::platform::Gate;
use crate::stories::script::Broken;

/// A booking of which our yes is stopped at the gate that `stop` sets up.
async fn yes_is_stopped(s: &mut Script, gate: &Gate) -> Result<String, Broken> {
    let later = s.stage.in_days(20);
    let number = s.booked(&s.stage.wish(Accepts::Manager, later)).await;
    s.attention_is(&number, "waits_for_confirmation").await?;
    s.staff(&number, "accepts the booking", "confirm", json!({})).await?;
    let arrived = gate.arrived(s.stage.patience).await;
    s.check(arrived, "our yes is on its way");
    if arrived { Ok(number) } else { Err(Broken("the platform was never told yes".to_owned())) }
}

/// Cancelled on all three sides, and all of the money is back.
async fn over_everywhere(s: &mut Script, number: &str) -> Result<(), Broken> {
    let id = s.booking_id(number).await?;
    s.there(number, "it is cancelled", |it| it.status == Status::Canceled("BY_BOOKER")).await?;
    s.order_is(number, "state", "cancelled").await?;
    s.order_is(number, "payment.state", "refunded").await?;
    s.backend_is(&id, AtBackend::Cancelled).await
}

pub(super) async fn cancel_first(s: &mut Script) -> Result<(), Broken> {
    let kakao = s.stage.channel.clone();
    let gate = kakao.stop_before("reservations/confirm");
    let number = yes_is_stopped(s, &gate).await?;
    let told = kakao.guest_cancels(&number).await;
    s.taken(told.as_ref(), "accepted");
    gate.open();
    over_everywhere(s, &number).await
}

pub(super) async fn told_last(s: &mut Script) -> Result<(), Broken> {
    let kakao = s.stage.channel.clone();
    let gate = kakao.stop_before("reservations/confirm");
    let number = yes_is_stopped(s, &gate).await?;
    let event = kakao.guest_cancels_quietly(&number).ok_or_else(|| Broken("no such reservation".to_owned()))?;
    gate.open();
    over_everywhere(s, &number).await?;
    let told = kakao.tell(event).await;
    s.taken(Some(&told), "stale");
    over_everywhere(s, &number).await
}

pub(super) async fn confirm_first(s: &mut Script) -> Result<(), Broken> {
    let kakao = s.stage.channel.clone();
    let gate = kakao.stop_after("reservations/confirm");
    let number = yes_is_stopped(s, &gate).await?;
    let told = kakao.guest_cancels(&number).await;
    s.taken(told.as_ref(), "accepted");
    gate.open();
    over_everywhere(s, &number).await?;
    s.told("reservation.confirmed", &number).await?;
    over_everywhere(s, &number).await
}

pub(super) async fn overtaking(s: &mut Script) -> Result<(), Broken> {
    let later = s.stage.in_days(20);
    let kakao = s.stage.channel.clone();
    kakao.set_faults(|faults| faults.hold_events = true);
    let (number, _) = kakao.book(&s.stage.wish(Accepts::Manager, later)).await;
    s.orders.push(number.clone());
    let accepted = kakao.confirmed_there_quietly(&number);
    let cancelled = kakao.guest_cancels_quietly(&number);
    let requested = kakao.release().pop();
    let (Some(first), Some(second), Some(third)) = (requested, accepted, cancelled) else {
        return Err(Broken("the platform has no events".to_owned()));
    };
    let told = kakao.tell(third.clone()).await;
    s.taken(Some(&told), "parked");
    s.called("reservations/read", &number, 1).await?;
    s.order_is(&number, "state", "cancelled").await?;
    for event in [first, second] {
        let told = kakao.tell(event).await;
        s.taken(Some(&told), "stale");
    }
    let again = kakao.repeat(&third).await;
    s.check(again.result() == "duplicate", format!("the repeat is recognised (it says {})", again.result()));
    s.order_is(&number, "payment.state", "refunded").await?;
    s.check(s.at_backend(&number).await?.is_empty(), "no ticket was ever asked for");
    Ok(())
}

pub(super) async fn hiccups(s: &mut Script) -> Result<(), Broken> {
    let today = s.stage.today();
    let kakao = s.stage.channel.clone();
    kakao.set_faults(|faults| {
        faults.duplicate_delivery = true;
        faults.drop_answers = 2;
    });
    let (number, told) = kakao.book(&s.stage.wish(Accepts::Manager, today)).await;
    s.orders.push(number.clone());
    s.taken(Some(&told), "duplicate");
    kakao.set_faults(|faults| {
        faults.api_5xx_times = 1;
        faults.api_drop_answers = 1;
    });
    s.staff(&number, "accepts the booking", "confirm", json!({})).await?;
    s.order_is(&number, "booking.state", "confirmed").await?;
    s.goes_in(&number).await?;
    let made: u32 = s.at_backend(&number).await?.iter().map(|r| r.issues).sum();
    s.check(made == 1, "the tickets were made once");
    let confirmed = kakao.books().results("reservation.confirmed", &number).len();
    s.check(confirmed > 0, "the acceptance was told");
    Ok(())
}
