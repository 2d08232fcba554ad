// SPDX-License-Identifier: Apache-2.0

//! Stories of visits: accepted by the platform or a manager, made, missed, rejected.

use serde_json::json;

use super::script::Script;
use crate::backend::ReservationState as AtBackend;
use crate::kakao::{Accepts, Status, Wish};
use crate::platform::Answering;
use crate::stories::script::{Broken, text_at};

pub(super) async fn booked_and_used(s: &mut Script) -> Result<(), Broken> {
    let today = s.stage.today();
    let kakao = s.stage.channel.clone();
    let before = kakao.left(today, 3).await;
    s.check(before.is_some(), "the bridge says that places are left");
    let number = s.booked(&s.stage.wish(Accepts::Platform, today)).await;
    s.order_is(&number, "booking.ticketing.state", "issued").await?;
    let after = kakao.left(today, 3).await;
    s.check(after == before.map(|left| left - 3), format!("three places fewer are left ({before:?}, then {after:?})"));
    s.goes_in(&number).await?;
    s.called("reservations/use", &number, 1).await?;
    s.called("reservations/confirm", &number, 0).await
}

pub(super) async fn payment_only_cancel(s: &mut Script) -> Result<(), Broken> {
    let today = s.stage.today();
    let kakao = s.stage.channel.clone();
    let from = kakao.journal().entries().len();
    let number = s.accepted(&s.stage.wish(Accepts::Manager, today)).await?;
    let (held, told) = (s.position("reserve", "tickets", from), s.position("reservations/confirm", "accepted", from));
    s.check(held.is_some() && held < told, "tickets were held at the back-end before the platform was told yes");
    s.goes_in(&number).await?;
    let id = s.booking_id(&number).await?;
    let left = kakao.left(today, 1).await;

    let reason = json!({ "reason": "the class was cut short by rain" });
    s.staff(&number, "returns the payment; the visit stays as it was", "return-payment", reason).await?;
    s.there(&number, "all of the money went back", |it| it.held() == 0).await?;
    s.order_is(&number, "payment.state", "refunded").await?;
    s.order_is(&number, "booking.state", "used").await?;
    s.order_is(&number, "state", "completed").await?;
    s.called("payments/cancel", &number, 2).await?;
    let books = s.stage.backend.books();
    let voided = books.reservations.get(&id).map(|r| (r.cancels, r.state.clone()));
    s.check(voided == Some((0, AtBackend::Used)), "the back-end was not asked for anything");
    s.check(kakao.left(today, 1).await == left, "no place became free");
    let is_used = kakao.kept(&number).is_some_and(|kept| kept.it.status == Status::Used);
    s.check(is_used, "at the platform the visit stays used");
    Ok(())
}

pub(super) async fn declined(s: &mut Script) -> Result<(), Broken> {
    let later = s.stage.in_days(7);
    let number = s.booked(&s.stage.wish(Accepts::Manager, later)).await;
    s.attention_is(&number, "waits_for_confirmation").await?;
    s.stage.channel.set_faults(|faults| faults.answering = Answering::Plain);
    let reason = "비 예보로 수업을 진행하지 않습니다";
    s.staff(&number, "declines the booking: rain is forecast", "decline", json!({ "reason": reason })).await?;
    let is_off = |status: Status| status == Status::Canceled("REJECTED");
    s.there(&number, "it is rejected, and all of the money went back", |it| is_off(it.status) && it.held() == 0)
        .await?;
    s.order_is(&number, "booking.state", "rejected").await?;
    s.order_is(&number, "payment.state", "refunded").await?;
    let books = s.stage.channel.books();
    let words = books
        .done("reservations/reject", &number)
        .next()
        .and_then(|c| c.body["reason_text"].as_str().map(str::to_owned));
    s.check(words.as_deref() == Some(reason), "the guest reads the manager's own words");
    s.check(s.at_backend(&number).await?.is_empty(), "the back-end never heard of it");
    Ok(())
}

pub(super) async fn no_show(s: &mut Script) -> Result<(), Broken> {
    let today = s.stage.today();
    let number = s.accepted(&s.stage.wish(Accepts::Manager, today)).await?;
    s.staff(&number, "notes that the guest did not come", "no-show", json!({})).await?;
    s.there(&number, "the guest did not come", |it| it.status == Status::NoShow).await?;
    s.order_is(&number, "booking.state", "no_show").await?;
    let half = json!({ "amount": 43_000, "reason": "as a favour" });
    s.staff(&number, "returns 43,000 won as a favour", "return-payment", half).await?;
    s.there(&number, "43000 won went back", |it| it.held() == it.net() - 43_000).await?;
    s.order_is(&number, "payment.state", "partially_refunded").await?;
    // The platform's own night run knows less than we do.
    let told = s.stage.channel.used_by_itself(&number).await;
    s.check(told.is_some_and(|told| told.answer.status == 200), "the platform's night run is taken");
    s.order_is(&number, "booking.state", "no_show").await?;
    // Its books and ours differ here on purpose: our information is the richer one.
    s.orders.retain(|known| *known != number);
    Ok(())
}

pub(super) async fn product_closed(s: &mut Script) -> Result<(), Broken> {
    let (today, kakao) = (s.stage.today(), s.stage.channel.clone());
    let before = s.booked(&s.stage.wish(Accepts::Manager, today)).await;
    s.attention_is(&before, "waits_for_confirmation").await?;
    let closed = kakao.product_is("ON_SALE", "CLOSED_BY_SELLER", "SELLER").await;
    s.check(closed.status == 200, format!("the product's new state is taken (HTTP {})", closed.status));
    s.check(kakao.left(today, 1).await.is_none(), "the bridge says that nothing is left");
    let after = s.booked(&s.stage.wish(Accepts::Manager, today)).await;
    let asked = s.attention_is(&after, "waits_for_confirmation").await?;
    let says_so = text_at(&asked, "sentence").contains("not for sale");
    s.check(says_so, "whoever decides on the new booking reads that the product is closed");
    s.staff(&before, "accepts the earlier booking", "confirm", json!({})).await?;
    s.order_is(&before, "booking.state", "confirmed").await?;
    s.staff(&after, "declines the later one: the product is closed", "decline", json!({ "reason": "마감되었습니다" }))
        .await?;
    s.order_is(&after, "booking.state", "rejected").await?;
    kakao.product_is("CLOSED_BY_SELLER", "ON_SALE", "SELLER").await;
    s.check(kakao.left(today, 1).await.is_some(), "places can be had again");
    s.goes_in(&before).await
}

pub(super) async fn booking_only(s: &mut Script) -> Result<(), Broken> {
    let today = s.stage.today();
    let wish = Wish { paid: false, ..s.stage.wish(Accepts::Manager, today) };
    let number = s.accepted(&wish).await?;
    s.order_is(&number, "payment.state", "none").await?;
    s.goes_in(&number).await?;
    s.staff_cannot(&number, "return-payment", json!({ "reason": "as a favour" }), "no_payment").await;
    s.called("payments/cancel", &number, 0).await
}
