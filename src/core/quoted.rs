//! Free text quotes people: a back-end refuses "the card of so-and-so", a colleague writes whom she has called. What such text says of
//! an order's own guests is masked before it becomes an event, an error or a line in a list (`product.md`, rule 8).

use std::borrow::Cow;

use crate::command::{Command, ReportOutcome, TicketFacts};
use crate::order::Order;
use crate::personal::{Mask, Person, Personal};
use crate::port::CallResult;

/// A name of one character stands in too many words to be looked for.
const CHARS_MIN: usize = 2;
/// Digits in a row that may be a phone or a document number.
const DIGITS_SHOWN_MAX: usize = 6;

/// `text` with every long row of digits masked: people and partners write phone and document numbers into their reasons.
pub fn without_numbers(text: &str) -> String {
    let mut shown = String::new();
    let mut digits = String::new();
    let flush = |digits: &mut String, shown: &mut String| {
        if digits.chars().count() > DIGITS_SHOWN_MAX {
            shown.push_str("***");
        } else {
            shown.push_str(digits);
        }
        digits.clear();
    };
    for c in text.chars() {
        if c.is_numeric() {
            digits.push(c);
            continue;
        }
        flush(&mut digits, &mut shown);
        shown.push(c);
    }
    flush(&mut digits, &mut shown);
    shown
}

impl Order {
    /// `text` with every name, phone and document number of this order's people masked, and whatever else may be such a number.
    pub fn without_guests(&self, text: &str) -> String {
        let mut shown = text.to_owned();
        for (_, person) in self.people() {
            for (clear, masked) in known_of(person) {
                if let Some(replaced) = replace_word(&shown, &clear, &masked) {
                    shown = replaced;
                }
            }
        }
        without_numbers(&shown)
    }
}

impl Command {
    /// The command with what its free text says of the order's guests masked.
    pub fn without_guests(&self, order: &Order) -> Cow<'_, Command> {
        let mut command = self.clone();
        let Some(text) = command.free_text() else { return Cow::Borrowed(self) };
        *text = order.without_guests(text);
        Cow::Owned(command)
    }

    /// What partners and people say in their own words.
    fn free_text(&mut self) -> Option<&mut String> {
        match self {
            Command::DeclineBooking { reason }
            | Command::RejectRefund { reason, .. }
            | Command::EscalateRefund { reason, .. }
            | Command::CancelOrder { reason }
            | Command::AskCancellation { reason, .. }
            | Command::ReturnPayments { reason, .. }
            | Command::RecordReveal { reason }
            | Command::EraseGuests { reason }
            | Command::RecordTicketFacts {
                facts: TicketFacts::Refused { reason } | TicketFacts::CancelRefused { reason, .. },
                ..
            } => Some(reason),
            Command::RecordAstray { why, .. } => Some(why),
            Command::ApproveRefund { reason, .. } => reason.as_mut(),
            Command::RecordTicketFacts {
                facts: TicketFacts::Unknown { why } | TicketFacts::GivenUp { why }, ..
            }
            | Command::RecordReport {
                outcome: ReportOutcome::Refused { why, .. } | ReportOutcome::GivenUp { why },
                ..
            } => Some(why),
            _ => None,
        }
    }
}

impl<T> CallResult<T> {
    /// The result with what the partner says of the order's guests masked.
    pub fn without_guests(self, order: &Order) -> Self {
        let masked = |why: Cow<'static, str>| Cow::Owned(order.without_guests(&why));
        match self {
            CallResult::Retry { why, after } => CallResult::Retry { why: masked(why), after },
            CallResult::Refused { code, why } => CallResult::Refused { code, why: order.without_guests(&why) },
            CallResult::Unknown { why } => CallResult::Unknown { why: masked(why) },
            CallResult::Astray { why } => CallResult::Astray { why: masked(why) },
            CallResult::Done(_) | CallResult::Absent | CallResult::Overtaken | CallResult::TokenRejected => self,
        }
    }
}

/// Everything known of a person, in clear and masked.
fn known_of(person: &Person) -> impl Iterator<Item = (String, String)> {
    fn both<M: Mask>(data: &Personal<M>) -> Option<(String, String)> {
        let clear = data.reveal().trim();
        let is_known = clear.chars().count() >= CHARS_MIN && !data.is_remote_cipher();
        is_known.then(|| (clear.to_owned(), data.masked()))
    }
    let number = person.document.as_ref().and_then(|document| both(&document.number));
    [person.name.as_ref().and_then(both), person.phone.as_ref().and_then(both), number].into_iter().flatten()
}

/// `text` with every `word` replaced, unless it is only a part of a longer word of Latin letters or digits.
fn replace_word(text: &str, word: &str, by: &str) -> Option<String> {
    let runs_on = |inside: Option<char>, outside: Option<char>| {
        inside.is_some_and(|c| c.is_ascii_alphanumeric()) && outside.is_some_and(|c| c.is_ascii_alphanumeric())
    };
    let mut shown = String::new();
    let mut taken = 0;
    for (at, found) in text.match_indices(word) {
        let (before, after) = (text[..at].chars().next_back(), text[at + found.len()..].chars().next());
        if runs_on(word.chars().next(), before) || runs_on(word.chars().next_back(), after) {
            continue;
        }
        shown.push_str(&text[taken..at]);
        shown.push_str(by);
        taken = at + found.len();
    }
    (taken > 0).then(|| shown + &text[taken..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_masked_wherever_it_stands_alone() {
        let masked = |text: &str| replace_word(text, "Li", "L*").unwrap_or_else(|| text.to_owned());
        assert_eq!(masked("Li asked; the Limit of Li, not of Ali"), "L* asked; the Limit of L*, not of Ali");
        assert_eq!(masked("票Li已用"), "票L*已用");
        let masked = |text: &str| replace_word(text, "王小明", "王**");
        assert_eq!(masked("因王小明的证件无效").as_deref(), Some("因王**的证件无效"));
        assert_eq!(masked("因证件无效"), None);
    }
}
