// SPDX-License-Identifier: Apache-2.0

//! A platform that tells its orders whole, with one order on it: what it holds, what it does when it is asked, and how it tells it.
//!
//! It stands for both kinds: one that sells units in lines and takes all of the money at once, and one that takes a deposit, links for the
//! balance, and lets the guest ask before anything is cancelled.

use std::collections::BTreeMap;

use ticketbridge_core::message::{Cancelled, Counts, LinkNews, PlaceOrder, ProductRef, ReturnNews, Sale, Snapshot};
use ticketbridge_core::order::channel_state::{Line, LinkState, Payment, Stage, Standing};
use ticketbridge_core::order::money::{EntryKind, EntryStatus, LedgerEntry, PaymentMode};
use ticketbridge_core::order::{CancelReason, OrderKind};
use ticketbridge_core::personal::{Person, PersonName, Phone};
use ticketbridge_core::product::{
    Acceptance, Confirmation, Currency, OverduePolicy, RuleSnapshot, TicketDelivery, Ticketing,
};
use ticketbridge_core::quoted::{ForeignName, ForeignNumber};
use ticketbridge_core::rules::cancel_policy::{CancelPolicy, PolicyTier, UnusedAction, WHOLE_BP};
use ticketbridge_core::{ChannelId, Command, Date, Millis, TimeZone, UnixMillis};

use crate::support::{DIRECT, Terms, morning, rules, visit_date};

/// Price before the discount, in won: two units of 30,000 and one of 40,000.
pub(crate) const GROSS: i64 = 100_000;
/// What is to be paid.
pub(crate) const NET: i64 = 90_000;
/// The first payment of an order that is paid at once, and the second, in points.
pub(crate) const CARD: i64 = 80_000;
/// See [`CARD`].
pub(crate) const POINTS: i64 = 10_000;
/// The deposit of an order that is paid in parts.
pub(crate) const DEPOSIT: i64 = 30_000;

/// Which kind of platform.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Style {
    /// Lines of units, a policy of fees, and money at once.
    Reservations,
    /// Deposits, links, and requests to cancel.
    Packages,
}

/// What a test may choose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Whole {
    pub(crate) style: Style,
    /// Acceptance is ours to decide.
    pub(crate) asks_us: bool,
    /// Our product confirms by itself.
    pub(crate) auto: bool,
    pub(crate) mode: PaymentMode,
    /// The order belongs to a partner's own system.
    pub(crate) read_only: bool,
    pub(crate) tickets: bool,
    /// A partner's books are to hear of it.
    pub(crate) hands_over: bool,
    /// Changes are counted.
    pub(crate) counted: bool,
    /// A part can be cancelled.
    pub(crate) parts: bool,
}

/// Reservations that a manager decides, with tickets.
pub(crate) const MANAGED: Whole = Whole {
    style: Style::Reservations,
    asks_us: true,
    auto: false,
    mode: PaymentMode::Ledger,
    read_only: false,
    tickets: true,
    hands_over: false,
    counted: true,
    parts: true,
};
/// Reservations that the platform confirms by itself.
pub(crate) const INSTANT: Whole = Whole { asks_us: false, auto: true, ..MANAGED };
/// Packages with a deposit.
pub(crate) const PACKAGE: Whole = Whole { style: Style::Packages, hands_over: true, parts: false, ..MANAGED };
/// Packages that the agency takes the money for.
pub(crate) const AGENCY: Whole = Whole { mode: PaymentMode::External, read_only: true, tickets: false, ..PACKAGE };

/// Units of one line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Units {
    pub(crate) sold: u32,
    pub(crate) off: u32,
    pub(crate) used: u32,
}

/// Money that went back, or is to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Back {
    pub(crate) id: String,
    pub(crate) amount: i64,
    pub(crate) status: EntryStatus,
}

/// A payment.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Paid {
    pub(crate) id: String,
    pub(crate) amount: i64,
    pub(crate) at: UnixMillis,
    pub(crate) link: Option<String>,
    pub(crate) backs: Vec<Back>,
}

impl Paid {
    /// What of it can still go back.
    pub(crate) fn left(&self) -> i64 {
        let gone = self.backs.iter().filter(|back| back.status != EntryStatus::Failed).map(|back| back.amount);
        self.amount - gone.sum::<i64>()
    }
}

/// The order as the platform holds it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Platform {
    pub(crate) terms: Whole,
    pub(crate) revision: u64,
    pub(crate) at: UnixMillis,
    pub(crate) stage: Stage,
    pub(crate) units: Vec<Units>,
    pub(crate) payments: Vec<Paid>,
    pub(crate) links: Vec<(String, LinkState)>,
    pub(crate) off: Option<Cancelled>,
    pub(crate) due: i64,
    pub(crate) visit: Date,
    pub(crate) phone: &'static str,
    pub(crate) agency_number: Option<&'static str>,
    pub(crate) pays_by: Option<&'static str>,
}

/// The channel's number for the order.
pub(crate) const NUMBER: &str = "R2026-1";

impl Platform {
    /// An order that was booked just now, and not paid.
    pub(crate) fn booked(terms: Whole) -> Self {
        let units = |sold| Units { sold, off: 0, used: 0 };
        Self {
            terms,
            revision: u64::from(terms.counted),
            at: morning(),
            stage: if terms.asks_us { Stage::Requested } else { Stage::Confirmed },
            units: if terms.style == Style::Reservations { vec![units(2), units(1)] } else { vec![units(3)] },
            payments: Vec::new(),
            links: Vec::new(),
            off: None,
            due: NET,
            visit: visit_date(),
            phone: "010-0000-0001",
            agency_number: None,
            pays_by: (terms.style == Style::Packages && !terms.read_only).then_some("PARTIAL"),
        }
    }
    /// The same, paid as such orders are: all of it, or the deposit.
    pub(crate) fn paid(terms: Whole) -> Self {
        let mut platform = Self::booked(terms);
        match (terms.mode, terms.style) {
            (PaymentMode::Ledger, Style::Reservations) => {
                platform.pay(CARD, None);
                platform.pay(POINTS, None);
            }
            (PaymentMode::Ledger, Style::Packages) => platform.pay(DEPOSIT, None),
            (PaymentMode::BookingOnly | PaymentMode::External, _) => {}
        }
        platform.revision = u64::from(terms.counted);
        platform
    }

    /// One change more.
    pub(crate) fn changed(&mut self) {
        self.revision += u64::from(self.terms.counted);
        self.at = self.at + Millis(i64::from(!self.terms.counted));
    }
    /// The visit stands somewhere else.
    pub(crate) fn reach(&mut self, stage: Stage) {
        self.stage = stage;
        for units in &mut self.units {
            match stage {
                Stage::Used => units.used = units.sold - units.off,
                Stage::Cancelled | Stage::Rejected => (units.off, units.used) = (units.sold, 0),
                Stage::Requested | Stage::Confirmed | Stage::CancelRequested { .. } | Stage::NoShow => {}
            }
        }
        self.changed();
    }
    /// It is all cancelled, `fee` is kept, and the rest goes back by movements that are this far.
    pub(crate) fn cancel(&mut self, stage: Stage, reason: CancelReason, fee: i64, backs: EntryStatus) {
        let received = self.received();
        let fee = fee.min(received);
        self.off = Some(Cancelled { reason, ex_officio: false, fee, returns: Some(received - fee), words: None });
        let mut kept = fee;
        let numbers = self.backs_so_far();
        for (index, payment) in self.payments.iter_mut().enumerate() {
            let stays = kept.min(payment.left());
            kept -= stays;
            let amount = payment.left() - stays;
            if amount > 0 {
                payment.backs.push(Back { id: format!("cx_{}", numbers + index), amount, status: backs });
            }
        }
        self.reach(stage);
    }
    /// The same, and no movement is told yet.
    pub(crate) fn cancel_untold(&mut self, reason: CancelReason, fee: i64) {
        let fee = fee.min(self.received());
        let returns = Some(self.received() - fee);
        self.off = Some(Cancelled { reason, ex_officio: false, fee, returns, words: None });
        self.reach(Stage::Cancelled);
    }
    /// Units of a line are cancelled.
    pub(crate) fn part_off(&mut self, line: usize, units: u32) {
        self.units[line].off += units;
        self.changed();
    }
    /// Money came.
    pub(crate) fn pay(&mut self, amount: i64, link: Option<&str>) {
        let id = format!("pay_{}", self.payments.len() + 1);
        self.payments.push(Paid { id, amount, at: self.at, link: link.map(str::to_owned), backs: Vec::new() });
        self.changed();
    }
    /// Money goes back, or is to.
    pub(crate) fn give_back(&mut self, payment: usize, amount: i64, status: EntryStatus) {
        let id = format!("cx_{}", self.backs_so_far());
        self.payments[payment].backs.push(Back { id, amount, status });
        self.changed();
    }
    /// Every movement that is on its way comes to this end.
    pub(crate) fn settle(&mut self, status: EntryStatus) {
        for back in self.payments.iter_mut().flat_map(|payment| &mut payment.backs) {
            if back.status == EntryStatus::Pending {
                back.status = status;
            }
        }
        self.changed();
    }
    fn backs_so_far(&self) -> usize {
        self.payments.iter().map(|payment| payment.backs.len()).sum()
    }
    /// All that came in.
    pub(crate) fn received(&self) -> i64 {
        self.payments.iter().map(|payment| payment.amount).sum()
    }
    /// All that went back.
    pub(crate) fn returned(&self) -> i64 {
        self.sum(EntryStatus::Done)
    }
    /// All that is on its way back.
    pub(crate) fn returning(&self) -> i64 {
        self.sum(EntryStatus::Pending)
    }
    fn sum(&self, status: EntryStatus) -> i64 {
        let backs = self.payments.iter().flat_map(|payment| &payment.backs);
        backs.filter(|back| back.status == status).map(|back| back.amount).sum()
    }
    /// What cancelling costs now, of `base`.
    pub(crate) fn fee_of(&self, base: i64, now: UnixMillis) -> i64 {
        let held = self.received() - self.returned() - self.returning();
        policy(self.terms).map_or(held, |policy| policy.fee(base, held, false, now))
    }

    fn sale(&self) -> Sale {
        Sale {
            channel_order_id: NUMBER.into(),
            kind: OrderKind::Direct,
            product: ProductRef { voucher: None, booking: Some("LP-B2".into()) },
            quantity: self.units.iter().map(|units| units.sold).sum(),
            payment_mode: self.terms.mode,
            currency: Currency("KRW".to_owned()),
            gross: GROSS,
            due: self.due,
            paid: false,
            buyer: Person {
                name: Some(PersonName::new("Example")),
                phone: Some(Phone::new(self.phone)),
                document: None,
            },
            placed_at: morning(),
        }
    }
    fn lines(&self) -> Vec<Line> {
        if self.terms.style == Style::Packages {
            return Vec::new();
        }
        let prices = [("D1", "adult", 30_000), ("D2", "child", 40_000)];
        let line = |(units, (detail, label, price)): (&Units, (&str, &str, i64))| Line {
            price: None,
            detail: detail.to_owned(),
            label: ForeignName::new(label),
            quantity: units.sold,
            amount: price * i64::from(units.sold),
            cancelled: units.off,
            used: units.used,
        };
        self.units.iter().zip(prices).map(line).collect()
    }
    fn entries(&self) -> Vec<LedgerEntry> {
        let mut entries = Vec::new();
        for payment in &self.payments {
            let entry = |reference: &str, kind, status, amount| LedgerEntry {
                reference: reference.to_owned(),
                kind,
                status,
                amount,
                at: payment.at,
            };
            entries.push(entry(&payment.id, EntryKind::Charge, EntryStatus::Done, payment.amount));
            let backs = payment.backs.iter();
            entries.extend(backs.map(|back| entry(&back.id, EntryKind::Refund, back.status, back.amount)));
        }
        entries
    }

    /// The order as it is told.
    pub(crate) fn snapshot(&self) -> Snapshot {
        let payment = |paid: &Paid| Payment {
            id: paid.id.clone(),
            left: paid.left(),
            at: paid.at,
            returns: paid.backs.iter().map(|back| back.id.clone()).collect(),
            with_booking: Vec::new(),
            link: paid.link.clone(),
        };
        let packages = self.terms.style == Style::Packages;
        Snapshot {
            departure: None,
            sale: self.sale(),
            standing: Standing {
                revision: self.revision,
                at: self.at,
                stage: self.stage,
                needs_decision: self.terms.asks_us,
                confirm_needs: if packages && !self.terms.read_only { DEPOSIT } else { 0 },
                read_only: self.terms.read_only,
                lines: self.lines(),
                lines_elsewhere: Vec::new(),
                // The newest first.
                payments: self.payments.iter().rev().map(payment).collect(),
                sums: None,
                policy: policy(self.terms),
                hand_over: self.terms.hands_over,
                extra: BTreeMap::new(),
                pays_by: self.pays_by.map(str::to_owned),
                notes: BTreeMap::new(),
            },
            visit_date: Some(self.visit),
            visit_time: None,
            valid_until: Some(self.visit),
            since: self.at,
            cancelled: self.off.clone(),
            entries: self.entries(),
            kept_of_parts: None,
            settle_id: None,
            cancel_asked_at: None,
            return_news: Vec::new(),
            link: None,
            partner_number: self.agency_number.map(ForeignNumber::from),
            doubts: Vec::new(),
            creates: true,
            can_read_back: true,
            asked: false,
        }
    }
    /// The same, in answer to a question of ours.
    pub(crate) fn answer(&self) -> Snapshot {
        Snapshot { asked: true, ..self.snapshot() }
    }
}

/// What cancelling costs: nothing for an hour, a tenth until five days before the visit, half until two days before it, then all.
fn policy(terms: Whole) -> Option<CancelPolicy> {
    let zone = TimeZone::SEOUL;
    (terms.style == Style::Reservations).then(|| CancelPolicy {
        cancelable: true,
        until: Some(zone.start_of(visit_date().plus_days(-1))),
        free_until: Some(morning() + Millis::hours(1)),
        tiers: vec![
            PolicyTier { until: zone.start_of(visit_date().plus_days(-5)), rate_bp: WHOLE_BP / 10 },
            PolicyTier { until: zone.start_of(visit_date().plus_days(-2)), rate_bp: WHOLE_BP / 2 },
        ],
        unused: UnusedAction::UseNextDay,
        partial_allowed: terms.parts,
    })
}

/// The rules of such an order.
pub(crate) fn whole_rules(terms: Whole) -> RuleSnapshot {
    let confirm = if terms.auto { Confirmation::Auto } else { Confirmation::Manual };
    let ordinary = Terms { tickets: terms.tickets, confirm, overdue: OverduePolicy::Manual, ..DIRECT };
    let mut rules = rules(ordinary);
    if let Ticketing::Backend { product, .. } = &mut rules.booking.ticketing {
        "P-9".clone_into(product);
    }
    rules.channel.time_zone = TimeZone::SEOUL;
    rules.channel.acceptance = Acceptance::Async;
    rules.channel.acceptance_limit = Millis::minutes(30);
    rules.channel.tickets = TicketDelivery::NotCarried;
    rules.channel.review_limit = Millis::hours(24);
    rules.channel.review_warn_before = vec![Millis::hours(4)];
    rules
}

/// The order is made of what is told of it; the whole of it is said next.
pub(crate) fn stub(platform: &Platform) -> Command {
    let placed = PlaceOrder {
        channel: ChannelId::new("kakao-jeju"),
        sale: platform.sale(),
        rules: whole_rules(platform.terms).into(),
        is_stub: true,
    };
    Command::PlaceOrder(Box::new(placed), Counts::default())
}

/// The channel tells the whole order.
pub(crate) fn told(snapshot: Snapshot) -> Command {
    Command::SyncSnapshot {
        snapshot: Box::new(snapshot),
        not_for_sale: None,
        paid_elsewhere: Vec::new(),
        lines_elsewhere: Vec::new(),
    }
}

/// The same, when its product was not for sale.
pub(crate) fn told_not_for_sale(snapshot: Snapshot, why: &str) -> Command {
    Command::SyncSnapshot {
        snapshot: Box::new(snapshot),
        not_for_sale: Some(why.to_owned()),
        paid_elsewhere: Vec::new(),
        lines_elsewhere: Vec::new(),
    }
}

/// A link is somewhere else.
pub(crate) fn link_news(mut snapshot: Snapshot, id: &str, state: LinkState) -> Snapshot {
    snapshot.link = Some(LinkNews { id: id.to_owned(), state });
    snapshot
}

/// A return of money has come so far, told by its number alone.
pub(crate) fn return_news(mut snapshot: Snapshot, reference: &str, status: EntryStatus) -> Snapshot {
    snapshot.return_news.push(ReturnNews { reference: reference.to_owned(), status });
    snapshot
}
