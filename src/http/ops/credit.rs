// SPDX-License-Identifier: Apache-2.0

//! Credit accounts (DY-05): how they stand, and paying in.

use http::StatusCode;
use ticketbridge_core::limits::AMOUNT_MAX;
use ticketbridge_core::quoted::Guests;
use ticketbridge_store::{CreditEntry, CreditKind, CreditSums, Deposited, Sealer, Tx};

use crate::accounts::scope::{Access, Scope};
use crate::config::CreditAccount;
use crate::engine::EngineError;
use crate::engine::manual_commands::keep;
use crate::http::ops::answers::books::Credit;
use crate::http::ops::call::{Failure, Outcome, Request, Said, written};
use crate::http::ops::config::check_version;
use crate::http::ops::faults::{Faults, Place};
use crate::http::ops::partners::shared_with_others;
use crate::http::problem::Problem;

/// The configured account of a name.
pub(crate) fn account_named<'r>(request: &'r Request, id: &str) -> Result<&'r CreditAccount, Failure> {
    let config = &request.running.config;
    let access = request.reach.credit_account(config, id);
    config.credit_account(id).filter(|_| access != Access::None).ok_or_else(|| {
        Problem::new(StatusCode::NOT_FOUND, "not_found", "no credit account of this name is configured").into()
    })
}

fn shown(account: &CreditAccount, sums: CreditSums) -> Credit<'_> {
    Credit {
        id: &account.id,
        currency: &account.currency,
        limit: account.limit,
        balance: sums.balance,
        held: sums.held,
        available: account.limit.saturating_add(sums.balance).saturating_sub(sums.held),
    }
}

/// `GET credit/{id}`.
pub(crate) async fn show(request: Request) -> Outcome {
    let account = account_named(&request, request.in_path("id"))?;
    let sums = request.shared.engine.store().credit_sums(&account.id).await?;
    Ok(Said::ok(&shown(account, sums)))
}

/// `POST credit/{id}/deposits`: once for each reference, which is the distributor's own number for the payment.
pub(crate) async fn deposit(request: Request) -> Outcome {
    let account = account_named(&request, request.in_path("id"))?.clone();
    if request.reach.credit_account(&request.running.config, &account.id) != Access::Act {
        return Err(shared_with_others("credit account"));
    }
    // The account is its institution's: an agency gives itself no credit.
    if let Scope::Agency(_) = request.reach.scope() {
        let sentence = "an institution's credit is paid in by the institution, or by an administrator of everything";
        return Err(Problem::new(StatusCode::FORBIDDEN, "beyond_own_role", sentence).into());
    }
    check_version(&request)?;
    let amount = request.given.amount("amount").unwrap_or_default();
    let reference = request.given.needed("reference");
    let mut faults = Faults::default();
    if !(1..=AMOUNT_MAX).contains(&amount) {
        faults.add(Place::of("amount"), format!("`amount` is 1 to {AMOUNT_MAX} minor units"));
    }
    if reference.len() > REFERENCE_BYTES_MAX {
        faults.add(Place::of("reference"), format!("`reference` has at most {REFERENCE_BYTES_MAX} bytes"));
    }
    faults.end()?;
    let reference = kept(request.shared.engine.store().sealer(), &account.id, reference);
    let engine = &request.shared.engine;
    let now = engine.clock().now();
    let entry = CreditEntry { kind: CreditKind::Deposit, amount, reference, order: None, at: now };
    let work = std::sync::Arc::new((account, entry, request.once.clone()));
    let body = engine
        .store()
        .write("deposit", move |tx: &Tx| {
            let work = work.clone();
            Box::pin(async move {
                let (account, entry, once) = &*work;
                if tx.deposit_credit(&account.id, entry).await? == Deposited::AnotherAmount {
                    return Ok(None);
                }
                let body = written(&shown(account, tx.lock_credit(&account.id).await?));
                keep(tx, once.as_ref(), 200, &body, now).await?;
                Ok::<_, EngineError>(Some(body))
            })
        })
        .await?;
    let Some(body) = body else {
        let sentence = "this reference is known with another amount; take another one, or look at the statement";
        return Err(Problem::new(StatusCode::CONFLICT, "content_differs", sentence).at("reference").into());
    };
    tracing::info!(account = %request.in_path("id"), amount, by = %request.holder.name, "a deposit was recorded");
    Ok(Said::kept(body))
}

/// A reference as it is kept, which is for ever and in clear. What in it looks like somebody's number or address is masked; that the masks of two
/// may be alike makes no difference, for a keyed hash stands beside them.
fn kept(sealer: &Sealer, account: &str, reference: String) -> String {
    let masked = Guests::nobody().id(&reference);
    if masked.as_str() == reference {
        return reference;
    }
    let hash = sealer.keyed_hash(DEPOSIT, &format!("{account}\u{1f}{reference}"));
    let mark = hash.get(..MARK_CHARS).unwrap_or(&hash);
    let room = REFERENCE_BYTES_MAX - MARK_CHARS - 1;
    let end = masked.as_str().char_indices().map(|(at, c)| at + c.len_utf8()).take_while(|end| *end <= room).last();
    format!("{}#{mark}", masked.as_str().get(..end.unwrap_or(0)).unwrap_or_default())
}

/// What keeps hashes of deposits' references apart from hashes of other things.
const DEPOSIT: &str = "deposit";
/// So many characters of such a hash tell two references apart.
const MARK_CHARS: usize = 24;
/// What the ledger's column takes in any database.
const REFERENCE_BYTES_MAX: usize = 200;
