// SPDX-License-Identifier: Apache-2.0

//! Limits per phone and per document are counted by keyed hashes: who bought what is known, the number is not. What counts, and for how long,
//! is a rule of the core ([`ticketbridge_core::rules::purchase_limits`]).

use ticketbridge_core::order::Order;
use ticketbridge_core::rules::purchase_limits::{Claim, Whom, claims, document_text, phone_digits};
use ticketbridge_store::{ClaimKind, GuestClaim, Sealer, StoreError, Tx};

/// A phone, hashed with a key.
pub(crate) fn phone_key(tx: &Tx, phone: &str) -> String {
    phone_hash(tx.sealer(), phone)
}

/// A document number, in capitals, hashed with a key.
pub(crate) fn document_key(tx: &Tx, number: &str) -> String {
    document_hash(tx.sealer(), number)
}

/// The same outside a transaction.
pub(crate) fn phone_hash(sealer: &Sealer, phone: &str) -> String {
    sealer.keyed_hash("phone", &phone_digits(phone))
}

/// A guest's name as it is searched for ([`ticketbridge_core::rules::names`]), hashed with a key.
pub(crate) fn name_hash(sealer: &Sealer, text: &str) -> String {
    sealer.keyed_hash("guest_name", text)
}

/// The same outside a transaction.
pub(crate) fn document_hash(sealer: &Sealer, number: &str) -> String {
    sealer.keyed_hash("document", &document_text(number))
}

/// Records what an order claims, and releases what it no longer does: a voucher counts for the product's life, a booking
/// while it lives.
pub(crate) async fn follow(tx: &Tx, before: Option<&Order>, after: &Order) -> Result<(), StoreError> {
    follow_link(tx, before, after).await?;
    let claimed = claims(before, after);
    if let Some(claim) = claimed.of_voucher {
        tx.claim_guests(&after.id, &[hashed(tx, claim)]).await?;
    }
    let Some(visit) = claimed.of_visit else { return Ok(()) };
    if let Some(product) = &visit.replaced {
        tx.release_claims(&after.id, product);
    }
    let claims: Vec<GuestClaim> = visit.claims.into_iter().map(|claim| hashed(tx, claim)).collect();
    if claims.is_empty() {
        return Ok(());
    }
    tx.claim_guests(&after.id, &claims).await
}

fn hashed(tx: &Tx, claim: Claim) -> GuestClaim {
    let (kind, hash) = match &claim.whom {
        Whom::Phone(phone) => (ClaimKind::Phone, phone_key(tx, phone)),
        Whom::Document(number) => (ClaimKind::Document, document_key(tx, number)),
    };
    GuestClaim { product: claim.product, kind, hash, units: claim.units }
}

/// One row for the live payment link of an order: whoever made a second one would fail on it, on any database.
async fn follow_link(tx: &Tx, before: Option<&Order>, after: &Order) -> Result<(), StoreError> {
    let live = |order: &Order| order.channel_state.as_deref().and_then(|m| m.live_link()).map(|link| link.key.clone());
    let (had, has) = (before.and_then(live), live(after));
    if had == has {
        return Ok(());
    }
    if had.is_some() {
        tx.end_live_link(&after.id).await?;
    }
    match has {
        Some(key) => tx.begin_live_link(&after.id, &key).await,
        None => Ok(()),
    }
}
