// SPDX-License-Identifier: Apache-2.0

//! Stories in which a traveller wants out, or messages are lost and doubled.

use super::script::Script;
use crate::journal::Party;
use crate::platform::Answering;
use crate::stories::script::{Broken, text_at};
use crate::tripstore::{LinkState, Status, Way};

pub(super) async fn finished(s: &mut Script) -> Result<(), Broken> {
    let (later, market) = (s.stage.in_days(40), s.stage.channel.market.clone());
    let number = s.booked(&s.stage.trip(Way::Partial, later)).await?;
    s.completed(&number).await?;
    s.link_sent(&number, None).await?;
    let told = market.asks_to_cancel(&number, "plans have changed").await;
    s.taken(told.as_ref(), "accepted");
    let order = s.order_is(&number, "label", "취소요청").await?;
    s.there(&number, "the payment link is taken back", |it| it.links.iter().all(|l| l.state == LinkState::Revoked))
        .await?;
    let case = text_at(&order, "refund_case.id").to_owned();
    market.set_faults(|faults| faults.answering = Answering::Later);
    market.note(Party::Ops, &number, "keeps 100,000 of 300,000 won, and finishes the cancellation");
    let approved = s.stage.ops.approve(&case, 100_000).await;
    s.check(approved.is_ok(), "the staff can approve it with a fee");
    let sums = |it: &crate::tripstore::Booking| it.status == Status::Canceled && it.held() == 100_000;
    s.there(&number, "it is cancelled, and 200000 won went back", sums).await?;
    s.order_is(&number, "state", "cancelled").await?;
    s.order_is(&number, "refund_case.state", "settled").await?;
    s.called("bookings/cancel", &number, 1).await
}

pub(super) async fn withdrawn(s: &mut Script) -> Result<(), Broken> {
    let (today, market) = (s.stage.today(), s.stage.channel.market.clone());
    let number = s.booked(&s.stage.trip(Way::Full, today)).await?;
    s.completed(&number).await?;
    market.asks_to_cancel(&number, "plans have changed").await;
    s.order_is(&number, "refund_case.state", "under_review").await?;
    let told = market.goes_after_all(&number).await;
    s.taken(told.as_ref(), "accepted");
    s.order_is(&number, "refund_case.state", "withdrawn").await?;
    s.order_is(&number, "label", "예약완료·결제완료").await?;
    market.departs(&number).await;
    s.order_is(&number, "state", "completed").await?;
    s.called("bookings/cancel", &number, 0).await
}

pub(super) async fn hiccups(s: &mut Script) -> Result<(), Broken> {
    let (later, market) = (s.stage.in_days(40), s.stage.channel.market.clone());
    market.set_faults(|faults| {
        faults.duplicate_delivery = true;
        faults.drop_answers = 2;
    });
    let (number, told) = market.book(&s.stage.trip(Way::Partial, later)).await;
    s.orders.push(number.clone());
    s.taken(Some(&told), "duplicate");
    s.agency_knows(&number).await?;
    market.set_faults(|faults| faults.api_5xx_times = 1);
    s.completed(&number).await?;
    market.set_faults(|faults| faults.api_drop_answers = 1);
    s.link_sent(&number, None).await?;
    let links = market.kept(&number).map(|kept| kept.it.links.len());
    s.check(links == Some(1), "one link was made, though its answer was lost");
    market.pays_link(&number).await;
    s.order_is(&number, "payment.state", "paid").await?;
    Ok(())
}
