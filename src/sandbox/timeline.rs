// SPDX-License-Identifier: Apache-2.0

//! A journal as a timeline that a newcomer understands: who calls whom, in plain words, and what it changed.

use serde_json::Value;
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

use super::journal::{Ending, Entry, Journal, Party};
use super::ops::Ops;
use super::stories::{Channel, Stage, Story, Verdict, play, text_at};
use super::time::SimTime;

/// Columns of a line, at most.
const COLUMNS: usize = 120;
/// Columns of what happens, with the wire's name: the longest of them fits, since none is cut.
const WHAT_COLUMNS: usize = 54;
/// Columns of the result; a longer one stands below.
const RESULT_COLUMNS: usize = 25;
/// Columns before what an order shows.
const INDENT: &str = "                                ";

/// What a call says, in words that need no manual.
fn plain(call: &str) -> &str {
    match call {
        "can-buy" => "may this be bought?",
        "create-order" | "v2-create-order" => "here is an order",
        "pay-notify" => "it has been paid",
        "issue-voucher" | "v2-issue-voucher" => "tickets, please",
        "cancel-notify" => "it is cancelled",
        "refund-apply" => "may the money go back?",
        "refund-notify" => "the money went back",
        "info-sync" => "decided without you",
        "query-order" => "how does it stand?",
        "pull-calendar" => "prices and stock, please",
        "/oauth/client_token/" | "/oauth/stable_client_token/" => "a token, please",
        "/goodlife/v1/trip/order/confirm/" => "the booking is accepted or not",
        "/goodlife/v1/fulfilment/create/callback/" => "here are the tickets",
        "/goodlife/v1/trip/scenic/groupon/certificate/callback/" => "here are the tickets",
        "/goodlife/v1/trip/refund/audit/" => "our decision on the refund",
        "/goodlife/v1/trip/certificate/verify/" => "the guest went in",
        "/goodlife/v1/open/common_biz/crypto/decrypt/batch/" => "what do these say?",
        "/goodlife/v1/trade/order/query/" => "how do you see this order?",
        "reserve" => "please issue tickets",
        "read" => "what became of it?",
        "cancel" => "please void the tickets",
        "availability" => "is enough left?",
        "reservation.issued" => "the tickets are made",
        "reservation.refused" => "there will be no tickets",
        "reservation.cancelled" => "the tickets are void",
        "reservation.cancel_refused" => "the tickets stay",
        "ticket.redeemed" => "a guest went in at the gate",
        "reservation.requested" => "a request to book",
        "reservation.confirmed" => "it is accepted",
        "reservation.rejected" => "it is rejected",
        "reservation.canceled" => "it is cancelled",
        "reservation.used" => "the guest was there",
        "reservation.no_show" => "the guest was not there",
        "product.status_changed" => "the product is sold, or not",
        "payment.canceled" => "money went back",
        "payment.refund_updated" => "news of a refund",
        "reservations/confirm" => "yes, accept it",
        "reservations/reject" => "no, reject it",
        "reservations/cancel-quote" => "what does its end cost?",
        "reservations/cancel" => "please cancel it",
        "reservations/use" => "the guest was there",
        "reservations/no-show" => "the guest was not there",
        "reservations/read" => "how do you see it?",
        "booking.received" => "a request to book",
        "booking.completed" => "it is completed",
        "booking.cancel_requested" => "the guest wants out",
        "booking.cancel_withdrawn" => "the guest comes after all",
        "booking.canceled" => "it is cancelled",
        "booking.departed" => "they have departed",
        "booking.agency_no_changed" => "another number",
        "payment.recorded" => "money came in",
        "payment_link.updated" => "news of a link",
        "bookings/complete" => "yes, complete it",
        "bookings/cancel" => "please cancel it",
        "bookings/read" => "how do you see it?",
        "bookings/enter" => "a booking for your books",
        "bookings/change" => "a booking has changed",
        "payment-links/send" => "send a payment link",
        "payment-links/revoke" => "take the link back",
        "payments/cancel" => "return this payment",
        "octo/product" => "what do you sell?",
        "octo/availability" => "is enough left?",
        "octo/reserve" => "please hold places",
        "octo/extend" => "please hold them longer",
        "octo/confirm" => "please sell them to us",
        "octo/read" | "octo/list" => "what became of it?",
        "octo/cancel" => "please cancel it",
        "octo/push" => "something has changed",
        other => other,
    }
}

/// The wire's name; of a long path, its end.
fn short_name(call: &str) -> &str {
    let path = call.trim_matches('/');
    match path.rmatch_indices('/').nth(1) {
        Some((at, _)) if call.starts_with('/') => &path[at + 1..],
        _ => path,
    }
}

/// Columns that a text takes on a screen: Chinese and Korean characters take two.
fn columns(text: &str) -> usize {
    text.chars().map(|c| if c >= '\u{1100}' && !matches!(c, '\u{2000}'..='\u{2BFF}') { 2 } else { 1 }).sum()
}

fn padded(text: &str, to: usize) -> String {
    text.to_owned() + &" ".repeat(to.saturating_sub(columns(text)))
}

/// Breaks a text between words, so that each line takes `most` columns at most; a word that is longer is broken, too.
fn broken(text: &str, most: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let line = lines.last().map_or(0, |line| columns(line));
        if line > 0 && line + 1 + columns(word) > most {
            lines.push(String::new());
        }
        let Some(last) = lines.last_mut() else { continue };
        if !last.is_empty() {
            last.push(' ');
        }
        for c in word.chars() {
            if lines.last().is_some_and(|last| columns(last) + columns(c.encode_utf8(&mut [0; 4])) > most) {
                lines.push(String::new());
            }
            if let Some(last) = lines.last_mut() {
                last.push(c);
            }
        }
    }
    lines
}

fn clock(at: Duration) -> String {
    let tenths = at.as_millis() / 100;
    format!("{:>3}:{:02}.{}", tenths / 600, tenths / 10 % 60, tenths % 10)
}

/// When an entry was over: calls are told when they have been answered, in that order.
fn over(entry: &Entry) -> Duration {
    entry.at + entry.took
}

/// One entry, answered at `at`: one line, and what does not fit below it; the wire's name is dimmed when `colour`.
pub fn lines(entry: &Entry, at: Duration, colour: bool) -> Vec<String> {
    let clock = clock(at);
    if entry.ending == Ending::Note {
        let told = broken(&format!("{} {}", who(entry.from), entry.outcome), COLUMNS - columns(&clock) - 2);
        let first = format!("{clock}  ");
        return told
            .into_iter()
            .enumerate()
            .map(|(index, line)| if index == 0 { format!("{first}{line}") } else { format!("{:>9}{line}", "") })
            .collect();
    }
    let direction = format!("{} → {}", padded(&entry.from.to_string(), 8), padded(&entry.to.to_string(), 8));
    let again = if entry.attempt > 1 { format!(" (try {})", entry.attempt) } else { String::new() };
    let words = format!("{}{again}", plain(&entry.call));
    let name = short_name(&entry.call);
    // What a long name takes of the line is taken from the words beside it.
    let what = columns(&words) + columns(name) + 3;
    let spaces = " ".repeat(WHAT_COLUMNS.saturating_sub(what));
    let room = RESULT_COLUMNS.saturating_sub(what.saturating_sub(WHAT_COLUMNS));
    let name = if colour { format!("\u{1b}[2m[{name}]\u{1b}[0m") } else { format!("[{name}]") };
    let fits = columns(&entry.outcome) <= room;
    let result = padded(if fits { &entry.outcome } else { "see below" }, room);
    let took = format!("{:>6} ms", entry.took.as_millis());
    let mut lines = vec![format!("{clock}  {direction} {words} {name}{spaces} {result} {took}")];
    if !fits {
        lines.extend(broken(&entry.outcome, COLUMNS - INDENT.len()).into_iter().map(|line| format!("{INDENT}{line}")));
    }
    lines
}

fn who(party: Party) -> &'static str {
    match party {
        Party::Guest => "the guest",
        Party::Ops => "a member of the staff",
        Party::Douyin => "Douyin",
        Party::Kakao => "Kakao",
        Party::Market => "the marketplace",
        Party::Agency => "the agency",
        Party::Backend => "the back-end",
        Party::Supplier => "the supplier",
        Party::Bridge => "the bridge",
    }
}

/// What an order shows of itself, axis by axis.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Axes {
    values: BTreeMap<&'static str, String>,
    deadline_ms: Option<i64>,
}

impl Axes {
    /// Reads an order of the ops interface.
    pub fn of(order: &Value) -> Self {
        const FIELDS: [(&str, &str); 6] = [
            ("order", "state"),
            ("booking", "booking.state"),
            ("tickets", "booking.ticketing.state"),
            ("payment", "payment.state"),
            ("refund", "refund_case.state"),
            ("attention", "attention.kind"),
        ];
        let shown = FIELDS.into_iter().map(|(axis, field)| (axis, text_at(order, field).to_owned()));
        // Where the channel tells whole orders, its own people's name for the state follows from all the others.
        let is_told_whole = order.get("channel_view").is_some_and(Value::is_object);
        let label = is_told_whole.then(|| ("label", text_at(order, "label").to_owned()));
        let values = shown.chain(label).collect();
        let waits = !matches!(text_at(order, "booking.ticketing.state"), "issued" | "cancelled" | "not_needed" | "");
        let deadline = chrono::DateTime::parse_from_rfc3339(text_at(order, "booking.ticketing.deadline")).ok();
        Self { values, deadline_ms: deadline.filter(|_| waits).map(|t| t.timestamp_millis()) }
    }

    /// What changed since `before`, as one line without its indent; `None` when nothing did.
    pub fn changes_since(&self, before: &Axes, now_ms: i64) -> Option<String> {
        let shown = |text: &str| if text.is_empty() { "–".to_owned() } else { text.to_owned() };
        let mut parts: Vec<String> = Vec::new();
        for (axis, now) in &self.values {
            let was = before.values.get(axis).map(String::as_str).unwrap_or_default();
            if was != now {
                parts.push(format!("{axis} {} → {}", shown(was), shown(now)));
            }
        }
        if parts.is_empty() {
            return None;
        }
        if let Some(deadline_ms) = self.deadline_ms {
            parts.push(countdown(deadline_ms - now_ms));
        }
        Some(parts.join(" · "))
    }
}

fn countdown(left_ms: i64) -> String {
    let seconds = left_ms.abs() / 1_000;
    let clock = format!("{}:{:02}", seconds / 60, seconds % 60);
    if left_ms >= 0 { format!("{clock} left for the tickets") } else { format!("tickets are {clock} late") }
}

/// Breaks a joined line at its separators so that no line is too wide.
fn wrapped(text: &str) -> Vec<String> {
    let room = COLUMNS - INDENT.len();
    let mut lines: Vec<String> = Vec::new();
    for part in text.split(" · ") {
        match lines.last_mut() {
            Some(line) if columns(line) + columns(part) + 3 <= room => *line = format!("{line} · {part}"),
            _ => lines.extend(broken(part, room)),
        }
    }
    lines
}

/// Follows a journal and prints it.
#[derive(Debug)]
pub struct Timeline {
    journal: Journal,
    ops: Option<Ops>,
    channel_id: String,
    time: SimTime,
    colour: bool,
    printed: usize,
    /// When what was printed last was over.
    at: Duration,
    seen: BTreeMap<String, Axes>,
    sale: Option<String>,
}

impl Timeline {
    /// For a journal; with `ops`, what changed in the bridge's order is printed below each step. `colour` only when the
    /// output is a terminal.
    pub fn new(journal: Journal, ops: Option<Ops>, channel_id: &str, time: SimTime, colour: bool) -> Self {
        let channel_id = channel_id.to_owned();
        Self {
            journal,
            ops,
            channel_id,
            time,
            colour,
            printed: 0,
            at: Duration::ZERO,
            seen: BTreeMap::new(),
            sale: None,
        }
    }

    /// The same, for what crosses the wire from now on.
    pub fn beginning_now(journal: Journal, ops: Option<Ops>, channel_id: &str, time: SimTime, colour: bool) -> Self {
        let printed = journal.entries().len();
        Self { printed, ..Self::new(journal, ops, channel_id, time, colour) }
    }

    /// Prints what is new, and waits for more until `stop`; what came until then is printed still.
    pub async fn follow(&mut self, out: &mut (impl Write + Send), stop: CancellationToken) -> io::Result<()> {
        let mut grows = self.journal.follow();
        loop {
            grows.borrow_and_update();
            self.print_new(out).await?;
            tokio::select! {
                () = stop.cancelled() => return self.print_new(out).await,
                grown = grows.changed() => if grown.is_err() { return Ok(()) },
            }
        }
    }

    /// Prints the entries that were not printed yet.
    pub async fn print_new(&mut self, out: &mut (impl Write + Send)) -> io::Result<()> {
        for entry in self.journal.since(self.printed) {
            self.printed += 1;
            // Two that end at once may be noted in either order; time goes on.
            self.at = self.at.max(over(&entry));
            for line in lines(&entry, self.at, self.colour) {
                writeln!(out, "{line}")?;
            }
            // What goes on at the back-end belongs to the sale that was spoken of last.
            if let Some(sale) = &entry.sale {
                self.sale = Some(sale.clone());
            }
            if let Some(changes) = self.changes().await {
                for line in wrapped(&changes) {
                    writeln!(out, "{INDENT}{line}")?;
                }
            }
        }
        out.flush()
    }

    async fn changes(&mut self) -> Option<String> {
        let sale = self.sale.clone()?;
        // A bridge that does not answer shows no change; the calls themselves are in the journal.
        let order = self.ops.as_ref()?.order(&self.channel_id, &sale).await.ok()??;
        let now = Axes::of(&order);
        let before = self.seen.insert(sale, now.clone()).unwrap_or_default();
        now.changes_since(&before, self.time.now_ms())
    }
}

/// Plays a story and prints its timeline as it goes.
///
/// # Errors
/// When the timeline cannot be printed.
pub async fn play_aloud<C: Channel>(
    story: &Story<C>,
    stage: &Stage<C>,
    colour: bool,
    out: &mut (impl Write + Send),
) -> io::Result<Verdict> {
    let (journal, time) = (stage.channel.journal().clone(), stage.channel.time().clone());
    let ops = Some(stage.ops.clone());
    let mut timeline = Timeline::beginning_now(journal, ops, stage.channel.id(), time, colour);
    let told = CancellationToken::new();
    let playing = async {
        let verdict = play(story, stage).await;
        told.cancel();
        verdict
    };
    let (verdict, printed) = tokio::join!(playing, timeline.follow(out, told.clone()));
    printed?;
    Ok(verdict)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn entry(call: &str, attempt: u32, outcome: &str) -> Entry {
        Entry {
            at: Duration::from_millis(61_240),
            from: Party::Douyin,
            to: Party::Bridge,
            call: call.to_owned(),
            sale: None,
            attempt,
            ending: Ending::Done,
            outcome: outcome.to_owned(),
            took: Duration::from_millis(12),
        }
    }

    fn told(entry: &Entry) -> Vec<String> {
        lines(entry, over(entry), false)
    }

    #[test]
    fn a_call_is_one_line_in_plain_words_and_told_when_it_was_answered() {
        let mut slow = entry("issue-voucher", 2, "tickets will follow");
        slow.took = Duration::from_millis(2_766);
        let text = "  1:04.0  Douyin   → bridge   tickets, please (try 2) [issue-voucher]                tickets will follow         2766 ms";
        assert_eq!(told(&slow), [text]);
    }

    #[test]
    fn no_call_of_any_partner_is_shown_cut() {
        let calls = [
            "/goodlife/v1/trip/scenic/groupon/certificate/callback/",
            "/goodlife/v1/open/common_biz/crypto/decrypt/batch/",
            "/goodlife/v1/trip/order/confirm/",
            "ticket.redeemed",
            "reservation.cancel_refused",
            "booking.cancel_withdrawn",
            "booking.agency_no_changed",
            "reservations/cancel-quote",
            "payment.refund_updated",
            "/oauth/stable_client_token/",
        ];
        for call in calls {
            // A result that has no room beside a long name stands below.
            let shown = told(&entry(call, 2, "kept until it applies"));
            let text = &shown[0];
            let (_, after) = text.split_once(short_name(call)).unwrap();
            assert!(after.starts_with(']') && columns(text) <= COLUMNS, "{} columns: {text}", columns(text));
        }
    }

    #[test]
    fn no_line_is_wider_than_a_screen_and_nothing_is_left_out() {
        let longest = "/goodlife/v1/trip/scenic/groupon/certificate/callback/";
        for words in ["refused with code 999999: 这是一个非常非常非常非常非常长的说明文字", "x".repeat(200).as_str()]
        {
            let mut note = entry("", 1, words);
            note.ending = Ending::Note;
            for entry in [entry(longest, 12, words), note] {
                let shown = told(&entry);
                assert!(shown.iter().all(|line| columns(line) <= COLUMNS), "{shown:?}");
                let joined: String = shown.iter().map(|line| line.trim()).collect::<Vec<_>>().concat().replace(' ', "");
                assert!(joined.contains(&words.replace(' ', "")), "{joined}");
            }
        }
        let wide = ["payment refund_pending → partially_refunded"; 6].join(" · ");
        assert!(wrapped(&wide).iter().all(|l| columns(l) + INDENT.len() <= COLUMNS));
    }

    #[test]
    fn the_wires_name_is_dim_only_on_a_terminal() {
        let one = entry("can-buy", 1, "ok");
        assert!(lines(&one, over(&one), true)[0].contains("\u{1b}[2m[can-buy]\u{1b}[0m"));
        assert!(!told(&one)[0].contains('\u{1b}'));
    }

    #[test]
    fn changes_name_the_axis_and_count_the_deadline_down() {
        let order = json!({"state": "booked", "payment": {"state": "paid"}, "refund_case": null, "attention": null,
            "booking": {"state": "confirmed", "ticketing": {"state": "requested",
                "deadline": "2026-11-21T10:10:00+08:00"}}});
        let before = Axes::of(&json!({"state": "awaiting_booking", "payment": {"state": "paid"}}));
        let now_ms = chrono::DateTime::parse_from_rfc3339("2026-11-21T10:00:12+08:00").unwrap().timestamp_millis();
        let now = Axes::of(&order);
        let text = now.changes_since(&before, now_ms).unwrap();
        assert_eq!(
            text,
            "booking – → confirmed · order awaiting_booking → booked · tickets – → requested · 9:48 left for the tickets"
        );
        assert_eq!(now.changes_since(&now, now_ms), None);
        assert_eq!(countdown(-61_000), "tickets are 1:01 late");
    }
}
