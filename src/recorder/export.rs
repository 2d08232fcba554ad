// SPDX-License-Identifier: Apache-2.0

//! What is taken out of the tape: the messages of a time, with stand-ins for guests, and what became of the orders that began in it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use ticketbridge_core::order::{Order, TicketKind};
use ticketbridge_core::personal::Personal;
use ticketbridge_core::product::Ticketing;
use ticketbridge_core::{ChannelId, OrderId, UnixMillis};
use ticketbridge_store::{Sealer, Store, StoreError};

use super::about::{self, About};
use super::before;
use super::file::{self, Drawn, FileError, Recorded};
use super::mask::Mask;
use super::outcome::{FORM, outcome};
use super::pieces::{READ_MAX, read};
use super::tape::{Back, Came, Piece};
use super::{tokens, whole};
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
    let mut pieces = read(store, time).await?;
    if pieces.is_empty() {
        return Err(ExportError::Nothing);
    }
    let about = about::all(store, &mut pieces).await?;
    let orders = orders_of(store, &pieces, &about).await?;
    let (torn, mut left_out) = whole::torn(store, time, &pieces, &orders).await?;
    let mut held = Vec::new();
    if is_by_an_older_version(&pieces) {
        left_out.push("what was taken of stock before it began: an older version recorded it".to_owned());
    } else {
        held = before::stock(store, time, &pieces).await?;
    }
    let is_missing = |id: &OrderId| {
        let is_older = orders.get(id).is_some_and(|order| order.created_at < time.0);
        is_older || torn.contains(id)
    };
    tokens::keep(&mut pieces, is_missing);
    let (mut pieces, others) = playable(pieces, &about, is_missing);
    tokens::of_before(store, time.0, &mut pieces).await?;
    left_out.extend(others.sentences());
    let inside: Vec<&Order> = orders.values().filter(|order| !is_missing(&order.id)).collect();
    let mut mask = Mask::new(stand_ins);
    inside.iter().for_each(|order| know_guests(&mut mask, order));
    let mut recorded = Recorded {
        time: (time.0.0, time.1.0),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        form: FORM,
        drawn: drawn(&inside),
        codes: codes(&mut mask, &inside),
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

/// Whether an older version recorded this: it did not say when anything was decided, nor what was done by itself, nor what was taken of stock.
fn is_by_an_older_version(pieces: &[(UnixMillis, Piece)]) -> bool {
    let is_told = |(_, piece): &(UnixMillis, Piece)| match piece {
        Piece::In(came) => came.decided.is_some(),
        Piece::Out(went) => went.of.is_some(),
        Piece::Ran(_) | Piece::Moved(_) => true,
        Piece::Task { .. } => false,
    };
    // What could not be read, or asked for nothing, was decided by nobody.
    let says_so = |(_, piece): &(UnixMillis, Piece)| match piece {
        Piece::In(came) => came.order.is_some(),
        Piece::Task { .. } => true,
        Piece::Out(_) | Piece::Ran(_) | Piece::Moved(_) => false,
    };
    !pieces.iter().any(is_told) && pieces.iter().any(says_so)
}

/// What is not played, since it is about orders that are not in the recording.
#[derive(Default)]
struct Others {
    messages: usize,
    acts: usize,
    many: usize,
    lists: usize,
}

impl Others {
    fn count(&mut self, came: &Came) {
        let what = match (came.by.is_some(), came.order.is_some()) {
            (true, _) if about::is_on_many(came) => &mut self.many,
            (true, _) => &mut self.acts,
            (false, true) => &mut self.messages,
            (false, false) => &mut self.lists,
        };
        *what += 1;
    }

    fn sentences(&self) -> Vec<String> {
        const WHY: &str = "what they were then is not in it";
        let all = [
            (self.messages, "messages about orders that began before the recording, or are left out"),
            (self.acts, "acts on orders that began before the recording, or are left out"),
            (self.many, "acts on many with orders among them that began before the recording, or are left out"),
            (
                self.lists,
                "messages that name orders, or were told of some, that began before the recording, or are left out",
            ),
        ];
        all.into_iter().filter(|(many, _)| *many > 0).map(|(many, what)| format!("{many} {what}: {WHY}")).collect()
    }
}

/// What can be played where these orders are missing, and what is left out with them.
fn playable(
    pieces: Vec<(UnixMillis, Piece)>,
    about: &[About],
    is_missing: impl Fn(&OrderId) -> bool,
) -> (Vec<(UnixMillis, Piece)>, Others) {
    let mut others = Others::default();
    // What was asked of partners on the way of what is left out.
    let mut ways = BTreeSet::new();
    let mut is_kept = |piece: &Piece, about: &About| match piece {
        Piece::In(came) => {
            let is_out = about.is_gone || came.order.iter().chain(&about.orders).any(&is_missing);
            if is_out {
                others.count(came);
                ways.extend(came.began);
            }
            !is_out
        }
        // What an order of the recording moves, it moves again.
        Piece::Moved(moved) => is_missing(&moved.order),
        Piece::Out(went) => !went.order.as_ref().is_some_and(&is_missing),
        Piece::Ran(ran) => !ran.what.order().is_some_and(&is_missing),
        Piece::Task { .. } => true,
    };
    let kept = pieces.into_iter().zip(about).filter(|((_, piece), about)| is_kept(piece, about));
    let mut kept: Vec<_> = kept.map(|(piece, _)| piece).collect();
    kept.retain(|(_, piece)| match piece {
        Piece::Out(went) => went.of.is_none_or(|way| !ways.contains(&way)),
        Piece::In(_) | Piece::Task { .. } | Piece::Ran(_) | Piece::Moved(_) => true,
    });
    (kept, others)
}

async fn orders_of(
    store: &Store,
    pieces: &[(UnixMillis, Piece)],
    about: &[About],
) -> Result<BTreeMap<OrderId, Order>, StoreError> {
    let named: BTreeSet<&OrderId> = pieces
        .iter()
        .filter_map(|(_, piece)| match piece {
            Piece::In(came) => came.order.as_ref(),
            Piece::Moved(moved) => Some(&moved.order),
            Piece::Out(went) => went.order.as_ref(),
            Piece::Ran(ran) => ran.what.order(),
            Piece::Task { .. } => None,
        })
        .chain(about.iter().flat_map(|about| &about.orders))
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

/// What admits to these orders, or did: a report shows none of it.
fn codes(mask: &mut Mask, orders: &[&Order]) -> Vec<String> {
    let mut codes = BTreeSet::new();
    for booking in orders.iter().flat_map(|order| order.past_bookings.iter().chain(&order.booking)) {
        for ticket in booking.ticketing.ever_made() {
            codes.insert(match ticket.kind {
                TicketKind::Code | TicketKind::Qr | TicketKind::Url => ticket.code.reveal().to_owned(),
                TicketKind::Document => mask.stand_in(ticket.code.reveal()),
            });
        }
    }
    codes.into_iter().collect()
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
