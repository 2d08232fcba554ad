// SPDX-License-Identifier: Apache-2.0

//! What is said to a call.

use serde_json::{Value, json};

/// An answer.
pub type Said = (u16, Value);

/// A refusal. Where its code is about one thing, the field that names it is there, as the contract has it.
pub(super) fn refuse(status: u16, code: &str) -> Said {
    let mut said = json!({ "error": code, "errorMessage": "refused by the simulated supplier" });
    let culprit = match code {
        "INVALID_PRODUCT_ID" => Some("productId"),
        "INVALID_OPTION_ID" => Some("optionId"),
        "INVALID_UNIT_ID" => Some("unitId"),
        "INVALID_AVAILABILITY_ID" => Some("availabilityId"),
        "INVALID_BOOKING_UUID" => Some("uuid"),
        _ => None,
    };
    if let Some(field) = culprit {
        said[field] = json!("as it was asked");
    }
    (status, said)
}
