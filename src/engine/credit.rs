//! Orders are charged to their channel's credit account (DY-05): placing holds the amount, payment takes it, cancel and refund
//! return it. Where an order stands with its account follows from its own money, before and after: the order carries nothing for it.

use ticketbridge_core::message::Sale;
use ticketbridge_core::order::money::PaymentMode;
use ticketbridge_core::order::{Order, OrderState};
use ticketbridge_core::{ChannelId, Rejection, Why};
use ticketbridge_store::{CreditEntry, CreditKind, Store, StoreError, Tx};

use crate::config::{Config, CreditAccount};
use crate::engine::EngineError;
use crate::service::live::Running;

/// Where an order stands with its account, minor units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Position {
    /// Kept back until it is paid.
    held: i64,
    /// Taken for what was sold.
    taken: i64,
    /// Given back of that.
    returned: i64,
}

impl Position {
    fn of(order: &Order) -> Self {
        let money = &order.money;
        if money.mode != PaymentMode::Ledger {
            return Self::default();
        }
        let (received, refunded) = (money.received(), money.refunded());
        match order.state {
            // What a refund left behind is the distributor's cost; everything else goes back.
            OrderState::Cancelled => {
                let kept = money.fee().min(received - refunded).max(0);
                Self { held: 0, taken: received, returned: received - kept }
            }
            OrderState::Placed | OrderState::AwaitingBooking | OrderState::Booked | OrderState::Completed => {
                Self { held: (money.due - received).max(0), taken: received, returned: refunded.min(received) }
            }
        }
    }
}

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
    let Some(account) = account_of(running, channel).filter(|_| sale.payment_mode == PaymentMode::Ledger) else {
        return Ok(None);
    };
    if account.currency != sale.currency {
        let sentence = format!(
            "the sale is in {}, and the channel's credit account `{}` in {}; name another account",
            sale.currency.0, account.id, account.currency.0
        );
        return Err(Rejection::new(Why::CreditTooLow, sentence).at("currency").into());
    }
    let sums = tx.lock_credit(&account.id).await?;
    Ok(Some(account.limit.saturating_add(sums.balance).saturating_sub(sums.held)))
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

/// The entries between two positions. The first hold is written even when it is zero: it says which account the order is on. What
/// turns out to be less than was told before is a negative entry of the same kind: a sale stays what was sold.
fn entries(first: bool, was: Position, is: Position, order: &Order) -> Vec<CreditEntry> {
    let captured = is.taken - was.taken;
    // What is captured leaves the hold; what it cannot cover is held first.
    let to_hold = is.held - was.held + captured;
    let moves = [
        (CreditKind::Hold, to_hold.max(0), first),
        (CreditKind::Capture, captured, false),
        (CreditKind::Release, (-to_hold).max(0), false),
        (CreditKind::Refund, is.returned - was.returned, false),
    ];
    moves
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
