// SPDX-License-Identifier: Apache-2.0

//! The answer to each command: what happens, or why not. Pure, total, and meant to be read by people from the business side.
//!
//! One file for each subject; this one only says where to look. A decision is written in one way, as a [`draft::Draft`]. Three habits run
//! through all of them: a repeat of what is known is accepted and changes nothing; a fact is never refused, at worst it raises a flag
//! that a person sees; an act that the state does not allow is refused with a stable code and a sentence that says what to do first.
//!
//! Who leads an order is asked once, here: the bridge, or a channel that tells the whole order and whose state we keep
//! ([`crate::order::channel_state`]).

mod booking;
mod copies;
mod deadlines;
mod disagreement;
mod draft;
mod endings;
mod facts;
mod guests;
mod hold;
mod hold_change;
mod kept;
mod money_back;
mod notifications;
mod proof;
mod redemption;
mod refund;
mod sale;
mod settlement;
mod snapshot_channel;
mod terms;
mod ticketing;

pub use disagreement::Disagreement;
pub use kept::{can_be_cancelled, fee_of_cancelling};
pub use ticketing::dates_demanded;

use std::rc::Rc;

pub(crate) use draft::Draft;

use crate::message::{Actor, Command, Counts, PlaceOrder};
use crate::order::{AttentionKind, Order};
use crate::rejection::{Rejection, Why};
use crate::time::Moment;

/// Takes a sale on that is not known yet.
pub(crate) fn place(placed: &PlaceOrder, counts: &Counts, actor: &Actor, moment: Moment) -> Result<Draft, Rejection> {
    sale::place(placed, counts, actor, moment)
}

/// Decides `command` for an order that is known.
pub(crate) fn decide(order: &Rc<Order>, command: &Command, actor: &Actor, moment: Moment) -> Result<Draft, Rejection> {
    if order.is_read_only() && command.is_act() {
        let sentence = "this order belongs to a partner's own system; change it there";
        return Err(Rejection::new(Why::ReadOnlyOrder, sentence));
    }
    let mut draft = Draft::of(order, actor, moment);
    answer(&mut draft, order, command)?;
    snapshot_channel::keep_time_of_link(&mut draft, order);
    Ok(draft)
}

/// Several partners speak of one order's money, in any order: whoever said the last word, a person is told when more went back than came
/// in.
pub(crate) fn last_look(order: &Rc<Order>, moment: Moment) -> Draft {
    let mut draft = Draft::of(order, &Actor::policy(), moment);
    if order.money.held() < 0 {
        sale::too_much_back(&mut draft);
    }
    draft
}

fn answer(draft: &mut Draft, order: &Order, command: &Command) -> Result<(), Rejection> {
    // The second of the pair is who leads the order: the channel whose state it is, or the bridge where there is none.
    match (command, order.channel_state.as_deref()) {
        (Command::PlaceOrder(placed, _), _) => sale::place_again(draft, placed)?,
        (Command::RecordPayments { entries }, _) => sale::record_payments(draft, entries)?,
        (Command::RecordPaid { at }, _) => sale::record_paid(draft, *at),

        (Command::RequestBooking(request), _) => booking::request(draft, request)?,
        (Command::Reservation { target, act, at: _ }, _) => hold::act(draft, target, act)?,
        (Command::ConfirmBooking, None) => booking::confirm(draft)?,
        (Command::ConfirmBooking, Some(state)) => snapshot_channel::confirm(draft, state)?,
        (Command::RejectBooking { reason }, None) => booking::reject(draft, reason)?,
        (Command::RejectBooking { reason }, Some(state)) => snapshot_channel::reject(draft, state, reason)?,

        (Command::RequestTickets { target, request, validity, date_left }, _) => {
            ticketing::request(draft, target, request, *validity, *date_left)?;
        }
        (Command::AnswerTickets { target, with_tickets }, _) => ticketing::answer(draft, target, *with_tickets),
        (Command::RecordTicketFacts { booking, facts }, _) => facts::record(draft, booking, facts)?,
        (Command::SupplyTickets { tickets }, _) => ticketing::supply(draft, tickets)?,

        (Command::Redeem(redeem), _) => redemption::redeem(draft, redeem)?,
        (Command::MarkNoShow { at }, _) => redemption::no_show(draft, *at)?,

        (Command::ApplyRefund(application), _) => refund::apply(draft, application)?,
        (Command::ApproveRefund { case, fee, without_backend, reason }, _) => {
            refund::approve(draft, case, *fee, *without_backend, reason.as_ref())?;
        }
        (Command::RejectRefund { case, reason }, _) => refund::reject(draft, case, reason)?,
        (Command::EscalateRefund { case, reason }, _) => refund::escalate(draft, case, reason)?,
        (Command::WithdrawRefund { channel_ref }, _) => refund::withdraw(draft, channel_ref),
        (Command::RecordRejection(rejection), _) => refund::record_rejection(draft, rejection),

        (Command::RecordRefund(refund), _) => settlement::record_refund(draft, refund),
        (Command::RecordCancellation(cancellation), _) => settlement::record_cancellation(draft, cancellation),
        (Command::CancelOrder { reason }, None) => settlement::cancel_order(draft, reason)?,
        (Command::CancelOrder { reason }, state) => {
            snapshot_channel::ask_cancellation(draft, state, &snapshot_channel::Terms::whole(reason))?;
        }
        (Command::AskCancellation { fee, reason, parts, notify_text }, state) => {
            let notify_text = notify_text.as_ref();
            let terms = snapshot_channel::Terms { fee: *fee, reason, parts, notify_text };
            snapshot_channel::ask_cancellation(draft, state, &terms)?;
        }

        (Command::SyncSnapshot { snapshot, not_for_sale, paid_elsewhere, lines_elsewhere }, _) => {
            let not_for_sale = not_for_sale.as_deref();
            let around = snapshot_channel::Around { not_for_sale, paid_elsewhere, lines_elsewhere };
            snapshot_channel::sync(draft, snapshot, &around);
        }
        (Command::RecordAgreement { notification }, _) => snapshot_channel::record_agreement(draft, notification),
        (Command::RecordQuote { fee, refund }, state) => snapshot_channel::record_quote(draft, state, *fee, *refund),
        (Command::ReturnPayments { amount, reason }, state) => {
            snapshot_channel::return_payments(draft, state, *amount, reason)?;
        }
        (Command::SendPaymentLink { amount, expires_at }, state) => {
            snapshot_channel::send_link(draft, state, *amount, *expires_at)?;
        }
        (Command::RevokePaymentLink, _) => snapshot_channel::revoke_link(draft)?,
        (Command::RecordPaymentLink { key, id, url }, _) => {
            snapshot_channel::record_link(draft, key, id, url.as_deref());
        }
        (Command::RecordPartnerNumber { number }, state) => snapshot_channel::partner_number(draft, state, number),

        (Command::SupplyGuests { buyer, visitors, contact }, _) => {
            guests::supply(draft, buyer, visitors, contact.as_ref())?;
        }
        (Command::RecordReveal { reason }, _) => guests::revealed(draft, reason),
        (Command::EraseGuests { reason }, _) => guests::erase(draft, reason)?,

        (Command::RecordNotification { notification, outcome }, _) => {
            notifications::record(draft, notification, outcome)?;
        }
        (Command::RecordDoubt { sentence, unread }, state) => {
            // Of an order that is told whole, the next word that can be read settles it.
            let is_told_anew = *unread && state.is_some();
            let kind = if is_told_anew { AttentionKind::BooksDiffer } else { AttentionKind::Contradiction };
            draft.flag(kind, sentence.to_string());
        }
        (Command::SettleAttention { kind, reason }, _) => notifications::settle_attention(draft, *kind, reason)?,
        (Command::RecordLate { call, by }, _) => notifications::late(draft, call, *by),
        (Command::RecordAstray { partner, why }, _) => notifications::astray(draft, partner, why),
        (Command::RecordPartnerGone { partner }, _) => notifications::partner_gone(draft, partner),
        (Command::RecordPartnerBack { .. }, _) => draft.settle_flag(AttentionKind::PartnerGone),
        (Command::WarnDeadline { kind, due_at }, _) => deadlines::warn(draft, *kind, *due_at),
        (Command::PassDeadline { kind, due_at }, _) => deadlines::pass(draft, *kind, *due_at),
    }
    Ok(())
}
