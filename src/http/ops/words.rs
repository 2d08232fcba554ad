// SPDX-License-Identifier: Apache-2.0

//! The words of filters, and of what an order may need a person for.

/// Words of the axes; a test compares them with the core's own.
pub(crate) const ORDER_STATES: &[&str] = &["placed", "awaiting_booking", "booked", "completed", "cancelled"];
pub(crate) const BOOKING_STATES: &[&str] = &["requested", "confirmed", "used", "no_show", "rejected", "cancelled"];
pub(crate) const TICKETING_STATES: &[&str] =
    &["not_needed", "queued", "requested", "issued", "unknown", "failed", "cancelling", "cancelled", "cancel_refused"];
pub(crate) const PAYMENT_STATES: &[&str] = &[
    "none",
    "external",
    "unpaid",
    "partial",
    "paid",
    "refund_pending",
    "partially_refunded",
    "refunded",
    "refund_failed",
];
pub(crate) const REFUND_STATES: &[&str] = &["under_review", "approved", "settled", "rejected", "withdrawn"];
pub(crate) const DELIVERY_STATES: &[&str] = &["pending", "delivered", "dead", "dropped", "not_needed"];
pub(crate) const DEADLINE_STATES: &[&str] = &["armed", "passed", "disarmed"];
pub(crate) const VERDICTS: &[&str] = &[
    "received",
    "accepted",
    "repeated",
    "stale",
    "ignored",
    "parked",
    "refused",
    "unrouted",
    "conflict",
    "malformed",
    "hint",
    "unknown_call",
];

/// Words of answers that are no filters; a test compares them with the core's and the store's own.
pub(crate) const ORDER_KINDS: &[&str] = &["voucher", "direct"];
pub(crate) const CANCEL_REASONS: &[&str] =
    &["never_paid", "refunded_before_use", "expired", "rejected", "by_channel", "by_ops"];
pub(crate) const HANDOVERS: &[&str] =
    &["not_asked", "asked", "owed", "in_answer", "acknowledged", "refused", "reissued"];
pub(crate) const TICKET_KINDS: &[&str] = &["code", "qr", "url", "document"];
pub(crate) const REFUND_KINDS: &[&str] = &["refund", "cancel_booking"];
pub(crate) const REFUND_SOURCES: &[&str] =
    &["guest", "merchant", "customer_service", "tickets_late", "expired", "not_accepted"];
pub(crate) const REFUND_INTENTS: &[&str] = &["undecided", "waits_for_person", "approve_once_void"];
pub(crate) const DEADLINE_KINDS: &[&str] =
    &["acceptance", "ticketing", "review", "booking_window", "visit_day", "payment_link"];
pub(crate) const ACTOR_KINDS: &[&str] = &["channel", "backend", "policy", "ops", "timer"];
pub(crate) const DIRECTIONS: &[&str] = &["in", "out"];
pub(crate) const BULK_STATES: &[&str] = &["running", "done"];

/// Words that are written where they are answered.
pub(crate) const PARTNER_STATES: &[&str] = &["running", "paused"];
pub(crate) const BREAKER_STATES: &[&str] = &["closed", "open", "half_open"];
pub(crate) const LINE_KINDS: &[&str] = &["sale", "commission", "refund", "fee", "deposit"];
pub(crate) const PEOPLE: &[&str] = &["buyer", "contact", "visitor"];
pub(crate) const CONTRACTS: &[&str] = &["direct", "indirect"];
pub(crate) const CONNECTION_KINDS: &[&str] = &["channel", "backend"];
pub(crate) const DOOR_STATES: &[&str] = &["pending", "effective", "removed"];
pub(crate) const CHANGE_KINDS: &[&str] = &["order", "refund", "delivery", "everything"];
/// How far it is known what an act does with the money.
pub(crate) const MONEY_MOVES: &[&str] = &["known", "expected", "named", "channel"];
pub(crate) const WAITS: &[&str] = &[
    "payment",
    "booking",
    "sale",
    "acceptance",
    "agreement",
    "tickets",
    "tickets_by_hand",
    "void",
    "void_by_hand",
    "visit",
    "decision",
    "return",
    "return_by_hand",
];

/// Words of accounts and invitations; a test compares them with the store's own.
pub(crate) const ACCOUNT_STATES: &[&str] = &["pending_approval", "active", "inactive"];
pub(crate) const INVITATION_STATES: &[&str] = &["pending", "accepted", "revoked", "expired"];

/// The languages that are spoken.
pub(crate) const LANGUAGES: &[&str] = &["zh", "ko", "en"];
pub(crate) const ROLES: &[&str] = &["admin", "operator", "settlement", "viewer"];

/// What an order may need a person for; a test compares them with the core's own.
pub(crate) const ATTENTION_KINDS: &[&str] = &[
    "refund_under_review",
    "too_early",
    "not_ticketed",
    "redeemed_while_refunded",
    "live_ticket_behind_refund",
    "cancel_refused",
    "ticketing_failed",
    "no_capacity",
    "rejected",
    "test_mode",
    "quantity_differs",
    "unknown_status",
    "codes_changed",
    "ticketing_overdue",
    "review_overdue",
    "report_refused",
    "waits_for_confirmation",
    "refund_waits",
    "unexpected_payment",
    "contradiction",
    "to_do_by_hand",
    "open_balance",
    "refund_failed",
    "answer_astray",
    "arrived_late",
    "books_differ",
    "payment_link_over",
    "partner_gone",
];

#[cfg(test)]
mod tests {
    use super::*;
    use serde::de::DeserializeOwned;
    use ticketbridge_core::ActorKind;
    use ticketbridge_core::message::DeadlineKind;
    use ticketbridge_core::order::money::PaymentState;
    use ticketbridge_core::order::{
        BookingState, CancelReason, Handover, OrderKind, OrderState, RefundIntent, RefundKind, RefundSource,
        RefundState, TicketKind, TicketingState,
    };
    use ticketbridge_store::{
        AccountState, BulkState, DeadlineState, Direction, InboxVerdict, InvitationState, JobState,
    };

    use crate::http::ops::waits::Waits;

    /// Every word means a value, and a word that means none is not accepted.
    fn are_all<T: DeserializeOwned>(words: &[&str]) {
        for word in words {
            serde_json::from_value::<T>(serde_json::Value::from(*word))
                .unwrap_or_else(|error| panic!("{word}: {error}"));
        }
        // serde names every variant in its error: none is missing from the list.
        let error = serde_json::from_value::<T>("no such word".into()).err().unwrap().to_string();
        assert_eq!(error.matches('`').count() / 2 - 1, words.len(), "{error}");
    }

    #[test]
    fn the_words_of_filters_are_those_of_the_core() {
        are_all::<OrderState>(ORDER_STATES);
        are_all::<BookingState>(BOOKING_STATES);
        are_all::<TicketingState>(TICKETING_STATES);
        are_all::<PaymentState>(PAYMENT_STATES);
        are_all::<RefundState>(REFUND_STATES);
        are_all::<JobState>(DELIVERY_STATES);
        are_all::<DeadlineState>(DEADLINE_STATES);
        are_all::<InboxVerdict>(VERDICTS);
        are_all::<OrderKind>(ORDER_KINDS);
        are_all::<CancelReason>(CANCEL_REASONS);
        are_all::<Handover>(HANDOVERS);
        are_all::<TicketKind>(TICKET_KINDS);
        are_all::<RefundKind>(REFUND_KINDS);
        are_all::<RefundSource>(REFUND_SOURCES);
        are_all::<RefundIntent>(REFUND_INTENTS);
        are_all::<DeadlineKind>(DEADLINE_KINDS);
        are_all::<ActorKind>(ACTOR_KINDS);
        are_all::<Direction>(DIRECTIONS);
        are_all::<BulkState>(BULK_STATES);
        assert_eq!(Waits::ALL.map(Waits::word), WAITS);
        are_all::<AccountState>(ACCOUNT_STATES);
        are_all::<InvitationState>(INVITATION_STATES);
        assert_eq!(crate::config::Role::WORDS.map(|(word, _)| word), ROLES);
        are_all::<ticketbridge_core::order::AttentionKind>(ATTENTION_KINDS);
    }
}
