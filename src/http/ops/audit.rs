// SPDX-License-Identifier: Apache-2.0

//! What people did and looked at.

use std::collections::{BTreeMap, BTreeSet};

use ticketbridge_core::TimeZone;
use ticketbridge_store::{AuditFilter, AuditRow};

use crate::accounts::scope::Scope;
use crate::http::ops::answers::{Time, history::AuditEntry};
use crate::http::ops::call::{Failure, Outcome, Request, Said};
use crate::http::ops::orders::of_filter;
use crate::http::ops::query::listed;
use crate::http::ops::view::common_zone;

/// `GET audit`.
pub(crate) async fn list(request: Request) -> Outcome {
    let query = &request.query;
    let filter = AuditFilter {
        actor: actor(&request).await?,
        order: of_filter(&request, query).await?,
        from: query.time("from"),
        within: request.reach.scopes(),
    };
    let page = request.shared.engine.store().list_audit(&filter, &query.page()).await?;
    let zone = common_zone(&request.running);
    let names = names(&request, &page.items).await?;
    Ok(Said::ok(&listed(&page, |row| shown(row, &names, zone))))
}

/// What those are called who did it: accounts by the people's names, tokens by theirs. Somebody whose scope neither lies in the reader's nor
/// around it is not named to him.
async fn names(request: &Request, rows: &[AuditRow]) -> Result<BTreeMap<String, String>, Failure> {
    let organisation = &request.running.config.organisation;
    let own = request.reach.scope();
    let mut names = BTreeMap::new();
    for actor in rows.iter().map(|row| &row.actor).collect::<BTreeSet<_>>() {
        if let Some(token) = actor.strip_prefix("token:") {
            names.insert(actor.clone(), token.to_owned());
            continue;
        }
        let Some(account) = request.shared.engine.store().account(actor).await? else { continue };
        let scope = Scope::of_words(&account.scope);
        if scope.is_some_and(|scope| own.holds(&scope, organisation) || scope.holds(own, organisation)) {
            names.insert(actor.clone(), account.profile.name.clone());
        }
    }
    Ok(names)
}

/// By whom, as whoever asks names him: an account by its id or its e-mail address, a token as `token:NAME`.
async fn actor(request: &Request) -> Result<Option<String>, Failure> {
    let Some(named) = request.query.text("actor") else { return Ok(None) };
    if !named.contains('@') {
        return Ok(Some(named.to_owned()));
    }
    let account = request.shared.engine.store().account_of_email(named).await?;
    // An address that nobody has did nothing.
    Ok(Some(account.map_or_else(|| named.to_owned(), |account| account.id)))
}

fn shown<'r>(row: &'r AuditRow, names: &'r BTreeMap<String, String>, zone: TimeZone) -> AuditEntry<'r> {
    AuditEntry {
        actor_name: names.get(&row.actor).map(String::as_str),
        id: &row.id,
        at: Time::of(row.at, zone),
        actor: &row.actor,
        act: &row.act,
        order_id: row.order.as_ref(),
        detail: &row.detail,
    }
}

#[cfg(test)]
mod tests {
    use crate::console::catalogue::{Language, Words};
    use crate::http::ops::CALLS;

    #[test]
    fn every_act_that_is_audited_is_named_in_each_language() {
        let acts: Vec<String> = CALLS.iter().filter_map(|call| call.act()).collect();
        assert!(acts.len() > 25, "{acts:?}");
        for act in acts {
            for language in Language::ALL {
                assert_ne!(Words::of(language).audited(&act), act, "{language:?}");
            }
        }
    }
}
