// SPDX-License-Identifier: Apache-2.0

//! What is known beside a snapshot when it is taken in.

/// What is known beside an order that is told whole.
pub(in crate::decide) struct Around<'a> {
    /// Why its product was not for sale when it was booked, if it was not.
    pub(in crate::decide) not_for_sale: Option<&'a str>,
    /// Numbers of its payments that belong to other orders.
    pub(in crate::decide) paid_elsewhere: &'a [String],
    /// Numbers of its lines that belong to other orders.
    pub(in crate::decide) lines_elsewhere: &'a [String],
}
