// SPDX-License-Identifier: Apache-2.0

//! What forms send: each becomes one call of the ops interface, with the fields that the interface's own table gives that call.

use http::{Method, StatusCode};
use serde_json::{Map, Value, json};

use crate::accounts::Holder;
use crate::console::form::{back, scope_of};
use crate::console::format::{decimals, minor};
use crate::console::{PREFIX, Said, Stop, Visit, pages};
use crate::http::ops::fields::{Field, FieldKind};
use crate::http::ops::manual_commands::UNDER_WAY;
use crate::http::ops::{self, Inside};

/// The parameter that says what is to be said on a page.
pub(crate) const NOTED: &str = "noted";

impl Visit {
    /// Makes a changing call as whoever has signed in.
    pub(crate) async fn call(&self, method: Method, target: &str, body: &Value) -> Result<Inside, Stop> {
        self.call_as(&self.holder, method, target, body).await
    }

    /// The same as whom he has become meanwhile: he has passed his factor.
    pub(crate) async fn call_as(
        &self,
        holder: &Holder,
        method: Method,
        target: &str,
        body: &Value,
    ) -> Result<Inside, Stop> {
        let said = ops::inside(&self.shared, holder, self.speaks(), method, target, Some(body)).await;
        if said.status.is_success() { Ok(said) } else { Err(Stop { status: said.status, problem: said.body }) }
    }
}

/// Carries out what a form of somebody who has signed in wants.
pub(crate) async fn carry_out(visit: &Visit, steps: &[&str]) -> Result<Said, Stop> {
    let to = back(visit.form.text("back"));
    match steps {
        ["sign-out"] => {
            let said = visit.call(Method::DELETE, "/session", &json!({})).await?;
            Ok(Said::Go(format!("{PREFIX}/sign-in"), said.cookie))
        }
        ["factor"] => {
            let body = json!({ "code": visit.form.text("code") });
            let said = visit.call(Method::POST, "/session/factor", &body).await?;
            Ok(Said::Go(to, said.cookie))
        }
        ["factor", "passkey"] => pages::passkeys::factor(visit).await,
        ["account", "passkeys"] => pages::passkeys::add(visit).await,
        ["account", "passkeys", id, "rename"] => pages::passkeys::rename(visit, id).await,
        ["account", "passkeys", id, "remove"] => pages::passkeys::remove(visit, id).await,
        ["account", "totp"] => pages::account::begin_totp(visit).await,
        ["account", "totp", "confirm"] => pages::account::confirm_totp(visit).await,
        ["sessions", id, "end"] => {
            let said = visit.call(Method::DELETE, &format!("/sessions/{id}"), &json!({})).await?;
            Ok(Said::Go(to, said.cookie))
        }
        ["orders", "search"] => pages::orders::search(visit).await,
        ["bulk"] => pages::bulk::preview(visit).await,
        ["bulk", "confirm"] => pages::bulk::confirm(visit).await,
        ["members", id, "reset-password"] => pages::members::password_link(visit, id).await,
        ["members", "invite"] => pages::members::invite(visit).await,
        // The codes of a pool come one a line, and not as a field of the table.
        ["act", "codes", pool] => {
            let codes: Vec<&str> =
                visit.form.text("codes").lines().map(str::trim).filter(|code| !code.is_empty()).collect();
            visit.call(Method::POST, &format!("/codes/{pool}"), &json!({ "codes": codes })).await?;
            Ok(Said::Go(to, None))
        }
        ["act", rest @ ..] => {
            let target = format!("/{}", rest.join("/"));
            let said = visit.call(Method::POST, &target, &body_of(visit, ops::fields_of(&target))?).await?;
            let is_under_way = said.body.get(UNDER_WAY).is_some();
            Ok(Said::Go(if is_under_way { noted(&to, UNDER_WAY) } else { to }, said.cookie))
        }
        _ => Ok(super::layout::not_found(visit)),
    }
}

/// The body of a call from the fields of a form: what is empty is not there.
fn body_of(visit: &Visit, fields: &[Field]) -> Result<Value, Stop> {
    let mut body = Map::new();
    for field in fields {
        let Some(text) = visit.form.get(field.name) else { continue };
        let number = || text.trim().parse::<i64>().map_or_else(|_| Value::from(text), Value::from);
        let value = match field.kind {
            FieldKind::Text
            | FieldKind::Name
            | FieldKind::Word(_)
            | FieldKind::Email
            | FieldKind::Telephone
            | FieldKind::GuestPhone
            | FieldKind::NewPassword
            | FieldKind::Date
            | FieldKind::Time => Value::from(text),
            FieldKind::Amount => match visit.form.get("currency") {
                Some(currency) => amount(visit, field.name, text, currency)?,
                None => number(),
            },
            FieldKind::Version => number(),
            FieldKind::Flag => Value::from(matches!(text, "on" | "true")),
            FieldKind::Scope => scope_of(text),
            FieldKind::Tickets => {
                let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
                lines.map(|code| json!({ "code": code })).collect()
            }
            // Parts of an order are cancelled through the interface; many have a page of their own.
            // So do passkeys.
            FieldKind::Lines | FieldKind::Items | FieldKind::Match | FieldKind::Credential => continue,
        };
        body.insert(field.name.to_owned(), value);
    }
    Ok(Value::Object(body))
}

/// An amount that was written in units of its currency.
fn amount(visit: &Visit, field: &str, written: &str, currency: &str) -> Result<Value, Stop> {
    minor(written, currency).map(Value::from).ok_or_else(|| {
        let with = [("currency", currency.to_owned()), ("decimals", decimals(currency).to_string())];
        let (detail, language) = (visit.words.say_with("amount-wrong", &with), visit.words.language().word());
        let problem = json!({ "code": "invalid", "detail": detail, "language": language, "field": field });
        Stop { status: StatusCode::UNPROCESSABLE_ENTITY, problem }
    })
}

/// The page that a form leads back to, with something to be said on it.
fn noted(to: &str, what: &str) -> String {
    let (page, place) = to.split_once('#').map_or((to, None), |(page, place)| (page, Some(place)));
    let joint = if page.contains('?') { '&' } else { '?' };
    let place = place.map(|place| format!("#{place}")).unwrap_or_default();
    format!("{page}{joint}{NOTED}={what}{place}")
}
