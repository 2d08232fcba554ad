// SPDX-License-Identifier: Apache-2.0

//! The channel's own state of an order, where a channel tells the whole order with every message and counts its revisions.
//!
//! Such a channel is the one that moves the order: what we want is a [`Proposal`] until it agrees. The higher revision wins,
//! gaps are applied, and what is told late changes nothing but the money, which is a set of numbered movements.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

use crate::id::ProductCode;
use crate::notification::{Notification, ToldBefore};
use crate::order::money::{EntryKind, EntryStatus, LedgerEntry};
use crate::quoted::{ForeignName, ForeignNote, ForeignNumber, FreeText};
use crate::rules::cancel_policy::CancelPolicy;
use crate::time::UnixMillis;

/// Where the channel says that the visit stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Waits for our decision.
    Requested,
    /// Confirmed.
    Confirmed,
    /// The guest wants out, and we decide; the visit had been confirmed before, or not.
    CancelRequested {
        /// Whether it had been confirmed.
        confirmed: bool,
    },
    /// Rejected.
    Rejected,
    /// Cancelled.
    Cancelled,
    /// The guest was there.
    Used,
    /// The guest was not there.
    NoShow,
}

impl Stage {
    /// How far it is: where a channel does not count its changes and two were told for one instant, the farther one holds.
    pub(crate) fn rank(self) -> u8 {
        match self {
            Stage::Requested => 0,
            Stage::Confirmed => 1,
            Stage::CancelRequested { .. } => 2,
            Stage::Used | Stage::NoShow => 3,
            Stage::Rejected | Stage::Cancelled => 4,
        }
    }
    /// The same, wherever a request to cancel came from.
    pub fn is_same(self, other: Stage) -> bool {
        self == other || matches!((self, other), (Stage::CancelRequested { .. }, Stage::CancelRequested { .. }))
    }
    /// Rejected or cancelled: never left again.
    pub fn is_off(self) -> bool {
        matches!(self, Stage::Rejected | Stage::Cancelled)
    }
    /// The visit is still to come.
    pub fn is_ahead(self) -> bool {
        matches!(self, Stage::Requested | Stage::Confirmed | Stage::CancelRequested { .. })
    }
}

/// One line of the order: so many units of one price.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Line {
    /// The channel's number for the line.
    pub detail: String,
    /// Its words for the price.
    pub label: ForeignName,
    /// Its number for the price, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<String>,
    /// Units sold.
    pub quantity: u32,
    /// What they cost together, minor units.
    pub amount: i64,
    /// Units cancelled so far.
    pub cancelled: u32,
    /// Units used so far.
    pub used: u32,
}

/// Characters from which on a line's number is the channel's own; a shorter one counts the lines of one order.
const OWN_NUMBER_MIN: usize = 4;

impl Line {
    /// Whether no line of another order has its number.
    pub fn has_own_number(&self) -> bool {
        self.detail.chars().count() >= OWN_NUMBER_MIN
    }
    /// Units that are not cancelled.
    pub fn live(&self) -> u32 {
        self.quantity.saturating_sub(self.cancelled)
    }
    /// Units that were neither used nor cancelled.
    pub fn left(&self) -> u32 {
        self.quantity.saturating_sub(self.cancelled + self.used)
    }
    /// What so many of its units cost before any discount, minor units.
    pub fn gross_of(&self, units: u32) -> i128 {
        i128::from(self.amount) * i128::from(units) / i128::from(self.quantity.max(1))
    }
}

/// What tickets are made for besides a day and a number of units, as the channel tells it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Sold {
    /// The channel's product.
    pub product: Option<ProductCode>,
    /// The time of the visit.
    pub time: Option<String>,
    /// Which departure or event of the product.
    pub departure: Option<String>,
    /// What the lines are for.
    pub lines: Vec<SoldLine>,
}

/// What one line is for.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SoldLine {
    /// The channel's number for the line.
    pub detail: String,
    /// Its words for the price.
    pub label: ForeignName,
    /// Its number for the price, where it has one.
    pub price: Option<String>,
}

impl SoldLine {
    /// Whether it is for another kind of price. Words alone count only where there is no number.
    fn is_for_another(&self, now: &SoldLine) -> bool {
        match (&self.price, &now.price) {
            (Some(before), Some(now)) => before != now,
            (Some(_), None) | (None, Some(_)) | (None, None) => self.label != now.label,
        }
    }
}

impl Sold {
    /// The same, with what `before` told and this one leaves out.
    pub(crate) fn or(mut self, before: Option<&Sold>) -> Self {
        if let Some(before) = before {
            self.product = self.product.or_else(|| before.product.clone());
            self.time = self.time.or_else(|| before.time.clone());
            self.departure = self.departure.or_else(|| before.departure.clone());
        }
        self
    }

    /// What of it has become another. What comes or goes as a whole line is a matter of units.
    pub(crate) fn differences(&self, now: &Sold) -> Vec<&'static str> {
        fn differs<T: PartialEq>(before: Option<&T>, now: Option<&T>) -> bool {
            before.is_some() && now.is_some() && before != now
        }
        let is_other = |line: &SoldLine| now.lines.iter().any(|it| it.detail == line.detail && line.is_for_another(it));
        let all = [
            ("product", differs(self.product.as_ref(), now.product.as_ref())),
            ("time", differs(self.time.as_ref(), now.time.as_ref())),
            ("departure", differs(self.departure.as_ref(), now.departure.as_ref())),
            ("kind of price", self.lines.iter().any(is_other)),
        ];
        all.into_iter().filter(|(_, differs)| *differs).map(|(name, _)| name).collect()
    }
}

/// A payment as the channel holds it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Payment {
    /// The channel's number for it.
    pub id: String,
    /// What of it can still go back, minor units.
    pub left: i64,
    /// When it was made.
    pub at: UnixMillis,
    /// Numbers of the movements by which parts of it went back.
    pub returns: Vec<String>,
    /// Those of them that are the money of units that were cancelled, where the channel says so: none of them stands in for another.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub with_booking: Vec<String>,
    /// The link that it was made through.
    pub link: Option<String>,
}

/// What we have asked the channel for, and it has not agreed to yet.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "wants", rename_all = "snake_case")]
pub enum Proposal {
    /// To confirm the booking.
    #[serde(rename = "accept")]
    Confirm,
    /// To reject it.
    #[serde(rename = "decline")]
    Reject {
        /// Written for the guest.
        reason: FreeText,
    },
    /// To call the order off, or a part of it.
    Cancel {
        /// The fee that a person named, minor units; `None` is the channel's own.
        fee: Option<i64>,
        /// Why; not shown to the guest.
        reason: FreeText,
        /// The units that are to be cancelled; none are all.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        parts: Vec<Part>,
        /// What the guest is told once it is cancelled.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        notify_text: Option<FreeText>,
    },
}

/// Units of a line that were used.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct UsedUnits {
    /// The channel's number for the line.
    pub detail: String,
    /// How many in all.
    pub units: u32,
}

impl UsedUnits {
    /// How many they are together, of `all` of the order; where none is listed they are all.
    pub(crate) fn count(lines: &[Self], all: u32) -> u32 {
        match lines {
            [] => all,
            lines => lines.iter().map(|line| line.units).sum(),
        }
    }
}

/// Units of one line that are to be cancelled.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Part {
    /// The channel's number for the line.
    pub detail: String,
    /// Units.
    pub units: u32,
    /// Units of the line that were cancelled when this was asked for.
    pub before: u32,
}

/// Where a payment link stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LinkState {
    /// Asked for; the channel has not made it yet.
    #[serde(rename = "wanted")]
    Requested,
    /// The guest can pay with it.
    Live,
    /// It was paid.
    Paid,
    /// Its time is over.
    Expired,
    /// We take it back, and the channel has not said so: the guest may still pay with it.
    Revoking,
    /// It was taken back.
    Revoked,
}

impl LinkState {
    /// Whether nobody can pay with it any more, by the channel's word or by its time.
    pub fn is_over(self) -> bool {
        match self {
            LinkState::Paid | LinkState::Expired | LinkState::Revoked => true,
            LinkState::Requested | LinkState::Live | LinkState::Revoking => false,
        }
    }
}

/// A link by which the guest pays.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PaymentLink {
    /// Our name for it.
    pub key: String,
    /// The channel's number, once made.
    pub id: Option<String>,
    /// The address, once made.
    pub url: Option<String>,
    /// What it collects, minor units.
    pub amount: i64,
    /// What of the price that was when it was sent; it is said again with every attempt. Links of an older version have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<LinkPart>,
    /// Until when it can be paid.
    pub expires_at: UnixMillis,
    /// Where it stands.
    pub state: LinkState,
}

/// What of the price a link collects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LinkPart {
    /// All of it.
    All,
    /// The first part.
    Deposit,
    /// What was left, or a part of that.
    Balance,
}

impl LinkPart {
    /// What `amount` is, where `held` has come in and `open` is left to pay.
    pub fn of(held: i64, open: i64, amount: i64) -> Self {
        match (held, amount) {
            (0, amount) if amount == open => LinkPart::All,
            (0, _) => LinkPart::Deposit,
            (_, _) => LinkPart::Balance,
        }
    }
}

impl PaymentLink {
    /// Whether the guest can pay with it, or soon will.
    pub fn is_live(&self) -> bool {
        matches!(self.state, LinkState::Requested | LinkState::Live)
    }
}

/// A number that a third party gives the order; it changes, and is never a key.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PartnerNumber {
    /// The number.
    pub number: ForeignNumber,
    /// Since when it holds.
    pub since: UnixMillis,
}

/// What a channel counts of an order's money, minor units.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Sums {
    /// What came in, before anything went back.
    pub received: i64,
    /// What went back.
    pub returned: i64,
}

impl Sums {
    /// What movements add up to.
    pub fn of<'e>(entries: impl IntoIterator<Item = &'e LedgerEntry>) -> Self {
        let mut sums = Self { received: 0, returned: 0 };
        for entry in entries.into_iter().filter(|entry| entry.status == EntryStatus::Done) {
            match entry.kind {
                EntryKind::Charge => sums.received = sums.received.saturating_add(entry.amount),
                EntryKind::Refund => sums.returned = sums.returned.saturating_add(entry.amount),
                EntryKind::Fee => {}
            }
        }
        sums
    }
}

/// What the channel says, apart from money and guests.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Standing {
    /// Its count of changes; grows by one with each. 0 where the channel does not count them.
    pub revision: u64,
    /// When it was so.
    pub at: UnixMillis,
    /// Where the visit stands.
    pub stage: Stage,
    /// Whether confirmation is ours to decide.
    pub needs_decision: bool,
    /// What must have come in before we may confirm, minor units.
    #[serde(rename = "accept_needs")]
    pub confirm_needs: i64,
    /// The order belongs to a partner's own system: it is shown, never changed.
    pub read_only: bool,
    /// The lines.
    pub lines: Vec<Line>,
    /// Numbers of lines that are told for it, and belong to other orders.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lines_elsewhere: Vec<String>,
    /// The payments.
    pub payments: Vec<Payment>,
    /// What the channel itself counts of the money; where it counts nothing, what its movements add up to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sums: Option<Sums>,
    /// What cancelling costs, where the channel says.
    pub policy: Option<CancelPolicy>,
    /// Whether a partner's system is to be told of the order.
    pub hand_over: bool,
    /// What the adapter needs again for its calls; read by it alone.
    pub extra: BTreeMap<String, ForeignNumber>,
    /// How it is paid, in the channel's words. Another way for an order that is paid is another booking.
    #[serde(default)]
    pub pays_by: Option<String>,
    /// What the channel says besides, for people.
    #[serde(default)]
    pub notes: BTreeMap<String, ForeignNote>,
}

/// A notification that the channel has said yes to without a word of what came of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Unproven {
    /// Which.
    #[serde(rename = "report")]
    pub notification: Notification,
    /// Where it stands.
    pub state: ProofState,
    /// How it was told, where the channel knows a repeat of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub told: Option<ToldBefore>,
}

/// Where the proof of a notification stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProofState {
    /// Told once; the books will show it.
    Told,
    /// The books showed nothing; it is being told again.
    Repeating,
    /// Told twice; the books will show it.
    ToldAgain,
}

/// What the channel says, and what we keep beside it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ChannelState {
    /// What it said last.
    #[serde(rename = "picture")]
    pub standing: Standing,
    /// Why the product was not for sale when it was booked.
    pub not_for_sale: Option<String>,
    /// What we have asked for.
    pub proposal: Option<Proposal>,
    /// Payment links, oldest first; at most one is live.
    pub links: Vec<PaymentLink>,
    /// The partner's numbers, oldest first; the last one holds.
    pub partner_numbers: Vec<PartnerNumber>,
    /// Whether the partner's own books have taken the order: a later hand-over is a change of what they know.
    #[serde(default)]
    pub handed_over: bool,
    /// What we last asked for in vain: ops may have it asked again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<Proposal>,
    /// Whether its payments' numbers are known as this order's: one payment pays for one order. Orders of an older version are not.
    #[serde(default)]
    pub payments_are_owned: bool,
    /// The same of its lines' numbers.
    #[serde(default)]
    pub lines_are_owned: bool,
    /// What the channel has said yes to, and neither an event nor its books have shown yet; oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unproven: Vec<Unproven>,
    /// What it has sold. Orders of an older version have not noted it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sold: Option<Sold>,
    /// What in its last word contradicts itself, for people.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub doubts: Vec<String>,
}

impl Standing {
    /// Whether a payment was made with this link.
    pub(crate) fn is_paid_by(&self, link: &str) -> bool {
        self.payments.iter().any(|payment| payment.link.as_deref() == Some(link))
    }
}

impl ChannelState {
    /// The link that the guest can pay with.
    pub fn live_link(&self) -> Option<&PaymentLink> {
        self.links.iter().find(|link| link.is_live())
    }
    /// Whether the channel has still to answer that a link is taken back: no other one is made beside it until then.
    pub fn takes_link_back(&self) -> bool {
        let is_answered = |id: &str| {
            self.unproven.iter().any(|it| matches!(&it.notification, Notification::LinkRevoked { id: of } if of == id))
        };
        let waits = |link: &PaymentLink| {
            link.state == LinkState::Revoking && link.id.as_deref().is_some_and(|id| !is_answered(id))
        };
        self.links.iter().any(waits)
    }
    /// The partner's number that holds.
    pub fn partner_number(&self) -> Option<&ForeignNumber> {
        self.partner_numbers.last().map(|held| &held.number)
    }
    /// Whether every line that is told for it belongs to another order: then nothing is taken or issued for it.
    pub fn is_all_elsewhere(&self) -> bool {
        self.standing.lines.is_empty() && !self.standing.lines_elsewhere.is_empty()
    }
    /// Units cancelled so far.
    pub fn cancelled_units(&self) -> u32 {
        self.standing.lines.iter().map(|line| line.cancelled).sum()
    }
    /// The units that are to be cancelled as we propose, where they are not all of them.
    pub fn parts_to_cancel(&self) -> &[Part] {
        match &self.proposal {
            Some(Proposal::Cancel { parts, .. }) => parts,
            Some(Proposal::Confirm | Proposal::Reject { .. }) | None => &[],
        }
    }
    /// The units that were used, line by line.
    pub fn used_parts(&self) -> Vec<Part> {
        let used = self.standing.lines.iter().filter(|line| line.used > 0);
        used.map(|line| Part { detail: line.detail.clone(), units: line.used, before: line.cancelled }).collect()
    }
    /// The units by line that were neither used nor cancelled, where others of the order were used; none where none were.
    pub fn unused_beside_used(&self) -> Vec<(String, u32)> {
        if self.used_parts().is_empty() {
            return Vec::new();
        }
        let left = self.standing.lines.iter().filter(|line| line.left() > 0);
        left.map(|line| (line.detail.clone(), line.left())).collect()
    }
    /// Whether the channel says of every one of them that it is cancelled.
    pub fn parts_are_off(&self, parts: &[Part]) -> bool {
        parts.iter().all(|part| {
            let line = self.standing.lines.iter().find(|line| line.detail == part.detail);
            line.is_none_or(|line| line.cancelled >= part.before + part.units)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sold(departure: Option<&str>, lines: &[(&str, &str, Option<&str>)]) -> Sold {
        let line = |(detail, label, price): &(&str, &str, Option<&str>)| SoldLine {
            detail: (*detail).to_owned(),
            label: ForeignName::new(*label),
            price: price.map(str::to_owned),
        };
        Sold { departure: departure.map(str::to_owned), lines: lines.iter().map(line).collect(), ..Sold::default() }
    }

    #[test]
    fn what_is_left_out_is_no_difference_and_units_are_none() {
        let before = sold(Some("EV-1"), &[("D1", "adult", Some("a"))]);
        let differs = |now: Sold| before.differences(&now.or(Some(&before)));
        assert_eq!(differs(sold(None, &[])), [] as [&str; 0]);
        assert_eq!(differs(sold(Some("EV-2"), &[])), ["departure"]);
        assert_eq!(differs(sold(None, &[("D1", "Adult", Some("a")), ("D2", "child", None)])), [] as [&str; 0]);
        assert_eq!(differs(sold(None, &[("D1", "adult", Some("b"))])), ["kind of price"]);
        assert_eq!(differs(sold(None, &[("D1", "senior", None)])), ["kind of price"]);
    }
}
