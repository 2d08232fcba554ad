// SPDX-License-Identifier: Apache-2.0

//! Somebody's look at a page: who he is, what he asked for, and what he gets.

use std::collections::BTreeMap;

use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use maud::Markup;
use serde_json::Value;
use ticketbridge_core::{OrderId, UnixMillis};

use crate::accounts::Holder;
use crate::accounts::scope::Scope;
use crate::accounts::signing_in::From as Comes;
use crate::console::catalogue::{Language, Words};
use crate::console::form::Form;
use crate::http::Shared;
use crate::http::ops;

/// A page: its heading, by its key in the catalogue, and what stands below.
pub(crate) struct Page {
    pub(super) title: &'static str,
    /// What it is about, behind the heading; perhaps nothing.
    pub(super) about: String,
    pub(super) body: Markup,
}

impl Page {
    pub(crate) fn of(title: &'static str, body: Markup) -> Self {
        Self { title, about: String::new(), body }
    }
    /// The same page about one thing.
    pub(crate) fn about(self, about: String) -> Self {
        Self { about, ..self }
    }
}

/// What is answered to a visit.
pub(crate) enum Said {
    /// A page.
    Page(Page),
    /// A page of somebody who has no session yet, or the refusal of something: without the menu where there is no session.
    Refused(StatusCode, Page),
    /// Another page is to be opened, perhaps with another cookie.
    Go(String, Option<HeaderValue>),
    /// A page with a new cookie.
    With(Page, HeaderValue),
    /// Something that pages load: its type, and itself.
    Asset(&'static str, &'static str),
}

impl Said {
    /// A page, and a new cookie with it where there is one.
    pub(crate) fn page_with(page: Page, cookie: Option<HeaderValue>) -> Self {
        match cookie {
            Some(cookie) => Said::With(page, cookie),
            None => Said::Page(page),
        }
    }
}

/// Why a page cannot be built: the interface says so.
#[derive(Debug)]
pub(crate) struct Stop {
    pub(crate) status: StatusCode,
    pub(crate) problem: Value,
}

/// Somebody opens a page, or sends a form.
pub(crate) struct Visit {
    pub(super) shared: Shared,
    pub(super) holder: Holder,
    pub(super) from: Comes,
    pub(super) words: Words,
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) query: Form,
    pub(super) form: Form,
    pub(super) headers: HeaderMap,
    pub(super) now: UnixMillis,
}

impl Visit {
    /// Asks the ops interface as whoever has signed in. `target` is path and query.
    pub(crate) async fn ask(&self, target: &str) -> Result<Value, Stop> {
        let said = ops::inside(&self.shared, &self.holder, self.speaks(), Method::GET, target, None).await;
        if said.status.is_success() { Ok(said.body) } else { Err(Stop { status: said.status, problem: said.body }) }
    }

    /// From where, and in which language.
    pub(super) fn speaks(&self) -> (&Comes, Language) {
        (&self.from, self.words.language())
    }

    /// The same where it may be that nothing is there, or that the role does not allow it.
    pub(crate) async fn ask_if_allowed(&self, target: &str) -> Result<Value, Stop> {
        match self.ask(target).await {
            Err(Stop { status: StatusCode::FORBIDDEN | StatusCode::NOT_FOUND, .. }) => Ok(Value::Null),
            other => other,
        }
    }

    /// The entries of a list.
    pub(crate) async fn items(&self, target: &str) -> Result<Vec<Value>, Stop> {
        Ok(self.ask_if_allowed(target).await?["items"].as_array().cloned().unwrap_or_default())
    }

    /// Whether he sees the whole service, and no part of it only.
    pub(crate) fn sees_all(&self) -> bool {
        self.holder.scope == Scope::Everything
    }

    /// The channel's numbers of the orders that these rows are about, by our ids. Where they cannot be read, the rows name orders by our ids.
    pub(crate) async fn numbers(&self, rows: &[Value]) -> BTreeMap<String, String> {
        let named = rows.iter().flat_map(|row| [&row["order_id"], &row["id"]]);
        let ids = named.filter_map(Value::as_str).filter(|id| id.starts_with("ord_")).map(OrderId::from).collect();
        ops::numbers::of(&self.shared, &self.holder, ids).await.unwrap_or_default()
    }

    /// The query of the address, for the interface: only these parameters.
    pub(crate) fn filters(&self, names: &[&str]) -> String {
        self.query.only(names)
    }

    /// A cookie, by its name.
    pub(crate) fn cookie(&self, name: &str) -> Option<String> {
        let lines = self.headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
        let mut pairs = lines.flat_map(|line| line.split(';'));
        pairs.find_map(|pair| Some(pair.trim().strip_prefix(name)?.strip_prefix('=')?.to_owned()))
    }

    /// Where it came from, for a form that leads back.
    pub(crate) fn here(&self) -> String {
        let query = self.query.text_without(&["lang"]);
        if query.is_empty() { self.path.clone() } else { format!("{}?{query}", self.path) }
    }
}
