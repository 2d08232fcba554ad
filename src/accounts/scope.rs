// SPDX-License-Identifier: Apache-2.0

//! Whose data somebody sees: everything, or what belongs to one dealer, one institution or one agency.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use ticketbridge_core::product::Ticketing;
use ticketbridge_core::{BackendId, ChannelId};
use ticketbridge_store::{ScopeWords, ScopesWithin, Within};

use crate::config::organisation::institution_of;
use crate::config::{ChannelConfig, Config, Organisation};

/// A scope.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// Everything there is.
    Everything,
    /// A dealer with its institutions.
    Dealer(String),
    /// An institution with its agencies.
    Institution(String),
    /// An agency.
    Agency(String),
}

/// The words for the kinds of scopes.
pub const KINDS: [&str; 4] = ["everything", "dealer", "institution", "agency"];

impl Scope {
    /// The scope that two words mean.
    pub fn of(kind: &str, id: Option<&str>) -> Option<Scope> {
        match (kind, id) {
            ("everything", _) => Some(Scope::Everything),
            ("dealer", Some(id)) => Some(Scope::Dealer(id.to_owned())),
            ("institution", Some(id)) => Some(Scope::Institution(id.to_owned())),
            ("agency", Some(id)) => Some(Scope::Agency(id.to_owned())),
            _ => None,
        }
    }

    /// The stored scope.
    pub fn of_words(words: &ScopeWords) -> Option<Scope> {
        Self::of(&words.kind, words.id.as_deref())
    }

    /// Its kind.
    pub fn kind(&self) -> &'static str {
        match self {
            Scope::Everything => "everything",
            Scope::Dealer(_) => "dealer",
            Scope::Institution(_) => "institution",
            Scope::Agency(_) => "agency",
        }
    }

    /// Which one it is.
    pub fn id(&self) -> Option<&str> {
        match self {
            Scope::Everything => None,
            Scope::Dealer(id) | Scope::Institution(id) | Scope::Agency(id) => Some(id),
        }
    }

    /// As it is stored.
    pub fn words(&self) -> ScopeWords {
        // A column that is compared holds something.
        ScopeWords { kind: self.kind().to_owned(), id: self.id().map(str::to_owned) }
    }

    /// As it is shown.
    pub fn json(&self) -> Value {
        json!({ "kind": self.kind(), "id": self.id() })
    }

    /// Whether the configuration has it.
    pub fn exists(&self, organisation: &Organisation) -> bool {
        match self {
            Scope::Everything => true,
            Scope::Dealer(id) => organisation.dealer(id).is_some(),
            Scope::Institution(id) => organisation.institution(id).is_some(),
            Scope::Agency(id) => organisation.agency(id).is_some(),
        }
    }

    /// The scope around it: an agency's institution, an institution's dealer.
    fn around(&self, organisation: &Organisation) -> Option<Scope> {
        match self {
            Scope::Everything => None,
            Scope::Dealer(_) => Some(Scope::Everything),
            Scope::Institution(id) => match organisation.institution(id).and_then(|it| it.dealer.clone()) {
                Some(dealer) => Some(Scope::Dealer(dealer)),
                None => Some(Scope::Everything),
            },
            Scope::Agency(id) => match organisation.agency(id) {
                Some(agency) => Some(Scope::Institution(agency.institution.clone())),
                None => Some(Scope::Everything),
            },
        }
    }

    /// Whether `other` is this scope or lies in it.
    pub fn holds(&self, other: &Scope, organisation: &Organisation) -> bool {
        let mut at = Some(other.clone());
        while let Some(scope) = at {
            if scope == *self {
                return true;
            }
            at = scope.around(organisation);
        }
        false
    }

    /// Every scope of the configuration that lies in this one, itself among them.
    fn all_within(&self, organisation: &Organisation) -> Vec<Scope> {
        let dealers = organisation.dealers.iter().map(|it| Scope::Dealer(it.id.clone()));
        let institutions = organisation.institutions.iter().map(|it| Scope::Institution(it.id.clone()));
        let agencies = organisation.agencies.iter().map(|it| Scope::Agency(it.id.clone()));
        let all = dealers.chain(institutions).chain(agencies);
        let mut found: Vec<Scope> = all.filter(|scope| self.holds(scope, organisation)).collect();
        if !found.contains(self) {
            found.push(self.clone());
        }
        found
    }

    /// Whether the orders of a channel belong to it: those of the agency that the channel names, or else of all agencies of the institution
    /// of its settle unit.
    fn has_channel(&self, organisation: &Organisation, channel: &ChannelConfig) -> bool {
        let institution = institution_of(organisation, channel);
        match (self, &channel.agency) {
            (Scope::Everything, _) => true,
            (Scope::Agency(id), Some(agency)) => id == agency,
            (Scope::Agency(id), None) => {
                organisation.agency(id).is_some_and(|agency| Some(agency.institution.as_str()) == institution)
            }
            (Scope::Institution(_) | Scope::Dealer(_), _) => {
                institution.is_some_and(|id| self.holds(&Scope::Institution(id.to_owned()), organisation))
            }
        }
    }
}

/// What somebody may do with a thing that several may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Nothing: for him it is not there.
    None,
    /// Look at it.
    Read,
    /// Whatever his role allows.
    Act,
}

/// What lies in a scope, under one configuration.
#[derive(Clone, Debug)]
pub struct Reach {
    scope: Scope,
    within: Within,
    scopes: ScopesWithin,
    settle_ids: BTreeSet<String>,
}

impl Reach {
    /// What lies in `scope`.
    pub fn of(scope: &Scope, config: &Config) -> Self {
        let organisation = &config.organisation;
        let is_in = |channel: &&ChannelConfig| scope.has_channel(organisation, channel);
        let channels: Vec<ChannelId> = config.channels.iter().filter(is_in).map(|channel| channel.id.clone()).collect();
        // What is settled under a unit is seen by whom all of its channels belong to, and by its institution.
        let units = organisation.settle_units.iter().filter(|unit| {
            let used =
                || config.channels.iter().filter(|channel| channel.settle_id.as_deref() == Some(unit.id.as_str()));
            match scope {
                Scope::Agency(_) => used().next().is_some() && used().all(|channel| channels.contains(&channel.id)),
                Scope::Everything | Scope::Dealer(_) | Scope::Institution(_) => {
                    scope.holds(&Scope::Institution(unit.institution.clone()), organisation)
                }
            }
        });
        // And what a channel sold under its own name, before it had a unit, by whom the channel belongs to.
        let own_names = channels.iter().map(ToString::to_string);
        let settle_ids = units.map(|unit| unit.id.clone()).chain(own_names).collect();
        let scopes = match scope {
            Scope::Everything => ScopesWithin::Everything,
            narrow => ScopesWithin::Only {
                scopes: narrow.all_within(organisation).iter().map(Scope::words).collect(),
                channels: channels.clone(),
            },
        };
        let within = if *scope == Scope::Everything { Within::Everything } else { Within::Channels(channels) };
        Self { scope: scope.clone(), within, scopes, settle_ids }
    }

    /// The scope.
    pub fn scope(&self) -> &Scope {
        &self.scope
    }
    /// Whether it is everything.
    pub fn is_everything(&self) -> bool {
        self.scope == Scope::Everything
    }
    /// Whose orders.
    pub fn within(&self) -> Within {
        self.within.clone()
    }
    /// Whose people.
    pub fn scopes(&self) -> ScopesWithin {
        self.scopes.clone()
    }
    /// Whether the orders of a channel are in it.
    pub fn has_channel(&self, channel: &ChannelId) -> bool {
        self.within.has(channel)
    }
    /// Whether what is settled under this id is in it.
    pub fn has_settle_id(&self, settle_id: &str) -> bool {
        self.is_everything() || self.settle_ids.contains(settle_id)
    }

    /// What may be done with a back-end or a code pool: it belongs to the institutions whose products use it.
    pub fn backend(&self, config: &Config, backend: &BackendId) -> Access {
        let users = config.bookings.values().filter(|booking| match &booking.ticketing {
            Ticketing::Backend { backend: used, .. } => used == backend,
            Ticketing::CodePool { pool } => pool == backend,
            Ticketing::None => false,
        });
        let owners = users.map(|booking| config.product_institutions.get(&booking.code).map(String::as_str));
        self.shared(owners, &config.organisation)
    }

    /// The same for a credit account: it belongs to the institutions whose channels are charged to it.
    pub fn credit_account(&self, config: &Config, account: &str) -> Access {
        let users = config.channels.iter().filter(|channel| channel.credit_account.as_deref() == Some(account));
        // An agency sees an account if its own channels alone are charged to it.
        if let Scope::Agency(_) = self.scope {
            let (own, other): (Vec<_>, Vec<_>) = users.partition(|channel| self.has_channel(&channel.id));
            return if !own.is_empty() && other.is_empty() { Access::Act } else { Access::None };
        }
        let owners = users.map(|channel| institution_of(&config.organisation, channel));
        self.shared(owners, &config.organisation)
    }

    /// What is used by one alone is his; what several use, each of them may look at.
    fn shared<'o>(&self, owners: impl Iterator<Item = Option<&'o str>>, organisation: &Organisation) -> Access {
        if self.is_everything() {
            return Access::Act;
        }
        // What belongs to an agency's institution is no agency's alone.
        let mine = |owner: &str| self.scope.holds(&Scope::Institution(owner.to_owned()), organisation);
        let (mut own, mut others) = (false, false);
        for owner in owners {
            match owner {
                Some(owner) if mine(owner) => own = true,
                Some(_) | None => others = true,
            }
        }
        match (own, others) {
            (false, _) => Access::None,
            (true, false) => Access::Act,
            (true, true) => Access::Read,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::organisation::{Agency, Contract, Dealer, Institution};

    fn organisation() -> Organisation {
        let institution = |id: &str, dealer: Option<&str>| Institution {
            id: id.to_owned(),
            registration_number: id.to_owned(),
            contract: if dealer.is_some() { Contract::Indirect } else { Contract::Direct },
            dealer: dealer.map(str::to_owned),
        };
        let agency = |id: &str, institution: &str| Agency {
            id: id.to_owned(),
            institution: institution.to_owned(),
            code: id.to_owned(),
            sender_name: id.to_owned(),
        };
        Organisation {
            dealers: vec![Dealer { id: "acme".to_owned(), name: "Acme".to_owned() }],
            institutions: vec![institution("park", Some("acme")), institution("zoo", None)],
            agencies: vec![agency("desk", "park"), agency("gate", "park"), agency("shop", "zoo")],
            ..Organisation::default()
        }
    }

    #[test]
    fn a_scope_holds_itself_and_what_lies_in_it() {
        let organisation = organisation();
        let (dealer, park, desk) =
            (Scope::Dealer("acme".into()), Scope::Institution("park".into()), Scope::Agency("desk".into()));
        let zoo = Scope::Institution("zoo".into());
        for (outer, inner, holds) in [
            (&Scope::Everything, &desk, true),
            (&dealer, &desk, true),
            (&dealer, &park, true),
            (&park, &desk, true),
            (&desk, &desk, true),
            (&desk, &park, false),
            (&park, &dealer, false),
            (&dealer, &zoo, false),
            (&zoo, &desk, false),
            (&dealer, &Scope::Everything, false),
        ] {
            assert_eq!(outer.holds(inner, &organisation), holds, "{outer:?} {inner:?}");
        }
        // A scope that the configuration no longer has holds nothing, and lies in everything alone.
        let gone = Scope::Agency("gone".into());
        assert!(Scope::Everything.holds(&gone, &organisation) && !dealer.holds(&gone, &organisation));
    }
}
