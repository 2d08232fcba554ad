// SPDX-License-Identifier: Apache-2.0

//! An order to try the back-ends on. Nobody in it exists.

use ticketbridge_core::id::{BackendId, BookingId, ChannelId, ExternalId, OrderId, ProductCode};
use ticketbridge_core::order::money::{Money, PaymentMode};
use ticketbridge_core::order::{
    Booking, BookingState, Handover, Order, OrderKind, OrderState, Ticketing, TicketingState,
};
use ticketbridge_core::personal::{Document, DocumentNumber, DocumentType, Person, PersonName, Phone};
use ticketbridge_core::port::Context;
use ticketbridge_core::product::{
    self, Acceptance, BookingLimits, BookingProduct, Cancellation, ChannelRules, Confirmation, Currency, GuestRule,
    GuestsWho, OverduePolicy, RuleSnapshot, TicketDelivery,
};
use ticketbridge_core::time::{Date, Millis, TimeZone, UnixMillis};

/// 2026-11-21T10:00:00+08:00.
pub(crate) const NOW: UnixMillis = UnixMillis(1_795_226_400_000);

pub(crate) fn context() -> Context<'static> {
    Context { now: NOW, decided_at: NOW, nonce: [7; 16], delivery_id: "dlv_0001", access_token: None, attempt: 1 }
}

pub(crate) fn code(text: &str) -> DocumentNumber {
    DocumentNumber::new(text)
}

fn visitor(name: &str, phone: Option<&str>, passport: Option<&str>) -> Person {
    Person {
        name: Some(PersonName::new(name)),
        phone: phone.map(Phone::new),
        document: passport
            .map(|number| Document { kind: Some(DocumentType::Passport), number: DocumentNumber::new(number) }),
    }
}

/// A voucher order for two units of a product for two people, booked for 2026-12-01, not yet ticketed.
pub(crate) fn order() -> Order {
    let date = Date::parse("2026-12-01");
    Order {
        id: OrderId::new("ord_1"),
        channel: ChannelId::new("douyin-main"),
        channel_order_id: ExternalId::new("V100"),
        kind: OrderKind::Voucher,
        state: OrderState::Booked,
        cancel_reason: None,
        product: ProductCode::new("LP-V2"),
        quantity: 2,
        rules: rules().into(),
        money: Money {
            mode: PaymentMode::Ledger,
            currency: Currency("CNY".into()),
            gross: 39_800,
            due: 39_800,
            ledger: Vec::new(),
        },
        buyer: Person { phone: Some(Phone::new("13800000001")), ..Person::default() },
        booking: Some(Booking {
            id: BookingId::new("bkg_1"),
            channel_booking_id: ExternalId::new("R100"),
            state: BookingState::Confirmed,
            visit_date: date,
            visit_time: None,
            hold: None,
            valid_until: date,
            visitors: vec![
                visitor("Ada Example", Some("13800000002"), Some("X0000001")),
                visitor("Bob Example", None, None),
            ],
            contact: Some(visitor("Ada Example", Some("13800000002"), None)),
            requested_at: NOW,
            confirmed_at: Some(NOW),
            used_at: None,
            ticketing: Ticketing {
                state: TicketingState::Queued,
                backend_ref: None,
                tickets: Vec::new(),
                other_tickets: Vec::new(),
                replaced: Vec::new(),
                voiding_since: None,
                units: Vec::new(),
                reason: None,
                deadline: Some(NOW + Millis::minutes(10)),
                overdue: false,
                asked: false,
                manual: false,
                handover: Handover::NotAsked,
                request: None,
            },
        }),
        past_bookings: Vec::new(),
        refund_case: None,
        past_refund_cases: Vec::new(),
        copies_back: 0,
        copies_named: Default::default(),
        copies_off: Default::default(),
        parked_redemption: None,
        entered: None,
        attention: Vec::new(),
        undelivered: Vec::new(),
        channel_state: None,
        is_stub: false,
        placed_at: NOW,
        created_at: NOW,
        updated_at: NOW,
        version: 3,
    }
}

fn rules() -> RuleSnapshot {
    RuleSnapshot {
        config_version: 1,
        voucher: None,
        booking: BookingProduct {
            code: ProductCode::new("LP-B2"),
            name: "Lakeside Park, visit".into(),
            start: None,
            visitors_per_unit: 2,
            confirm: Confirmation::Auto,
            ticketing: product::Ticketing::Backend {
                backend: BackendId::new("gate"),
                product: "P-778".into(),
                terms: Default::default(),
            },
            ticketing_deadline: Millis::minutes(10),
            ticketing_warn_before: Millis::minutes(5),
            valid_days_after: 0,
            guests: GuestRule { who: GuestsWho::Each, fields: Vec::new(), documents: Vec::new() },
            advance: None,
            cancellation: Cancellation::Anytime,
            refund_rule: None,
            limits: BookingLimits::default(),
            calendar: Vec::new(),
            overdue_policy: OverduePolicy::Manual,
            stock_from: Default::default(),
        },
        channel: ChannelRules {
            time_zone: TimeZone::SHANGHAI,
            acceptance: Acceptance::Sync,
            acceptance_limit: Millis::hours(24),
            tickets: TicketDelivery::OnRequest,
            review_limit: Millis::hours(72),
            review_warn_before: Vec::new(),
            price_check: false,
            redemption_reported: true,
            returns_what_it_kept: true,
            news: Default::default(),
        },
    }
}
