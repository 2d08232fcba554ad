//! Who issues, and what goes back on sale.

use crate::decide::draft::Draft;
use crate::id::BackendId;
use crate::message::Effect;
use crate::order::Booking;
use crate::product::{BookingProduct, Ticketing as TicketSource};
use crate::rules::capacity::date_stock_key;

/// The back-end that issues for a product, if any.
pub(crate) fn backend_of(product: &BookingProduct) -> Option<&BackendId> {
    match &product.ticketing {
        TicketSource::Backend { backend, .. } => Some(backend),
        TicketSource::CodePool { pool } => Some(pool),
        TicketSource::None => None,
    }
}

/// All units that the visit date still holds for the order go back on sale.
pub(super) fn return_date(draft: &mut Draft, booking: &Booking) {
    let units = draft.held;
    let key = date_stock_key(&draft.order().rules.booking, booking.visit_date).filter(|_| units > 0);
    draft.maybe(key.map(|key| Effect::ReturnStock { key, units }));
}
