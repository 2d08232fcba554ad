// SPDX-License-Identifier: Apache-2.0

//! What Douyin calls the bridge for, within which time and how often, and how an answer is read.

use serde_json::Value;
use std::fmt;
use std::time::Duration;

/// The code with which the bridge asks to be called again.
pub const TRY_AGAIN: i64 = 100;

/// A call of Douyin's to the bridge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Spi {
    /// Chapter 3.
    CanBuy,
    /// Chapter 4.
    CreateOrder,
    /// Chapter 5.
    PayNotify,
    /// Chapter 7.
    IssueVoucher,
    /// Chapter 9.
    CancelNotify,
    /// Chapter 10.
    RefundApply,
    /// Chapter 12.
    RefundNotify,
    /// Chapter 13.
    InfoSync,
    /// Chapter 15.
    QueryOrder,
    /// Chapter 16.
    PullCalendar,
    /// Chapter 7.6, creation.
    V2CreateOrder,
    /// Chapter 7.6, issue.
    V2IssueVoucher,
}

impl Spi {
    /// The last part of the bridge's path.
    pub fn path(self) -> &'static str {
        match self {
            Spi::CanBuy => "can-buy",
            Spi::CreateOrder => "create-order",
            Spi::PayNotify => "pay-notify",
            Spi::IssueVoucher => "issue-voucher",
            Spi::CancelNotify => "cancel-notify",
            Spi::RefundApply => "refund-apply",
            Spi::RefundNotify => "refund-notify",
            Spi::InfoSync => "info-sync",
            Spi::QueryOrder => "query-order",
            Spi::PullCalendar => "pull-calendar",
            Spi::V2CreateOrder => "v2-create-order",
            Spi::V2IssueVoucher => "v2-issue-voucher",
        }
    }

    /// How long an answer is waited for (chapter 19; U-13 and U-18 where nothing is stated).
    pub fn limit(self) -> Duration {
        Duration::from_secs(match self {
            Spi::CanBuy => 2,
            Spi::CreateOrder | Spi::PayNotify | Spi::CancelNotify | Spi::RefundNotify => 5,
            Spi::V2CreateOrder | Spi::V2IssueVoucher => 5,
            Spi::IssueVoucher | Spi::RefundApply | Spi::InfoSync | Spi::QueryOrder | Spi::PullCalendar => 8,
        })
    }

    /// The waits before the attempts after the first (chapter 19; U-12 where nothing is stated).
    pub fn gaps(self) -> Vec<Duration> {
        let seconds: Vec<u64> = match self {
            Spi::CanBuy | Spi::QueryOrder | Spi::PullCalendar => vec![],
            Spi::CreateOrder | Spi::V2CreateOrder | Spi::PayNotify => vec![60; 12],
            Spi::IssueVoucher | Spi::V2IssueVoucher => vec![10, 30, 60, 120, 120, 240],
            Spi::CancelNotify | Spi::RefundNotify | Spi::InfoSync => vec![30, 60, 120, 240, 480],
            Spi::RefundApply => vec![3_600; 71],
        };
        seconds.into_iter().map(Duration::from_secs).collect()
    }
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Not within the limit.
    TimedOut,
    /// No connection, or it broke.
    NotReached,
    /// Another status than 200.
    Status(u16),
    /// Not the envelope of 1.5.
    Malformed(String),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::TimedOut => f.write_str("no answer in time"),
            Failure::NotReached => f.write_str("not reached"),
            Failure::Status(status) => write!(f, "HTTP {status}"),
            Failure::Malformed(what) => write!(f, "malformed answer: {what}"),
        }
    }
}

/// What came back from the bridge.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// An envelope: its code and all of `data`.
    Data {
        /// `data.error_code`.
        code: i64,
        /// `data`.
        data: Value,
    },
    /// Nothing usable.
    Failed(Failure),
}

impl Answer {
    /// The code; `None` without an envelope.
    pub fn code(&self) -> Option<i64> {
        match self {
            Answer::Data { code, .. } => Some(*code),
            Answer::Failed(_) => None,
        }
    }

    /// A field of `data`.
    pub fn field(&self, name: &str) -> Option<&Value> {
        match self {
            Answer::Data { data, .. } => data.get(name),
            Answer::Failed(_) => None,
        }
    }

    /// A number in `data`.
    pub fn number(&self, name: &str) -> Option<i64> {
        self.field(name).and_then(Value::as_i64)
    }

    /// Whether the call is to be made again: no envelope, or the code that asks for it.
    pub fn asks_again(&self) -> bool {
        self.code().is_none_or(|code| code == TRY_AGAIN)
    }
}

/// Reads the envelope. With `strict`, a number written as text or an extra top-level object is a failure.
pub fn read_answer(status: u16, body: &[u8], strict: bool) -> Result<Answer, Failure> {
    if status != 200 {
        return Err(Failure::Status(status));
    }
    let malformed = |what: &str| Failure::Malformed(what.to_owned());
    let envelope: Value = serde_json::from_slice(body).map_err(|_| malformed("not JSON"))?;
    let data = envelope.get("data").filter(|d| d.is_object()).ok_or_else(|| malformed("no data object"))?;
    if strict && envelope.get("extra").is_some() {
        return Err(malformed("an object \"extra\" that does not belong there"));
    }
    if strict && let Some(field) = text_number(data) {
        return Err(Failure::Malformed(format!("{field} is text, not a number")));
    }
    let code = match data.get("error_code") {
        Some(Value::Number(number)) => number.as_i64(),
        Some(Value::String(text)) => text.parse().ok(),
        _ => None,
    };
    let code = code.filter(|c| (0..=999_999).contains(c)).ok_or_else(|| malformed("no error_code"))?;
    Ok(Answer::Data { code, data: data.clone() })
}

/// The first field of an answer that must be a number and is text.
fn text_number(data: &Value) -> Option<&'static str> {
    const NUMBERS: [&str; 6] = [
        "error_code",
        "result",
        "audit_refund_result",
        "refund_fee_amount",
        "total_voucher_quantity",
        "used_voucher_quantity",
    ];
    let in_confirm = ["confirm_mode", "confirm_result"];
    let confirm = data.get("confirm_info");
    NUMBERS.into_iter().find(|field| data.get(*field).is_some_and(Value::is_string)).or_else(|| {
        in_confirm.into_iter().find(|field| confirm.and_then(|c| c.get(*field)).is_some_and(Value::is_string))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read_as_chapter_1_5_says() {
        let good = read_answer(200, br#"{"data":{"error_code":0,"description":"success"}}"#, true).unwrap();
        assert_eq!(good.code(), Some(0));
        assert_eq!(read_answer(503, b"{}", true), Err(Failure::Status(503)));
        assert!(matches!(read_answer(200, b"<html>", true), Err(Failure::Malformed(_))));
        assert!(matches!(read_answer(200, br#"{"data":{}}"#, true), Err(Failure::Malformed(_))));
        assert!(matches!(read_answer(200, br#"{"data":{"error_code":1000000}}"#, true), Err(Failure::Malformed(_))));
    }

    #[test]
    fn a_number_as_text_is_a_failure_only_when_strict() {
        let text = br#"{"data":{"error_code":"0"}}"#;
        assert!(matches!(read_answer(200, text, true), Err(Failure::Malformed(_))));
        assert_eq!(read_answer(200, text, false).unwrap().code(), Some(0));
        let deep = br#"{"data":{"error_code":0,"confirm_info":{"confirm_mode":"1","confirm_result":1}}}"#;
        assert!(matches!(read_answer(200, deep, true), Err(Failure::Malformed(_))));
    }

    #[test]
    fn only_code_100_and_no_answer_ask_again() {
        let with = |code| Answer::Data { code, data: Value::Null };
        assert!(with(100).asks_again());
        assert!(!with(0).asks_again());
        assert!(!with(1).asks_again());
        assert!(Answer::Failed(Failure::TimedOut).asks_again());
    }

    #[test]
    fn the_issue_call_is_retried_over_580_seconds() {
        let total: Duration = Spi::IssueVoucher.gaps().iter().sum();
        assert_eq!((Spi::IssueVoucher.gaps().len(), total), (6, Duration::from_secs(580)));
    }
}
