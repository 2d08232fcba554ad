// SPDX-License-Identifier: Apache-2.0

//! `ticketbridge doctor`: looks through the database, and rehearses its loss: a backup that was never restored is none.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use secrecy::ExposeSecret as _;
use ticketbridge_core::invariants::violations;
use ticketbridge_core::{ChannelId, Order};
use ticketbridge_store::{OrderFilter, PageRequest, Store};

use crate::app;
use crate::cli::findings::{Findings, is_known, is_whole};
use crate::cli::{ConfigDir, backup, say, serve};
use crate::clock::{Clock as _, SystemClock};
use crate::config::Config;
use crate::trouble::chain;

/// Orders that are read at once.
const PAGE: u32 = 200;

pub(super) async fn doctor(directory: ConfigDir, copy: Option<PathBuf>) -> ExitCode {
    let config = match serve::load_on_host(&directory) {
        Ok(config) => config,
        Err(code) => return code,
    };
    let mut findings = Findings::default();
    findings.note("configuration", Ok(format!("{} can be used", directory.directory.display())));
    let is_file = app::database_file(&config).is_some();
    // Its schema stays as it is: a look changes nothing.
    let opened = match is_file {
        true => backup::open_there(&config).await,
        false => app::connect(&config, config.database.url.expose_secret()).await.map_err(|error| chain(&error)),
    };
    let store = match opened {
        Ok(store) => store,
        Err(sentence) => {
            findings.note("database", Err(sentence));
            return findings.end();
        }
    };
    let before = look_through(&store, "the database", &mut findings).await;
    if is_file {
        rehearse(&config, &store, copy.as_deref(), before, &mut findings).await;
    } else {
        say(
            "      a server's database is copied by its own tools; rehearse with a database restored from them, and its address in [database] url",
        );
    }
    // What was found is said; that the database closes is no news.
    let _closed = store.close().await;
    findings.end()
}

/// What a database holds, for comparing it with another one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Holdings {
    rows: BTreeMap<&'static str, u64>,
    /// Orders, received and returned money by channel and currency, minor units.
    money: BTreeMap<(ChannelId, String), (u64, i128, i128)>,
}

/// Looks through one database and says what was found there. `None` where it cannot be read.
async fn look_through(store: &Store, name: &str, findings: &mut Findings) -> Option<Holdings> {
    findings.note(&format!("{name} is whole"), is_whole(store).await);
    let schema = match store.schema_gap().await {
        Ok(gap) if gap.pending.is_empty() => is_known(&gap).map(|_| ticketbridge_migrations::newest().to_owned()),
        Ok(gap) => is_known(&gap)
            .and_then(|_| Err(format!("{} migrations are missing; run ticketbridge migrate", gap.pending.len()))),
        Err(error) => Err(chain(&error)),
    };
    findings.note(&format!("{name} has this version's schema"), schema);
    let (holdings, broken) = match holdings(store).await {
        Ok(found) => found,
        Err(sentence) => {
            findings.note(&format!("{name} can be read"), Err(sentence));
            return None;
        }
    };
    let orders: u64 = holdings.money.values().map(|(orders, ..)| orders).sum();
    let readable = match broken.as_slice() {
        [] => Ok(format!("{orders} orders open with the configured keys, and what must always hold does")),
        [first, ..] => Err(format!("{} of {orders} orders contradict themselves, first {first}", broken.len())),
    };
    findings.note(&format!("{name} can be read"), readable);
    Some(holdings)
}

/// What is there, and the orders for which something does not hold that always must.
async fn holdings(store: &Store) -> Result<(Holdings, Vec<String>), String> {
    let rows = store.row_counts().await.map_err(|error| chain(&error))?.into_iter().collect();
    let mut found = Holdings { rows, money: BTreeMap::new() };
    let mut broken = Vec::new();
    let mut cursor = None;
    loop {
        let page = PageRequest { limit: PAGE, cursor };
        let page = store.list_orders(&OrderFilter::default(), &page).await.map_err(|error| chain(&error))?;
        for order in &page.items {
            count(&mut found, order);
            broken.extend(violations(order).first().map(|what| format!("{}: {what}", order.id)));
        }
        cursor = page.next_cursor;
        if cursor.is_none() {
            return Ok((found, broken));
        }
    }
}

fn count(found: &mut Holdings, order: &Order) {
    let key = (order.channel.clone(), order.money.currency.0.clone());
    let (orders, received, returned) = found.money.entry(key).or_default();
    *orders += 1;
    *received += i128::from(order.money.received());
    *returned += i128::from(order.money.refunded());
}

/// The day on which the database is lost, in a folder of its own.
async fn rehearse(
    config: &Config,
    live: &Store,
    copy: Option<&Path>,
    before: Option<Holdings>,
    findings: &mut Findings,
) {
    let place = match tempfile::Builder::new().prefix("ticketbridge-doctor").tempdir() {
        Ok(place) => place,
        Err(error) => return findings.note("a fresh place", Err(error.to_string())),
    };
    let clock = SystemClock::new();
    let began = clock.monotonic();
    let file = match copy {
        Some(file) => file.to_owned(),
        None => {
            let file = place.path().join("backup.db");
            let copied = live.back_up(&file).await.map_err(|error| chain(&error));
            let failed = copied.is_err();
            findings.note("backup", copied.map(|bytes| format!("{} copied", backup::in_words(bytes))));
            if failed {
                return;
            }
            file
        }
    };
    let restored = place.path().join("restored.db");
    let put = ticketbridge_store::copy_to_new(&file, &restored).map_err(|error| chain(&error));
    let store = match put {
        Ok(_) => backup::open_at(config, &restored).await,
        Err(sentence) => Err(sentence),
    };
    let store = match store {
        Ok(store) => store,
        Err(sentence) => return findings.note("restore", Err(sentence)),
    };
    let brought = store.migrate().await.map_err(|error| chain(&error));
    findings.note("restore", brought.map(|()| "the copy opens in a fresh place".to_owned()));
    let there = look_through(&store, "the restored copy", findings).await;
    if let (None, Some(before), Some(there)) = (copy, before, there) {
        let after = holdings(live).await.map(|(after, _)| after);
        findings.note("counts and money", after.and_then(|after| compared(&before, &there, &after)));
    }
    let _closed = store.close().await;
    say(format_args!(
        "      the rehearsal took {} ms; what came after the copy would be lost, and is asked for by `orders reconcile`",
        clock.monotonic().saturating_sub(began).as_millis()
    ));
}

/// The copy was made between two looks at the database: what did not change meanwhile must be the same in it, and what changed is not comparable.
fn compared(before: &Holdings, copy: &Holdings, after: &Holdings) -> Result<String, String> {
    let still: Vec<_> = before.rows.iter().filter(|(table, rows)| after.rows.get(*table) == Some(rows)).collect();
    let differing = still.iter().find(|(table, rows)| copy.rows.get(*table) != Some(rows));
    if let Some((table, rows)) = differing {
        return Err(format!("{table} has {rows} rows, the copy {}", copy.rows.get(*table).copied().unwrap_or(0)));
    }
    let accounts: Vec<_> = before.money.iter().filter(|(of, money)| after.money.get(*of) == Some(money)).collect();
    if let Some(((channel, currency), _)) = accounts.iter().find(|(of, money)| copy.money.get(*of) != Some(money)) {
        return Err(format!("the money of {channel} in {currency} is not what it is in the database"));
    }
    let moving = before.rows.len() - still.len() + before.money.len() - accounts.len();
    let moved = if moving == 0 { String::new() } else { format!("; {moving} changed meanwhile and were not compared") };
    Ok(format!("{} tables and the money of {} accounts are the same{moved}", still.len(), accounts.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(rows: u64, received: i128) -> Holdings {
        let money = [((ChannelId::new("trip"), "KRW".to_owned()), (rows, received, 0))];
        Holdings { rows: [("orders", rows)].into(), money: money.into() }
    }

    #[test]
    fn a_copy_that_lacks_a_row_or_a_coin_is_found() {
        assert!(compared(&with(2, 100), &with(2, 100), &with(2, 100)).is_ok());
        assert!(
            compared(&with(2, 100), &with(1, 100), &with(2, 100)).is_err_and(|why| why.contains("orders has 2 rows"))
        );
        assert!(
            compared(&with(2, 100), &with(2, 99), &with(2, 100)).is_err_and(|why| why.contains("the money of trip"))
        );
    }

    #[test]
    fn what_changed_during_the_copy_is_named_and_not_held_against_it() {
        let said = compared(&with(2, 100), &with(3, 150), &with(4, 200)).expect("nothing to hold against it");
        assert!(said.contains("2 changed meanwhile"), "{said}");
    }
}
