// SPDX-License-Identifier: Apache-2.0

//! What flags tell of. Where the order itself shows whether that is still so, the flag carries the fact: its sentence says how it stands
//! now, and it goes when it is over. Nobody has to think of it where the order changes.

use crate::id::ProductCode;
use crate::order::channel_state::{ChannelState, LinkState, PaymentLink, Sold, Stage};
use crate::order::money::PaymentMode;
use crate::order::{Attention, AttentionKind, Booking, BookingState, Fact, Order, OrderState, TicketingState};
use crate::quoted::Quoted;

impl Fact {
    /// The flag that tells of it.
    pub fn kind(&self) -> AttentionKind {
        match self {
            Fact::UnitsCalledOff { .. } | Fact::UnitsGone { .. } => AttentionKind::LiveTicketBehindRefund,
            Fact::LinkOver => AttentionKind::PaymentLinkOver,
            Fact::OpenBalance => AttentionKind::OpenBalance,
            Fact::UnitsAdded { .. }
            | Fact::UsedLess { .. }
            | Fact::PriceRaised { .. }
            | Fact::VisitMoved { .. }
            | Fact::SoldOtherwise { .. }
            | Fact::TicketsVoid
            | Fact::OtherProduct
            | Fact::VisitPast { .. }
            | Fact::SoldAmiss { .. }
            | Fact::ConfirmedOffSale { .. }
            | Fact::VisitOverEarly { .. }
            | Fact::Doubts
            | Fact::LinkUnanswered { .. }
            | Fact::LinkPaidUnseen { .. }
            | Fact::CancelOfUsedAsked => AttentionKind::Contradiction,
        }
    }

    /// Whether it is still so.
    pub(crate) fn holds(&self, order: &Order) -> bool {
        match self {
            Fact::UnitsCalledOff { before } => {
                let behind = may_admit(order).filter(|booking| !order.has_tickets_for_the_living(booking));
                behind.is_some() && cancelled_units(order) > *before
            }
            Fact::UnitsAdded { tickets_for } => ticketed(order).is_some() && order.live_units() > *tickets_for,
            Fact::UnitsGone { tickets_for } => may_admit(order).is_some() && order.quantity < *tickets_for,
            Fact::UsedLess { before } => is_on_there(order) && used_units(order) < *before,
            Fact::PriceRaised { .. } => is_to_be_paid(order),
            Fact::VisitMoved { from } => ticketed(order).is_some_and(|booking| booking.visit_date != *from),
            Fact::SoldOtherwise { tickets_for } => {
                ticketed(order).is_some() && !sold_otherwise(order, tickets_for).is_empty()
            }
            Fact::TicketsVoid => {
                order.active_booking().is_some_and(|booking| booking.ticketing.state == TicketingState::Cancelled)
            }
            Fact::OtherProduct => order.names_other_product().is_some(),
            Fact::VisitPast { on } => {
                let last = order.active_booking().and_then(|booking| booking.valid_until.max(booking.visit_date));
                last.is_some_and(|last| last < *on)
            }
            // The sale itself is judged when it comes.
            Fact::SoldAmiss { .. } => order.is_stub,
            Fact::ConfirmedOffSale { .. } => !order.is_over(),
            Fact::VisitOverEarly { on } => {
                let day = order.booking.as_ref().filter(|booking| booking.is_visit_over()).and_then(|it| it.visit_date);
                day.is_some_and(|day| *on < day)
            }
            Fact::Doubts => !doubts(order).is_empty(),
            Fact::LinkUnanswered { key } => {
                // The channel has one live link for an order: a later one has taken its place.
                let mut later = links(order).iter().skip_while(|link| link.key != *key);
                let is_unknown = later.next().is_some_and(|link| link.id.is_none());
                is_unknown && is_to_be_paid(order) && later.all(|link| link.id.is_none())
            }
            Fact::LinkOver => is_to_be_paid(order) && !links(order).iter().any(PaymentLink::is_live),
            Fact::LinkPaidUnseen { id } => {
                let is_paid = |link: &PaymentLink| link.id.as_ref() == Some(id) && link.state == LinkState::Paid;
                is_to_be_paid(order) && links(order).iter().any(is_paid) && !order.was_paid_by(id)
            }
            Fact::OpenBalance => {
                order.booking.as_ref().is_some_and(|booking| booking.state == BookingState::Used)
                    && order.state != OrderState::Cancelled
                    && order.open_balance() > 0
            }
            Fact::CancelOfUsedAsked => {
                let stage = order.channel_state.as_deref().map(|state| state.standing.stage);
                order.booking.as_ref().is_some_and(Booking::is_visit_over)
                    && matches!(stage, Some(Stage::CancelRequested { .. }))
            }
        }
    }

    /// What is said of it, as it stands now.
    pub(crate) fn sentence(&self, order: &Order) -> String {
        match self {
            Fact::UnitsCalledOff { before } => {
                let gone = crate::words::units(cancelled_units(order).saturating_sub(*before));
                format!("cancelled: {gone}; the back-end cannot void a part: stop them at the gate")
            }
            Fact::UnitsAdded { tickets_for } => {
                let added = order.live_units().saturating_sub(*tickets_for);
                let plural = if added == 1 { "unit was" } else { "units were" };
                format!(
                    "{added} {plural} added after the tickets were asked for, which are for {tickets_for}: issue new ones for all of them by hand"
                )
            }
            Fact::UnitsGone { tickets_for } => format!(
                "the order has {} now, and its tickets are for {tickets_for}: stop the others at the gate, and ask the channel",
                crate::words::units(order.quantity)
            ),
            Fact::UsedLess { before } => format!(
                "the channel counts {} as used, and counted {before} before; a use is never undone: ask the channel",
                crate::words::units(used_units(order))
            ),
            Fact::PriceRaised { paid } => format!(
                "the price rose to {} after {paid} had been paid for it; {} is open, and nobody collects it: ask the channel",
                order.money.due,
                order.to_collect()
            ),
            Fact::VisitMoved { from } => {
                let day = from.map(|day| format!(", which are for {day}")).unwrap_or_default();
                format!("the visit was moved after its tickets were asked for{day}; issue new ones by hand")
            }
            Fact::SoldOtherwise { tickets_for } => format!(
                "another {} was booked after the tickets were asked for; issue new ones by hand",
                sold_otherwise(order, tickets_for).join(" and ")
            ),
            Fact::TicketsVoid => {
                "the back-end made the tickets of a live booking void; issue again by hand, or refund".to_owned()
            }
            Fact::OtherProduct => other_product(order),
            Fact::VisitPast { .. } => {
                "the visit was over when this booking was told: no gate admits anybody with it; cancel it, or ask the channel"
                    .to_owned()
            }
            Fact::SoldAmiss { why } => format!("the channel sold what would have been refused: {why}"),
            Fact::ConfirmedOffSale { why } => {
                format!("the channel accepted this booking by itself although its product is not for sale ({why})")
            }
            Fact::VisitOverEarly { on } => {
                let booking = order.booking.as_ref();
                let how = match booking.map(|booking| booking.state) {
                    Some(BookingState::NoShow) => "marked as not come",
                    _ => "used",
                };
                let day = booking.and_then(|booking| booking.visit_date);
                let day = day.map(|day| format!(", {day}")).unwrap_or_default();
                format!("{how} on {on}, before the day of the visit{day}: ask the guest and whoever told it")
            }
            Fact::Doubts => doubts(order).join("; "),
            Fact::LinkUnanswered { .. } => {
                "the channel has never said whether it made a payment link; look there, and take it back".to_owned()
            }
            Fact::LinkOver => {
                format!("the payment link is over, and {} is still to be paid; send another one", order.to_collect())
            }
            Fact::LinkPaidUnseen { .. } => format!(
                "the channel says that a payment link was paid, and lists no payment made with it; {} is still open: look there",
                order.to_collect()
            ),
            Fact::OpenBalance => {
                format!("used, and {} of its price is not paid; collect the balance", order.open_balance())
            }
            Fact::CancelOfUsedAsked => {
                "the guest asks the channel to cancel what has been used, and it waits for a decision; decide it there"
                    .to_owned()
            }
        }
    }

    /// Whether tickets that a person has made since take its place.
    pub(crate) fn ends_with_new_tickets(&self) -> bool {
        match self {
            Fact::UnitsAdded { .. } | Fact::VisitMoved { .. } | Fact::SoldOtherwise { .. } | Fact::TicketsVoid => true,
            Fact::UnitsCalledOff { .. }
            | Fact::UnitsGone { .. }
            | Fact::UsedLess { .. }
            | Fact::PriceRaised { .. }
            | Fact::OtherProduct
            | Fact::VisitPast { .. }
            | Fact::SoldAmiss { .. }
            | Fact::ConfirmedOffSale { .. }
            | Fact::VisitOverEarly { .. }
            | Fact::Doubts
            | Fact::LinkUnanswered { .. }
            | Fact::LinkOver
            | Fact::LinkPaidUnseen { .. }
            | Fact::OpenBalance
            | Fact::CancelOfUsedAsked => false,
        }
    }

    /// Whether both tell of the same thing: a flag tells of it once.
    pub(crate) fn is_same_subject(one: Option<&Fact>, other: Option<&Fact>) -> bool {
        one.map(std::mem::discriminant) == other.map(std::mem::discriminant)
    }
}

fn other_product(order: &Order) -> String {
    let told = order.names_other_product().map(|code| Quoted::code(code.as_str()).to_string()).unwrap_or_default();
    format!(
        "the channel names the product {told} now, and {} was booked: no ticket is asked for; decline or cancel it, and let the guest book anew",
        order.product
    )
}

/// The live booking for which tickets were asked.
fn ticketed(order: &Order) -> Option<&Booking> {
    order.active_booking().filter(|booking| booking.ticketing.may_be_live())
}

/// The booking whose tickets may still admit somebody: a live one, or one that the others have used. The end of its last day ends it.
fn may_admit(order: &Order) -> Option<&Booking> {
    let is_used = |booking: &&Booking| booking.state == BookingState::Used && booking.ticketing.may_be_live();
    ticketed(order).or_else(|| order.booking.as_ref().filter(is_used))
}

fn cancelled_units(order: &Order) -> u32 {
    order.channel_state.as_deref().map_or(0, ChannelState::cancelled_units)
}

/// Whether the channel has not cancelled it: whatever it counts then, that is what is shown.
fn is_on_there(order: &Order) -> bool {
    let stage = order.channel_state.as_deref().map(|state| state.standing.stage);
    stage.is_some_and(|stage| !matches!(stage, Stage::Rejected | Stage::Cancelled))
}

/// Units that the channel counts as used.
pub(crate) fn used_units(order: &Order) -> u32 {
    order.lines().iter().map(|line| line.used).fold(0, u32::saturating_add)
}

/// What is sold now, in so far as it is another thing than what tickets were made for.
fn sold_otherwise(order: &Order, tickets_for: &Sold) -> Vec<&'static str> {
    let now = order.channel_state.as_deref().and_then(|channel_state| channel_state.sold.as_ref());
    now.map(|now| tickets_for.differences(now)).unwrap_or_default()
}

fn doubts(order: &Order) -> &[String] {
    order.channel_state.as_deref().map(|channel_state| channel_state.doubts.as_slice()).unwrap_or_default()
}

fn links(order: &Order) -> &[PaymentLink] {
    order.channel_state.as_deref().map(|channel_state| channel_state.links.as_slice()).unwrap_or_default()
}

fn is_to_be_paid(order: &Order) -> bool {
    order.state != OrderState::Cancelled && order.to_collect() > 0
}

impl Order {
    /// Whether a person may make new tickets in place of those that there are, or were: they are for something else, or void.
    pub fn takes_new_tickets(&self) -> bool {
        self.attention.iter().any(|flag| flag.fact.as_ref().is_some_and(Fact::ends_with_new_tickets))
    }
    /// The product that the channel names by now, where that is not what was booked and nobody was asked for tickets yet.
    pub fn names_other_product(&self) -> Option<&ProductCode> {
        let booking = self.active_booking()?;
        let is_open = match booking.ticketing.state {
            TicketingState::Queued => !booking.ticketing.asked,
            TicketingState::NotNeeded => true,
            TicketingState::Requested
            | TicketingState::Issued
            | TicketingState::Unknown
            | TicketingState::Failed
            | TicketingState::Cancelling
            | TicketingState::Cancelled
            | TicketingState::CancelRefused => false,
        };
        let told = self.channel_state.as_deref()?.sold.as_ref()?.product.as_ref()?;
        (is_open && *told != self.product).then_some(told)
    }
    /// Whether the visit is over, and a person was told to stop at the gate whose units were cancelled.
    pub(crate) fn may_admit_the_cancelled(&self) -> bool {
        let is_it = |flag: &Attention| matches!(flag.fact, Some(Fact::UnitsCalledOff { .. } | Fact::UnitsGone { .. }));
        self.booking.as_ref().is_some_and(Booking::is_visit_over) && self.attention.iter().any(is_it)
    }
    /// What is still to be collected: money that is being sent back pays for nothing.
    pub fn to_collect(&self) -> i64 {
        self.money.due - self.money.held() + self.money.refund_pending()
    }
    /// Whether its channel has ways to collect the price, or a rest of it, after the booking was made.
    pub fn is_collected_later(&self) -> bool {
        self.money.mode == PaymentMode::Ledger
            && self.channel_state.as_deref().is_some_and(|state| state.standing.pays_by.is_some())
    }
    /// What the guest still owes. Where all is paid with the booking, what went back since is the money of what was cancelled, and nobody
    /// owes it.
    pub fn open_balance(&self) -> i64 {
        match (self.money.mode, self.is_collected_later()) {
            (PaymentMode::BookingOnly | PaymentMode::External, _) => 0,
            (PaymentMode::Ledger, true) => self.to_collect(),
            (PaymentMode::Ledger, false) => self.money.due - self.money.received(),
        }
    }
}
