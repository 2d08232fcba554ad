// SPDX-License-Identifier: Apache-2.0

//! Stories in which tickets take their time: the deadline, and what becomes of it.

use super::script::Script;
use crate::douyin::refunds::SOURCE_NO_CODES;
use crate::douyin::{Path, RefundState};
use crate::octo::{Generation, Status};
use crate::stories::script::Broken;

/// Books at a supplier that asks somebody first: voucher and reservation number.
async fn waiting(s: &mut Script) -> Result<(String, String), Broken> {
    s.octo()?.with_books(|books| books.switches.instant_confirmation = false);
    let later = s.stage.in_days(7);
    let voucher = s.buy(1).await?;
    let reservation = s.reserve(&voucher, later).await?;
    s.supplier_is(&voucher, Status::Pending).await?;
    Ok((voucher, reservation))
}

pub(super) async fn pending(s: &mut Script) -> Result<(), Broken> {
    let (voucher, reservation) = waiting(s).await?;
    s.stated(240).await;
    s.nothing_shown(&reservation);
    s.octo()?.with_books(|books| books.decide(true));
    s.codes_at_douyin(&reservation).await?;
    let order = s.order_is(&voucher, "booking.ticketing.state", "issued").await?;
    s.check(order["booking"]["ticketing"]["overdue"] != true, "inside the deadline");
    s.sold_once(&voucher).await
}

/// Waits for the application that Douyin makes by itself when no codes came; its key.
async fn application_of_tenth_minute(s: &mut Script, reservation: &str) -> Result<String, Broken> {
    let patience = s.longest_wait();
    s.at_douyin(reservation, "ten minutes pass without tickets", patience, |r| !r.refunds.is_empty()).await?;
    let refund = s.stage.channel.books().last_refund(reservation).cloned();
    let refund = refund.ok_or_else(|| Broken("Douyin's application is not in its books".to_owned()))?;
    s.check(refund.source == SOURCE_NO_CODES, "Douyin asks because no tickets came");
    Ok(refund.key)
}

pub(super) async fn keep(s: &mut Script) -> Result<(), Broken> {
    // The supplier says yes in the end: the codes go with the rejection.
    s.pushes(Generation::Notifications)?;
    let (voucher, reservation) = waiting(s).await?;
    let key = application_of_tenth_minute(s, &reservation).await?;
    s.order_is(&voucher, "booking.ticketing.overdue", "true").await?;
    s.octo()?.with_books(|books| books.decide(true));
    s.order_is(&voucher, "booking.ticketing.state", "issued").await?;
    s.decide(&voucher, &key, RefundState::Rejected).await?;
    let issued = s.codes_at_douyin(&reservation).await?;
    s.check(issued.codes.is_some_and(|codes| codes.path == Path::Reissue), "the tickets came with the rejection");
    s.sold_once(&voucher).await?;
    // It never does: cancelled there, then approved.
    let (voucher, reservation) = waiting(s).await?;
    let key = application_of_tenth_minute(s, &reservation).await?;
    s.decide(&voucher, &key, RefundState::Accepted).await?;
    s.supplier_is(&voucher, Status::Cancelled).await?;
    s.order_is(&voucher, "payment.state", "refunded").await?;
    s.nothing_lives(&voucher).await
}

pub(super) async fn give_up(s: &mut Script) -> Result<(), Broken> {
    let supplier = s.supplier()?;
    let Some(gives_up) = supplier.gives_up else {
        return Err(Broken("a product is needed whose back-end has on_deadline = \"give_up\"".to_owned()));
    };
    supplier.octo.with_books(|books| books.switches.instant_confirmation = false);
    s.stage.supplier = Some(crate::stories::Supplier { sells: gives_up, ..supplier });
    let later = s.stage.in_days(7);
    let voucher = s.buy(1).await?;
    let reservation = s.reserve(&voucher, later).await?;
    s.supplier_is(&voucher, Status::Pending).await?;
    s.supplier_is(&voucher, Status::Cancelled).await?;
    s.failed(&voucher, "given up").await?;
    s.nothing_shown(&reservation);
    s.nothing_lives(&voucher).await
}

pub(super) async fn codes_later(s: &mut Script) -> Result<(), Broken> {
    s.octo()?.with_books(|books| books.switches.instant_delivery = false);
    let later = s.stage.in_days(7);
    let voucher = s.buy(2).await?;
    let reservation = s.reserve(&voucher, later).await?;
    s.supplier_is(&voucher, Status::Confirmed).await?;
    s.stated(90).await;
    s.nothing_shown(&reservation);
    s.octo()?.with_books(crate::octo::Books::deliver);
    s.codes_at_douyin(&reservation).await?;
    s.sold_once(&voucher).await
}
