//! What stock is kept of, who issues, and what goes back on sale.

use crate::decide::draft::Draft;
use crate::id::BackendId;
use crate::message::{Effect, StockKey};
use crate::order::Booking;
use crate::product::{BookingProduct, RuleSnapshot, StockFrom, Ticketing as TicketSource};
use crate::time::Date;

/// The back-end that issues for a product, if any.
pub(crate) fn backend_of(product: &BookingProduct) -> Option<&BackendId> {
    match &product.ticketing {
        TicketSource::Backend { backend, .. } => Some(backend),
        TicketSource::CodePool { pool } => Some(pool),
        TicketSource::None => None,
    }
}

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

/// All units that the visit date still holds for the order go back on sale.
pub(super) fn return_date(draft: &mut Draft, booking: &Booking) {
    let units = draft.held;
    let key = date_stock_key(&draft.order().rules.booking, booking.visit_date).filter(|_| units > 0);
    draft.maybe(key.map(|key| Effect::ReturnStock { key, units }));
}
