// SPDX-License-Identifier: Apache-2.0

//! Who made a request of the ops interface, as far as it decides what may be done.

use serde::{Deserialize, Serialize};
use ticketbridge_core::{Millis, UnixMillis};

use crate::accounts::scope::Scope;
use crate::accounts::{Holder, Signed, Via};
use crate::config::Role;

/// What somebody was allowed when a request was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acted {
    role: String,
    scope_kind: String,
    scope_id: Option<String>,
    by: By,
}

/// How he was known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum By {
    Token,
    Session {
        /// How long ago the second factor had been passed.
        factor_age: Option<Millis>,
        has_factor: bool,
    },
    Nobody,
}

impl Acted {
    /// What `holder` may do at `now`.
    pub fn of(holder: &Holder, now: UnixMillis) -> Self {
        let scope = holder.scope.words();
        let by = match &holder.via {
            Via::Token => By::Token,
            Via::Session(signed) => {
                By::Session { factor_age: signed.factor_at.map(|at| now - at), has_factor: signed.has_factor }
            }
            Via::Nobody => By::Nobody,
        };
        Self { role: holder.role.word().to_owned(), scope_kind: scope.kind, scope_id: scope.id, by }
    }

    /// Somebody who may do the same at `now`, under the same name; `None` for a word that this version does not know.
    pub fn holder(&self, name: &str, now: UnixMillis) -> Option<Holder> {
        let via = match &self.by {
            By::Token => Via::Token,
            By::Session { factor_age, has_factor } => Via::Session(Signed {
                account: format!("replay:{name}"),
                session: "replay".to_owned(),
                email: String::new(),
                sign_in: "password".to_owned(),
                factor_at: factor_age.map(|age| now + Millis(-age.0)),
                has_factor: *has_factor,
                has_passkey: false,
                language: None,
            }),
            By::Nobody => Via::Nobody,
        };
        let scope = Scope::of(&self.scope_kind, self.scope_id.as_deref())?;
        Some(Holder { name: name.to_owned(), role: Role::of_word(&self.role)?, scope, via })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_acts_again_may_do_what_he_might_then() {
        let (then, now) = (UnixMillis(1_000_000), UnixMillis(9_000_000));
        let signed = Signed {
            account: "acc_1".to_owned(),
            session: "ses_1".to_owned(),
            email: "ann@desk.example".to_owned(),
            sign_in: "password".to_owned(),
            factor_at: Some(UnixMillis(900_000)),
            has_factor: true,
            has_passkey: true,
            language: None,
        };
        let holders = [
            Holder {
                name: "ann".to_owned(),
                role: Role::Operator,
                scope: Scope::Agency("a".to_owned()),
                via: Via::Session(signed),
            },
            Holder { name: "ops".to_owned(), role: Role::Admin, scope: Scope::Everything, via: Via::Token },
            Holder::nobody(),
        ];
        for holder in holders {
            let acted = Acted::of(&holder, then);
            let kept: Acted = serde_json::from_str(&serde_json::to_string(&acted).expect("JSON")).expect("the same");
            let again = kept.holder(&holder.name, now).expect("known words");
            assert_eq!((again.role, &again.scope, &again.name), (holder.role, &holder.scope, &holder.name));
            let age = |holder: &Holder, at: UnixMillis| {
                holder.signed().map(|signed| signed.factor_at.map(|passed| at - passed))
            };
            assert_eq!(age(&again, now), age(&holder, then));
        }
    }
}
