// SPDX-License-Identifier: Apache-2.0

//! What somebody may do, as a recording keeps it, and somebody who may do the same when it is played.

use ticketbridge_core::{Millis, UnixMillis};

use super::acted::{Acted, By};
use crate::accounts::scope::Scope;
use crate::accounts::{Holder, Signed, Via};
use crate::config::Role;

/// What `holder` may do at `now`.
pub fn of(holder: &Holder, now: UnixMillis) -> Acted {
    let scope = holder.scope.words();
    let by = match &holder.via {
        Via::Token => By::Token,
        Via::Session(signed) => {
            By::Session { factor_age: signed.factor_at.map(|at| now - at), has_factor: signed.has_factor }
        }
        Via::Nobody => By::Nobody,
    };
    Acted { role: holder.role.word().to_owned(), scope_kind: scope.kind, scope_id: scope.id, by }
}

/// Somebody who may do the same at `now`, under the same name; `None` for a word that this version does not know.
pub fn holder(acted: &Acted, name: &str, now: UnixMillis) -> Option<Holder> {
    let via = match &acted.by {
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
    let scope = Scope::of(&acted.scope_kind, acted.scope_id.as_deref())?;
    Some(Holder { name: name.to_owned(), role: Role::of_word(&acted.role)?, scope, via })
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
            let acted = of(&holder, then);
            let kept: Acted = serde_json::from_str(&serde_json::to_string(&acted).expect("JSON")).expect("the same");
            let again = super::holder(&kept, &holder.name, now).expect("known words");
            assert_eq!((again.role, &again.scope, &again.name), (holder.role, &holder.scope, &holder.name));
            let age = |holder: &Holder, at: UnixMillis| {
                holder.signed().map(|signed| signed.factor_at.map(|passed| at - passed))
            };
            assert_eq!(age(&again, now), age(&holder, then));
        }
    }
}
