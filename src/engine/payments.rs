//! One payment pays for one order (`adapters/kakao/README.md`): whose it is, is kept under the payment's own number.

use ticketbridge_core::order::Order;
use ticketbridge_core::order::money::EntryKind;
use ticketbridge_core::{Command, ExternalId};
use ticketbridge_store::{StoreError, Tx};

/// What keeps a payment's number apart from the numbers of sales and bookings; no partner's number holds a control character.
const PAYMENT: &str = "payment\u{1f}";

/// The command with what its payments need: those that are new become the order's, those of another order are named.
pub(crate) async fn claim(tx: &Tx, order: &Order, command: &Command) -> Result<Option<Command>, StoreError> {
    let Command::SyncSnapshot { snapshot, not_for_sale, .. } = command else { return Ok(None) };
    let mut elsewhere = Vec::new();
    let charges = snapshot.entries.iter().filter(|entry| entry.kind == EntryKind::Charge);
    // An order of an older version has payments that nobody has written down as its own yet.
    let is_owned = order.channel_state.as_deref().is_some_and(|channel_state| channel_state.payments_are_owned);
    for entry in charges {
        let is_known = order.money.knows(entry);
        if is_known && is_owned {
            continue;
        }
        let number = ExternalId::new(format!("{PAYMENT}{}", entry.reference));
        match tx.lock_ref(&order.channel, &number).await?.order {
            Some(other) if other != order.id && !is_known => elsewhere.push(entry.reference.clone()),
            Some(_) => {}
            None => tx.bind_ref(&order.channel, &number, &order.id, None).await?,
        }
    }
    if elsewhere.is_empty() {
        return Ok(None);
    }
    tracing::warn!(order = %order.id, payments = elsewhere.len(), "a payment of another order is told for this one");
    Ok(Some(Command::SyncSnapshot {
        snapshot: snapshot.clone(),
        not_for_sale: not_for_sale.clone(),
        paid_elsewhere: elsewhere,
    }))
}
