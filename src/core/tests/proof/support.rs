// SPDX-License-Identifier: Apache-2.0

//! An order in the making: what partners and people say, in the words of the glossary.

use proptest::test_runner::{Config as ProptestConfig, RngSeed};
use ticketbridge_core::message::{
    ApplyRefund, Counts, DeadlineKind, NewTicket, NotificationOutcome, PlaceOrder, ProductRef, RecordCancellation,
    RecordRefund, Redeem, RedeemedBy, RefundScope, RequestBooking, Sale, TicketFacts, TicketOp,
};
use ticketbridge_core::order::money::PaymentMode;
use ticketbridge_core::order::{
    AttentionKind, Booking, CancelReason, OrderKind, OrderState, RefundCase, RefundKind, RefundSource, RefundState,
    TicketKind, TicketRequest, TicketingState,
};
use ticketbridge_core::personal::{DocumentNumber, Person, Phone};
use ticketbridge_core::product::{
    Acceptance, BookingLimits, BookingProduct, CalendarRange, Cancellation, ChannelRules, Confirmation, Currency,
    DateRange, Fee, FeeTier, GuestRule, GuestsWho, OverduePolicy, RuleSnapshot, TicketDelivery, Ticketing,
    VoucherProduct,
};
use ticketbridge_core::rules::credit::Position;
use ticketbridge_core::{
    Actor, ActorKind, Answering, BookingId, ChannelId, Command, Date, Effect, Event, ExternalId, Millis, Moment,
    Notification, Order, Outcome, ProductCode, RefundCaseId, Rejection, Seed, TimeZone, UnixMillis, run,
};

/// What one unit costs, in fen.
pub(crate) const PRICE: i64 = 19_900;

/// The channel's number for the sale.
pub(crate) const SALE: &str = "V100";
/// The channel's number for the first booking of a voucher.
pub(crate) const FIRST: &str = "R100";
/// The channel's number for the second booking of a voucher.
pub(crate) const SECOND: &str = "R101";

/// What a test may choose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Terms {
    pub(crate) kind: OrderKind,
    pub(crate) tickets: bool,
    pub(crate) confirm: Confirmation,
    pub(crate) overdue: OverduePolicy,
    pub(crate) cancellation: Cancellation,
    pub refund_rule: bool,
}

/// A voucher with tickets from a back-end, accepted by itself, refundable at any time by the product's own rule.
pub(crate) const VOUCHER: Terms = Terms {
    kind: OrderKind::Voucher,
    tickets: true,
    confirm: Confirmation::Auto,
    overdue: OverduePolicy::Manual,
    cancellation: Cancellation::Anytime,
    refund_rule: true,
};

/// The same, sold together with its date.
pub(crate) const DIRECT: Terms = Terms { kind: OrderKind::Direct, ..VOUCHER };

/// The morning on which every story begins.
pub(crate) fn morning() -> UnixMillis {
    UnixMillis::parse_rfc3339("2026-11-21T10:00:00+08:00").expect("an instant")
}
/// The date of the visit, ten days later.
pub(crate) fn visit_date() -> Date {
    Date::parse("2026-12-01").expect("a date")
}
/// Noon of the day of the visit.
pub(crate) fn visit_noon() -> UnixMillis {
    TimeZone::SHANGHAI.instant(visit_date(), 720)
}

/// The rules under `terms`.
pub(crate) fn rules(terms: Terms) -> RuleSnapshot {
    let dates =
        DateRange { from: Date::parse("2026-11-01").expect("a date"), to: Date::parse("2027-01-31").expect("a date") };
    let tier = FeeTier { before_visit: Millis(0), fee: Fee::Share(0) };
    RuleSnapshot {
        config_version: 1,
        voucher: (terms.kind == OrderKind::Voucher).then(|| VoucherProduct {
            code: ProductCode::new("LP-V2"),
            name: "Lakeside Park".to_owned(),
            price: PRICE,
            currency: Currency("CNY".to_owned()),
            stock: Some(500),
            booking_window: Some(dates),
            max_per_order: None,
            booking_product: ProductCode::new("LP-B2"),
            per_phone: None,
        }),
        booking: BookingProduct {
            code: ProductCode::new("LP-B2"),
            name: "Lakeside Park, visit".to_owned(),
            start: None,
            visitors_per_unit: 1,
            confirm: terms.confirm,
            ticketing: if terms.tickets {
                Ticketing::Backend { backend: "gate".into(), product: "P-778".to_owned(), terms: Default::default() }
            } else {
                Ticketing::None
            },
            ticketing_deadline: Millis::minutes(10),
            ticketing_warn_before: Millis::minutes(5),
            valid_days_after: 0,
            guests: GuestRule { who: GuestsWho::One, fields: Vec::new(), documents: Vec::new() },
            advance: None,
            cancellation: terms.cancellation,
            refund_rule: terms.refund_rule.then(|| vec![tier]),
            limits: BookingLimits::default(),
            calendar: vec![CalendarRange {
                range: dates,
                weekdays: vec![0, 1, 2, 3, 4, 5, 6],
                stock: Some(200),
                price: Some(PRICE),
            }],
            overdue_policy: terms.overdue,
            stock_from: Default::default(),
        },
        channel: ChannelRules {
            time_zone: TimeZone::SHANGHAI,
            acceptance: Acceptance::Sync,
            acceptance_limit: Millis::minutes(10),
            tickets: TicketDelivery::OnRequest,
            review_limit: Millis::hours(72),
            review_warn_before: vec![Millis::hours(24)],
            price_check: false,
            redemption_reported: true,
            returns_what_it_kept: true,
            news: Default::default(),
        },
    }
}

/// The sale under `terms`, paid or not.
pub(crate) fn sale(terms: Terms, paid: bool) -> Command {
    let placed = PlaceOrder {
        channel: ChannelId::new("douyin-main"),
        sale: Sale {
            channel_order_id: SALE.into(),
            kind: terms.kind,
            product: ProductRef {
                voucher: (terms.kind == OrderKind::Voucher).then(|| "LP-V2".into()),
                booking: Some("LP-B2".into()),
            },
            quantity: 1,
            payment_mode: PaymentMode::Ledger,
            currency: Currency("CNY".to_owned()),
            gross: PRICE,
            due: PRICE,
            paid,
            buyer: guest(),
            placed_at: morning(),
        },
        rules: rules(terms).into(),
        is_stub: false,
    };
    Command::PlaceOrder(Box::new(placed), Counts::default())
}

/// Whether a booking that stands alone, and has ended before its use, keeps nothing but a fee; and its books say what its credit account
/// says. Money that is paid for it afterwards is for a person to return.
pub(crate) fn is_given_back(order: &Order) -> bool {
    let ended_alone = order.kind == OrderKind::Direct && order.state == OrderState::Cancelled;
    if !ended_alone || order.needs(AttentionKind::UnexpectedPayment) {
        return true;
    }
    let money = &order.money;
    let approved = order.refund_case.as_ref().and_then(|case| case.fee).unwrap_or(0);
    let on_account = Position::of(order);
    money.left() <= money.fee().max(approved)
        && (money.refund_pending() > 0 || on_account.taken - on_account.returned == money.held().max(0))
}

fn guest() -> Person {
    Person { name: None, phone: Some(Phone::new("13800000001")), document: None }
}

/// A wish for the date of the visit, under the channel's number `reference`.
pub(crate) fn booking(reference: &str) -> Command {
    Command::RequestBooking(Box::new(RequestBooking {
        channel_booking_id: reference.into(),
        quantity: 1,
        visit_date: Some(visit_date()),
        visit_time: None,
        hold: None,
        visitors: vec![guest()],
        contact: Some(guest()),
        requested_at: morning(),
        counts: Counts::default(),
    }))
}

/// The channel's demand for the tickets of a booking.
pub(crate) fn demand(reference: &str, at: UnixMillis) -> Command {
    Command::RequestTickets {
        target: reference.into(),
        request: TicketRequest {
            copies: 1,
            per_copy: 1,
            kinds: Vec::new(),
            visitors: Vec::new(),
            certificates: Vec::new(),
            second_generation: false,
            at,
        },
        validity: None,
        date_left: None,
    }
}

/// One ticket with this code.
pub(crate) fn ticket(code: &str) -> Vec<NewTicket> {
    vec![NewTicket { code: DocumentNumber::new(code), kind: TicketKind::Code, project_id: None, name: None }]
}

/// The back-end has made the ticket with this code.
pub(crate) fn issued(code: &str) -> TicketFacts {
    TicketFacts::Issued { backend_ref: Some("B-1".into()), tickets: ticket(code) }
}

/// An application for the money.
pub(crate) fn application(channel_ref: &str, target: &str, source: RefundSource, at: UnixMillis) -> ApplyRefund {
    ApplyRefund {
        copies: None,
        target: target.into(),
        channel_ref: channel_ref.to_owned(),
        kind: RefundKind::Refund,
        source,
        source_code: None,
        fee: 0,
        requested_at: at,
    }
}

/// Money that went back, all of it.
pub(crate) fn refund(channel_ref: &str, target: &str, scope: RefundScope, at: UnixMillis) -> RecordRefund {
    let amount = (scope != RefundScope::Booking).then_some(PRICE);
    RecordRefund {
        copies: None,
        named: Vec::new(),
        target: target.into(),
        channel_ref: channel_ref.to_owned(),
        amount,
        announced: None,
        at,
        scope,
        scene: None,
        expired: false,
    }
}

/// Something that the channel cancelled.
pub(crate) fn cancellation(target: &str, at: UnixMillis) -> RecordCancellation {
    RecordCancellation { target: target.into(), reason: CancelReason::ByChannel, at }
}

/// The channel.
pub(crate) fn channel() -> Actor {
    Actor::new(ActorKind::Channel, "douyin-main")
}
/// The back-end.
pub(crate) fn gate() -> Actor {
    Actor::new(ActorKind::Backend, "gate")
}
/// A person of ours.
pub(crate) fn ops() -> Actor {
    Actor::new(ActorKind::Ops, "lin")
}

/// One order and all that has happened to it.
#[derive(Clone, Debug)]
pub(crate) struct Story {
    pub(crate) now: UnixMillis,
    order: Option<Order>,
    seed: u128,
    /// Events of the last command.
    pub(crate) events: Vec<Event>,
    /// Effects of the last command.
    pub(crate) effects: Vec<Effect>,
    /// All that the channel was ever to be told.
    pub(crate) said: Vec<Notification>,
}

impl Story {
    /// Nothing has happened yet.
    pub(crate) fn new() -> Self {
        Self { now: morning(), order: None, seed: 0, events: Vec::new(), effects: Vec::new(), said: Vec::new() }
    }
    /// A paid sale.
    pub(crate) fn paid(terms: Terms) -> Self {
        let mut story = Self::new();
        story.tell(&channel(), &sale(terms, true));
        story
    }
    /// A paid sale with a booking whose tickets are being asked for.
    pub(crate) fn booked(terms: Terms) -> Self {
        let mut story = Self::paid(terms);
        story.tell(&channel(), &booking(story.first()));
        story
    }
    /// The channel has asked for the tickets, and has them.
    pub(crate) fn ticketed(terms: Terms) -> Self {
        let mut story = Self::booked(terms);
        story.demanded().facts(issued("T-1"));
        story.reported(NotificationOutcome::Acknowledged);
        story
    }
    /// The same, where no tickets are needed.
    pub(crate) fn ticketed_or_not(terms: Terms) -> Self {
        if terms.tickets { Self::ticketed(terms) } else { Self::booked(terms) }
    }
    /// A booking whose ticketing deadline has passed.
    pub(crate) fn overdue(terms: Terms) -> Self {
        let mut story = Self::booked(terms);
        story.demanded().later(Millis::minutes(10));
        let due_at = story.booking().ticketing.deadline.expect("a deadline");
        story.tell(&Actor::timer(), &Command::PassDeadline { kind: DeadlineKind::Ticketing, due_at });
        story
    }

    /// The channel's number of the first booking.
    pub(crate) fn first(&self) -> &'static str {
        if self.order().kind == OrderKind::Voucher { FIRST } else { SALE }
    }
    pub(crate) fn order(&self) -> &Order {
        self.order.as_ref().expect("the sale has been told")
    }
    /// The last notification of this name that the channel was to be told.
    pub(crate) fn last_said(&self, name: &str) -> Option<&Notification> {
        self.said.iter().rev().find(|notification| notification.name() == name)
    }
    pub(crate) fn booking(&self) -> &Booking {
        self.order().booking.as_ref().expect("there is a booking")
    }
    pub(crate) fn booking_id(&self) -> BookingId {
        self.booking().id.clone()
    }
    pub(crate) fn tickets(&self) -> TicketingState {
        self.booking().ticketing.state
    }
    pub(crate) fn case(&self) -> &RefundCase {
        self.order().refund_case.as_ref().expect("there is a refund case")
    }
    pub(crate) fn case_id(&self) -> RefundCaseId {
        self.case().id.clone()
    }
    pub(crate) fn refund(&self) -> RefundState {
        self.case().state
    }
    pub(crate) fn flagged(&self, kind: AttentionKind) -> bool {
        self.order().needs(kind)
    }

    /// Says something that must be accepted.
    pub(crate) fn tell(&mut self, actor: &Actor, command: &Command) -> &mut Self {
        if let Err(rejection) = self.say(actor, command) {
            panic!("`{}` is refused: {rejection}", command.name());
        }
        self
    }
    /// Says something that must be refused, and returns why.
    pub(crate) fn refused(&mut self, actor: &Actor, command: &Command) -> Rejection {
        self.say(actor, command).expect_err("it is not allowed")
    }
    /// Says something.
    pub(crate) fn say(&mut self, actor: &Actor, command: &Command) -> Result<(), Rejection> {
        self.seed += 1;
        let moment = Moment { now: self.now, seed: Seed(self.seed) };
        let Outcome { order, events, effects } = run(self.order.as_ref(), command, actor, moment, Answering::Nobody)?;
        self.order = Some(order);
        self.events = events.into_iter().map(|record| record.event).collect();
        self.said.extend(effects.iter().filter_map(|effect| match effect {
            Effect::TellChannel { notification, .. } => Some(notification.clone()),
            _ => None,
        }));
        self.effects = effects;
        Ok(())
    }
    /// Nothing happened, and nothing is to be done: it was a repeat.
    pub(crate) fn is_quiet(&self) -> bool {
        self.events.is_empty() && self.effects.is_empty()
    }

    pub(crate) fn later(&mut self, by: Millis) -> &mut Self {
        self.now = self.now + by;
        self
    }
    pub(crate) fn at(&mut self, now: UnixMillis) -> &mut Self {
        self.now = now;
        self
    }
    pub(crate) fn demanded(&mut self) -> &mut Self {
        let target = self.booking().channel_booking_id.clone();
        self.tell(&channel(), &demand(target.as_str(), self.now))
    }
    /// The channel demands the tickets, and is answered "not yet".
    pub(crate) fn deferred(&mut self) -> &mut Self {
        let target = self.booking().channel_booking_id.clone();
        self.demanded().tell(&channel(), &Command::AnswerTickets { target, with_tickets: false })
    }
    pub(crate) fn facts(&mut self, facts: TicketFacts) -> &mut Self {
        let booking = self.booking_id();
        self.facts_of(booking, facts)
    }
    pub(crate) fn facts_of(&mut self, booking: BookingId, facts: TicketFacts) -> &mut Self {
        self.tell(&gate(), &Command::RecordTicketFacts { booking, facts })
    }
    /// How our call with the tickets ended.
    pub(crate) fn reported(&mut self, outcome: NotificationOutcome) -> &mut Self {
        let notification = Notification::TicketsIssued { booking: self.booking_id() };
        self.tell(&channel(), &Command::RecordNotification { notification, outcome })
    }
    pub(crate) fn applied(&mut self, channel_ref: &str, source: RefundSource) -> &mut Self {
        let target = self.order().booking.as_ref().map_or(ExternalId::new(SALE), |b| b.channel_booking_id.clone());
        let application = application(channel_ref, target.as_str(), source, self.now);
        self.tell(&channel(), &Command::ApplyRefund(application))
    }
    pub(crate) fn approved(&mut self) -> &mut Self {
        let command = self.approval();
        self.tell(&ops(), &command)
    }
    pub(crate) fn approval(&self) -> Command {
        Command::ApproveRefund { case: self.case_id(), fee: None, without_backend: false, reason: None }
    }
    pub(crate) fn rejection(&self) -> Command {
        Command::RejectRefund { case: self.case_id(), reason: "not under the rule".into() }
    }
    pub(crate) fn rejected(&mut self) -> &mut Self {
        let command = self.rejection();
        self.tell(&ops(), &command)
    }
    pub(crate) fn withdrawn(&mut self) -> &mut Self {
        let channel_ref = self.case().channel_ref.clone();
        self.tell(&channel(), &Command::WithdrawRefund { channel_ref })
    }
    pub(crate) fn entered(&mut self, booking: BookingId) -> &mut Self {
        let redeem = Redeem { booking: Some(booking), at: self.now, by: RedeemedBy::Gate, count: None };
        self.tell(&gate(), &Command::Redeem(redeem))
    }
    pub(crate) fn guest_entered(&mut self) -> &mut Self {
        let booking = self.booking_id();
        self.entered(booking)
    }

    /// The back-end is called for `op` as a consequence of the last command.
    pub(crate) fn calls(&self, op: TicketOp) -> bool {
        self.effects.iter().any(|e| matches!(e, Effect::CallBackend { op: called, .. } if *called == op))
    }
    /// The channel is told `name` as a consequence of the last command.
    pub(crate) fn notifications(&self, name: &str) -> bool {
        self.effects
            .iter()
            .any(|e| matches!(e, Effect::TellChannel { notification, .. } if notification.name() == name))
    }
    /// A deadline is armed as a consequence of the last command.
    pub(crate) fn arms(&self, kind: DeadlineKind) -> bool {
        self.effects.iter().any(|e| matches!(e, Effect::ArmDeadline { kind: armed, .. } if *armed == kind))
    }
}

/// How many random histories are played, and which: always the same ones, so that a change is judged by what it changes. With
/// `TICKETBRIDGE_HISTORIES=60000` in the environment it is so many, and others each time: that is how new faults are looked for.
pub(crate) fn histories_of(cases: u32) -> ProptestConfig {
    let asked = std::env::var("TICKETBRIDGE_HISTORIES").ok();
    let asked = asked.map(|number| number.parse().expect("TICKETBRIDGE_HISTORIES is a number"));
    let rng_seed = if asked.is_some() { RngSeed::Random } else { RngSeed::Fixed(2026) };
    ProptestConfig { cases: asked.unwrap_or(cases), rng_seed, failure_persistence: None, ..ProptestConfig::default() }
}
