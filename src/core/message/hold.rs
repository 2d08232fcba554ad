//! What a reseller says of a place that it has reserved before it sells it.

use serde::{Deserialize, Serialize};

use crate::message::Counts;
use crate::personal::Person;
use crate::time::Millis;

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
