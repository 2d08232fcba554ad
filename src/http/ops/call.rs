// SPDX-License-Identifier: Apache-2.0

//! What a call of the ops interface is: the words of `table.rs`, from which it is served, checked and described.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::StatusCode;
use serde::Serialize;
use ticketbridge_core::message::{Actor, ActorKind};
use ticketbridge_core::quoted::{Guests, Quoted};

use crate::accounts::scope::Reach;
use crate::accounts::signing_in::From as Comes;
use crate::accounts::{About, Holder, Refused};
use crate::config::Role;
use crate::console::catalogue::Language;
use crate::engine::EngineError;
use crate::engine::manual_commands::{Keep, Once};
use crate::http::Shared;
use crate::http::ops::answers::Shape;
use crate::http::ops::body::Given;
use crate::http::ops::fields::{Field, Param};
use crate::http::ops::query::Asked;
use crate::http::problem::Problem;
use crate::service::live::Running;

/// Where the interface begins.
pub const PREFIX: &str = "/ops/v1";

/// A call.
pub(crate) struct Call {
    /// `GET` or `POST`.
    pub(crate) verb: Verb,
    /// Below `/ops/v1`, with parameters in braces.
    pub(crate) path: &'static str,
    /// What it does, in one sentence.
    pub(crate) does: &'static str,
    /// Who may.
    pub(crate) who: Who,
    /// What may stand in the query.
    pub(crate) query: &'static [Param],
    /// What may stand in the body.
    pub(crate) body: Body,
    /// The schema of what it answers.
    pub(crate) answer: Answer,
    /// What carries it out.
    pub(crate) run: fn(Request) -> BoxFuture<'static, Outcome>,
}

/// Calls that want a factor which was passed a moment ago, besides those that give an order's money back.
const FRESH: [&str; 14] = [
    "/refunds/{id}/approve",
    "/orders/{id}/return-payment",
    "/guests/export",
    "/guests/erase",
    "/invitations",
    "/invitations/{id}/revoke",
    "/accounts/{id}/approve",
    "/accounts/{id}/role",
    "/accounts/{id}/deactivate",
    "/accounts/{id}/activate",
    "/accounts/{id}/reset-factor",
    "/accounts/{id}/reset-password",
    "/config/reload",
    "/statements/close",
];

impl Call {
    /// What it wants of somebody who has signed in.
    pub(crate) fn factor(&self) -> Factor {
        match (self.verb, self.who) {
            (Verb::Get, _) | (_, Who::Anybody | Who::Person) => Factor::None,
            (Verb::Post | Verb::Delete, _) if FRESH.contains(&self.path) => Factor::Fresh,
            (Verb::Post | Verb::Delete, _) => Factor::Passed,
        }
    }

    /// Whether a page asks for it by itself while nobody is there: that keeps no session from ending.
    pub(crate) fn is_asked_unattended(&self) -> bool {
        self.path == "/stream"
    }

    /// The word under which the audit has it; `None` where the call writes its own entries, or changes and shows nothing.
    pub(crate) fn act(&self) -> Option<String> {
        let begins = |start: &str| self.path.starts_with(start);
        if self.verb == Verb::Get || !self.who.is_somebody() || begins("/accounts") || begins("/invitations") {
            return None;
        }
        let words = self.path.split('/').filter(|part| !part.is_empty() && !part.starts_with('{'));
        Some(words.map(|word| word.replace('-', "_")).collect::<Vec<_>>().join("_"))
    }
}

/// A method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    /// Reads.
    Get,
    /// Acts.
    Post,
    /// Ends something.
    Delete,
}

impl Verb {
    /// As paths of the description have it.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Verb::Get => "get",
            Verb::Post => "post",
            Verb::Delete => "delete",
        }
    }
}

/// What a call wants of somebody who has signed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Factor {
    /// Nothing more.
    None,
    /// That he has passed a second factor, where the configuration wants one.
    Passed,
    /// That he passed it a moment ago.
    Fresh,
}

/// Who may make a call. An administrator may make every call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Who {
    /// Anybody at all: signing in, signing up, accepting an invitation.
    Anybody,
    /// Whoever has signed in, about himself.
    Person,
    /// Every holder of a token, and whoever has signed in.
    Everyone,
    /// Those who may look at orders.
    Readers,
    /// Operators too.
    Operators,
    /// Settlement officers; operators see no settlement data (PA-03).
    Settlement,
    /// Administrators alone.
    Administrators,
}

impl Who {
    /// Whether this role may.
    pub(crate) fn may(self, role: Role) -> bool {
        match (self, role) {
            (_, Role::Admin) | (Who::Anybody | Who::Person | Who::Everyone, _) | (Who::Operators, Role::Operator) => {
                true
            }
            (Who::Readers, role) => matches!(role, Role::Operator | Role::Viewer),
            (Who::Settlement, role) => role == Role::Settlement,
            (Who::Operators, Role::Settlement | Role::Viewer)
            | (Who::Administrators, Role::Operator | Role::Settlement | Role::Viewer) => false,
        }
    }
    /// Whether it is for those whom the configuration or an account knows.
    pub(crate) fn is_somebody(self) -> bool {
        !matches!(self, Who::Anybody | Who::Person)
    }
    /// In words.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Who::Anybody => "anybody",
            Who::Person => "whoever has signed in",
            Who::Everyone => "roles: admin, operator, settlement, viewer",
            Who::Readers => "roles: admin, operator, viewer",
            Who::Operators => "roles: admin, operator",
            Who::Settlement => "roles: admin, settlement",
            Who::Administrators => "role: admin",
        }
    }
}

/// What a body may be.
pub(crate) enum Body {
    /// Nothing: the call reads.
    None,
    /// An object with these fields; also nothing at all, when none of them is needed.
    Fields(&'static [Field]),
    /// Codes, as JSON or CSV.
    Codes,
}

/// What is answered.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Answer {
    /// One of them.
    One(Shape),
    /// A page of them.
    Page(Shape),
    /// One after the other, as they come about.
    Stream(Shape),
}

/// A request that was let in and checked.
pub(crate) struct Request {
    /// What every handler shares.
    pub(crate) shared: Shared,
    /// The configuration in force.
    pub(crate) running: Arc<Running>,
    /// Who makes it.
    pub(crate) holder: Holder,
    /// What lies in his scope.
    pub(crate) reach: Reach,
    /// From where he comes.
    pub(crate) from: Comes,
    /// What the audit will say that it was about.
    pub(crate) about: Arc<Mutex<About>>,
    /// The values in the path, by name.
    pub(crate) path: Vec<(String, String)>,
    /// The query.
    pub(crate) query: Asked,
    /// The fields of the body.
    pub(crate) given: Given,
    /// The body as it came, for the calls that read it themselves.
    pub(crate) raw: Bytes,
    /// Whether the body is CSV.
    pub(crate) is_csv: bool,
    /// Whether the answer is wanted as CSV.
    pub(crate) wants_csv: bool,
    /// The last event that whoever looks on has seen.
    pub(crate) last_event: Option<String>,
    /// In which language sentences of attention are wanted.
    pub(crate) language: Language,
    /// Under which key, if any.
    pub(crate) once: Option<Once>,
    /// Whether it was carried out before.
    pub(crate) turn: Turn,
    /// The table that the call stands in.
    pub(crate) calls: &'static [Call],
}

/// Whether a request is carried out, or only answered again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// It is new.
    First,
    /// A program has had it carried out under its key, and the answer was not kept: nothing is done, and what is known now is the answer.
    Again,
}

impl Request {
    /// The person, as the history of orders names him.
    pub(crate) fn actor(&self) -> Actor {
        Actor::new(ActorKind::Ops, self.holder.name.as_str())
    }
    /// Notes which order it is about.
    pub(crate) fn concerns(&self, order: &ticketbridge_core::Order) {
        let mut about = self.about.lock().unwrap_or_else(PoisonError::into_inner);
        about.order = Some((order.id.clone(), order.channel.clone()));
        drop(about);
        self.speaks_of([order]);
    }
    /// Notes of which guests it speaks: what is audited outlives their erasure, and a reason may name them.
    pub(crate) fn speaks_of<'o>(&self, orders: impl IntoIterator<Item = &'o ticketbridge_core::Order>) {
        let Some(reason) = self.given.text("reason") else { return };
        // Whoever nobody knows is masked by his looks, also where no order is left that knew him.
        let mask = |reason: Quoted, order: &ticketbridge_core::Order| Guests::of(order).text(reason.as_str());
        let masked = orders.into_iter().fold(Quoted::text(&reason), mask);
        self.about.lock().unwrap_or_else(PoisonError::into_inner).detail = serde_json::json!({ "reason": masked });
    }
    /// Whether the session of whoever asks has asked to see the guests of this order in clear.
    ///
    /// # Errors
    /// Store errors.
    pub(crate) async fn sees_clear(&self, order: &ticketbridge_core::OrderId) -> Result<bool, Failure> {
        match self.holder.signed() {
            Some(signed) if signed.factor_at.is_some() => {
                Ok(self.shared.engine.store().has_revealed(&signed.session, order).await?)
            }
            Some(_) | None => Ok(false),
        }
    }
    /// A value in the path.
    pub(crate) fn in_path(&self, name: &str) -> &str {
        self.path.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value)
    }
}

/// The content type of most answers.
pub(crate) const JSON: &str = "application/json";

/// What is answered.
#[derive(Debug)]
pub(crate) struct Said {
    /// The status.
    pub(crate) status: StatusCode,
    /// What it is of: JSON, unless the call knows another form.
    pub(crate) body: Vec<u8>,
    /// Its content type.
    pub(crate) kind: &'static str,
    /// What is still to be kept for repeats; nothing when that was done in the transaction of the act.
    pub(crate) keep: Option<Keep>,
    /// What becomes of the cookie of the session.
    pub(crate) cookie: Option<Cookie>,
    /// What goes on after the head of the answer, in the place of `body`.
    pub(crate) live: Option<axum::body::Body>,
}

/// An answer's body; our own types always have one.
pub(crate) fn written(body: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(body).unwrap_or_default()
}

/// What becomes of the cookie of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Cookie {
    /// It holds this.
    Set(String),
    /// It is forgotten.
    Clear,
}

impl Said {
    /// 200 with this.
    pub(crate) fn ok(body: &impl Serialize) -> Self {
        Self {
            status: StatusCode::OK,
            body: written(body),
            kind: JSON,
            keep: Some(Keep::Answer),
            cookie: None,
            live: None,
        }
    }
    /// 200 with this table.
    pub(crate) fn csv(body: String) -> Self {
        Self {
            status: StatusCode::OK,
            body: body.into_bytes(),
            kind: "text/csv; charset=utf-8",
            keep: Some(Keep::Answer),
            cookie: None,
            live: None,
        }
    }
    /// 200 with this, which goes on.
    pub(crate) fn live(kind: &'static str, body: axum::body::Body) -> Self {
        Self { status: StatusCode::OK, body: Vec::new(), kind, keep: None, cookie: None, live: Some(body) }
    }
    /// 200 with this, which is kept already if a key was given.
    pub(crate) fn kept(body: Vec<u8>) -> Self {
        Self { status: StatusCode::OK, body, kind: JSON, keep: None, cookie: None, live: None }
    }
    /// 200 with this, which is not kept whatever the request says: it holds a secret, or has another guard against repeats.
    pub(crate) fn once(body: &impl Serialize) -> Self {
        Self { keep: None, ..Self::ok(body) }
    }
    /// The same with this cookie.
    pub(crate) fn with(self, cookie: Cookie) -> Self {
        Self { cookie: Some(cookie), ..self }
    }
    /// 200 with this, which shows guests' data to `holder`: a repeat is answered from what is known then.
    ///
    /// # Errors
    /// He has not passed a second factor.
    pub(crate) fn in_clear(holder: &Holder, body: &impl Serialize) -> Result<Self, Failure> {
        holder.passed_for_clear_text()?;
        Ok(Self { keep: Some(Keep::Receipt), ..Self::ok(body) })
    }
}

/// Why there is no answer of the call's own.
#[derive(Debug)]
pub(crate) enum Failure {
    /// A problem.
    Problem(Box<Problem>),
    /// Somebody acted under the same key meanwhile: his answer is the answer.
    Overtaken,
}

/// How a call ends.
pub(crate) type Outcome = Result<Said, Failure>;

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Failure::Problem(Box::new(problem))
    }
}
impl From<Refused> for Failure {
    fn from(refused: Refused) -> Self {
        Problem::from(refused).into()
    }
}
impl From<EngineError> for Failure {
    fn from(error: EngineError) -> Self {
        match error {
            EngineError::Known => Failure::Overtaken,
            other => Problem::from(other).into(),
        }
    }
}
impl From<ticketbridge_store::StoreError> for Failure {
    fn from(error: ticketbridge_store::StoreError) -> Self {
        EngineError::Store(error).into()
    }
}
