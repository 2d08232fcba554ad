// SPDX-License-Identifier: Apache-2.0

//! What the platform calls here.

use ticketbridge_core::port::Endpoint;
use ticketbridge_core::time::Millis;

const EVENTS: &str = "events";
pub(super) const AVAILABILITY: &str = "availability";
pub(super) const CHANNEL: &str = "channel";

/// Kakao's own limit for an answer is 3 s, and 2 s for the question of availability.
pub(super) const ENDPOINTS: &[Endpoint] =
    &[endpoint(EVENTS, 3_000), endpoint(AVAILABILITY, 2_000), endpoint(CHANNEL, 3_000)];

const fn endpoint(name: &'static str, budget: i64) -> Endpoint {
    Endpoint { name, budget: Millis(budget), waits_for_tickets: false, answers_from_state: true }
}
