// SPDX-License-Identifier: Apache-2.0

//! What is taken out of the tape: the messages of a time, with stand-ins for guests, and what became of the orders that began in it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use ticketbridge_core::order::{Order, TicketKind};
use ticketbridge_core::personal::Personal;
use ticketbridge_core::product::Ticketing;
use ticketbridge_core::{ChannelId, OrderId, UnixMillis};
use ticketbridge_store::{Sealer, Store, StoreError};

use super::before;
use super::file::{self, Drawn, FileError, Recorded};
use super::mask::Mask;
use super::outcome::{FORM, outcome};
use super::pieces::{READ_MAX, read};
use super::tape::{Back, Piece};
use crate::service::registry::Registry;

/// Why a recording cannot be exported.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The database.
    #[error("the database cannot be read")]
    Store(#[from] StoreError),
    /// The file.
    #[error(transparent)]
    File(#[from] FileError),
    /// Nothing is there.
    #[error(
        "nothing was recorded in this time: the service records while [recorder] keep is set in ticketbridge.toml, and keeps it for that long"
    )]
    Nothing,
}

/// Takes the recording of a time out of the database.
///
/// # Errors
/// When there is none, or the database cannot be read.
pub async fn export(
    store: &Store,
    registry: &Registry,
    time: (UnixMillis, UnixMillis),
    stand_ins: [u8; 32],
) -> Result<Recorded, ExportError> {
    let pieces = read(store, time).await?;
    if pieces.is_empty() {
        return Err(ExportError::Nothing);
    }
    let mut left_out = Vec::new();
    let orders = orders_of(store, &pieces).await?;
    let is_older = |id: &OrderId| orders.get(id).is_some_and(|order| order.created_at < time.0);
    let mut held = Vec::new();
    if pieces.iter().any(|(_, piece)| matches!(piece, Piece::In(came) if came.decided.is_some())) {
        held = before::stock(store, time, &pieces).await?;
    } else {
        left_out.push("what was taken of stock before it began: an older version recorded it".to_owned());
    }
    let is_kept = |piece: &Piece| match piece {
        Piece::In(came) => !came.order.as_ref().is_some_and(is_older),
        // What an order of the recording moves, it moves again.
        Piece::Moved(moved) => is_older(&moved.order),
        Piece::Out(went) => !went.order.as_ref().is_some_and(is_older),
        Piece::Ran(ran) => !ran.what.order().is_some_and(is_older),
        Piece::Task { .. } => true,
    };
    let messages =
        |pieces: &[(UnixMillis, Piece)]| pieces.iter().filter(|(_, piece)| matches!(piece, Piece::In(_))).count();
    let before = messages(&pieces);
    let pieces: Vec<_> = pieces.into_iter().filter(|(_, piece)| is_kept(piece)).collect();
    if messages(&pieces) < before {
        left_out.push(format!(
            "{} messages about orders that began before the recording: what they were then is not in it",
            before - messages(&pieces)
        ));
    }
    let inside: Vec<&Order> = orders.values().filter(|order| order.created_at >= time.0).collect();
    let mut mask = Mask::new(stand_ins);
    inside.iter().for_each(|order| know_guests(&mut mask, order));
    let mut recorded = Recorded {
        time: (time.0.0, time.1.0),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        form: FORM,
        drawn: drawn(&inside),
        stock: held,
        ..Recorded::default()
    };
    for (at, piece) in pieces {
        recorded.pieces.push((at.0, masked(&mut mask, registry, piece)));
    }
    let mut later = 0;
    for order in inside {
        if order.updated_at >= time.1 {
            later += 1;
            continue;
        }
        let mut outcome = outcome(store, order).await?;
        // A code may be a guest's document, and has its stand-in then.
        outcome.parts.iter_mut().for_each(|(_, part)| mask.known_in(part));
        recorded.outcomes.push(outcome);
    }
    if later > 0 {
        left_out.push(format!("what became of {later} orders that changed after the end of the recording"));
    }
    for channel in registry.channels().filter_map(|channel| channel.credit_account.clone()) {
        let balance = store.credit_available_at(&channel, time.0).await?;
        recorded.credit.insert(channel, balance);
    }
    recorded.claims = before::claims(store, &mask, time.0, &recorded.pieces).await?;
    recorded.left_out = left_out;
    Ok(recorded)
}

/// The same, into a file.
///
/// # Errors
/// When there is none, or the file cannot be written.
pub async fn export_to(
    path: &Path,
    store: &Store,
    registry: &Registry,
    time: (UnixMillis, UnixMillis),
    sealer: &Sealer,
    random: [[u8; 16]; 3],
) -> Result<Recorded, ExportError> {
    let mut stand_ins = [0; 32];
    stand_ins[..16].copy_from_slice(&random[0]);
    stand_ins[16..].copy_from_slice(&random[1]);
    let recorded = export(store, registry, time, stand_ins).await?;
    file::write(path, &recorded, sealer, &hex::encode(random[2]))?;
    Ok(recorded)
}

async fn orders_of(store: &Store, pieces: &[(UnixMillis, Piece)]) -> Result<BTreeMap<OrderId, Order>, StoreError> {
    let named: BTreeSet<&OrderId> = pieces
        .iter()
        .filter_map(|(_, piece)| match piece {
            Piece::In(came) => came.order.as_ref(),
            Piece::Moved(moved) => Some(&moved.order),
            Piece::Out(went) => went.order.as_ref(),
            Piece::Ran(ran) => ran.what.order(),
            Piece::Task { .. } => None,
        })
        .collect();
    let named: Vec<OrderId> = named.into_iter().cloned().collect();
    let mut orders = BTreeMap::new();
    for part in named.chunks(READ_MAX as usize) {
        orders.extend(store.load_orders(part).await?.into_iter().map(|order| (order.id.clone(), order)));
    }
    Ok(orders)
}

/// Everything that an order knows of its guests has a stand-in, wherever it is met.
fn know_guests(mask: &mut Mask, order: &Order) {
    for (_, person) in order.people() {
        let document = person.document.as_ref().map(|document| document.number.reveal());
        let told = [person.name.as_ref().map(Personal::reveal), person.phone.as_ref().map(Personal::reveal), document];
        for text in told.into_iter().flatten() {
            mask.stand_in(text);
        }
    }
    // Codes keep their names, also where a partner calls them what it calls a guest's document.
    for booking in order.past_bookings.iter().chain(&order.booking) {
        for ticket in booking.ticketing.ever_made() {
            match ticket.kind {
                TicketKind::Code | TicketKind::Qr | TicketKind::Url => mask.keep(ticket.code.reveal()),
                TicketKind::Document => drop(mask.stand_in(ticket.code.reveal())),
            }
        }
    }
}

/// The codes that came from pools, as they were drawn, and for which bookings.
fn drawn(orders: &[&Order]) -> Vec<Drawn> {
    let mut drawn = Vec::new();
    for order in orders {
        let Ticketing::CodePool { pool } = &order.rules.booking.ticketing else { continue };
        for booking in order.past_bookings.iter().chain(&order.booking) {
            let tickets = booking.ticketing.tickets.iter();
            let codes: Vec<String> = tickets.map(|ticket| ticket.code.reveal().to_owned()).collect();
            let at = booking.confirmed_at.unwrap_or(booking.requested_at);
            if !codes.is_empty() {
                drawn.push((at, Drawn { pool: pool.to_string(), booking: booking.id.clone(), codes }));
            }
        }
    }
    drawn.sort_by(|a, b| (a.0, &a.1.codes).cmp(&(b.0, &b.1.codes)));
    drawn.into_iter().map(|(_, drawn)| drawn).collect()
}

fn masked(mask: &mut Mask, registry: &Registry, piece: Piece) -> Piece {
    match piece {
        Piece::In(mut came) => {
            let channel = came.path.strip_prefix("/channels/").and_then(|rest| rest.split('/').next());
            let channel = channel.and_then(|id| registry.channel(&ChannelId::new(id)));
            let opened = |text: &str| channel.as_ref()?.channel.cipher()?.opened(text);
            came.body = mask.body(&came.body, &opened);
            came.answer = mask.body(&came.answer, &|_| None);
            Piece::In(came)
        }
        Piece::Out(mut went) => {
            went.body = mask.body(&went.body, &|_| None);
            if let Back::Answered { body, .. } = &mut went.back {
                *body = mask.body(body, &|_| None);
            }
            Piece::Out(went)
        }
        Piece::Task { .. } | Piece::Ran(_) | Piece::Moved(_) => piece,
    }
}
