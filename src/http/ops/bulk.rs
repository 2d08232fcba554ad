// SPDX-License-Identifier: Apache-2.0

//! One act on many: first what it would do, then doing it, then what became of each.
//!
//! Each of the many goes through the very call that does it for one, as whoever asked: nobody does to many what he could not do to one. What is
//! on its way is in rows; whoever finds it there after a crash carries it on, and nothing is done twice.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use http::{Method, StatusCode};
use serde_json::json;
use ticketbridge_core::port::FieldError;
use ticketbridge_core::{Millis, Order, OrderId, TimeZone};
use ticketbridge_store::{
    BulkItem, BulkRow, BulkState, ItemEnd, ItemState, LeaseToken, NewBulk, PageRequest, StoreError, Tx,
};

use crate::accounts::scope::Reach;
use crate::accounts::signing_in::From as Comes;
use crate::accounts::{Holder, Via};
use crate::console::catalogue::Language;
use crate::http::Shared;
use crate::http::caller::Caller;
use crate::http::ops::answers::{Time, bulk as told};
use crate::http::ops::body::{MANY_MAX, refused};
use crate::http::ops::call::{Body, Call, Failure, Outcome, Request, Said, Verb};
use crate::http::ops::deliveries::{self, Change};
use crate::http::ops::faults::{Faults, Place};
use crate::http::ops::gate::{Insider, body_of};
use crate::http::ops::query::{Asked, LIMIT_MAX, listed};
use crate::http::ops::view::common_zone;
use crate::http::ops::{next_steps, orders};
use crate::http::problem::Problem;
use crate::recorder::course;

/// How many are taken at once from the rows.
const PART: u32 = 25;
/// How long an instance may be silent about what it carries on before another one does.
const LEASE: Millis = Millis::minutes(2);
/// How long the report is kept.
pub(crate) const KEPT: Millis = Millis::hours(90 * 24);
/// Refusals that an answer lists at most.
const REFUSED_SHOWN: usize = 200;

/// What can be done to many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum On {
    Orders,
    Deliveries,
}

/// The acts, and what they are done to.
const ACTS: &[(&str, On)] = &[
    ("confirm", On::Orders),
    ("decline", On::Orders),
    ("redeem", On::Orders),
    ("no-show", On::Orders),
    ("cancel", On::Orders),
    ("return-payment", On::Orders),
    ("payment-links", On::Orders),
    ("approve", On::Orders),
    ("reject", On::Orders),
    ("retry", On::Deliveries),
    ("drop", On::Deliveries),
];

/// The words of the acts, for the console and the command line.
pub(crate) const ACT_WORDS: [&str; 11] = [
    "confirm",
    "decline",
    "redeem",
    "no-show",
    "cancel",
    "return-payment",
    "payment-links",
    "approve",
    "reject",
    "retry",
    "drop",
];

/// Acts that want a reason.
pub(crate) fn wants_reason(act: &str) -> bool {
    matches!(act, "decline" | "cancel" | "return-payment" | "reject" | "drop")
}

/// Acts that give money back: they want a factor that was passed a moment ago.
pub(crate) fn returns_money(act: &str) -> bool {
    matches!(act, "decline" | "cancel" | "return-payment" | "approve")
}

fn not_found() -> Failure {
    Problem::new(StatusCode::NOT_FOUND, "not_found", "there is no such act on many").into()
}

/// The act of a request.
fn act_of(request: &Request) -> Result<(&'static str, On), Failure> {
    // The router wants one name for what stands at one place: here it is the act, and where one asks how far it has come, its id.
    let word = request.in_path("id");
    ACTS.iter().find(|(act, _)| *act == word).copied().ok_or_else(|| {
        let words: Vec<&str> = ACTS.iter().map(|(act, _)| *act).collect();
        let sentence = format!("there is no act `{word}` on many; there are {}", words.join(", "));
        Problem::new(StatusCode::NOT_FOUND, "not_found", sentence).into()
    })
}

/// One of the many, as it stands.
struct Judged {
    /// Its id: of an order or of a delivery.
    target: String,
    /// The version that is acted on.
    version: Option<u64>,
    /// Why it would be refused, if it would.
    refusal: Option<(String, String)>,
    /// Its money: currency, total, and what goes back.
    money: Option<(String, i64, i64)>,
}

/// `POST bulk/{act}`.
pub(crate) async fn begin(request: Request) -> Outcome {
    let (act, on) = act_of(&request)?;
    let reason = request.given.text("reason");
    let mut faults = Faults::default();
    if request.given.has("items") == request.given.has("match") {
        faults.add(Place::of("items"), "give `items` or `match`: one of them says what is acted on");
    }
    if wants_reason(act) && reason.is_none() {
        faults.add(Place::of("reason"), "`reason` is missing: why; it goes into the history of each");
    }
    faults.end()?;
    let judged = match on {
        On::Orders => judge_orders(&request, act).await?,
        On::Deliveries => judge_deliveries(&request, act).await?,
    };
    if request.query.text("dry_run") == Some("true") {
        return Ok(Said::once(&preview(act, &judged)));
    }
    if returns_money(act) {
        let now = request.shared.engine.clock().now();
        request.holder.fresh(request.running.config.console.second_factor, now)?;
    }
    let id = format!("blk_{:032x}", request.shared.engine.ids().seed().0);
    let new = NewBulk {
        id: id.clone(),
        act: act.to_owned(),
        asked_by: request.holder.key(),
        scope: request.holder.scope.words(),
        body: reason.map_or_else(|| json!({}), |reason| json!({ "reason": reason })),
        // What would be refused is tried, too: it is refused by the call itself, and stands in the report.
        targets: judged.into_iter().map(|it| (it.target, it.version)).collect(),
        at: request.shared.engine.clock().now(),
    };
    let new = Arc::new(new);
    let kept: Result<(), StoreError> = request
        .shared
        .engine
        .store()
        .write("add_bulk", move |tx: &Tx| {
            let new = new.clone();
            Box::pin(async move { tx.add_bulk(&new).await })
        })
        .await;
    kept?;
    // Each act stands in a recording by itself: where one is played, they are not done by this as well.
    if !course::is_played() {
        let (shared, calls, begun) = (request.shared.clone(), request.calls, id.clone());
        tokio::spawn(async move { carry_on_or_log(&shared, calls, &begun).await });
    }
    let row = request.shared.engine.store().bulk(&id).await?.ok_or_else(not_found)?;
    show_row(&request, &row).await
}

/// `GET bulk`: one's own, newest first.
pub(crate) async fn list(request: Request) -> Outcome {
    let page = request.shared.engine.store().list_bulks(&request.holder.key(), &request.query.page()).await?;
    let zone = common_zone(&request.running);
    Ok(Said::ok(&listed(&page, |row| in_list(row, zone))))
}

/// `GET bulk/{id}`: how far it has come. Of somebody else it is not there.
pub(crate) async fn show(request: Request) -> Outcome {
    let found = request.shared.engine.store().bulk(request.in_path("id")).await?;
    let row = found.filter(|row| row.asked_by == request.holder.key()).ok_or_else(not_found)?;
    show_row(&request, &row).await
}

async fn show_row(request: &Request, row: &BulkRow) -> Outcome {
    let (store, zone) = (request.shared.engine.store(), common_zone(&request.running));
    let counts = store.bulk_counts(&row.id).await?;
    let many = |state| counts.iter().find(|(known, _)| *known == state).map_or(0, |(_, many)| *many);
    let limit = u32::try_from(REFUSED_SHOWN).unwrap_or(LIMIT_MAX);
    let refusals = store.bulk_items(&row.id, ItemState::Refused, limit).await?;
    Ok(Said::ok(&told::Bulk::Running(told::Progress {
        row: in_list(row, zone),
        waiting: many(ItemState::Waiting),
        done: many(ItemState::Done),
        refused: many(ItemState::Refused),
        refusals: refusals
            .iter()
            .map(|it| told::Refusal { id: &it.target, code: it.code.as_deref(), sentence: it.sentence.as_deref() })
            .collect(),
    })))
}

fn in_list(row: &BulkRow, zone: TimeZone) -> told::BulkRow<'_> {
    told::BulkRow {
        id: &row.id,
        act: &row.act,
        state: row.state,
        total: row.total,
        created_at: Time::of(row.created_at, zone),
        done_at: Time::maybe(row.done_at, zone),
    }
}

/// What it would do.
fn preview<'j>(act: &'j str, judged: &'j [Judged]) -> told::Bulk<'j> {
    let mut sums: BTreeMap<&str, (i64, i64, i64)> = BTreeMap::new();
    for it in judged.iter().filter(|it| it.refusal.is_none()) {
        if let Some((currency, total, returns)) = &it.money {
            let sum = sums.entry(currency).or_default();
            *sum = (sum.0 + 1, sum.1.saturating_add(*total), sum.2.saturating_add(*returns));
        }
    }
    let refused = judged.iter().filter_map(|it| {
        let (code, sentence) = it.refusal.as_ref()?;
        Some(told::Refusal { id: &it.target, code: Some(code), sentence: Some(sentence) })
    });
    let allowed = judged.iter().filter(|it| it.refusal.is_none());
    told::Bulk::Preview(told::Preview {
        act,
        total: judged.len(),
        allowed: allowed.clone().count(),
        refused: refused.clone().count(),
        sums: sums
            .into_iter()
            .map(|(currency, (orders, total, returns))| told::Sum { currency, orders, total, returns })
            .collect(),
        refusals: refused.take(REFUSED_SHOWN).collect(),
        targets: allowed.map(|it| told::Target { id: &it.target, expected_version: it.version }).collect(),
    })
}

/// What is to be acted on: the entries, each with the version that was seen; or all that match.
enum Wanted {
    Items(Vec<(String, Option<u64>)>),
    Match(Asked),
}

fn wanted(request: &Request, on: On) -> Result<Wanted, Failure> {
    match (request.given.items(), request.given.filters()) {
        (Some(items), None) => Ok(Wanted::Items(items)),
        (None, Some(filters)) => {
            let path = match on {
                On::Orders => "/orders",
                On::Deliveries => "/deliveries",
            };
            let known = request.calls.iter().find(|call| call.path == path && call.verb == Verb::Get);
            let params = known.map_or(&[][..], |call| call.query);
            let within = |problem: Problem| {
                let pointer = format!("/match/{}", problem.field.as_deref().unwrap_or_default());
                let error = FieldError { pointer, detail: problem.detail.clone() };
                problem.with_errors(&[error])
            };
            Ok(Wanted::Match(Asked::of_object(&filters, params).map_err(within)?))
        }
        (Some(_), Some(_)) | (None, None) => {
            Err(refused("items", "give `items` or `match`: one of them says what is acted on").into())
        }
    }
}

fn too_many() -> Failure {
    let sentence = format!("more than {MANY_MAX} match; ask for fewer at once");
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "too_many", sentence).at("match").into()
}

async fn judge_orders(request: &Request, act: &'static str) -> Result<Vec<Judged>, Failure> {
    let store = request.shared.engine.store();
    let found: Vec<(Option<Order>, String, Option<u64>)> = match wanted(request, On::Orders)? {
        Wanted::Items(items) => {
            let mut named = Vec::with_capacity(items.len());
            for (name, version) in items {
                // By whatever name: who does it goes by our number.
                let id = orders::id_of(request, &name).await?;
                named.push((id.map_or(name, |id| id.0), version));
            }
            let items = named;
            let ids: Vec<OrderId> = items.iter().map(|(id, _)| OrderId::from(id.as_str())).collect();
            let known = store.load_orders(&ids).await?;
            let of = |id: &str| {
                let order = known.iter().find(|order| order.id.as_str() == id);
                order.filter(|order| request.reach.has_channel(&order.channel)).cloned()
            };
            items.into_iter().map(|(id, version)| (of(&id), id, version)).collect()
        }
        Wanted::Match(query) => {
            let filter = orders::filter_of(request, &query)?;
            let (mut found, mut cursor) = (Vec::new(), None);
            loop {
                let page = store.list_orders(&filter, &PageRequest { limit: LIMIT_MAX, cursor }).await?;
                found.extend(page.items);
                if found.len() > MANY_MAX {
                    return Err(too_many());
                }
                cursor = page.next_cursor;
                if cursor.is_none() {
                    break;
                }
            }
            found
                .into_iter()
                .map(|order| {
                    let id = order.id.0.clone();
                    (Some(order), id, None)
                })
                .collect()
        }
    };
    request.speaks_of(found.iter().filter_map(|(order, ..)| order.as_ref()));
    Ok(found.into_iter().map(|(order, id, version)| judge_order(request, act, order.as_ref(), id, version)).collect())
}

fn judge_order(request: &Request, act: &'static str, order: Option<&Order>, id: String, seen: Option<u64>) -> Judged {
    let no = |target: String, code: &str, sentence: &str| Judged {
        target,
        version: seen,
        refusal: Some((code.to_owned(), sentence.to_owned())),
        money: None,
    };
    let Some(order) = order else { return no(id, "not_found", "there is no such order") };
    if seen.is_some_and(|seen| seen != order.version) {
        return no(id, "version_conflict", "it has changed since it was looked at");
    }
    let trial =
        next_steps::Trial { running: &request.running, actor: request.actor(), moment: request.shared.engine.moment() };
    let tries = next_steps::tries(order, request.shared.engine.clock().now());
    let Some(it) = tries.iter().find(|it| it.act == act) else {
        return no(id, "no_refund_case", "no refund is asked for");
    };
    let said = trial.plain(order, it);
    let why = |code: &str| (code.to_owned(), said.sentence.clone().unwrap_or_default());
    Judged {
        target: id,
        version: Some(order.version),
        refusal: said.code.filter(|_| !said.allowed).map(why),
        money: Some((order.money.currency.0.clone(), order.money.due, said.returns.unwrap_or_default())),
    }
}

async fn judge_deliveries(request: &Request, act: &'static str) -> Result<Vec<Judged>, Failure> {
    let store = request.shared.engine.store();
    let mut ids: Vec<String> = Vec::new();
    match wanted(request, On::Deliveries)? {
        Wanted::Items(items) => ids.extend(items.into_iter().map(|(id, _)| id)),
        Wanted::Match(query) => {
            let (filter, mut cursor) = (deliveries::filter_of(request, &query).await?, None);
            loop {
                let page = store.list_jobs(&filter, &PageRequest { limit: LIMIT_MAX, cursor }).await?;
                ids.extend(page.items.into_iter().map(|job| job.id));
                if ids.len() > MANY_MAX {
                    return Err(too_many());
                }
                cursor = page.next_cursor;
                if cursor.is_none() {
                    break;
                }
            }
        }
    }
    let now = request.shared.engine.clock().now();
    let change = if act == "retry" { Change::Retry } else { Change::Drop(String::new()) };
    let (mut judged, mut about) = (Vec::with_capacity(ids.len()), BTreeSet::new());
    for id in ids {
        let refusal = match deliveries::in_reach(request, store.job(&id).await?).await? {
            None => Some(("not_found".to_owned(), "there is no such delivery".to_owned())),
            Some(job) => {
                about.insert(job.order.clone());
                match deliveries::refuse(request, &job, &change, now).await {
                    Ok(()) => None,
                    Err(Failure::Problem(problem)) => Some((problem.code.clone().into_owned(), problem.detail.clone())),
                    Err(Failure::Overtaken) => None,
                }
            }
        };
        judged.push(Judged { target: id, version: None, refusal, money: None });
    }
    if request.given.text("reason").is_some() {
        request.speaks_of(&store.load_orders(&about.into_iter().collect::<Vec<_>>()).await?);
    }
    Ok(judged)
}

/// Carries on whatever was begun and is in nobody's hands: after a start, and now and then.
pub(crate) async fn carry_on_all(shared: &Shared, calls: &'static [Call]) -> Result<u64, StoreError> {
    if course::is_played() {
        return Ok(0);
    }
    let begun = shared.engine.store().running_bulks().await?;
    for id in &begun {
        carry_on_or_log(shared, calls, id).await;
    }
    Ok(begun.len() as u64)
}

async fn carry_on_or_log(shared: &Shared, calls: &'static [Call], id: &str) {
    if let Err(error) = carry_on(shared, calls, id).await {
        crate::trouble::log_trouble("an act on many does not go on; it is taken up again", &error);
    }
}

/// Does what is left of it, unless another instance is at it.
async fn carry_on(shared: &Shared, calls: &'static [Call], id: &str) -> Result<(), StoreError> {
    let name = format!("bulk/{id}");
    loop {
        let Some(lease) = hold(shared, &name).await? else { return Ok(()) };
        let store = shared.engine.store();
        let Some(row) = store.bulk(id).await? else { return Ok(()) };
        let part = store.bulk_items(id, ItemState::Waiting, PART).await?;
        if part.is_empty() || row.state == BulkState::Done {
            end(shared, id).await?;
            return release(shared, &name, lease).await;
        }
        if shared.stopping.is_cancelled() {
            return release(shared, &name, lease).await;
        }
        for item in part {
            // He may be switched off in the middle.
            let ended = match holder_of(shared, &row).await? {
                Some(holder) => act_on(shared, calls, &holder, &row, &item).await,
                None => Some(Err(("forbidden".to_owned(), "whoever asked for this may not do it any more".to_owned()))),
            };
            // What is not answered is tried again: it is known by its key whether it was done.
            let Some(ended) = ended else { return Ok(()) };
            note(shared, id, item.place, ended).await?;
        }
    }
}

/// Who asked for it, as he is now: whoever was switched off meanwhile does nothing more. That his factor was fresh was made sure of when he
/// asked; all of it was asked for at once.
async fn holder_of(shared: &Shared, row: &BulkRow) -> Result<Option<Holder>, StoreError> {
    let running = shared.engine.running();
    if let Some(name) = row.asked_by.strip_prefix("token:") {
        return Ok(running.config.ops_tokens.iter().find(|token| token.name == name).map(Holder::of_token));
    }
    let found = shared.accounts.holder_of_account(&row.asked_by).await?;
    Ok(found.filter(|holder| holder.scope.words() == row.scope).map(|mut holder| {
        if let Via::Session(signed) = &mut holder.via {
            signed.factor_at = Some(shared.engine.clock().now());
            signed.has_factor = true;
        }
        holder
    }))
}

/// Does it to one; `None` when it is not known what became of it.
async fn act_on(
    shared: &Shared,
    calls: &'static [Call],
    holder: &Holder,
    row: &BulkRow,
    item: &BulkItem,
) -> Option<ItemEnd> {
    let reach = Reach::of(&holder.scope, &shared.engine.running().config);
    let target = match target_of(shared, &reach, &row.act, &item.target).await {
        Ok(Some(target)) => target,
        Ok(None) => return Some(Err(("no_refund_case".to_owned(), "no refund is asked for".to_owned()))),
        Err(_) => return None,
    };
    let known = match body_of(calls, &target) {
        Some(Body::Fields(fields)) => fields.iter().map(|field| field.name).collect::<Vec<_>>(),
        Some(Body::None | Body::Codes) | None => Vec::new(),
    };
    let mut body = row.body.clone();
    if let (Some(version), Some(fields)) = (item.version, body.as_object_mut())
        && known.contains(&"expected_version")
    {
        fields.insert("expected_version".to_owned(), json!(version));
    }
    let from = Comes { caller: Caller::Unknown, agent: "bulk".to_owned() };
    let key = format!("{}/{}", row.id, item.place);
    let said = Insider { calls, shared, holder, from: &from, language: Language::En }
        .make(Method::POST, &target, Some(&body), Some(&key))
        .await;
    if said.status.is_success() {
        return Some(Ok(()));
    }
    if said.status.is_server_error() || said.status == StatusCode::TOO_MANY_REQUESTS {
        return None;
    }
    let text = |name: &str| said.body[name].as_str().unwrap_or_default().to_owned();
    Some(Err((text("code"), text("detail"))))
}

/// The call that does it to one.
async fn target_of(shared: &Shared, reach: &Reach, act: &str, id: &str) -> Result<Option<String>, StoreError> {
    let on = ACTS.iter().find(|(known, _)| *known == act).map(|(_, on)| *on);
    match (on, act) {
        (Some(On::Deliveries), _) => Ok(Some(format!("/deliveries/{id}/{act}"))),
        (Some(On::Orders), "approve" | "reject") => {
            let order = shared.engine.store().load_order(&OrderId::from(id)).await?;
            // One of another scope is like one that there is not.
            let order = order.filter(|order| reach.has_channel(&order.channel));
            Ok(order.and_then(|order| order.refund_case).map(|case| format!("/refunds/{}/{act}", case.id)))
        }
        (Some(On::Orders), _) => Ok(Some(format!("/orders/{id}/{act}"))),
        (None, _) => Ok(None),
    }
}

async fn note(shared: &Shared, id: &str, place: i64, ended: ItemEnd) -> Result<(), StoreError> {
    let work = Arc::new((id.to_owned(), place, ended));
    shared
        .engine
        .store()
        .write("end_bulk_item", move |tx: &Tx| {
            let work = work.clone();
            Box::pin(async move { tx.end_bulk_item(&work.0, work.1, &work.2).await })
        })
        .await
}

async fn end(shared: &Shared, id: &str) -> Result<(), StoreError> {
    let (id, now) = (Arc::new(id.to_owned()), shared.engine.clock().now());
    shared
        .engine
        .store()
        .write("end_bulk", move |tx: &Tx| {
            let id = id.clone();
            Box::pin(async move { tx.end_bulk(&id, now).await })
        })
        .await
}

async fn hold(shared: &Shared, name: &str) -> Result<Option<LeaseToken>, StoreError> {
    let (work, now) = (Arc::new((name.to_owned(), shared.instance.clone())), shared.engine.clock().now());
    shared
        .engine
        .store()
        .write("try_lease", move |tx: &Tx| {
            let work = work.clone();
            Box::pin(async move { tx.try_lease(&work.0, &work.1, LEASE, now).await })
        })
        .await
}

async fn release(shared: &Shared, name: &str, lease: LeaseToken) -> Result<(), StoreError> {
    let work = Arc::new((name.to_owned(), lease));
    let released: bool = shared
        .engine
        .store()
        .write("release_lease", move |tx: &Tx| {
            let work = work.clone();
            Box::pin(async move { tx.release_lease(&work.0, &work.1).await })
        })
        .await?;
    let _ = released;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_done_to_many_is_done_by_the_call_for_one() {
        assert_eq!(ACTS.iter().map(|(act, _)| *act).collect::<Vec<_>>(), ACT_WORDS);
        for (act, on) in ACTS {
            let path = match (on, *act) {
                (On::Deliveries, _) => format!("/deliveries/{{id}}/{act}"),
                (On::Orders, "approve" | "reject") => format!("/refunds/{{id}}/{act}"),
                (On::Orders, _) => format!("/orders/{{id}}/{act}"),
            };
            let call =
                crate::http::ops::CALLS.iter().find(|call| call.path == path).unwrap_or_else(|| panic!("{path}"));
            let Body::Fields(fields) = &call.body else { panic!("{path}") };
            assert_eq!(fields.iter().any(|field| field.name == "reason" && field.needed), wants_reason(act), "{act}");
        }
    }

    #[test]
    fn sums_are_of_what_is_allowed_and_by_currency() {
        let of = |target: &str, refusal: Option<&str>, money| Judged {
            target: target.to_owned(),
            version: Some(1),
            refusal: refusal.map(|code| (code.to_owned(), "no".to_owned())),
            money,
        };
        let judged = [
            of("a", None, Some(("CNY".to_owned(), 100, 90))),
            of("b", None, Some(("CNY".to_owned(), 50, 50))),
            of("c", Some("already_redeemed"), Some(("CNY".to_owned(), 7, 7))),
            of("d", None, Some(("KRW".to_owned(), 1, 0))),
        ];
        let said = crate::http::ops::view::value(preview("cancel", &judged));
        assert_eq!((&said["total"], &said["allowed"], &said["refused"]), (&json!(4), &json!(3), &json!(1)));
        assert_eq!(said["sums"][0], json!({ "currency": "CNY", "orders": 2, "total": 150, "returns": 140 }));
        assert_eq!(said["refusals"], json!([{ "id": "c", "code": "already_redeemed", "sentence": "no" }]));
    }
}
