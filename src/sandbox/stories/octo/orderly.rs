// SPDX-License-Identifier: Apache-2.0

//! Stories about holds, cancellations, the key, and a supplier that was away.

use std::time::Duration;

use super::script::Script;
use crate::douyin::refunds::SOURCE_CONSUMER;
use crate::douyin::{AfterSale, RefundState};
use crate::octo::{Fault, Status, Write};
use crate::stories::script::Broken;

/// Bookings that queue up while the supplier is away.
const QUEUED: usize = 12;
/// How long it is away, as the protocol counts.
const OUTAGE: Duration = Duration::from_secs(120);
/// Real time in which all of them have their tickets: a partner that was away is asked again within some seconds.
const CAUGHT_UP: Duration = Duration::from_secs(60);

pub(super) async fn short_hold(s: &mut Script) -> Result<(), Broken> {
    let (octo, later) = (s.octo()?, s.stage.in_days(7));
    octo.with_books(|books| books.switches.hold_ms = 30_000);
    let (voucher, _) = s.ticketed(1, later).await?;
    let extended: u32 = s.at_supplier(&voucher).await?.iter().map(|booked| booked.extended).sum();
    s.check(extended == 1, format!("the hold was lengthened once ({extended} times)"));
    s.sold_once(&voucher).await?;
    // This one cannot be lengthened, and is over before it is confirmed.
    octo.with_books(|books| books.switches.extends = false);
    octo.next(Write::Reserve, Fault::RunsOut);
    let (voucher, _) = s.ticketed(1, later).await?;
    let mut all: Vec<Status> = s.at_supplier(&voucher).await?.iter().map(|booked| booked.status).collect();
    all.sort_by_key(|status| status.takes_place());
    s.check(
        all == [Status::Expired, Status::Confirmed],
        format!("a new attempt was made of the one that ran out ({all:?})"),
    );
    s.sold_once(&voucher).await
}

pub(super) async fn cancelled_twice(s: &mut Script) -> Result<(), Broken> {
    let (octo, later) = (s.octo()?, s.stage.in_days(7));
    let (voucher, reservation) = s.ticketed(1, later).await?;
    octo.next(Write::Cancel, Fault::AnswerLost);
    let refund = s.apply(&reservation, SOURCE_CONSUMER, AfterSale::Refund).await?;
    s.decide(&voucher, &refund.key, RefundState::Accepted).await?;
    s.order_is(&voucher, "payment.state", "refunded").await?;
    s.nothing_lives(&voucher).await?;
    // A hold that is given back and then reads as run out is given back all the same.
    octo.with_books(|books| {
        books.switches.released_reads = Status::Expired;
        books.switches.loses_units = 1;
    });
    let voucher = s.buy(2).await?;
    s.reserve(&voucher, later).await?;
    s.failed(&voucher, "units").await?;
    s.supplier_is(&voucher, Status::Expired).await?;
    s.nothing_lives(&voucher).await
}

pub(super) async fn key_withdrawn(s: &mut Script) -> Result<(), Broken> {
    let (octo, later) = (s.octo()?, s.stage.in_days(7));
    let key = octo.with_books(|books| std::mem::replace(&mut books.key, "another-key".to_owned()));
    let voucher = s.buy(1).await?;
    let reservation = s.reserve(&voucher, later).await?;
    s.backend_state("paused").await?;
    s.nothing_shown(&reservation);
    let order = s.order(&voucher).await?;
    s.check(order["booking"]["ticketing"]["state"] != "failed", "nothing is refused to the guest");
    s.check(!order["booking"]["ticketing"]["deadline"].is_null(), "the deadline goes on");
    octo.with_books(|books| books.key = key);
    let read = s.stage.ops.post("config/reload", &serde_json::json!({})).await;
    s.check(read.is_ok(), "the configuration is read anew");
    s.backend_state("running").await?;
    s.codes_at_douyin(&reservation).await?;
    s.sold_once(&voucher).await
}

pub(super) async fn outage(s: &mut Script) -> Result<(), Broken> {
    let (octo, later) = (s.octo()?, s.stage.in_days(7));
    let mut queued = Vec::new();
    for _ in 0..QUEUED {
        queued.push(s.buy(1).await?);
    }
    let away = octo.clone();
    let back = tokio::spawn(async move { away.go_away(OUTAGE).await });
    let mut reservations = Vec::new();
    for voucher in &queued {
        reservations.push(s.reserve(voucher, later).await?);
    }
    let back = back.await;
    s.check(matches!(back, Ok(Ok(()))), "the supplier is there again");
    s.stage.patience += CAUGHT_UP;
    for (voucher, reservation) in queued.iter().zip(&reservations) {
        s.order_is(voucher, "booking.ticketing.state", "issued").await?;
        s.codes_at_douyin(reservation).await?;
        s.sold_once(voucher).await?;
    }
    s.stage.patience -= CAUGHT_UP;
    Ok(())
}
