//! The answer to each command: what happens, or why not. Pure, total, and meant to be read by people from the business side.
//!
//! One file for each subject; this one only says where to look. Three habits run through all of them: a repeat of what is known is
//! accepted and changes nothing; a fact is never refused, at worst it raises a flag that a person sees; an act that the state does not allow is
//! refused with a stable code and a sentence that says what to do first.

mod booking;
mod deadlines;
mod draft;
mod hold;
mod notifications;
mod proof;
mod redemption;
mod refund;
mod sale;
mod settlement;
mod snapshot_channel;
mod ticketing;

pub use hold::fee_of_calling_off;
pub use proof::{Disagreement, NOT_DONE, NOT_DONE_WHY};
pub(crate) use snapshot_channel::quote_holds;
pub use ticketing::dates_demanded;

use crate::id::BackendId;
use crate::message::{Actor, Command, Counts, DeadlineKind, Effect, Event, PlaceOrder, StockKey, TicketOp};
use crate::order::money::{EntryKind, PRESUMED};
use crate::order::{AttentionKind, Booking, Order, TicketingState};
use crate::product::{BookingProduct, News, StockFrom, Ticketing as TicketSource};
use crate::rejection::{Rejection, Why};
use crate::time::Moment;

/// What happens, and what must be done outside; both empty for an accepted repeat.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Decision {
    /// What happens, in order.
    pub events: Vec<Event>,
    /// What must be done outside, in order.
    pub effects: Vec<Effect>,
}

impl Decision {
    /// Nothing to do: it is so already.
    pub(crate) fn nothing() -> Self {
        Self::default()
    }
    pub(crate) fn event(mut self, event: Event) -> Self {
        self.events.push(event);
        self
    }
    pub(crate) fn effect(mut self, effect: Effect) -> Self {
        self.effects.push(effect);
        self
    }
    pub(crate) fn maybe(self, effect: Option<Effect>) -> Self {
        match effect {
            Some(effect) => self.effect(effect),
            None => self,
        }
    }
    pub(crate) fn then(mut self, more: Decision) -> Self {
        self.events.extend(more.events);
        self.effects.extend(more.effects);
        self
    }
    /// Flags the order for a person; a flag that stands already is not raised again.
    pub(crate) fn attention(self, order: &Order, kind: AttentionKind, sentence: impl Into<String>) -> Self {
        if order.needs(kind) { self } else { self.event(Event::AttentionRaised { kind, sentence: sentence.into() }) }
    }
}

/// Takes a sale on that is not known yet.
pub fn place(placed: &PlaceOrder, counts: &Counts, moment: Moment) -> Result<Decision, Rejection> {
    sale::place(placed, counts, moment)
}

/// Decides `command` for an order that is known.
pub fn decide(order: &Order, command: &Command, actor: &Actor, moment: Moment) -> Result<Decision, Rejection> {
    if order.is_read_only() && command.is_act() {
        let sentence = "this order belongs to a partner's own system; change it there";
        return Err(Rejection::new(Why::ReadOnlyOrder, sentence));
    }
    answer(order, command, actor, moment).map(|decision| keep_quiet(order, retract_presumed(order, decision)))
}

/// A channel that asks is sent nothing.
fn keep_quiet(order: &Order, mut decision: Decision) -> Decision {
    match order.rules.channel.news {
        News::ByCalls => {}
        News::WhenAsked => decision.effects.retain(|effect| !matches!(effect, Effect::TellChannel { .. })),
    }
    decision
}

/// What a refund with a number of its own replaces is said aloud, so that the history alone adds up.
fn retract_presumed(order: &Order, decision: Decision) -> Decision {
    let mut is_presumed = order.money.presumes_refund();
    let mut events = Vec::with_capacity(decision.events.len());
    for event in decision.events {
        match &event {
            Event::PaymentRecorded { entry } if entry.kind == EntryKind::Refund && entry.reference == PRESUMED => {
                is_presumed = true;
            }
            Event::PaymentRecorded { entry } if entry.kind == EntryKind::Refund && is_presumed => {
                events.push(Event::PaymentRetracted { reference: PRESUMED.to_owned() });
                is_presumed = false;
            }
            Event::RefundApproved { pending: Some(_), .. } => is_presumed = true,
            Event::PaymentRetracted { reference } if reference == PRESUMED => is_presumed = false,
            _ => {}
        }
        events.push(event);
    }
    Decision { events, ..decision }
}

fn answer(order: &Order, command: &Command, actor: &Actor, moment: Moment) -> Result<Decision, Rejection> {
    match command {
        Command::PlaceOrder(placed, _) => sale::place_again(order, placed),
        Command::RecordPayments { entries } => sale::record_payments(order, entries),
        Command::RecordPaid { at } => sale::record_paid(order, *at),

        Command::RequestBooking(request) => booking::request(order, request, moment),
        Command::Reservation { target, act, at: _ } => hold::act(order, target, act, moment),
        Command::ConfirmBooking => booking::confirm(order, moment),
        Command::RejectBooking { reason } => booking::reject(order, reason),
        Command::SupplyGuests { buyer, visitors, contact } => {
            booking::supply_guests(order, buyer, visitors, contact.as_ref(), moment)
        }

        Command::RequestTickets { target, request, validity, date_left } => {
            ticketing::request_tickets(order, target, request, *validity, *date_left)
        }
        Command::AnswerTickets { target, with_tickets } => Ok(ticketing::answer_tickets(order, target, *with_tickets)),
        Command::RecordTicketFacts { booking, facts } => ticketing::record_facts(order, booking, facts, actor, moment),
        Command::SupplyTickets { tickets } => ticketing::supply_tickets(order, tickets, moment),

        Command::Redeem(redeem) => redemption::redeem(order, redeem, actor, moment),
        Command::MarkNoShow { at } => redemption::no_show(order, *at),

        Command::ApplyRefund(application) => refund::apply(order, application, moment),
        Command::ApproveRefund { case, fee, without_backend, reason } => {
            refund::approve(order, case, *fee, *without_backend, reason.as_deref(), actor, moment)
        }
        Command::RejectRefund { case, reason } => refund::reject(order, case, reason, actor),
        Command::EscalateRefund { case, reason } => refund::escalate(order, case, reason),
        Command::WithdrawRefund { channel_ref } => refund::withdraw(order, channel_ref),

        Command::RecordRefund(refund) => settlement::record_refund(order, refund),
        Command::RecordRejection(rejection) => Ok(refund::record_rejection(order, rejection)),
        Command::RecordDoubt { sentence } => {
            Ok(Decision::nothing().attention(order, AttentionKind::Contradiction, sentence.clone()))
        }
        Command::RecordCancellation(cancellation) => settlement::record_cancellation(order, cancellation),
        Command::CancelOrder { reason } if order.channel_state.is_some() => snapshot_channel::ask_cancellation(
            order,
            &snapshot_channel::Terms { fee: None, reason, parts: &[] },
            moment,
        ),
        Command::CancelOrder { reason } => settlement::cancel_order(order, reason),

        Command::SyncSnapshot { snapshot, not_for_sale, paid_elsewhere } => {
            let not_for_sale = not_for_sale.as_deref();
            snapshot_channel::sync(order, snapshot, &snapshot_channel::Around { not_for_sale, paid_elsewhere }, moment)
        }
        Command::RecordAgreement { notification } => {
            Ok(snapshot_channel::record_agreement(order, notification, moment))
        }
        Command::RecordQuote { fee, refund } => Ok(snapshot_channel::record_quote(order, *fee, *refund, moment.now)),
        Command::AskCancellation { fee, reason, parts } => {
            snapshot_channel::ask_cancellation(order, &snapshot_channel::Terms { fee: *fee, reason, parts }, moment)
        }
        Command::ReturnPayments { amount, reason } => snapshot_channel::return_payments(order, *amount, reason, moment),
        Command::SendPaymentLink { amount, expires_at } => {
            snapshot_channel::send_link(order, *amount, *expires_at, moment)
        }
        Command::RevokePaymentLink => snapshot_channel::revoke_link(order, moment),
        Command::RecordPaymentLink { key, id, url } => {
            Ok(snapshot_channel::record_link(order, key, id, url.as_deref()))
        }
        Command::RecordPartnerNumber { number } => Ok(booking::partner_number(order, number)),

        Command::RecordReveal { reason } => {
            Ok(Decision::nothing().event(Event::GuestsRevealed { reason: reason.clone() }))
        }
        Command::EraseGuests { reason } => erase_guests(order, reason),
        Command::RecordNotification { notification, outcome } => {
            notifications::record(order, notification, outcome, actor, moment)
        }
        Command::RecordAstray { partner, why } => Ok(notifications::astray(order, partner, why)),
        Command::RecordPartnerGone { partner } => Ok(notifications::partner_gone(order, partner)),
        Command::RecordPartnerBack { .. } => Ok(notifications::partner_back(order)),
        Command::WarnDeadline { kind, due_at } => Ok(deadlines::warn(order, *kind, *due_at)),
        Command::PassDeadline { kind, due_at } => Ok(deadlines::pass(order, *kind, *due_at)),
    }
}

/// While an order lives its guests are needed: at the gate, for a refund, for limits.
fn erase_guests(order: &Order, reason: &str) -> Result<Decision, Rejection> {
    if !order.is_over() || order.refund_case.as_ref().is_some_and(|case| case.is_open()) {
        let sentence = "the order has not come to its end; its guests' data can be erased afterwards";
        return Err(Rejection::new(Why::NotWaiting, sentence));
    }
    if !order.knows_guests() {
        return Ok(Decision::nothing());
    }
    Ok(Decision::nothing().event(Event::GuestsErased { reason: reason.to_owned() }))
}

/// The back-end that issues for a product, if any.
pub(crate) fn backend_of(product: &BookingProduct) -> Option<&BackendId> {
    match &product.ticketing {
        TicketSource::Backend { backend, .. } => Some(backend),
        TicketSource::CodePool { pool } => Some(pool),
        TicketSource::None => None,
    }
}

/// A call to the order's back-end about `booking`.
pub(crate) fn call_backend(
    order: &Order,
    booking: &Booking,
    op: TicketOp,
    not_before: Option<crate::time::UnixMillis>,
) -> Option<Effect> {
    backend_of(&order.rules.booking).map(|backend| Effect::CallBackend {
        backend: backend.clone(),
        booking: booking.id.clone(),
        op,
        not_before,
    })
}

/// What must be said when more goes back than came in.
pub(crate) fn too_much_back(order: &Order) -> Decision {
    if order.money.held() >= 0 {
        return Decision::nothing();
    }
    sale::too_much_back(order, Decision::nothing())
}

/// Asks the back-end to make the tickets of `booking` void, unless that is under way or there is nothing to make void.
pub(crate) fn start_cancel(order: &Order, booking: &Booking) -> Decision {
    if !booking.ticketing.may_be_live() || booking.ticketing.state == TicketingState::Cancelling {
        return Decision::nothing();
    }
    Decision::nothing().event(Event::TicketCancelStarted { booking: booking.id.clone() }).maybe(call_backend(
        order,
        booking,
        TicketOp::Cancel,
        None,
    ))
}

/// Units of the visit date go back on sale.
pub(crate) fn return_date_stock(order: &Order, booking: &Booking) -> Option<Effect> {
    date_stock_key(&order.rules.booking, booking.visit_date)
        .map(|key| Effect::ReturnStock { key, units: order.live_units() })
}

/// What stock is kept for a visit date, if it is limited at all.
pub fn date_stock_key(product: &BookingProduct, date: Option<crate::time::Date>) -> Option<StockKey> {
    let date = date?;
    let day = product.calendar_on(date)?;
    match product.stock_from {
        StockFrom::Backend => {}
        StockFrom::Calendar => {
            day.stock?;
        }
    }
    Some(StockKey { product: product.code.clone(), date: Some(date) })
}

/// What stock is kept for the voucher of an order, if it is limited at all.
pub fn voucher_stock_key(rules: &crate::product::RuleSnapshot) -> Option<StockKey> {
    let voucher = rules.voucher.as_ref()?;
    voucher.stock?;
    Some(StockKey { product: voucher.code.clone(), date: None })
}

/// Disarms the given deadlines.
pub(crate) fn disarm(decision: Decision, kinds: &[DeadlineKind]) -> Decision {
    kinds.iter().fold(decision, |d, kind| d.effect(Effect::DisarmDeadline { kind: *kind }))
}
