// SPDX-License-Identifier: Apache-2.0

//! A limit on everything, with a name.

use crate::time::Millis;

/// Bytes of an inbound body (`docs/src/contract/channels.md`).
pub const BODY_BYTES_MAX: usize = 1024 * 1024;
/// Lists and objects inside each other in an inbound body.
pub const NESTING_MAX: usize = 64;
/// Bytes that are read of an answer to a call of ours.
pub const RESPONSE_BYTES_MAX: usize = 1024 * 1024;
/// Characters of a partner's identifier.
pub const EXTERNAL_ID_CHARS_MAX: usize = 128;
/// Units in one order, whatever the product says.
pub const QUANTITY_MAX: u32 = 1_000;
/// Visitors of one booking.
pub const VISITORS_MAX: usize = 1_000;
/// Tickets of one booking.
pub const TICKETS_MAX: usize = 1_000;
/// Characters of a plain code (`adapters/douyin/README.md`).
pub const CODE_CHARS_MAX: usize = 100;
/// Characters of the content of a QR picture (`adapters/douyin/README.md`).
pub const QR_CHARS_MAX: usize = 512;
/// Characters of a free text that we keep.
pub const TEXT_CHARS_MAX: usize = 500;
/// Minor units of an amount: what a double can hold exactly, so that no partner's parser rounds it.
pub const AMOUNT_MAX: i64 = 9_007_199_254_740_991;
/// Days ahead that can be booked (DY-07).
pub const BOOKING_DAYS_AHEAD_MAX: i64 = 90;
/// Steps that policy may take by itself after one command; more means that it runs in a circle.
pub const POLICY_STEPS_MAX: usize = 12;
/// Messages remembered for one order that is not known yet.
pub const REMEMBERED_MAX: usize = 16;
/// A call of ours waits this long where the channel's own call is being answered, so that what makes it into the answer does not go out twice.
pub const ANSWER_GRACE: Millis = Millis::seconds(10);
