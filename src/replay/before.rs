// SPDX-License-Identifier: Apache-2.0

//! What orders that are not in a recording had taken when it began, and what they take and give back in it.

use ticketbridge_store::{ClaimKind, GuestClaim, Sealer, StoreError, Tx};

use crate::engine::Engine;
use crate::engine::purchase_limits::{document_hash, phone_hash};
use crate::recorder::file::{Claimed, Recorded, Taken};
use crate::recorder::tape::Moved;

/// Puts everything that was taken where it was.
pub(super) async fn begin(engine: &Engine, recorded: &Recorded) -> Result<(), StoreError> {
    for Taken { key, total, units } in recorded.stock.clone() {
        engine
            .store()
            .write("set_stock", move |tx: &Tx| {
                let key = key.clone();
                Box::pin(async move { tx.set_stock(&key, total, units).await })
            })
            .await?;
    }
    let live: Vec<Claimed> = recorded.claims.iter().filter(|claimed| claimed.live).cloned().collect();
    claim(engine, live).await
}

/// An order that is not in the recording took units, or gave them back; what it claims goes with them.
pub(super) async fn moved(engine: &Engine, recorded: &Recorded, moved: Moved) -> Result<(), StoreError> {
    let of_order = |claimed: &&Claimed| claimed.order == moved.order && claimed.product == moved.key.product;
    let claims: Vec<Claimed> = recorded.claims.iter().filter(of_order).cloned().collect();
    let (is_taken, units) = (moved.units > 0, u32::try_from(moved.units.unsigned_abs()).unwrap_or(u32::MAX));
    engine
        .store()
        .write("move_stock", move |tx: &Tx| {
            let moved = moved.clone();
            Box::pin(async move {
                if is_taken {
                    return tx.take_sold_stock(&moved.key, units).await;
                }
                tx.release_claims(&moved.order, &moved.key.product);
                tx.give_back_stock(&moved.key, units).await
            })
        })
        .await?;
    claim(engine, if is_taken { claims } else { Vec::new() }).await
}

async fn claim(engine: &Engine, claims: Vec<Claimed>) -> Result<(), StoreError> {
    for claimed in claims {
        engine
            .store()
            .write("claim_guests", move |tx: &Tx| {
                let claimed = claimed.clone();
                Box::pin(async move {
                    let claim = hashed(tx.sealer(), &claimed);
                    tx.claim_guests(&claimed.order, &[claim]).await
                })
            })
            .await?;
    }
    Ok(())
}

fn hashed(sealer: &Sealer, claimed: &Claimed) -> GuestClaim {
    let hash = match claimed.kind {
        ClaimKind::Phone => phone_hash(sealer, &claimed.text),
        ClaimKind::Document => document_hash(sealer, &claimed.text),
    };
    GuestClaim { product: claimed.product.clone(), kind: claimed.kind, hash, units: claimed.units }
}
