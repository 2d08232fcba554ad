// SPDX-License-Identifier: Apache-2.0

//! Stories in which the supplier says no, or something that cannot be true.

use super::script::Script;
use crate::douyin::refunds::SOURCE_CONSUMER;
use crate::douyin::{AfterSale, RefundState};
use crate::octo::{Fault, Generation, Status, Switches, Write};
use crate::ops::OpsError;
use crate::stories::script::{Broken, text_at};

/// Books two units at a supplier that was set like this: voucher and reservation number.
async fn booked(s: &mut Script, set: impl FnOnce(&mut Switches)) -> Result<(String, String), Broken> {
    s.octo()?.with_books(|books| set(&mut books.switches));
    let later = s.stage.in_days(7);
    let voucher = s.buy(2).await?;
    let reservation = s.reserve(&voucher, later).await?;
    Ok((voucher, reservation))
}

pub(super) async fn rejected(s: &mut Script) -> Result<(), Broken> {
    s.pushes(Generation::Webhooks)?;
    let (voucher, reservation) = booked(s, |switches| switches.instant_confirmation = false).await?;
    s.supplier_is(&voucher, Status::Pending).await?;
    s.octo()?.with_books(|books| books.decide(false));
    s.failed(&voucher, "rejected").await?;
    let all = s.at_supplier(&voucher).await?;
    s.check(all.len() == 1, format!("it was not tried again (there are {})", all.len()));
    s.nothing_shown(&reservation);
    Ok(())
}

pub(super) async fn sold_out(s: &mut Script) -> Result<(), Broken> {
    s.octo()?.next(Write::Reserve, Fault::TakenBefore);
    let (voucher, reservation) = booked(s, |_| ()).await?;
    s.failed(&voucher, "no room").await?;
    s.nothing_shown(&reservation);
    s.nothing_lives(&voucher).await
}

pub(super) async fn not_cancellable(s: &mut Script) -> Result<(), Broken> {
    let later = s.stage.in_days(7);
    let (voucher, reservation) = s.ticketed(1, later).await?;
    s.octo()?.with_books(|books| books.switches.cancellable = false);
    let refund = s.apply(&reservation, SOURCE_CONSUMER, AfterSale::Refund).await?;
    s.order_is(&voucher, "booking.ticketing.state", "cancel_refused").await?;
    s.order_is(&voucher, "refund_case.state", "under_review").await?;
    s.decide(&voucher, &refund.key, RefundState::Rejected).await?;
    s.sold_once(&voucher).await
}

pub(super) async fn used_in_review(s: &mut Script) -> Result<(), Broken> {
    let today = s.stage.today();
    let (voucher, reservation) = s.ticketed(1, today).await?;
    let (id, octo) = (s.booking_id(&voucher).await?, s.octo()?);
    octo.with_books(|books| books.switches.cancellable = false);
    let refund = s.apply(&reservation, SOURCE_CONSUMER, AfterSale::Refund).await?;
    s.order_is(&voucher, "booking.ticketing.state", "cancel_refused").await?;
    s.pushes(Generation::Notifications)?;
    let at = octo.time().now_ms();
    octo.with_books(|books| books.redeem(&id, at));
    s.decide(&voucher, &refund.key, RefundState::Rejected).await?;
    let order = s.order_is(&voucher, "state", "completed").await?;
    let said = s.stage.ops.approve(text_at(&order, "refund_case.id"), 0).await;
    let blocked = matches!(&said, Err(OpsError::Refused { status: 409, .. }));
    s.check(blocked, "nobody can approve the refund of what was used");
    s.check(text_at(&order, "payment.state") == "paid", "the money stays");
    Ok(())
}

/// What the supplier made of it is not what was asked for.
async fn given_back(s: &mut Script, set: impl FnOnce(&mut Switches), words: &str) -> Result<(), Broken> {
    let (voucher, reservation) = booked(s, set).await?;
    s.failed(&voucher, words).await?;
    s.nothing_shown(&reservation);
    s.nothing_lives(&voucher).await
}

pub(super) async fn fewer_units(s: &mut Script) -> Result<(), Broken> {
    given_back(s, |switches| switches.loses_units = 1, "units").await
}

pub(super) async fn test_mode(s: &mut Script) -> Result<(), Broken> {
    given_back(s, |switches| switches.test_mode = true, "test").await
}
