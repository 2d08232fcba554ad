//! Who issues for a product.

use crate::id::BackendId;
use crate::product::{BookingProduct, Ticketing as TicketSource};

/// The back-end that issues for a product, if any.
pub(crate) fn backend_of(product: &BookingProduct) -> Option<&BackendId> {
    match &product.ticketing {
        TicketSource::Backend { backend, .. } => Some(backend),
        TicketSource::CodePool { pool } => Some(pool),
        TicketSource::None => None,
    }
}
