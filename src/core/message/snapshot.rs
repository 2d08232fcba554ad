// SPDX-License-Identifier: Apache-2.0

//! The whole order, as a channel tells it.

use serde::{Deserialize, Serialize};

use crate::message::Sale;
use crate::order::CancelReason;
use crate::order::channel_state::{ChannelState, LinkState, Standing};
use crate::order::money::{EntryStatus, LedgerEntry};
use crate::quoted::{ForeignNumber, FreeText};
use crate::time::{Date, UnixMillis};

/// How an order was cancelled.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Cancelled {
    /// Why, in our words.
    pub reason: CancelReason,
    /// Against the channel's ordinary rules: only then can it come after use.
    pub ex_officio: bool,
    /// What is kept, minor units.
    pub fee: i64,
    /// What goes back altogether, minor units, where the channel says.
    pub returns: Option<i64>,
    /// For people.
    pub words: Option<FreeText>,
}

/// A change of a payment link.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct LinkNews {
    /// The channel's number for the link.
    pub id: String,
    /// Where it stands now.
    pub state: LinkState,
}

/// How far a return of money has come.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ReturnNews {
    /// The channel's number for the movement.
    pub reference: String,
    /// How far it is now.
    pub status: EntryStatus,
}

/// The whole order as a channel tells it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Snapshot {
    /// The sale.
    pub sale: Sale,
    /// Everything around the visit.
    #[serde(rename = "picture")]
    pub standing: Standing,
    /// First day on which it admits.
    pub visit_date: Option<Date>,
    /// At which local time of that day, `HH:MM`, where the channel says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub visit_time: Option<String>,
    /// Which departure or event of the product, by the channel's number, where it sells several on a day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub departure: Option<String>,
    /// Last day on which it admits.
    pub valid_until: Option<Date>,
    /// When the stage was reached.
    pub since: UnixMillis,
    /// When the guest asked for a cancellation, where the channel names that: another time is another request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cancel_asked_at: Option<UnixMillis>,
    /// How it was cancelled, if it was.
    #[serde(rename = "called_off")]
    pub cancelled: Option<Cancelled>,
    /// Movements of money by their numbers.
    pub entries: Vec<LedgerEntry>,
    /// What is kept of what was called off while the rest lives, minor units, where the channel says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept_of_parts: Option<i64>,
    /// The settle unit that the channel names for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settle_id: Option<ForeignNumber>,
    /// How far returns have come that are told by their numbers alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub return_news: Vec<ReturnNews>,
    /// A payment link that changed.
    pub link: Option<LinkNews>,
    /// The partner's number.
    pub partner_number: Option<ForeignNumber>,
    /// What the adapter found in it that contradicts itself, for people.
    pub doubts: Vec<String>,
    /// Whether an order that is not known may be made of it; otherwise it waits for an earlier message.
    pub creates: bool,
    /// Whether the channel can be asked for the whole order.
    pub can_read_back: bool,
    /// Told in answer to a question of ours: it is how things stand now.
    #[serde(default)]
    pub asked: bool,
}

impl Snapshot {
    /// The first and the last day on which it admits. A slot that begins and ends at midnight, or a last day that lies before the first, is
    /// good for the first.
    pub(crate) fn dates(&self) -> (Option<Date>, Option<Date>) {
        (self.visit_date, self.valid_until.map(|last| self.visit_date.map_or(last, |first| last.max(first))))
    }

    /// Whether it says more than what is known: by the channel's own count; where there is none, by time and then by stage
    /// (`adapters/kakao/README.md`).
    pub fn is_news_to(&self, channel_state: Option<&ChannelState>) -> bool {
        let Some(known) = channel_state.map(|channel_state| &channel_state.standing) else { return true };
        let told = &self.standing;
        let is_counted = told.revision > 0 && known.revision > 0;
        if is_counted && (told.revision != known.revision || !self.asked) {
            return told.revision > known.revision;
        }
        if self.asked {
            return self.differs_from(known);
        }
        (told.at, told.stage.rank()) > (known.at, known.stage.rank())
    }

    /// Whether the channel, asked how the order stands, says otherwise than what is known. A look does not name where a request to cancel
    /// came from, and a payment that it leaves out has still been told.
    pub(crate) fn differs_from(&self, known: &Standing) -> bool {
        let told = &self.standing;
        !told.stage.is_same(known.stage)
            || told.lines != known.lines
            || told.payments.iter().any(|payment| !known.payments.contains(payment))
    }

    /// The partner's number for the order, if it is another and newer one than what is known. Where changes are not counted, two of them may
    /// be told for one instant, and a look has no instant at all; then a number that was held before is an older word, and one that nobody
    /// has told yet is news.
    pub fn renumbers(&self, channel_state: Option<&ChannelState>) -> Option<&ForeignNumber> {
        let new = self.partner_number.as_ref()?;
        let Some(state) = channel_state else { return Some(new) };
        if state.partner_number() == Some(new) {
            return None;
        }
        let (told, known) = (&self.standing, &state.standing);
        let is_counted = told.revision > 0 && known.revision > 0;
        let is_newer = match is_counted || (!self.asked && told.at != known.at) {
            true => self.is_news_to(channel_state),
            false => !state.partner_numbers.iter().any(|held| held.number == *new),
        };
        is_newer.then_some(new)
    }

    /// Whether it is how the order stands now, as far as is known: an answer to a question that counts no fewer changes.
    pub fn is_current(&self, channel_state: Option<&ChannelState>) -> bool {
        let known = channel_state.map_or(0, |channel_state| channel_state.standing.revision);
        self.asked && (self.standing.revision == 0 || self.standing.revision >= known)
    }

    /// Whether the channel has told something else while it was asked, and counts no changes: the answer may be the older of the two, and
    /// what a channel tells by itself is not taken back by it. `asked_of` is what was known of the order when it was asked.
    pub fn is_overtaken(&self, asked_of: Option<&Standing>, channel_state: Option<&ChannelState>) -> bool {
        self.asked && self.standing.revision == 0 && channel_state.map(|state| &state.standing) != asked_of
    }

    /// Whether it contradicts what is known, and only the channel can say which of the two holds: it does not count its changes, and
    /// one of the two says that the order is off.
    pub fn is_contested_by(&self, channel_state: Option<&ChannelState>) -> bool {
        let Some(known) = channel_state.map(|channel_state| &channel_state.standing) else { return false };
        let uncounted = self.standing.revision == 0 || known.revision == 0;
        let differs = self.standing.stage.is_off() != known.stage.is_off();
        uncounted && !self.asked && differs && known.stage.is_off() == self.is_news_to(channel_state)
    }
}
