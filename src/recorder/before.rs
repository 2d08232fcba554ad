// SPDX-License-Identifier: Apache-2.0

//! What was taken before a recording began, by orders that are not in it: units of stock, and what counts for purchase limits. Without it every
//! count of places would be another one when it is played.

use std::collections::BTreeMap;

use ticketbridge_core::UnixMillis;
use ticketbridge_core::message::StockKey;
use ticketbridge_store::{ClaimKind, Store, StoreError};

use super::file::{Claimed, Taken};
use super::mask::Mask;
use super::pieces::read;
use super::tape::{Moved, Piece};
use crate::engine::purchase_limits::{document_hash, phone_hash};

/// The end of all time.
const EVER: UnixMillis = UnixMillis(i64::MAX);

/// What was taken of every key when the recording began: what is taken now, without everything that has been moved since.
pub(super) async fn stock(
    store: &Store,
    (from, to): (UnixMillis, UnixMillis),
    pieces: &[(UnixMillis, Piece)],
) -> Result<Vec<Taken>, StoreError> {
    debug_assert!(pieces.iter().all(|(at, _)| *at >= from));
    let now = store.all_stock().await?;
    let later = read(store, (to, EVER)).await?;
    let mut since: BTreeMap<&StockKey, i64> = BTreeMap::new();
    for (_, piece) in pieces.iter().chain(&later) {
        if let Piece::Moved(Moved { key, units, .. }) = piece {
            *since.entry(key).or_default() += units;
        }
    }
    let taken = |(key, total, taken): (StockKey, Option<i64>, i64)| {
        let units = (taken - since.get(&key).copied().unwrap_or_default()).max(0);
        Taken { key, total, units }
    };
    Ok(now.into_iter().map(taken).collect())
}

/// What older orders claim for guests who have a stand-in. A claim goes with the units that its order moves: one whose units come back within
/// the recording counted before, and one whose units are taken in it did not.
pub(super) async fn claims(
    store: &Store,
    mask: &Mask,
    from: UnixMillis,
    pieces: &[(i64, Piece)],
) -> Result<Vec<Claimed>, StoreError> {
    let mut guests: BTreeMap<(ClaimKind, String), &str> = BTreeMap::new();
    for (value, stand_in) in mask.guests() {
        guests.insert((ClaimKind::Phone, phone_hash(store.sealer(), value)), stand_in);
        guests.insert((ClaimKind::Document, document_hash(store.sealer(), value)), stand_in);
    }
    let hashes: Vec<(ClaimKind, String)> = guests.keys().cloned().collect();
    // The first movement tells how it was before: what is given back was there.
    let mut was_live: BTreeMap<_, bool> = BTreeMap::new();
    for (_, piece) in pieces {
        if let Piece::Moved(Moved { order, key, units }) = piece {
            was_live.entry((order, &key.product)).or_insert(*units < 0);
        }
    }
    let found = store.claims_of_older_orders(&hashes, from).await?;
    let claimed = found.into_iter().filter_map(|one| {
        let order = one.order;
        let text = (*guests.get(&(one.claim.kind, one.claim.hash))?).to_owned();
        let (product, kind, units) = (one.claim.product, one.claim.kind, one.claim.units);
        let live = was_live.get(&(&order, &product)).copied().unwrap_or(one.live);
        Some(Claimed { order, product, kind, text, units, live })
    });
    Ok(claimed.collect())
}
