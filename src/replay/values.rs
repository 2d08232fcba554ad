// SPDX-License-Identifier: Apache-2.0

//! Values that are compared: what of them differs, and what is left out before.

use std::collections::BTreeSet;

use serde_json::Value;
use ticketbridge_core::{TimeZone, UnixMillis};

use super::codes::Codes;
use crate::recorder::mask::{is_personal, is_secret};

/// Characters of a number or an id that is likely to be another one each time: a nonce, a time, a digest.
const VOLATILE_CHARS: usize = 10;
/// Characters of a value that a report shows.
const VALUE_CHARS_MAX: usize = 80;
/// Characters that it shows before the first one that differs.
const VALUE_CHARS_BEFORE: usize = 30;
/// Instants that lie no farther apart are the same, in milliseconds: the clock of the recording tells when something came and was answered,
/// and not how long it then waited for the database.
const MOMENT: i64 = 1_000;
/// Numbers from here to there are instants in milliseconds, of the years 2010 to 2100: no amount is so large.
const INSTANTS: std::ops::Range<i64> = 1_262_304_000_000..4_102_444_800_000;

/// Every place at which two values differ, as it may be shown.
pub(super) fn differing(at: &str, before: &Value, after: &Value, codes: &Codes, into: &mut Vec<String>) {
    match (before, after) {
        (Value::Object(before), Value::Object(after)) => {
            let keys: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
            for key in keys {
                let get = |fields: &serde_json::Map<String, Value>| fields.get(key).cloned().unwrap_or_default();
                differing(&format!("{at}/{key}"), &get(before), &get(after), codes, into);
            }
        }
        (Value::Array(before), Value::Array(after)) if before.len() == after.len() => {
            for (index, (before, after)) in before.iter().zip(after).enumerate() {
                differing(&format!("{at}/{index}"), before, after, codes, into);
            }
        }
        (before, after) if before == after || is_moment(at, before, after) => {}
        (Value::Array(before), Value::Array(after)) => {
            // Entries that are the same say nothing of what differs.
            let is_same = |(before, after): &(&Value, &Value)| {
                let mut found = Vec::new();
                differing(at, before, after, codes, &mut found);
                found.is_empty()
            };
            let same = before.iter().zip(after).take_while(is_same).count();
            let [before, after] = [&before[same..], &after[same..]].map(|rest| Value::Array(rest.to_vec()));
            let at = if same == 0 { at.to_owned() } else { format!("{at}/{same}…") };
            into.push(change(&at, &before, &after, codes));
        }
        (before, after) => into.push(change(at, before, after, codes)),
    }
}

/// One value became another: `/price 1 -> 2`; of instants also by how much.
fn change(at: &str, before: &Value, after: &Value, codes: &Codes) -> String {
    let (Some(was), Some(is)) = (instant(at, before), instant(at, after)) else {
        let (before, after) = both_shown(&codes.hidden(at, before), &codes.hidden(at, after));
        return format!("{at} {before} -> {after}").trim().to_owned();
    };
    let word = if is > was { "later" } else { "earlier" };
    let [was_at, is_at] = [was, is].map(|at| UnixMillis(at).rfc3339(TimeZone::UTC));
    format!("{at} {was_at} -> {is_at} ({} {word})", length(was.abs_diff(is) / 1_000))
}

/// Seconds in the largest unit of which there are two, or one exactly.
fn length(seconds: u64) -> String {
    let units = [(86_400, "d"), (3_600, "h"), (60, "min")];
    let fits = |(size, _): &&(u64, &str)| seconds >= 2 * size || seconds == *size;
    let (size, unit) = units.iter().find(fits).copied().unwrap_or((1, "s"));
    format!("{} {unit}", seconds / size)
}

/// The instants of two bodies that lie farther apart than a moment; whatever else differs is left to others.
pub(super) fn moved_instants(before: &str, after: &str) -> Vec<String> {
    let (Ok(before), Ok(after)) = (serde_json::from_str::<Value>(before), serde_json::from_str::<Value>(after)) else {
        return Vec::new();
    };
    let mut moved = Vec::new();
    instants("", &before, &after, &mut moved);
    moved
}

fn instants(at: &str, before: &Value, after: &Value, into: &mut Vec<String>) {
    match (before, after) {
        (Value::Object(before), Value::Object(after)) => {
            for (key, before) in before {
                if let Some(after) = after.get(key) {
                    instants(&format!("{at}/{key}"), before, after, into);
                }
            }
        }
        (Value::Array(before), Value::Array(after)) => {
            for (index, (before, after)) in before.iter().zip(after).enumerate() {
                instants(&format!("{at}/{index}"), before, after, into);
            }
        }
        (before, after) => {
            if instant(at, before).is_some() && instant(at, after).is_some() && !is_moment(at, before, after) {
                into.push(change(at, before, after, &Codes::default()));
            }
        }
    }
}

/// The instant that a value of a field is, in milliseconds.
fn instant(field: &str, value: &Value) -> Option<i64> {
    match value {
        Value::String(text) => UnixMillis::parse_rfc3339(text).map(|at| at.0),
        Value::Number(number) => {
            let number = number.as_i64()?;
            let name = field.rsplit('/').next().unwrap_or_default().to_ascii_lowercase();
            let is_named = || name.contains("time") || name.ends_with("_at");
            match number {
                millis if INSTANTS.contains(&millis) => Some(millis),
                seconds if is_named() => Some(seconds.checked_mul(1_000)?).filter(|millis| INSTANTS.contains(millis)),
                _ => None,
            }
        }
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// Whether both are instants, and the same but for a moment.
fn is_moment(field: &str, before: &Value, after: &Value) -> bool {
    let far = |(before, after): (i64, i64)| before.abs_diff(after) > MOMENT.unsigned_abs();
    instant(field, before).zip(instant(field, after)).is_some_and(|both| !far(both))
}

/// A call's method and address, without the numbers of the one order that it is about.
pub(super) fn place_of_call(method: &str, path: &str) -> String {
    let path = path.split('?').next().unwrap_or_default();
    // `v1` is no number.
    let is_number = |step: &str| step.bytes().filter(u8::is_ascii_digit).count() > 1;
    let steps: Vec<&str> = path.split('/').map(|step| if is_number(step) { "…" } else { step }).collect();
    format!("{method} {}", steps.join("/"))
}

/// A value as a report shows it.
pub(super) fn shown(value: &Value) -> String {
    cut(&value.to_string(), 0)
}

/// Two values as a report shows them: of long ones the part in which they begin to differ.
fn both_shown(before: &Value, after: &Value) -> (String, String) {
    let (before, after) = (before.to_string(), after.to_string());
    let same = before.chars().zip(after.chars()).take_while(|(before, after)| before == after).count();
    let is_seen = |text: &str| text.chars().count() <= VALUE_CHARS_MAX || same < VALUE_CHARS_MAX - VALUE_CHARS_BEFORE;
    let begin = if is_seen(&before) && is_seen(&after) { 0 } else { same.saturating_sub(VALUE_CHARS_BEFORE) };
    (cut(&before, begin), cut(&after, begin))
}

/// What is shown of a text from this character on.
fn cut(text: &str, begin: usize) -> String {
    let count = text.chars().count();
    let part: String = text.chars().skip(begin).take(VALUE_CHARS_MAX).collect();
    let before = if begin > 0 { "…" } else { "" };
    let after = if count > begin + VALUE_CHARS_MAX { "…" } else { "" };
    format!("{before}{part}{after}")
}

/// Takes guests' data and keys out: a stand-in of one part of a name is not the part of a stand-in.
pub(super) fn without_guests(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|key, _| !is_personal(key) && !is_secret(key));
            fields.values_mut().for_each(without_guests);
        }
        Value::Array(items) => items.iter_mut().for_each(without_guests),
        Value::String(text) => {
            if text.starts_with('{')
                && let Ok(mut inner) = serde_json::from_str::<Value>(text)
            {
                without_guests(&mut inner);
                *text = inner.to_string();
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Takes these fields out, wherever they stand.
pub(super) fn without_fields(value: &mut Value, names: &[&str]) {
    match value {
        Value::Object(fields) => {
            fields.retain(|key, _| !names.contains(&key.as_str()));
            fields.values_mut().for_each(|value| without_fields(value, names));
        }
        Value::Array(items) => items.iter_mut().for_each(|value| without_fields(value, names)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// A text without long numbers and digests.
pub(super) fn steady(text: &str) -> String {
    let text = without_times(text);
    let mut kept = String::with_capacity(text.len());
    let mut run = String::new();
    let close = |run: &mut String, kept: &mut String| {
        let is_volatile = run.len() >= VOLATILE_CHARS && run.bytes().any(|b| b.is_ascii_digit());
        kept.push_str(if is_volatile { "#" } else { run });
        run.clear();
    };
    for c in text.chars() {
        if c.is_ascii_hexdigit() {
            run.push(c);
        } else {
            close(&mut run, &mut kept);
            kept.push(c);
        }
    }
    close(&mut run, &mut kept);
    kept
}

/// A text without instants: a few milliseconds make another one of each.
fn without_times(text: &str) -> String {
    let bytes = text.as_bytes();
    let is_instant = |at: usize| {
        let shape = b"dddd-dd-ddTdd:dd";
        bytes.get(at..at + shape.len()).is_some_and(|part| {
            part.iter().zip(shape).all(|(byte, wanted)| match wanted {
                b'd' => byte.is_ascii_digit(),
                other => byte == other,
            })
        })
    };
    let (mut kept, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(found) = rest.find('T') {
        let from = text.len() - rest.len() + found;
        match from.checked_sub(10).filter(|begin| is_instant(*begin) && found >= 10) {
            Some(_) => {
                kept.push_str(&rest[..found - 10]);
                kept.push('@');
                let after = &rest[found + 1..];
                let end =
                    after.find(|c: char| !matches!(c, '0'..='9' | ':' | '.' | '+' | '-' | 'Z')).unwrap_or(after.len());
                rest = &after[end..];
            }
            None => {
                kept.push_str(&rest[..=found]);
                rest = &rest[found + 1..];
            }
        }
    }
    kept.push_str(rest);
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_instant_is_left_out_and_what_looks_like_one_is_not() {
        assert_eq!(steady("by 2026-11-21T10:10:00.250+08:00, please"), "by @, please");
        assert_eq!(steady("T 2026-11-21 T 2026-11-21T10:1"), "T 2026-11-21 T 2026-11-21T10:1");
        assert_eq!(steady("到2026-11-21T10:10:00Z为止"), "到@为止");
    }

    #[test]
    fn an_instant_may_differ_by_a_moment_and_an_amount_may_not() {
        let differences = |before: Value, after: Value| {
            let mut found = Vec::new();
            differing("", &before, &after, &Codes::default(), &mut found);
            found
        };
        let due = |at: i64| json!({ "due_at": at });
        assert_eq!(differences(due(1_795_226_400_000), due(1_795_226_400_999)), Vec::<String>::new());
        let later = "/due_at 2026-11-21T02:00:00+00:00 -> 2026-11-21T02:00:02+00:00 (2 s later)";
        assert_eq!(differences(due(1_795_226_400_000), due(1_795_226_402_000)), [later]);
        assert_eq!([length(86_400), length(79_200), length(90), length(150)], ["1 d", "22 h", "90 s", "2 min"]);
        let said = |at: &str| json!({ "until": at });
        assert!(differences(said("2026-12-01T10:00:00Z"), said("2026-12-01T18:00:01+08:00")).is_empty());
        assert_eq!(differences(said("2026-12-01T10:00:00Z"), said("2026-12-01T18:00:02+08:00")).len(), 1);
        let of = |name: &str, value: i64| Value::Object([(name.to_owned(), value.into())].into_iter().collect());
        assert!(differences(of("pay_time", 1_795_226_400), of("pay_time", 1_795_226_401)).is_empty());
        assert_eq!(differences(of("amount", 1_795_226_400), of("amount", 1_795_226_401)).len(), 1);
        assert_eq!(differences(said("2026-12-01"), said("2026-12-02")), ["/until \"2026-12-01\" -> \"2026-12-02\""]);
    }

    #[test]
    fn of_long_values_the_part_is_shown_in_which_they_differ() {
        let differences = |before: &[Value], after: &[Value]| {
            let mut found = Vec::new();
            differing("/ledger", &json!(before), &json!(after), &Codes::default(), &mut found);
            found
        };
        let entry = |n: i64| json!({ "amount": 1_500, "at": 1_795_226_400_000_i64, "source": "a".repeat(70), "n": n });
        let (then, now) = ([entry(1), entry(2)], [entry(1)]);
        assert!(differences(&then, &now)[0].starts_with("/ledger/1… [{"), "{:?}", differences(&then, &now));
        let (then, now) = ("b".repeat(200) + "then", "b".repeat(200) + "now");
        let told = differences(&[json!(then)], &[json!(now)]);
        assert!(told[0].contains("bthen\" -> …") && told[0].ends_with("bnow\""), "{told:?}");
    }

    #[test]
    fn the_address_of_a_call_is_the_same_for_all_orders() {
        assert_eq!(place_of_call("POST", "/v1/reservations/KA-77/confirm?x=1"), "POST /v1/reservations/…/confirm");
        assert_eq!(place_of_call("POST", "/octo/bookings"), "POST /octo/bookings");
    }

    #[test]
    fn the_instants_of_a_call_are_compared_beside_what_is_another_one_each_time() {
        let call = |until: &str, nonce: &str| json!({ "expires_at": until, "nonce": nonce, "sent": [] }).to_string();
        let then = call("2026-12-01T10:00:00Z", "a");
        assert!(moved_instants(&then, &call("2026-12-01T10:00:00.900Z", "b")).is_empty());
        assert_eq!(moved_instants(&then, &call("2026-12-01T12:00:00Z", "b")).len(), 1);
        assert!(moved_instants("no JSON", &then).is_empty());
    }
}
