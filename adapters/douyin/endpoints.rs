// SPDX-License-Identifier: Apache-2.0

//! What Douyin calls here, and within which time it must be answered.

use ticketbridge_core::port::Endpoint;
use ticketbridge_core::time::Millis;

pub(super) const CAN_BUY: &str = "can-buy";
pub(super) const CREATE_ORDER: &str = "create-order";
pub(super) const PAY_NOTIFY: &str = "pay-notify";
pub(super) const ISSUE_VOUCHER: &str = "issue-voucher";
pub(super) const CANCEL_NOTIFY: &str = "cancel-notify";
pub(super) const REFUND_APPLY: &str = "refund-apply";
pub(super) const REFUND_NOTIFY: &str = "refund-notify";
pub(super) const INFO_SYNC: &str = "info-sync";
pub(super) const QUERY_ORDER: &str = "query-order";
pub(super) const PULL_CALENDAR: &str = "pull-calendar";
pub(super) const V2_CREATE_ORDER: &str = "v2-create-order";
pub(super) const V2_ISSUE_VOUCHER: &str = "v2-issue-voucher";
pub(super) const WEBHOOK: &str = "webhook";

/// The time limits of chapter 19, with room to spare.
pub(super) const ENDPOINTS: &[Endpoint] = &[
    endpoint(CAN_BUY, 1_500),
    endpoint(CREATE_ORDER, 3_000),
    endpoint(PAY_NOTIFY, 3_000),
    tickets(ISSUE_VOUCHER),
    endpoint(CANCEL_NOTIFY, 3_000),
    Endpoint { answers_from_state: true, ..endpoint(REFUND_APPLY, 3_000) },
    endpoint(REFUND_NOTIFY, 3_000),
    endpoint(INFO_SYNC, 3_000),
    Endpoint { answers_from_state: true, ..endpoint(QUERY_ORDER, 3_000) },
    endpoint(PULL_CALENDAR, 3_000),
    endpoint(V2_CREATE_ORDER, 3_000),
    tickets(V2_ISSUE_VOUCHER),
    endpoint(WEBHOOK, 3_000),
];

const fn endpoint(name: &'static str, budget: i64) -> Endpoint {
    Endpoint { name, budget: Millis(budget), waits_for_tickets: false, answers_from_state: false }
}

const fn tickets(name: &'static str) -> Endpoint {
    Endpoint { waits_for_tickets: true, answers_from_state: true, ..endpoint(name, 3_000) }
}
