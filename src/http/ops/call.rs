//! What a call of the ops interface is: the words of `table.rs`, from which it is served, checked and described.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::StatusCode;
use ticketbridge_core::message::{Actor, ActorKind};

use crate::config::{OpsToken, Role};
use crate::engine::EngineError;
use crate::engine::manual_commands::{Keep, Once};
use crate::http::Shared;
use crate::http::ops::body::Given;
use crate::http::ops::query::Asked;
use crate::http::problem::Problem;
use crate::service::live::Running;

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

/// A method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    /// Reads.
    Get,
    /// Acts.
    Post,
}

/// Who may make a call. An administrator may make every call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Who {
    /// Every holder of a token.
    Everyone,
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
            (_, Role::Admin) | (Who::Everyone, _) | (Who::Operators, Role::Operator) => true,
            (Who::Settlement, role) => role == Role::Settlement,
            (Who::Operators, Role::Settlement) | (Who::Administrators, Role::Operator | Role::Settlement) => false,
        }
    }
    /// In words.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Who::Everyone => "roles: admin, operator, settlement",
            Who::Operators => "roles: admin, operator",
            Who::Settlement => "roles: admin, settlement",
            Who::Administrators => "role: admin",
        }
    }
}

/// A parameter of the query.
pub(crate) struct Param {
    /// Its name.
    pub(crate) name: &'static str,
    /// What it may be.
    pub(crate) kind: ParamKind,
    /// What it is for.
    pub(crate) about: &'static str,
}

/// What a parameter may be.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ParamKind {
    /// One of these.
    Word(&'static [&'static str]),
    /// Any text.
    Text,
    /// `YYYY-MM-DD`.
    Date,
    /// RFC 3339 with an offset.
    Time,
    /// Entries at most.
    Limit,
    /// Where the last page ended.
    Cursor,
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

/// A field of a body.
pub(crate) struct Field {
    /// Its name.
    pub(crate) name: &'static str,
    /// What it may be.
    pub(crate) kind: FieldKind,
    /// Whether it must be there.
    pub(crate) needed: bool,
    /// What it is for.
    pub(crate) about: &'static str,
}

/// What a field may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FieldKind {
    /// Text with something in it.
    Text,
    /// A whole number.
    Amount,
    /// A whole number, zero or more.
    Version,
    /// True or false.
    Flag,
    /// RFC 3339 with an offset.
    Time,
    /// A list of tickets.
    Tickets,
    /// Units by line of the order.
    Lines,
}

/// What is answered, by the name of its schema.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Answer {
    /// One of them.
    One(&'static str),
    /// A page of them.
    Page(&'static str),
}

/// A request that was let in and checked.
pub(crate) struct Request {
    /// What every handler shares.
    pub(crate) shared: Shared,
    /// The configuration in force.
    pub(crate) running: Arc<Running>,
    /// Whose token it is.
    pub(crate) holder: OpsToken,
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
    /// Under which key, if any.
    pub(crate) once: Option<Once>,
    /// Whether it was carried out before.
    pub(crate) turn: Turn,
}

/// Whether a request is carried out, or only answered again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// It is new.
    First,
    /// It was carried out under its key, and its answer was not kept: nothing is done, and what is known now is the answer.
    Again,
}

impl Request {
    /// The person, as the history of orders names him.
    pub(crate) fn actor(&self) -> Actor {
        Actor::new(ActorKind::Ops, self.holder.name.as_str())
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
}

impl Said {
    /// 200 with this.
    pub(crate) fn ok(body: &serde_json::Value) -> Self {
        Self { status: StatusCode::OK, body: body.to_string().into_bytes(), kind: JSON, keep: Some(Keep::Answer) }
    }
    /// 200 with this table.
    pub(crate) fn csv(body: String) -> Self {
        Self {
            status: StatusCode::OK,
            body: body.into_bytes(),
            kind: "text/csv; charset=utf-8",
            keep: Some(Keep::Answer),
        }
    }
    /// 200 with this, which is kept already if a key was given.
    pub(crate) fn kept(body: Vec<u8>) -> Self {
        Self { status: StatusCode::OK, body, kind: JSON, keep: None }
    }
    /// 200 with this, which shows guests' data: a repeat is answered from what is known then.
    pub(crate) fn in_clear(body: &serde_json::Value) -> Self {
        Self { keep: Some(Keep::Receipt), ..Self::ok(body) }
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
