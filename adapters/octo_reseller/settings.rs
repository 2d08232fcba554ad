// SPDX-License-Identifier: Apache-2.0

//! The settings of one reseller, and what is wrong with them.

use serde_json::{Value, json};
use ticketbridge_core::id::ProductCode;
use ticketbridge_core::port::SettingsProblem;
use ticketbridge_core::product::{Acceptance, ChannelRules, Currency, News, TicketDelivery};
use ticketbridge_core::time::{Millis, TimeZone};

use crate::settings::Settings as Reader;

pub(super) const KEYS: &[&str] = &[
    "keys",
    "endpoint",
    "supplier",
    "supplier.id",
    "supplier.name",
    "supplier.website",
    "supplier.email",
    "supplier.telephone",
    "supplier.address",
    "currency",
    "time_zone",
    "locale",
    "products",
    "hold",
    "hold_max",
    "confirm_limit",
    "code_format",
    "test_mode",
    "commission_bp",
    "allow_from",
    "rate_per_caller",
];
pub(super) const SECRETS: &[&str] = &["keys", "keys.*"];

/// Keys at a time: the one in use, and those that are being replaced.
const KEYS_MAX: usize = 3;
/// Characters of a key, at least: nothing else proves who calls.
const KEY_CHARS_MIN: usize = 16;
/// How long a place is kept unless the reseller or the settings say otherwise.
const HOLD: Millis = Millis::minutes(30);
/// The longest that can be set.
const HOLD_MAX: Millis = Millis::hours(24);
const CONFIRM_LIMIT: Millis = Millis::hours(24);
const CONFIRM_LIMIT_MAX: Millis = Millis::hours(24 * 30);
/// Forms of a code that is to be typed or drawn.
const CODE_FORMATS: &[&str] = &["QRCODE", "CODE128", "AZTECCODE"];

/// The settings, checked.
pub(super) struct Settings {
    pub(super) keys: Vec<String>,
    /// The supplier as resellers see it.
    pub(super) supplier: Value,
    pub(super) supplier_id: String,
    pub(super) currency: Currency,
    /// What is shown; `None` is everything that can be sold this way.
    pub(super) products: Option<Vec<ProductCode>>,
    pub(super) hold: Millis,
    pub(super) hold_max: Millis,
    pub(super) locale: String,
    pub(super) code_format: &'static str,
    pub(super) test_mode: bool,
    pub(super) rules: ChannelRules,
}

impl Settings {
    pub(super) fn read(id: &str, table: &Value) -> Result<Self, Vec<SettingsProblem>> {
        let mut reader = Reader::new(table);
        let keys = keys(&mut reader, table);
        let endpoint = reader.base_url("endpoint");
        let currency = reader
            .text("currency", "write the currency of the prices that this reseller is told, for example \"EUR\"")
            .map(str::to_owned);
        let is_currency = |code: &String| code.len() == 3 && code.bytes().all(|byte| byte.is_ascii_uppercase());
        if currency.as_ref().is_some_and(|code| !is_currency(code)) {
            reader.problem("currency", "it is no currency", "write an ISO 4217 code in capitals, for example \"EUR\"");
        }
        let zone = reader.time_zone("time_zone").unwrap_or(TimeZone::UTC);
        let hold_max = reader.duration("hold_max", HOLD_MAX).unwrap_or(Millis::hours(2));
        let hold = reader.duration("hold", HOLD_MAX).unwrap_or(HOLD.min(hold_max));
        if hold > hold_max {
            reader.problem("hold", "it is longer than hold_max", "make hold_max at least as long");
        }
        let acceptance_limit = reader.duration("confirm_limit", CONFIRM_LIMIT_MAX).unwrap_or(CONFIRM_LIMIT);
        let code_format = reader.word_or("code_format", CODE_FORMATS);
        let test_mode = reader.flag("test_mode");
        let locale = reader.optional_text("locale").unwrap_or("en").to_owned();
        let products = reader.texts("products").map(|codes| codes.into_iter().map(ProductCode::new).collect());
        let supplier = supplier(&mut reader, id, table, endpoint.as_deref().unwrap_or_default());
        let rules = ChannelRules {
            time_zone: zone,
            acceptance: Acceptance::Sync,
            acceptance_limit,
            tickets: TicketDelivery::NotCarried,
            review_limit: CONFIRM_LIMIT_MAX,
            review_warn_before: Vec::new(),
            price_check: false,
            redemption_reported: false,
            returns_what_it_kept: true,
            news: News::WhenAsked,
        };
        let read = match (keys, endpoint, currency) {
            (Some(keys), Some(_), Some(currency)) => Some(Self {
                keys,
                supplier_id: supplier["id"].as_str().unwrap_or_default().to_owned(),
                supplier,
                currency: Currency(currency),
                products,
                hold,
                hold_max,
                locale,
                code_format,
                test_mode,
                rules,
            }),
            _ => None,
        };
        reader.finish(read)
    }
}

fn keys(reader: &mut Reader<'_>, table: &Value) -> Option<Vec<String>> {
    const MEND: &str = "write a list of up to 3 keys of 16 characters or more, best from { env = \"NAME\" }";
    let listed = match table.get("keys") {
        Some(Value::Array(listed)) if (1..=KEYS_MAX).contains(&listed.len()) => listed.clone(),
        Some(one @ Value::String(_)) => vec![one.clone()],
        Some(_) => {
            reader.problem("keys", "it is no list of 1 to 3 texts", MEND);
            return None;
        }
        None => {
            reader.problem("keys", "it is missing: the reseller proves by it who calls", MEND);
            return None;
        }
    };
    let mut keys = Vec::new();
    for (index, key) in listed.iter().enumerate() {
        let is_plain = |key: &&str| key.len() >= KEY_CHARS_MIN && key.bytes().all(|byte| byte.is_ascii_graphic());
        match key.as_str().map(str::trim).filter(is_plain) {
            Some(key) => keys.push(key.to_owned()),
            None => reader.problem(format!("keys.{index}"), "it is shorter than 16 plain characters", MEND),
        }
    }
    Some(keys)
}

/// Who the supplier is: the names of the file, or the channel's own.
fn supplier(reader: &mut Reader<'_>, id: &str, table: &Value, endpoint: &str) -> Value {
    let of = table.get("supplier");
    if of.is_some_and(|of| !of.is_object()) {
        reader.problem("supplier", "it is no table", "write { id = \"…\", name = \"…\" }");
    }
    let mut text = |name: &str| match of.and_then(|of| of.get(name)) {
        None => None,
        Some(Value::String(text)) if !text.trim().is_empty() => Some(text.trim().to_owned()),
        Some(_) => {
            reader.problem(format!("supplier.{name}"), "it is empty, or no text", "write a text, or leave it out");
            None
        }
    };
    let own = text("id").unwrap_or_else(|| id.to_owned());
    json!({
        "name": text("name").unwrap_or_else(|| own.clone()),
        "id": own,
        "endpoint": endpoint,
        "contact": {
            "website": text("website"),
            "email": text("email"),
            "telephone": text("telephone"),
            "address": text("address"),
        },
    })
}
