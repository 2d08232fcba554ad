//! Limits per phone and per document are counted by keyed hashes: who bought what is known, the number is not.

use ticketbridge_core::order::Order;
use ticketbridge_store::{ClaimKind, GuestClaim, Sealer, StoreError, Tx};

use crate::engine::counts::phone_of;

/// Digits of a phone of the mainland, and of Korea with its leading zero; and the codes of the two countries.
const MAINLAND: (&str, usize) = ("86", 11);
const KOREA: (&str, std::ops::RangeInclusive<usize>) = ("82", 10..=12);

/// The digits of a phone as they are dialled at home, so that spaces, dashes, brackets and a country's code make no second person.
pub(crate) fn phone_digits(phone: &str) -> String {
    let digits: String = phone.chars().filter(char::is_ascii_digit).collect();
    let abroad = digits.strip_prefix("00").unwrap_or(&digits);
    if let Some(home) = abroad.strip_prefix(MAINLAND.0)
        && home.len() == MAINLAND.1
    {
        return home.to_owned();
    }
    if let Some(home) = abroad.strip_prefix(KOREA.0) {
        let home = format!("0{}", home.trim_start_matches('0'));
        if KOREA.1.contains(&home.len()) {
            return home;
        }
    }
    abroad.to_owned()
}

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

/// The same outside a transaction.
pub(crate) fn document_hash(sealer: &Sealer, number: &str) -> String {
    sealer.keyed_hash("document", &number.trim().to_ascii_uppercase())
}

/// Records what an order claims, and releases what it no longer does: a voucher counts for the product's life, a booking
/// while it lives.
pub(crate) async fn follow(tx: &Tx, before: Option<&Order>, after: &Order) -> Result<(), StoreError> {
    follow_link(tx, before, after).await?;
    let opened = before.is_none_or(|order| order.buyer.has_remote_cipher() && !after.buyer.has_remote_cipher());
    if opened
        && let Some(voucher) = &after.rules.voucher
        && let Some(phone) = phone_of(&[&after.buyer])
    {
        let claim = GuestClaim {
            product: voucher.code.clone(),
            kind: ClaimKind::Phone,
            hash: phone_key(tx, &phone),
            units: after.quantity,
        };
        tx.claim_guests(&after.id, &[claim]).await?;
    }
    let had = before.and_then(Order::active_booking).map(|booking| (&booking.id, &booking.visitors));
    let has = after.active_booking().map(|booking| (&booking.id, &booking.visitors));
    if had == has || (has.is_none() && after.booking.as_ref().is_some_and(|b| b.used_at.is_some())) {
        return Ok(());
    }
    let product = &after.rules.booking.code;
    if before.is_some_and(|order| order.booking.is_some() || !order.past_bookings.is_empty()) {
        tx.release_claims(&after.id, product);
    }
    let Some(booking) = after.active_booking() else { return Ok(()) };
    let people: Vec<_> = booking.contact.iter().chain([&after.buyer]).collect();
    let phone = phone_of(&people).map(|phone| (ClaimKind::Phone, phone_key(tx, &phone), after.quantity));
    let documents = booking.visitors.iter().filter_map(|visitor| visitor.document.as_ref());
    let documents = documents
        .filter(|document| !document.number.is_remote_cipher())
        .map(|document| (ClaimKind::Document, document_key(tx, document.number.reveal()), 1));
    let claims: Vec<GuestClaim> = phone
        .into_iter()
        .chain(documents)
        .map(|(kind, hash, units)| GuestClaim { product: product.clone(), kind, hash, units })
        .collect();
    tx.claim_guests(&after.id, &claims).await
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

#[cfg(test)]
mod tests {
    use super::phone_digits;

    #[test]
    fn one_phone_is_one_phone_however_it_is_written() {
        for (written, is) in [
            ("13800000001", "13800000001"),
            ("+86 138-0000-0001", "13800000001"),
            ("0086 138 0000 0001", "13800000001"),
            ("008613800000001", "13800000001"),
            ("(86)13800000001", "13800000001"),
            ("010-1234-5678", "01012345678"),
            ("+82 10-1234-5678", "01012345678"),
            ("+82 (0)10 1234 5678", "01012345678"),
            ("0082 10 1234 5678", "01012345678"),
            ("+1 212 555 0100", "12125550100"),
            ("", ""),
        ] {
            assert_eq!(phone_digits(written), is, "{written}");
        }
    }
}
