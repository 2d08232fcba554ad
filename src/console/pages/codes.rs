// SPDX-License-Identifier: Apache-2.0

//! `/console/codes`: code pools, and filling them.

use maud::{Markup, html};
use serde_json::Value;

use crate::console::format::text;
use crate::console::layout::{act, table};
use crate::console::{Page, Stop, Visit};

/// How full each pool is that may be seen.
pub(crate) async fn pools(visit: &Visit) -> Result<Vec<Value>, Stop> {
    let mut found = Vec::new();
    for backend in visit.items("/backends").await? {
        if backend["capabilities"]["low_water"].is_null() {
            continue;
        }
        let pool = visit.ask_if_allowed(&format!("/codes/{}", text(&backend["id"]))).await?;
        if pool.is_object() {
            found.push(pool);
        }
    }
    Ok(found)
}

/// The page.
pub(crate) async fn show(visit: &Visit) -> Result<Page, Stop> {
    let words = &visit.words;
    let rows: Vec<Markup> = pools(visit)
        .await?
        .iter()
        .map(|pool| {
            let field = html! { label { (words.say("import")) textarea name="codes" rows="2" required {} } };
            let call = format!("/codes/{}", text(&pool["pool"]));
            html! { tr {
                td { (text(&pool["pool"])) @if pool["is_low"] == true { " " strong { (words.say("low")) } } }
                td.n { (text(&pool["total"])) } td.n { (text(&pool["issued"])) } td.n { (text(&pool["available"])) }
                td.n { (text(&pool["low_water"])) }
                td { (act(visit, None, &call, &words.say("save"), &field)) }
            } }
        })
        .collect();
    let body =
        table(visit, Some("codes-table"), &["codes", "total", "issued", "available", "low-water", "actions"], &rows);
    Ok(Page::of("codes", body))
}
