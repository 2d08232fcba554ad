// SPDX-License-Identifier: Apache-2.0

//! What a change will ask the database for, as far as the message and the configuration tell: it is read for many changes together. What
//! is forgotten here costs time, never correctness.

use ticketbridge_core::message::{Command, DeadlineKind, RequestBooking, Sale, Snapshot, StockKey, TicketFacts};
use ticketbridge_core::order::money::PaymentMode;
use ticketbridge_core::personal::Person;
use ticketbridge_core::port::{Envelope, Message};
use ticketbridge_core::product::RuleSnapshot;
use ticketbridge_core::rules::capacity::{date_stock_key, voucher_stock_key};
use ticketbridge_core::rules::guests::guests_of;
use ticketbridge_core::rules::purchase_limits::phone_of;
use ticketbridge_core::{BookingId, OrderId, ProductCode};
use ticketbridge_store::{ClaimKind, Needs, Sealer};

use crate::engine::arrival::Incoming;
use crate::engine::purchase_limits::{document_hash, phone_hash};
use crate::engine::{credit, owned};
use crate::service::registry::RegisteredChannel;

/// What a message needs; `dedupe` is the key by which it counts once.
pub(crate) fn of_message(sealer: &Sealer, incoming: &Incoming, envelope: &Envelope, dedupe: &str) -> Needs {
    let channel = &incoming.channel;
    let rules = |sale: &Sale| incoming.running.rules_of(channel, &sale.product);
    let needs = Needs::nothing().with_message(dedupe).with_number(&channel.id, &envelope.about);
    match &envelope.message {
        Message::Sale(sale) => {
            let mut needs = needs.with_number(&channel.id, &sale.channel_order_id);
            if sale.payment_mode == PaymentMode::Ledger
                && let Some(account) = credit::account_of(&incoming.running, &channel.id)
            {
                needs = needs.with_credit(&account.id);
            }
            rules(sale).map_or(needs.clone(), |rules| of_sale(needs, sealer, &rules, sale))
        }
        Message::Booking { sale, request } => {
            let needs = needs
                .with_number(&channel.id, &sale.channel_order_id)
                .with_number(&channel.id, &request.channel_booking_id);
            rules(sale).map_or(needs.clone(), |rules| of_booking(needs, sealer, &rules, &sale.buyer, request))
        }
        Message::Snapshot(snapshot) => {
            let needs = of_snapshot(needs, channel, snapshot);
            let key = rules(&snapshot.sale).and_then(|rules| date_stock_key(&rules.booking, snapshot.visit_date));
            key.map_or(needs.clone(), |key| needs.with_stock(&key))
        }
        Message::Act(command) if moves_stock(command) => needs.moving_stock(),
        Message::Act(_) | Message::Listing(_) | Message::Note { .. } => needs,
    }
}

/// A whole order: itself, and whose its payments and lines are.
pub(crate) fn of_snapshot(needs: Needs, channel: &RegisteredChannel, snapshot: &Snapshot) -> Needs {
    let needs = needs.with_number(&channel.id, &snapshot.sale.channel_order_id).perhaps_moving_stock();
    owned::numbers(snapshot).fold(needs, |needs, number| needs.with_number(&channel.id, &number))
}

fn of_sale(mut needs: Needs, sealer: &Sealer, rules: &RuleSnapshot, sale: &Sale) -> Needs {
    let Some(voucher) = &rules.voucher else { return needs };
    if let Some(key) = voucher_stock_key(rules) {
        needs = needs.with_stock(&key);
    }
    if voucher.per_phone.is_some() {
        needs = needs.with_stock(&turn_of(&voucher.code));
        if let Some(phone) = phone_of(&[&sale.buyer]) {
            needs = needs.with_claims(&voucher.code, ClaimKind::Phone, &phone_hash(sealer, &phone));
        }
    }
    needs
}

fn of_booking(
    mut needs: Needs,
    sealer: &Sealer,
    rules: &RuleSnapshot,
    buyer: &Person,
    request: &RequestBooking,
) -> Needs {
    let product = &rules.booking;
    if let Some(key) = date_stock_key(product, request.visit_date) {
        needs = needs.with_stock(&key);
    }
    if product.limits.per_phone.is_some() || product.limits.per_document.is_some() {
        needs = needs.with_stock(&turn_of(&product.code));
    }
    if product.limits.per_phone.is_some() {
        let people: Vec<&Person> = request.contact.iter().chain([buyer]).collect();
        if let Some(phone) = phone_of(&people) {
            needs = needs.with_claims(&product.code, ClaimKind::Phone, &phone_hash(sealer, &phone));
        }
    }
    if product.limits.per_document.is_some() {
        let guests = guests_of(&request.visitors, request.contact.as_ref());
        for document in guests.iter().filter_map(|guest| guest.document.as_ref()) {
            if !document.number.is_remote_cipher() {
                let hash = document_hash(sealer, document.number.reveal());
                needs = needs.with_claims(&product.code, ClaimKind::Document, &hash);
            }
        }
    }
    needs
}

/// The row at which the buyers of a product take turns.
pub(crate) fn turn_of(product: &ProductCode) -> StockKey {
    StockKey { product: product.clone(), date: None }
}

/// What commands to an order need.
pub(crate) fn of_commands<'c>(order: &OrderId, mut commands: impl Iterator<Item = &'c Command>) -> Needs {
    let needs = Needs::order(order);
    if commands.any(moves_stock) { needs.moving_stock() } else { needs }
}

/// What an event about a booking needs.
pub(crate) fn of_event(booking: &BookingId, command: &Command) -> Needs {
    let needs = Needs::nothing().with_booking(booking);
    if moves_stock(command) { needs.moving_stock() } else { needs }
}

/// What a deadline needs that is warned of or passes.
pub(crate) fn of_deadline(order: &OrderId, kind: DeadlineKind, is_passing: bool) -> Needs {
    let needs = Needs::order(order).with_deadline(order, kind);
    if is_passing && passing_moves_stock(kind) { needs.moving_stock() } else { needs }
}

/// Whether a command may take or give back what is counted.
fn moves_stock(command: &Command) -> bool {
    match command {
        Command::PlaceOrder(..)
        | Command::RequestBooking(_)
        | Command::Reservation { .. }
        | Command::RejectBooking { .. }
        | Command::RequestTickets { .. }
        | Command::ApplyRefund(_)
        | Command::ApproveRefund { .. }
        | Command::RecordRefund(_)
        | Command::RecordCancellation(_)
        | Command::CancelOrder { .. }
        | Command::SyncSnapshot { .. } => true,
        Command::RecordTicketFacts { facts, .. } => match facts {
            TicketFacts::Refused { .. }
            | TicketFacts::Cancelled
            | TicketFacts::CancelledKeeping { .. }
            | TicketFacts::GivenUp { .. } => true,
            TicketFacts::Pending { .. }
            | TicketFacts::Issued { .. }
            | TicketFacts::Redeemed { .. }
            | TicketFacts::CancelPending
            | TicketFacts::CancelRefused { .. }
            | TicketFacts::HeldByAnother { .. }
            | TicketFacts::Unknown { .. } => false,
        },
        Command::PassDeadline { kind, .. } => passing_moves_stock(*kind),
        Command::RecordPayments { .. }
        | Command::RecordPaid { .. }
        | Command::ConfirmBooking
        | Command::SupplyGuests { .. }
        | Command::AnswerTickets { .. }
        | Command::SupplyTickets { .. }
        | Command::Redeem(_)
        | Command::MarkNoShow { .. }
        | Command::RejectRefund { .. }
        | Command::EscalateRefund { .. }
        | Command::WithdrawRefund { .. }
        | Command::RecordRejection(_)
        | Command::RecordDoubt { .. }
        | Command::RecordLate { .. }
        | Command::RecordAgreement { .. }
        | Command::RecordQuote { .. }
        | Command::AskCancellation { .. }
        | Command::ReturnPayments { .. }
        | Command::SendPaymentLink { .. }
        | Command::RevokePaymentLink
        | Command::SettleAttention { .. }
        | Command::RecordPaymentLink { .. }
        | Command::RecordPartnerNumber { .. }
        | Command::RecordReveal { .. }
        | Command::EraseGuests { .. }
        | Command::RecordNotification { .. }
        | Command::RecordAstray { .. }
        | Command::RecordPartnerGone { .. }
        | Command::RecordPartnerBack { .. }
        | Command::WarnDeadline { .. } => false,
    }
}

/// Whether what is done when a deadline passes may give back what is counted.
fn passing_moves_stock(kind: DeadlineKind) -> bool {
    match kind {
        DeadlineKind::Acceptance | DeadlineKind::BookingWindow => true,
        DeadlineKind::Ticketing | DeadlineKind::Review | DeadlineKind::VisitDay | DeadlineKind::PaymentLink => false,
    }
}
