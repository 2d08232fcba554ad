// SPDX-License-Identifier: Apache-2.0

//! Notifications that the channel did not take, until they are taken, or nobody needs them any more. The flag for a person stands as long.

use serde::{Deserialize, Serialize};

use crate::notification::Notification;
use crate::order::attention::AttentionKind;
use crate::quoted::{ForeignCode, FreeText};

/// The flags that stand for such notifications.
pub(crate) const UNDELIVERED: [AttentionKind; 2] = [AttentionKind::NotificationRefused, AttentionKind::ManualTask];

/// Code of a notification that the channel says yes to, and does nothing about.
pub const NOT_DONE: &str = "not_done";
/// The same in words.
pub const NOT_DONE_WHY: &str = "it says yes, and its own books show that nothing was done";
/// Code of a notification that ops took out before it had been told or refused.
pub(crate) const TAKEN_OUT: &str = "taken_out";
/// The same in words.
pub const TAKEN_OUT_WHY: &str = "it was taken out before it could be told";
/// Code of a notification that the channel refused because the order had changed there, and that cannot be wanted any more as it is now.
pub const OVERTAKEN: &str = "overtaken";
/// The same of a cancellation, in words.
pub const OVERTAKEN_WHY: &str =
    "units had been cancelled or used there before, and ours was not carried out; see whether it is still wanted";
/// Why a return of money is not asked for again that crossed one of the channel's own.
pub const LESS_LEFT_WHY: &str = "the channel has returned so much of the payment by itself that less is left than was to go back; see whether it is still wanted";
/// Code of a notification whose attempts are used up.
pub(crate) const GIVEN_UP: &str = "given_up";

/// A notification that the channel was to hear, and has not.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Undelivered {
    /// Which.
    #[serde(rename = "report")]
    pub notification: Notification,
    /// The flag that it raised: [`AttentionKind::NotificationRefused`] or [`AttentionKind::ManualTask`].
    pub kind: AttentionKind,
    /// Ops have put it aside: no flag stands for it, and policy still does not ask for it again.
    pub is_put_aside: bool,
    /// What the flag says as long as this is the last of them.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub sentence: String,
}

/// What is said of a notification that the channel did not take.
pub(crate) fn refused_sentence(notification: &Notification, code: &ForeignCode, why: &FreeText) -> String {
    let whom = if *notification == Notification::HandOver { "the partner's own books" } else { "the channel" };
    let said = if *code == GIVEN_UP { why.to_string() } else { format!("{why} ({code})") };
    format!("{whom} could not be told `{}`: {said}", notification.name())
}

/// What is said of a notification that the channel has no call for.
pub(crate) fn manual_sentence(what: &FreeText) -> String {
    format!("the channel has no call for this; do it there by hand: {what}")
}

/// What is said when more money went back than came in.
pub(crate) const TOO_MUCH_BACK: &str =
    "more money went back than is known to have come in; compare with the channel's own books";
/// What is said of money that was not due while it goes back.
pub(crate) const RETURNING: &str = "money came that was not due; it is being returned";
/// The same, once the channel has not taken the return.
pub(crate) const NOT_RETURNED: &str =
    "money came that was not due, and the channel does not return it; return it there";
