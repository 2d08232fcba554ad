// SPDX-License-Identifier: Apache-2.0

//! How Douyin calls the bridge: signed, with a time limit, again when the protocol says so.

use serde_json::Value;
use std::time::Duration;

use super::books::{CallRecord, Direction, Rule};
use super::options::Slow;
use super::running::SimDouyin;
use super::spi::{Answer, Failure, Spi, TRY_AGAIN, read_answer};
use super::wire;
use crate::journal::{Ending, Entry, Party};

/// How far a slow answer is from its limit.
const SLOW_BY: Duration = Duration::from_millis(200);
/// One attempt at one message.
#[derive(Clone, Copy, Debug)]
pub(super) struct Attempt<'a> {
    pub(super) spi: Spi,
    pub(super) body: &'a Value,
    pub(super) order_id: Option<&'a str>,
    pub(super) number: u32,
    /// Timestamp of the first attempt, for the switch that repeats it.
    pub(super) first_stamp_ms: i64,
}

impl SimDouyin {
    /// Sends a message until it is answered for good or the attempts are used up; the last answer.
    pub(super) async fn deliver(&self, spi: Spi, body: &Value, order_id: Option<&str>, attempts_max: usize) -> Answer {
        let first_stamp_ms = self.time().now_ms();
        let mut answer = self.attempt(Attempt { spi, body, order_id, number: 1, first_stamp_ms }).await;
        for (gap, number) in spi.gaps().into_iter().zip(2..).take(attempts_max.saturating_sub(1)) {
            if !answer.asks_again() {
                break;
            }
            self.time().pass(gap).await;
            answer = self.attempt(Attempt { spi, body, order_id, number, first_stamp_ms }).await;
        }
        answer
    }

    /// Sends a message once, or twice at the same moment when the switch says so.
    pub(super) async fn attempt(&self, attempt: Attempt<'_>) -> Answer {
        if !self.state().faults.duplicate_delivery {
            return self.send(attempt).await;
        }
        let (first, second) = tokio::join!(self.send(attempt), self.send(attempt));
        let both_answered =
            first.code().is_some_and(|c| c != TRY_AGAIN) && second.code().is_some_and(|c| c != TRY_AGAIN);
        // The issue call may find tickets on its way the first time and there the second: not a contradiction.
        let may_move_on = matches!(attempt.spi, Spi::IssueVoucher | Spi::V2IssueVoucher | Spi::RefundApply);
        if both_answered && first != second && !may_move_on {
            let what = format!("two answers to the same {} at the same moment", attempt.spi.path());
            self.violation(Rule::AnswersDiffer, attempt.order_id.unwrap_or_default(), what);
        }
        if first.asks_again() { second } else { first }
    }

    async fn send(&self, attempt: Attempt<'_>) -> Answer {
        let at = self.time().elapsed();
        let body = serde_json::to_vec(attempt.body).expect("a JSON value can always be written");
        let repeat_stamp = self.state().faults.same_timestamp_on_retry;
        let stamp_ms = if repeat_stamp { attempt.first_stamp_ms } else { self.time().now_ms() };
        let (query, headers) = self.signed(&body, stamp_ms);
        let limit = self.answer_limit(attempt.spi);
        let (mut answer, status, answered) = self.exchange(attempt.spi.path(), &query, &headers, body, limit).await;
        if let Answer::Data { .. } = answer {
            answer =
                self.disturb(attempt.spi, answer, limit.saturating_sub(self.time().elapsed().saturating_sub(at))).await;
        }
        let order_id = attempt.order_id.map(str::to_owned);
        self.note_malformed(attempt.spi, &answer, attempt.order_id);
        let sale = attempt.order_id.and_then(|id| self.state().books.sale_of(id)).or_else(|| order_id.clone());
        let record = CallRecord {
            at,
            direction: Direction::ToBridge,
            call: attempt.spi.path().to_owned(),
            order_id,
            attempt: attempt.number,
            query,
            headers,
            body: attempt.body.clone(),
            status,
            answer: answered,
        };
        self.change(|state| state.books.calls.push(record));
        let (ending, outcome) = in_words(attempt.spi, &answer);
        self.journal().add(Entry {
            at,
            from: Party::Douyin,
            to: Party::Bridge,
            call: attempt.spi.path().to_owned(),
            sale,
            attempt: attempt.number,
            ending,
            outcome,
            took: self.time().elapsed().saturating_sub(at),
        });
        answer
    }

    fn note_malformed(&self, spi: Spi, answer: &Answer, order_id: Option<&str>) {
        if let Answer::Failed(Failure::Malformed(what)) = answer {
            let rule = if what.contains("is text") { Rule::StringNumber } else { Rule::MalformedAnswer };
            self.violation(rule, order_id.unwrap_or_default(), format!("{}: {what}", spi.path()));
        }
    }

    /// Both signatures and the headers of one call (1.1–1.3): exactly the documented four.
    fn signed(&self, body: &[u8], stamp_ms: i64) -> (String, Vec<(String, String)>) {
        let options = self.options();
        let migrated = self.state().faults.migrated_app;
        let in_url = options.legacy_app.as_ref().filter(|_| migrated).unwrap_or(&options.app);
        let stamp = stamp_ms.to_string();
        let pairs = [("client_key", in_url.client_key.as_str()), ("timestamp", stamp.as_str())];
        let for_header = wire::sign(&options.app.client_secret, &pairs, body);
        let for_url = wire::sign(&in_url.client_secret, &pairs, body);
        let key = &in_url.client_key;
        let query = format!("client_key={key}&timestamp={stamp}&sign={}", for_url.md5);
        let log_id = format!("sandbox{stamp}{}", self.new_number());
        let headers = [
            ("content-type", "application/json"),
            ("x-bytedance-logid", log_id.as_str()),
            ("x-life-clientkey", options.app.client_key.as_str()),
            ("x-life-sign", for_header.sha256.as_str()),
        ];
        (query, headers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec())
    }

    /// How long an answer to this call is waited for, real time.
    fn answer_limit(&self, spi: Spi) -> Duration {
        let scaled = self.time().scaled(spi.limit());
        // A machine at real speed keeps the stated limit; a faster one must leave the bridge, which is not scaled, time.
        scaled.max(self.options().limits.answer_at_least.min(spi.limit()))
    }

    async fn exchange(
        &self,
        path: &str,
        query: &str,
        headers: &[(String, String)],
        body: Vec<u8>,
        limit: Duration,
    ) -> (Answer, u16, Value) {
        let url = self.url(path, query);
        let mut request = self.machine.client().post(url).body(body).timeout(limit);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let strict = self.state().faults.string_numbers_are_errors;
        let response = match request.send().await {
            Ok(response) => response,
            Err(error) if error.is_timeout() => return (Answer::Failed(Failure::TimedOut), 0, Value::Null),
            Err(_) => return (Answer::Failed(Failure::NotReached), 0, Value::Null),
        };
        let status = response.status().as_u16();
        match response.bytes().await {
            Ok(bytes) => {
                let answer = read_answer(status, &bytes, strict).unwrap_or_else(Answer::Failed);
                (answer, status, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
            }
            Err(error) if error.is_timeout() => (Answer::Failed(Failure::TimedOut), status, Value::Null),
            Err(_) => (Answer::Failed(Failure::NotReached), status, Value::Null),
        }
    }

    fn url(&self, path: &str, query: &str) -> String {
        let base = self.state().bridge_url.trim_end_matches('/').to_owned();
        format!("{base}/channels/{}/{path}?{query}", self.options().channel_id)
    }

    /// Loses or delays an answer that the bridge gave, with `left` of its time.
    async fn disturb(&self, spi: Spi, answer: Answer, left: Duration) -> Answer {
        let (lost, slow) = self.change(|state| {
            let lost = match state.faults.drop_answers.get_mut(&spi) {
                Some(count) if *count > 0 => {
                    *count -= 1;
                    true
                }
                _ => false,
            };
            (lost, state.faults.slow)
        });
        match slow {
            Some(Slow::JustInTime) => self.time().pass_really(left.saturating_sub(SLOW_BY)).await,
            Some(Slow::TooLate) => {
                self.time().pass_really(left + SLOW_BY).await;
                return Answer::Failed(Failure::TimedOut);
            }
            None => {}
        }
        if lost { Answer::Failed(Failure::TimedOut) } else { answer }
    }

    /// Sends any body to any call of the channel, correctly signed, once: status and body of the answer.
    pub async fn raw(&self, path: &str, body: &[u8]) -> Result<(u16, Vec<u8>), Failure> {
        let (query, headers) = self.signed(body, self.time().now_ms());
        self.post_raw(path, &query, &headers, body).await
    }

    /// The same with a signature that does not fit the body.
    pub async fn raw_tampered(&self, path: &str, body: &[u8]) -> Result<(u16, Vec<u8>), Failure> {
        let (query, headers) = self.signed(b"{\"another\":\"body\"}", self.time().now_ms());
        self.post_raw(path, &query, &headers, body).await
    }

    async fn post_raw(
        &self,
        path: &str,
        query: &str,
        headers: &[(String, String)],
        body: &[u8],
    ) -> Result<(u16, Vec<u8>), Failure> {
        let mut request =
            self.machine.client().post(self.url(path, query)).body(body.to_vec()).timeout(Duration::from_secs(10));
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let failed = |error: reqwest::Error| if error.is_timeout() { Failure::TimedOut } else { Failure::NotReached };
        let response = request.send().await.map_err(failed)?;
        let status = response.status().as_u16();
        Ok((status, response.bytes().await.map_err(failed)?.to_vec()))
    }
}

/// An answer in a few words for the journal.
fn in_words(spi: Spi, answer: &Answer) -> (Ending, String) {
    let (code, data) = match answer {
        Answer::Failed(failure) => return (Ending::Failed, failure.to_string()),
        Answer::Data { code, data } => (*code, data),
    };
    let description = data.get("description").and_then(Value::as_str).unwrap_or_default();
    if code == TRY_AGAIN {
        return (Ending::Failed, format!("code 100, call again: {description}"));
    }
    if code != 0 {
        return (Ending::Refused, format!("refused with code {code}: {description}"));
    }
    let confirm = |field: &str| data.get("confirm_info").and_then(|c| c.get(field)).and_then(Value::as_i64);
    let number = |field: &str| data.get(field).and_then(Value::as_i64);
    let (ending, words) = match spi {
        Spi::CreateOrder | Spi::PayNotify => match (confirm("confirm_mode"), confirm("confirm_result")) {
            (Some(2), _) => (Ending::Waiting, "stored, acceptance follows"),
            (_, Some(2)) => (Ending::Refused, "not accepted"),
            _ => (Ending::Done, "accepted"),
        },
        Spi::IssueVoucher | Spi::V2IssueVoucher => match number("result") {
            Some(1) => (Ending::Done, "tickets in the answer"),
            Some(0) => (Ending::Waiting, "tickets will follow"),
            _ => (Ending::Refused, "cannot be issued"),
        },
        Spi::RefundApply => match number("audit_refund_result") {
            Some(1) => (Ending::Done, "refund approved"),
            Some(2) => (Ending::Refused, "refund rejected"),
            _ => (Ending::Waiting, "decision will follow"),
        },
        Spi::QueryOrder => {
            let (used, total) = (number("used_voucher_quantity"), number("total_voucher_quantity"));
            return (Ending::Done, format!("{} of {} used", used.unwrap_or(-1), total.unwrap_or(-1)));
        }
        _ => (Ending::Done, "ok"),
    };
    (ending, words.to_owned())
}
