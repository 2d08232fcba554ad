// SPDX-License-Identifier: Apache-2.0

//! Settings that channels of this kind share (`docs/src/contract/configuration.md`).

use std::collections::BTreeSet;

use serde_json::Value;
use ticketbridge_core::port::SettingsProblem;
use ticketbridge_core::product::{Acceptance, ChannelRules, TicketDelivery};
use ticketbridge_core::time::{Millis, TimeZone};

use crate::settings::Settings as Reader;
use crate::standard_webhooks::Secrets;

/// The longest time for a decision that can be set.
const LIMIT_MAX: Millis = Millis::hours(30 * 24);
/// Ten-thousandths in a whole.
const WHOLE_BP: u32 = 10_000;

/// The settings, checked.
#[derive(Clone, Debug)]
pub(crate) struct Common {
    /// Secrets of inbound events, the current one first.
    pub(crate) secrets: Secrets,
    /// Where the platform is.
    pub(crate) api_base: String,
    /// Secret of our calls.
    pub(crate) api_secret: Secrets,
    /// What the platform can do.
    pub(crate) capabilities: BTreeSet<String>,
    /// The zone of times without an offset; without one they are refused.
    pub(crate) naive_zone: Option<TimeZone>,
    /// What the channel demands of its orders.
    pub(crate) rules: ChannelRules,
}

/// Everything that a platform of this kind can be able to do; one list serves every adapter.
pub(crate) const CAPABILITIES: &[&str] = &[
    "confirm",
    "reject",
    "cancel",
    "partial_cancel",
    "payment_only_cancel",
    "no_show",
    "use_code",
    "revision",
    "read_back",
    "payment_link",
    "stock",
];

impl Common {
    /// Whether the platform has this call.
    pub(crate) fn can(&self, capability: &str) -> bool {
        self.capabilities.contains(capability)
    }
    /// The zone of its dates.
    pub(crate) fn zone(&self) -> TimeZone {
        self.rules.time_zone
    }
}

/// Reads the shared settings; `unless_said` are the capabilities where none are listed, `more` reads what one partner has beside them.
pub(crate) fn read<T>(
    table: &Value,
    unless_said: &[&str],
    more: impl FnOnce(&mut Reader<'_>) -> Option<T>,
) -> Result<(Common, T), Vec<SettingsProblem>> {
    let mut reader = Reader::new(table);
    let secrets = reader.webhook_secrets("secrets");
    let api_base = reader.base_url("api_base");
    let api_secret = reader.webhook_secrets("api_secret");
    let capabilities = capabilities(&mut reader, table, unless_said);
    let zone = time_zone(&mut reader, table, "time_zone").unwrap_or(TimeZone::SEOUL);
    let naive_zone = time_zone(&mut reader, table, "naive_timezone");
    let confirm_limit = reader.duration("confirm_limit", LIMIT_MAX).unwrap_or(Millis(0));
    let review_limit = reader.duration("review_limit", LIMIT_MAX).unwrap_or(Millis(0));
    if reader.count("commission_bp", 0) > WHOLE_BP {
        reader.problem("commission_bp", "it is more than 10000", "write ten-thousandths: 300 is 3 %");
    }
    let more = more(&mut reader);
    let rules = ChannelRules {
        time_zone: zone,
        acceptance: Acceptance::Async,
        acceptance_limit: confirm_limit,
        tickets: TicketDelivery::NotCarried,
        review_limit,
        review_warn_before: Vec::new(),
        price_check: false,
        redemption_reported: true,
        returns_what_it_kept: true,
        news: Default::default(),
    };
    let read = match (secrets, api_base, api_secret, more) {
        (Some(secrets), Some(api_base), Some(api_secret), Some(more)) => {
            Some((Common { secrets, api_base, api_secret, capabilities, naive_zone, rules }, more))
        }
        _ => None,
    };
    reader.finish(read)
}

fn capabilities(reader: &mut Reader<'_>, table: &Value, unless_said: &[&str]) -> BTreeSet<String> {
    let Some(value) = table.get("capabilities") else {
        return unless_said.iter().map(|word| (*word).to_owned()).collect();
    };
    let mend = format!("write a list of {}", CAPABILITIES.join(", "));
    let Some(listed) = value.as_array() else {
        reader.problem("capabilities", "it is not a list", mend);
        return BTreeSet::new();
    };
    let mut found = BTreeSet::new();
    for (index, entry) in listed.iter().enumerate() {
        match entry.as_str().filter(|word| CAPABILITIES.contains(word)) {
            Some(word) => drop(found.insert(word.to_owned())),
            None => reader.problem(format!("capabilities.{index}"), format!("{entry} is no capability"), mend.clone()),
        }
    }
    found
}

fn time_zone(reader: &mut Reader<'_>, table: &Value, key: &str) -> Option<TimeZone> {
    let value = table.get(key)?;
    let zone = value.as_str().and_then(TimeZone::parse);
    if zone.is_none() {
        reader.problem(key, format!("{value} is not a time zone"), "write for example \"Asia/Seoul\"");
    }
    zone
}
