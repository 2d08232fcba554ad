// SPDX-License-Identifier: Apache-2.0

//! What Douyin sends, as it stands on the wire. Unknown fields are ignored, empty text counts as absent, numbers of
//! orders may be text or number, and of fields with two names (D-14) both are read.

use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Error, MapAccess, SeqAccess, Unexpected, Visitor};
use serde::{Deserialize, Deserializer};
use std::fmt;
use ticketbridge_core::limits::EXTERNAL_ID_CHARS_MAX;
use ticketbridge_core::port::DecodeError;

pub(super) use crate::objects::read;

/// Characters of any text field; encrypted fields are longer than what is in them.
const TEXT_CHARS_MAX: usize = 2_000;

/// A number of somebody's: text, or a whole number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Id(pub(super) Option<String>);

struct IdVisitor;
impl Visitor<'_> for IdVisitor {
    type Value = Id;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an identifier, as text")
    }
    fn visit_str<E: Error>(self, text: &str) -> Result<Id, E> {
        let text = text.trim();
        if text.chars().count() > EXTERNAL_ID_CHARS_MAX {
            return Err(E::custom(format_args!("is longer than {EXTERNAL_ID_CHARS_MAX} characters")));
        }
        if text.chars().any(char::is_control) {
            return Err(E::custom("holds a control character"));
        }
        Ok(Id((!text.is_empty()).then(|| text.to_owned())))
    }
    fn visit_u64<E: Error>(self, number: u64) -> Result<Id, E> {
        Ok(Id(Some(number.to_string())))
    }
    fn visit_i64<E: Error>(self, number: i64) -> Result<Id, E> {
        Err(E::invalid_value(Unexpected::Signed(number), &self))
    }
    fn visit_unit<E: Error>(self) -> Result<Id, E> {
        Ok(Id(None))
    }
}
impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(IdVisitor)
    }
}
impl Id {
    /// This one, or else `other`.
    pub(super) fn or(self, other: Id) -> Id {
        Id(self.0.or(other.0))
    }
    /// The text, or the error that `field` is missing.
    pub(super) fn required(self, field: &str) -> Result<String, DecodeError> {
        self.0.ok_or_else(|| missing(field))
    }
}

/// The error that a field is not there.
pub(super) fn missing(field: &str) -> DecodeError {
    DecodeError::new(field, "is missing")
}

/// Text; empty counts as absent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Text(pub(super) Option<String>);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text: Option<String> = Option::deserialize(deserializer)?;
        if text.as_ref().is_some_and(|text| text.chars().count() > TEXT_CHARS_MAX) {
            return Err(D::Error::custom(format_args!("is longer than {TEXT_CHARS_MAX} characters")));
        }
        Ok(Self(text.filter(|text| !text.trim().is_empty())))
    }
}

/// A.1.
#[derive(Debug, Default, Deserialize)]
#[serde(default, expecting = "an object")]
pub(super) struct Amount {
    pub(super) origin_amount: Option<i64>,
    pub(super) pay_amount: Option<i64>,
    pub(super) currency: Text,
}

/// A.2, with the names of the issue call and of the second generation.
#[derive(Debug, Default, Deserialize)]
#[serde(default, expecting = "an object")]
pub(super) struct PersonWire {
    pub(super) name: Text,
    pub(super) phone: Text,
    pub(super) license_type: Option<i64>,
    pub(super) license_id: Text,
    pub(super) credential_type: Option<i64>,
    pub(super) credential_no: Text,
    pub(super) id_card: Text,
}

/// Whose message it is, where that is said.
#[derive(Debug, Default, Deserialize)]
#[serde(default, expecting = "an object")]
pub(super) struct MerchantWire {
    pub(super) account_id: Id,
}

/// Chapters 3 and 4.
#[derive(Debug, Default, Deserialize)]
#[serde(default, expecting = "an object")]
pub(super) struct SaleWire {
    pub(super) order_id: Id,
    pub(super) source_order_id: Id,
    pub(super) coupon_order_id: Id,
    pub(super) order_type: Option<i64>,
    pub(super) biz_type: Option<i64>,
    pub(super) product_out_id: Id,
    pub(super) sku_out_id: Id,
    pub(super) count: Option<i64>,
    pub(super) create_order_time_unix: Option<i64>,
    pub(super) amount: Option<Amount>,
    pub(super) buyer: Option<PersonWire>,
    pub(super) tourists: Option<Vec<PersonWire>>,
    pub(super) book_start_day: Text,
}

/// Chapter 7.6: creation in the second generation.
#[derive(Debug, Default, Deserialize)]
#[serde(default, expecting = "an object")]
pub(super) struct SecondSaleWire {
    pub(super) order_id: Id,
    pub(super) source_order_id: Id,
    pub(super) coupon_order_id: Id,
    pub(super) biz_type: Option<i64>,
    pub(super) create_order_time: Option<i64>,
    pub(super) original_amount: Option<i64>,
    pub(super) pay_amount: Option<i64>,
    pub(super) currency_code: Text,
    pub(super) order_item_list: Option<Vec<serde::de::IgnoredAny>>,
    pub(super) sku_info_list: Option<Vec<SkuWire>>,
    pub(super) contact: Option<OneOrMany>,
    pub(super) contact_list: Option<OneOrMany>,
    pub(super) reserve_info_list: Option<Vec<PersonWire>>,
    pub(super) book_start_day: Text,
}

/// The pages show the contact as a list and by a singular name: both shapes are read.
#[derive(Debug)]
pub(super) enum OneOrMany {
    /// A list.
    Many(Vec<PersonWire>),
    /// One alone.
    One(Box<PersonWire>),
}

struct OneOrManyVisitor;
impl<'de> Visitor<'de> for OneOrManyVisitor {
    type Value = OneOrMany;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object, or a list of them")
    }
    fn visit_seq<A: SeqAccess<'de>>(self, people: A) -> Result<OneOrMany, A::Error> {
        Vec::deserialize(SeqAccessDeserializer::new(people)).map(OneOrMany::Many)
    }
    fn visit_map<A: MapAccess<'de>>(self, person: A) -> Result<OneOrMany, A::Error> {
        PersonWire::deserialize(MapAccessDeserializer::new(person)).map(|person| OneOrMany::One(Box::new(person)))
    }
}
// An untagged enum would read what is below it by itself, and take a list for a person.
impl<'de> Deserialize<'de> for OneOrMany {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OneOrManyVisitor)
    }
}
impl OneOrMany {
    /// The first one.
    pub(super) fn first(self) -> Option<PersonWire> {
        match self {
            OneOrMany::Many(people) => people.into_iter().next(),
            OneOrMany::One(person) => Some(*person),
        }
    }
}

/// A product of the second generation.
#[derive(Debug, Default, Deserialize)]
#[serde(default, expecting = "an object")]
pub(super) struct SkuWire {
    pub(super) product_out_id: Id,
    pub(super) sku_out_id: Id,
}

/// Chapter 5.
#[derive(Debug, Default, Deserialize)]
#[serde(default, expecting = "an object")]
pub(super) struct PaidWire {
    pub(super) order_id: Id,
    pub(super) pay_time_unix: Option<i64>,
}

/// Chapter 7.2.
#[derive(Debug, Default, Deserialize)]
#[serde(default, expecting = "an object")]
pub(super) struct IssueWire {
    pub(super) order_id: Id,
    pub(super) copies: Option<i64>,
    pub(super) count: Option<i64>,
    pub(super) start_time: Option<i64>,
    pub(super) expire_time: Option<i64>,
    pub(super) ticket_rule: Option<TicketRuleWire>,
    pub(super) tourists: Option<Vec<PersonWire>>,
}

/// A.5.
#[derive(Debug, Default, Deserialize)]
#[serde(default, expecting = "an object")]
pub(super) struct TicketRuleWire {
    pub(super) code_sending_info: Option<Vec<i64>>,
}

/// Chapter 7.6: the demand for tickets in the second generation.
#[derive(Debug, Default, Deserialize)]
#[serde(default, expecting = "an object")]
pub(super) struct SecondIssueWire {
    pub(super) order_id: Id,
    pub(super) certificate_info_list: Option<Vec<CertificateWire>>,
}

/// One copy in the second generation.
#[derive(Debug, Default, Deserialize)]
#[serde(default, expecting = "an object")]
pub(super) struct CertificateWire {
    pub(super) certificate_id: Id,
    pub(super) start_time: Option<i64>,
    pub(super) expire_time: Option<i64>,
}

/// Chapter 9.
#[derive(Debug, Default, Deserialize)]
#[serde(default, expecting = "an object")]
pub(super) struct CancelWire {
    pub(super) order_id: Id,
    pub(super) cancel_type: Option<i64>,
    pub(super) cancel_order_time_unix: Option<i64>,
}

/// Chapter 10.1.
#[derive(Debug, Default, Deserialize)]
#[serde(default, expecting = "an object")]
pub(super) struct RefundApplyWire {
    pub(super) order_id: Id,
    pub(super) biz_uniq_key: Id,
    pub(super) after_sale_type: Option<i64>,
    pub(super) apply_source: Option<i64>,
    pub(super) refund_fee_amount: Option<i64>,
    pub(super) apply_refund_time_unix: Option<i64>,
    /// Some of the copies; this mode asks for whole orders, and sends none.
    pub(super) vouchers: Option<Vec<serde_json::Value>>,
}

/// Chapter 12.
#[derive(Debug, Default, Deserialize)]
#[serde(default, expecting = "an object")]
pub(super) struct RefundNotifyWire {
    pub(super) order_id: Id,
    pub(super) biz_uniq_key: Id,
    pub(super) refund_amount: Option<i64>,
    pub(super) refund_time_unix: Option<i64>,
    pub(super) refund_scene: Option<i64>,
    /// Copies.
    #[serde(deserialize_with = "number")]
    pub(super) refund_count: Option<i64>,
    /// The copies.
    pub(super) vouchers: Option<Vec<serde_json::Value>>,
}

/// Chapter 13.
#[derive(Debug, Default, Deserialize)]
#[serde(default, expecting = "an object")]
pub(super) struct InfoSyncWire {
    pub(super) order_id: Id,
    pub(super) after_sale_id: Id,
    pub(super) after_sale_type: Option<i64>,
    /// Nobody knows for sure whether these stand here or with each copy.
    #[serde(deserialize_with = "number")]
    pub(super) audit_time: Option<i64>,
    #[serde(deserialize_with = "number")]
    pub(super) audit_result: Option<i64>,
    pub(super) notice_list: Option<Vec<NoticeWire>>,
}

/// One copy of an info-sync.
#[derive(Debug, Default, Deserialize)]
#[serde(default, expecting = "an object")]
pub(super) struct NoticeWire {
    pub(super) certificate_id: Id,
    pub(super) code: Id,
    #[serde(deserialize_with = "number")]
    pub(super) audit_time: Option<i64>,
    #[serde(deserialize_with = "number")]
    pub(super) audit_result: Option<i64>,
    #[serde(deserialize_with = "number")]
    pub(super) refund_amount: Option<i64>,
}

/// A number, which may stand there as text. What is neither is there all the same, as [`UNREADABLE`]: a decision must not be lost over it.
fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    Ok(match serde_json::Value::deserialize(deserializer)? {
        serde_json::Value::Null => None,
        serde_json::Value::String(text) if text.trim().is_empty() => None,
        serde_json::Value::String(text) => Some(text.trim().parse().unwrap_or(UNREADABLE)),
        other => Some(other.as_i64().unwrap_or(UNREADABLE)),
    })
}

/// Stands for a number that cannot be read.
const UNREADABLE: i64 = -1;

/// Chapter 15.
#[derive(Debug, Default, Deserialize)]
#[serde(default, expecting = "an object")]
pub(super) struct QueryWire {
    pub(super) order_id: Id,
}

/// Chapter 16.
#[derive(Debug, Default, Deserialize)]
#[serde(default, expecting = "an object")]
pub(super) struct CalendarWire {
    pub(super) start_date: Text,
    pub(super) end_date: Text,
    pub(super) product_out_id: Id,
    pub(super) ticket_specifications: Option<Vec<SkuWire>>,
}

/// Chapter 17.2. `content` is JSON as text, or an object.
#[derive(Debug, Default, Deserialize)]
#[serde(default, expecting = "an object")]
pub(super) struct WebhookWire {
    pub(super) event: Text,
    pub(super) content: serde_json::Value,
}
