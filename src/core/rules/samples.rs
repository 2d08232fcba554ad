// SPDX-License-Identifier: Apache-2.0

//! Invented products, sales and people for the tests of the rules.

use crate::id::{ChannelId, ExternalId, ProductCode, Seed};
use crate::message::{Actor, ActorKind, Command, Counts, PlaceOrder, ProductRef, RequestBooking, Sale, Snapshot};
use crate::order::channel_state::{Stage, Standing};
use crate::order::money::PaymentMode;
use crate::order::{Order, OrderKind};
use crate::personal::{Document, DocumentNumber, DocumentType, Person, PersonName, Phone};
use crate::product::{
    Acceptance, BookingLimits, BookingProduct, CalendarRange, Cancellation, ChannelRules, Confirmation, Currency,
    DateRange, GuestField, GuestRule, GuestsWho, OverduePolicy, RuleSnapshot, TicketDelivery, Ticketing,
    VoucherProduct,
};
use crate::run::{Answering, run};
use crate::time::{Date, Millis, Moment, TimeZone, UnixMillis};

pub(crate) fn date(text: &str) -> Date {
    Date::parse(text).expect("a date of a test")
}
pub(crate) fn at(text: &str) -> UnixMillis {
    UnixMillis::parse_rfc3339(text).expect("an instant of a test")
}

/// An invented number: 16 digits, 0, and the check character that fits.
pub(crate) fn invented_id(sixteen: &str) -> String {
    invented_id_17(&format!("{sixteen}0"))
}
/// An invented number: 17 digits and the check character that fits, computed in another way than the code under test does.
pub(crate) fn invented_id_17(seventeen: &str) -> String {
    assert_eq!(seventeen.len(), 17);
    // ISO 7064 MOD 11-2 in its recursive form.
    let remainder = seventeen.bytes().fold(0_u32, |p, digit| (p + u32::from(digit - b'0')) * 2 % 11);
    let check = (12 - remainder) % 11;
    let check = if check == 10 { "X".to_owned() } else { check.to_string() };
    format!("{seventeen}{check}")
}

pub(crate) fn guest(number: u32) -> Person {
    Person {
        name: Some(PersonName::new("王明")),
        phone: Some(Phone::new(format!("1380000{number:04}"))),
        document: Some(Document {
            kind: Some(DocumentType::ResidentId),
            number: DocumentNumber::new(invented_id(&format!(
                "1101051990{:02}{:02}00",
                number / 28 + 1,
                number % 28 + 1
            ))),
        }),
    }
}

pub(crate) fn sale(quantity: u32) -> Sale {
    let amount = 19_900 * i64::from(quantity);
    Sale {
        channel_order_id: ExternalId::new("V100"),
        kind: OrderKind::Voucher,
        product: ProductRef { voucher: Some(ProductCode::new("LP-V2")), booking: None },
        quantity,
        payment_mode: PaymentMode::Ledger,
        currency: Currency("CNY".into()),
        gross: amount,
        due: amount,
        paid: true,
        buyer: Person { phone: Some(Phone::new("13800000001")), ..Person::default() },
        placed_at: at("2026-11-21T09:00:00+08:00"),
    }
}

pub(crate) fn request(quantity: u32, visitors: u32) -> RequestBooking {
    RequestBooking {
        channel_booking_id: ExternalId::new("R100"),
        quantity,
        visit_date: Some(date("2026-12-01")),
        visit_time: None,
        hold: None,
        visitors: (1..=visitors).map(guest).collect(),
        contact: None,
        requested_at: at("2026-11-21T10:00:00+08:00"),
        counts: Counts::default(),
    }
}

pub(crate) fn rules() -> RuleSnapshot {
    let season = DateRange { from: date("2026-11-01"), to: date("2027-03-31") };
    RuleSnapshot {
        config_version: 1,
        voucher: Some(VoucherProduct {
            code: ProductCode::new("LP-V2"),
            name: "Lakeside Park, two adults".into(),
            price: 19_900,
            currency: Currency("CNY".into()),
            stock: Some(500),
            booking_window: Some(season),
            max_per_order: Some(5),
            booking_product: ProductCode::new("LP-B2"),
            per_phone: Some(5),
        }),
        booking: BookingProduct {
            code: ProductCode::new("LP-B2"),
            name: "Lakeside Park, visit".into(),
            start: None,
            visitors_per_unit: 2,
            confirm: Confirmation::Auto,
            ticketing: Ticketing::None,
            ticketing_deadline: Millis::minutes(10),
            ticketing_warn_before: Millis::minutes(5),
            valid_days_after: 0,
            guests: GuestRule {
                who: GuestsWho::Each,
                fields: vec![GuestField::Name, GuestField::Phone, GuestField::Document],
                documents: DocumentType::ALL.to_vec(),
            },
            advance: None,
            cancellation: Cancellation::Anytime,
            refund_rule: None,
            limits: BookingLimits::default(),
            calendar: vec![CalendarRange {
                range: season,
                weekdays: (0..7).collect(),
                stock: Some(200),
                price: Some(19_900),
            }],
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
            price_check: true,
            redemption_reported: true,
            returns_what_it_kept: true,
            news: Default::default(),
        },
    }
}

/// A whole order as a channel tells it: two units for a day of the season.
pub(crate) fn snapshot(stage: Stage, needs_decision: bool, read_only: bool) -> Snapshot {
    let sale = Sale { kind: OrderKind::Direct, ..sale(2) };
    let standing = Standing {
        revision: 1,
        at: sale.placed_at,
        stage,
        needs_decision,
        confirm_needs: 0,
        read_only,
        lines: Vec::new(),
        lines_elsewhere: Vec::new(),
        payments: Vec::new(),
        sums: None,
        policy: None,
        hand_over: false,
        extra: Default::default(),
        pays_by: None,
        notes: Default::default(),
    };
    Snapshot {
        departure: None,
        standing,
        visit_date: Some(date("2026-12-01")),
        visit_time: None,
        valid_until: None,
        since: sale.placed_at,
        sale,
        cancelled: None,
        entries: Vec::new(),
        kept_of_parts: None,
        settle_id: None,
        cancel_asked_at: None,
        return_news: Vec::new(),
        link: None,
        partner_number: None,
        doubts: Vec::new(),
        creates: true,
        can_read_back: false,
        asked: false,
    }
}

/// An order that was made of `snapshot` although its product was not for sale, if so; `number` tells one from another.
pub(crate) fn told(number: u128, snapshot: Snapshot, not_for_sale: Option<&str>) -> Order {
    let rules = RuleSnapshot { voucher: None, ..rules() }.into();
    let channel = Actor::new(ActorKind::Channel, "c");
    let moment = Moment { now: snapshot.since, seed: Seed(number) };
    let placed = PlaceOrder { channel: ChannelId::new("c"), sale: snapshot.sale.clone(), rules, is_stub: true };
    let place = Command::PlaceOrder(Box::new(placed), Counts::default());
    let made = run(None, &place, &channel, moment, Answering::Nobody).expect("a sale that is told").order;
    let (snapshot, not_for_sale) = (Box::new(snapshot), not_for_sale.map(str::to_owned));
    let sync =
        Command::SyncSnapshot { snapshot, not_for_sale, paid_elsewhere: Vec::new(), lines_elsewhere: Vec::new() };
    run(Some(&made), &sync, &channel, moment, Answering::Nobody).expect("it is the order now").order
}
