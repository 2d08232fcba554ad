// SPDX-License-Identifier: Apache-2.0

//! What a reseller says of a place that it has reserved before it sells it.

use serde::{Deserialize, Serialize};

use crate::id::ProductCode;
use crate::message::{Counts, PlaceOrder};
use crate::order::Order;
use crate::personal::Person;
use crate::quoted::FreeText;
use crate::time::Millis;
use crate::variant::{Parts, Visit};

/// What a reseller does with a reservation of its own.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReservationAct {
    /// It is sold.
    Confirm(ConfirmHold),
    /// Keep it longer.
    Extend {
        /// How long from now.
        lasts: Millis,
    },
    /// Something of it is otherwise than was said.
    Change(ChangeHold),
    /// Give it up, or take the sale back where the product's rules let it.
    #[serde(rename = "call_off")]
    Cancel {
        /// Why, in the reseller's words.
        reason: Option<FreeText>,
    },
}

/// A reservation that was sold.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ConfirmHold {
    /// The reseller's own name for the booking, where it gives one only now.
    pub reference: Option<String>,
    /// Whom to reach.
    pub contact: Person,
    /// Who comes.
    pub visitors: Vec<Person>,
    /// Units, where it names them again: all of them, perhaps others than were reserved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub units: Option<Box<ChangeHold>>,
    /// What the engine looked up for the decision, inside the same transaction.
    #[serde(default)]
    pub counts: Counts,
}

/// What a reseller changes of its reservation; what it leaves out stays.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ChangeHold {
    /// Its product, where it names it again; without the option and the time that are in the codes of its visits.
    pub product: Option<String>,
    /// The option, where it names it again.
    pub option: Option<OptionName>,
    /// The day, with its start time, where it names them again.
    pub visit: Option<Visit>,
    /// Units, where it names them again: all of them.
    pub units: Option<Vec<ChangeUnit>>,
    /// Its own name for the booking.
    pub reference: Option<String>,
    /// Whom to reach.
    pub contact: Option<Person>,
    /// How long from now the place is to be kept.
    pub lasts: Option<Millis>,
    /// What the engine looked up where another visit is wanted, inside the same transaction.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub terms: Option<Box<NewTerms>>,
}

/// An option of a product.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OptionName {
    /// The one that goes without a name.
    Default,
    /// One of several.
    Named(String),
}

/// The terms on which another visit can be kept.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct NewTerms {
    /// The sale that it would be.
    pub sale: PlaceOrder,
    /// What others have taken already.
    pub counts: Counts,
}

/// Another visit than the one that is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OtherVisit {
    /// Of which booking product.
    pub product: ProductCode,
    /// When.
    pub visit: Visit,
    /// For how many units.
    pub quantity: u32,
}

impl ChangeHold {
    /// What is wanted instead of what is kept; `None` where that stays what it is.
    pub fn other_visit(&self, order: &Order) -> Option<OtherVisit> {
        let (code, kept) = (&order.rules.booking.code, order.booking.as_ref()?);
        let own = code.parts();
        let product = self.product.as_deref().unwrap_or(own.product);
        let option = match &self.option {
            Some(OptionName::Default) => None,
            Some(OptionName::Named(name)) => Some(name.as_str()),
            None => own.option.filter(|_| product == own.product),
        };
        // Where the product goes without start times, the channel's own time stays what it is.
        let time = self.visit.as_ref().map_or(own.time, |visit| visit.time.as_deref());
        let date = self.visit.as_ref().map(|visit| visit.date).or(kept.visit_date)?;
        let units = self.units.as_ref().map(|units| u32::try_from(units.len()).unwrap_or(u32::MAX));
        let (product, quantity) = (Parts { product, option, time }.code(), units.unwrap_or(order.quantity));
        if product == *code && kept.visit_date == Some(date) && quantity == order.quantity {
            return None;
        }
        Some(OtherVisit { product, visit: Visit { date, time: time.map(str::to_owned) }, quantity })
    }
}

/// What a reseller changes of one unit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ChangeUnit {
    /// Its number, where it is named; otherwise the one in this place is meant.
    pub id: Option<String>,
    /// The number that it gets where there is none in this place.
    pub new_id: String,
    /// Its name in the reseller's books.
    pub reference: Option<String>,
    /// Who comes.
    pub visitor: Option<Person>,
}
