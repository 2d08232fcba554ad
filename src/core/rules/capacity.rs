// SPDX-License-Identifier: Apache-2.0

//! What there is of a voucher and of a date, and whether a booking that came when its day was full has a place by now (DY-04, KA-07).

use crate::message::StockKey;
use crate::order::channel_state::{ChannelState, Proposal};
use crate::order::{BookingState, Order};
use crate::product::{BookingProduct, RuleSnapshot, StockFrom};
use crate::rejection::{Rejection, Why};
use crate::rules::for_sale::SOLD_OUT;
use crate::time::Date;
use crate::words::units_are;

/// What stock is kept for a visit date, if it is limited at all.
pub fn date_stock_key(product: &BookingProduct, date: Option<Date>) -> Option<StockKey> {
    let date = date?;
    let day = product.calendar_on(date)?;
    match product.stock_from {
        StockFrom::Backend => {}
        StockFrom::Calendar => {
            day.stock?;
        }
    }
    Some(StockKey { product: product.code.clone(), date: Some(date) })
}

/// What stock is kept for the voucher of an order, if it is limited at all.
pub fn voucher_stock_key(rules: &RuleSnapshot) -> Option<StockKey> {
    let voucher = rules.voucher.as_ref()?;
    voucher.stock?;
    Some(StockKey { product: voucher.code.clone(), date: None })
}

/// Units that the calendar has for a date altogether; `None` is unlimited, or no such day.
pub fn calendar_stock(product: &BookingProduct, date: Option<Date>) -> Option<u32> {
    date.and_then(|date| product.calendar_on(date)).and_then(|range| range.stock)
}

/// Whether the booking waits for a decision and had no place when it came.
///
/// A channel that books first and asks afterwards has every booking hold its units, the ones for which there was no place among them. Of
/// those, whoever waits for a decision holds nothing that another could not have.
pub fn came_too_late(order: &Order) -> bool {
    let waits = order.booking.as_ref().is_some_and(|booking| booking.state == BookingState::Requested);
    let was_full = |channel_state: &ChannelState| {
        channel_state.not_for_sale.as_deref() == Some(SOLD_OUT) && channel_state.proposal != Some(Proposal::Confirm)
    };
    waits && order.channel_state.as_deref().is_some_and(was_full)
}

/// Whether a booking that came too late fits by now, when a person confirms it: `left` is what is left of `date`, and `waiting` are all
/// orders that wait for a decision on it. A place is there when it fits together with everything else.
///
/// # Errors
/// `out_of_stock`, with what could be confirmed.
pub fn check_late(order: &Order, date: Date, left: i64, waiting: &[Order]) -> Result<(), Rejection> {
    let others = waiting.iter().filter(|other| other.id != order.id && came_too_late(other));
    let held: i64 = others.map(|other| i64::from(other.live_units())).sum();
    if left + held >= 0 {
        return Ok(());
    }
    let units = order.live_units();
    let sentence = format!(
        "{} wanted, left on {date}: {}; decline the booking, or raise the stock of the day first",
        units_are(units),
        (left + held + i64::from(units)).max(0)
    );
    Err(Rejection::new(Why::OutOfStock, sentence).at("visit_date"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::order::channel_state::Stage;
    use crate::rules::for_sale::CLOSED;
    use crate::rules::samples;

    #[test]
    fn stock_is_kept_where_a_calendar_limits_it_or_a_back_end_tells_it() {
        let (mut product, day) = (samples::rules().booking, Some(samples::date("2026-12-01")));
        assert!(date_stock_key(&product, day).is_some());
        assert_eq!(calendar_stock(&product, day), Some(200));
        product.calendar[0].stock = None;
        assert_eq!(date_stock_key(&product, day), None, "unlimited");
        product.stock_from = StockFrom::Backend;
        assert!(date_stock_key(&product, day).is_some(), "whatever the back-end tells");
        assert_eq!(date_stock_key(&product, None), None, "a booking without a date takes no day's stock");
        assert_eq!(date_stock_key(&product, Some(samples::date("2027-04-01"))), None, "the season is over");
    }

    #[test]
    fn a_voucher_without_a_number_of_pieces_has_no_stock() {
        let mut rules = samples::rules();
        assert_eq!(voucher_stock_key(&rules).map(|key| key.date), Some(None));
        if let Some(voucher) = &mut rules.voucher {
            voucher.stock = None;
        }
        assert_eq!(voucher_stock_key(&rules), None);
    }

    #[test]
    fn a_booking_that_came_when_its_day_was_full_is_confirmed_once_there_is_a_place() {
        let waiting = || samples::snapshot(Stage::Requested, true, false);
        let (first, second) =
            (samples::told(1, waiting(), Some(SOLD_OUT)), samples::told(2, waiting(), Some(SOLD_OUT)));
        assert!(came_too_late(&first));
        assert!(!came_too_late(&samples::told(3, waiting(), None)), "it had its place");
        assert!(!came_too_late(&samples::told(4, waiting(), Some(CLOSED))), "that its day is closed is another matter");
        let day = samples::date("2026-12-01");
        let both = [first.clone(), second];
        // Two units each are held by both, whoever is confirmed.
        assert!(check_late(&first, day, -2, &both).is_ok());
        let refused = check_late(&first, day, -3, &both).unwrap_err();
        assert_eq!(refused.why, Why::OutOfStock);
        assert!(refused.sentence.contains("left on 2026-12-01: 1"), "{}", refused.sentence);
        assert!(check_late(&first, day, -1, &both[..1]).is_err(), "nobody else waits");
    }
}
