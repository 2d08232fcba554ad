// SPDX-License-Identifier: Apache-2.0

//! What a reseller says of a place that it has reserved before it sells it.

use serde::{Deserialize, Serialize};

use crate::id::ProductCode;
use crate::message::Counts;
use crate::personal::Person;
use crate::time::{Date, Millis};

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
    CallOff {
        /// Why, in the reseller's words.
        reason: Option<String>,
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
    /// Units, where it names them again: they cannot become more or fewer.
    pub quantity: Option<u32>,
    /// What the engine looked up for the decision, inside the same transaction.
    #[serde(default)]
    pub counts: Counts,
}

/// What a reseller changes of its reservation; what it leaves out stays.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ChangeHold {
    /// Its product, where it names it again.
    pub product: Option<ProductCode>,
    /// The day, where it names it again.
    pub visit_date: Option<Date>,
    /// Units, where it names them again, by their numbers; those without one have nothing in that place.
    pub units: Option<Vec<ChangeUnit>>,
    /// Its own name for the booking.
    pub reference: Option<String>,
    /// Whom to reach.
    pub contact: Option<Person>,
    /// How long from now the place is to be kept.
    pub lasts: Option<Millis>,
}

/// What a reseller changes of one unit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ChangeUnit {
    /// Its number, where it is named.
    pub id: Option<String>,
    /// Its name in the reseller's books.
    pub reference: Option<String>,
    /// Who comes.
    pub visitor: Option<Person>,
}
