// SPDX-License-Identifier: Apache-2.0

//! Orders are charged to their channel's credit account (DY-05): what is covered and what moves is a rule of the core
//! ([`ticketbridge_core::rules::credit`]); here it is read and written.

use ticketbridge_core::ChannelId;
use ticketbridge_core::message::Sale;
use ticketbridge_core::order::Order;
use ticketbridge_core::order::money::PaymentMode;
use ticketbridge_core::rules::credit::{self, Position};
use ticketbridge_store::{CreditEntry, CreditKind, Store, StoreError, Tx};

use crate::config::{Config, CreditAccount};
use crate::engine::EngineError;
use crate::service::live::Running;

/// The account that a channel's orders are charged to.
pub(crate) fn account_of<'r>(running: &'r Running, channel: &ChannelId) -> Option<&'r CreditAccount> {
    let id = running.config.channel(channel)?.credit_account.as_ref()?;
    running.config.credit_account(id)
}

/// The first account of a configuration whose entries are in another currency than it says, and in which: its balance would turn into
/// another amount.
///
/// # Errors
/// Store errors.
pub(crate) async fn in_other_currency<'c>(
    store: &Store,
    config: &'c Config,
) -> Result<Option<(&'c CreditAccount, String)>, StoreError> {
    for account in config.credit_accounts.values() {
        match store.credit_currency(&account.id).await? {
            Some(currency) if currency != account.currency.0 => return Ok(Some((account, currency))),
            Some(_) | None => {}
        }
    }
    Ok(None)
}

/// Notes what the entries of each account are in while this configuration is in force; [`in_other_currency`] was asked before.
///
/// # Errors
/// Store errors.
pub(crate) async fn note_currencies(store: &Store, config: &Config) -> Result<(), StoreError> {
    let accounts: Vec<(String, String)> =
        config.credit_accounts.values().map(|account| (account.id.clone(), account.currency.0.to_string())).collect();
    let accounts = std::sync::Arc::new(accounts);
    store
        .write("note_credit_currencies", move |tx: &Tx| {
            let accounts = accounts.clone();
            Box::pin(async move {
                for (account, currency) in accounts.iter() {
                    tx.note_credit_currency(account, currency).await?;
                }
                Ok(())
            })
        })
        .await
}

/// What the channel's account still covers, read under the lock of its row; `None` when it has none.
pub(crate) async fn available(
    tx: &Tx,
    running: &Running,
    channel: &ChannelId,
    sale: &Sale,
) -> Result<Option<i64>, EngineError> {
    let Some(account) = account_of(running, channel).filter(|_| credit::is_charged(sale)) else { return Ok(None) };
    let sums = tx.lock_credit(&account.id).await?;
    let (id, currency, limit) = (account.id.as_str(), &account.currency, account.limit);
    let row = credit::Account { id, currency, limit, balance: sums.balance, held: sums.held };
    Ok(Some(credit::covers(&row, sale)?))
}

/// Moves what a change of the order moves.
pub(crate) async fn follow(
    tx: &Tx,
    running: &Running,
    before: Option<&Order>,
    after: &Order,
) -> Result<(), StoreError> {
    let (was, is) = (before.map(Position::of).unwrap_or_default(), Position::of(after));
    if before.is_some() && was == is {
        return Ok(());
    }
    let account = match before {
        // An order stays with the account that it was placed on, whatever the channel names now.
        Some(order) => tx.credit_account_of(&order.id).await?,
        None => match account_of(running, &after.channel) {
            Some(account) if account.currency != after.money.currency => {
                tracing::warn!(order = %after.id, account = %account.id,
                    "a sale that was told late is in another currency than its credit account; it is not charged");
                None
            }
            account => account.filter(|_| after.money.mode == PaymentMode::Ledger).map(|account| account.id.clone()),
        },
    };
    match account {
        Some(account) => tx.move_credit(&account, &entries(before.is_none(), was, is, after)).await.map(drop),
        None => Ok(()),
    }
}

/// The entries between two positions. The first hold is written even when it is zero: it says which account the order is on.
fn entries(first: bool, was: Position, is: Position, order: &Order) -> Vec<CreditEntry> {
    let moves = was.moves_to(is);
    let kinds = [
        (CreditKind::Hold, moves.hold, first),
        (CreditKind::Capture, moves.capture, false),
        (CreditKind::Release, moves.release, false),
        (CreditKind::Refund, moves.refund, false),
    ];
    kinds
        .into_iter()
        .filter(|(_, amount, always)| *amount != 0 || *always)
        .map(|(kind, amount, _)| CreditEntry {
            kind,
            amount,
            reference: format!("{}/{}", order.id, order.version),
            order: Some(order.id.clone()),
            at: order.updated_at,
        })
        .collect()
}
