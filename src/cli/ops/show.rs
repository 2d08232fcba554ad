// SPDX-License-Identifier: Apache-2.0

//! Answers for people: lists as tables, one thing as lines of name and value.

use anstyle::{AnsiColor, Style};
use serde_json::Value;
use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

use super::fit::{Column, INDENT, Room, Shown, fit};
use crate::console::catalogue::{Language, Words};
use crate::console::foretold;

/// How an answer is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    Orders,
    Events,
    Calls,
    Refunds,
    Deliveries,
    Partners,
    Deadlines,
    Inbox,
    Bulks,
    Accounts,
    Invitations,
    Audit,
    NextSteps,
    Settings,
    One,
}

/// How an answer looks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Look {
    pub(super) room: Room,
    pub(super) paint: Paint,
    pub(super) words: Words,
}

/// Whether words are coloured by what they mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Paint {
    Plain,
    Coloured,
}

impl Paint {
    /// Colour on a terminal, unless `NO_COLOR` is set.
    pub(super) fn of_the_terminal() -> Self {
        match anstream::AutoStream::choice(&std::io::stdout()) {
            anstream::ColorChoice::Never => Paint::Plain,
            anstream::ColorChoice::Auto | anstream::ColorChoice::Always | anstream::ColorChoice::AlwaysAnsi => {
                Paint::Coloured
            }
        }
    }
    fn title(self) -> Style {
        if self == Paint::Coloured { Style::new().bold() } else { Style::new() }
    }
    /// Of a cell: what went wrong is red, what waits yellow, what went well green.
    fn cell(self, column: &str, cell: &str) -> Style {
        let colour = match (self, column, cell) {
            (Paint::Plain, ..) | (Paint::Coloured, _, "-") => None,
            (Paint::Coloured, "ATTENTION" | "LAST ERROR", _) => Some(AnsiColor::Red),
            (Paint::Coloured, "STATE" | "BOOKING" | "TICKETING" | "PAYMENT" | "VERDICT" | "BREAKER", word) => {
                meaning(word)
            }
            (Paint::Coloured, ..) => None,
        };
        colour.map_or_else(Style::new, |colour| colour.on_default())
    }
}

/// The colour of a word of the interface.
fn meaning(word: &str) -> Option<AnsiColor> {
    const WRONG: &[&str] = &[
        "dead",
        "failed",
        "unknown",
        "cancel_refused",
        "refund_failed",
        "refused",
        "malformed",
        "conflict",
        "unrouted",
        "open",
    ];
    const WAITS: &[&str] = &[
        "requested",
        "queued",
        "pending",
        "under_review",
        "refund_pending",
        "cancelling",
        "parked",
        "paused",
        "partial",
        "unpaid",
        "pending_approval",
        "half_open",
    ];
    const WELL: &[&str] = &[
        "completed",
        "confirmed",
        "used",
        "issued",
        "paid",
        "delivered",
        "settled",
        "accepted",
        "running",
        "active",
        "closed",
    ];
    let listed = [(WRONG, AnsiColor::Red), (WAITS, AnsiColor::Yellow), (WELL, AnsiColor::Green)];
    listed.into_iter().find(|(words, _)| words.contains(&word)).map(|(_, colour)| colour)
}

impl Shape {
    /// The columns; what may be wide or not Latin stands last.
    fn columns(self) -> &'static [Column] {
        match self {
            Shape::Orders => &[
                ("ID", "/id"),
                ("CHANNEL", "/channel"),
                ("NUMBER", "/channel_order_id"),
                ("STATE", "/state"),
                ("BOOKING", "/booking/state"),
                ("TICKETING", "/booking/ticketing/state"),
                ("PAYMENT", "/payment/state"),
                ("VISIT", "/booking/visit_date"),
                ("ATTENTION", "/attention/kind"),
                ("MORE", "/attention/more"),
                ("LABEL", "/label"),
            ],
            Shape::Events => &[
                ("SEQ", "/seq"),
                ("AT", "/at"),
                ("KIND", "/kind"),
                ("BY", "/actor/kind"),
                ("NAME", "/actor/name"),
                ("REASON", "/reason"),
            ],
            Shape::Calls => &[
                ("AT", "/at"),
                ("", "/direction"),
                ("PARTNER", "/partner"),
                ("CALL", "/call"),
                ("ATTEMPT", "/attempt"),
                ("STATUS", "/status"),
                ("MS", "/duration_ms"),
                ("VERDICT", "/verdict"),
                ("SUMMARY", "/summary"),
            ],
            Shape::Refunds => &[
                ("ID", "/id"),
                ("ORDER", "/order_id"),
                ("STATE", "/state"),
                ("SOURCE", "/source"),
                ("FEE", "/fee"),
                ("CURRENCY", "/currency"),
                ("REVIEW BY", "/review_by"),
                ("DECIDED BY", "/decided_by"),
                ("REASON", "/reason"),
            ],
            Shape::Deliveries => &[
                ("ID", "/id"),
                ("ORDER", "/order_id"),
                ("TO", "/destination"),
                ("CALL", "/call"),
                ("STATE", "/state"),
                ("ATTEMPTS", "/attempts"),
                ("NEXT", "/next_attempt_at"),
                ("LAST ERROR", "/last_error"),
            ],
            Shape::Partners => &[
                ("ID", "/id"),
                ("ADAPTER", "/adapter"),
                ("STATE", "/state"),
                ("BREAKER", "/breaker"),
                ("PENDING", "/pending"),
                ("IN FLIGHT", "/in_flight"),
                ("LAST OK", "/last_ok_at"),
                ("LAST ERROR", "/last_error"),
                ("CLOCK OFF", "/clock_off_s"),
            ],
            Shape::Deadlines => &[
                ("ORDER", "/order_id"),
                ("KIND", "/kind"),
                ("DUE", "/due_at"),
                ("LEFT S", "/time_left_s"),
                ("PASSED", "/passed"),
                ("WARNED", "/warned_at"),
            ],
            Shape::Inbox => &[
                ("ID", "/id"),
                ("AT", "/received_at"),
                ("CHANNEL", "/channel"),
                ("CALL", "/call"),
                ("VERDICT", "/verdict"),
                ("ORDER", "/order_id"),
                ("KEY", "/key"),
            ],
            Shape::Bulks => &[
                ("ID", "/id"),
                ("ACT", "/act"),
                ("STATE", "/state"),
                ("TOTAL", "/total"),
                ("CREATED", "/created_at"),
                ("DONE", "/done_at"),
            ],
            Shape::Accounts => &[
                ("ID", "/id"),
                ("EMAIL", "/email"),
                ("STATE", "/state"),
                ("ROLE", "/role"),
                ("SCOPE", "/scope/kind"),
                ("OF", "/scope/id"),
                ("AGENCY", "/agency_code"),
                ("NAME", "/name"),
            ],
            Shape::Invitations => &[
                ("ID", "/id"),
                ("EMAIL", "/email"),
                ("STATE", "/state"),
                ("ROLE", "/role"),
                ("SCOPE", "/scope/kind"),
                ("OF", "/scope/id"),
                ("EXPIRES", "/expires_at"),
                ("BY", "/invited_by"),
            ],
            Shape::Audit => &[
                ("AT", "/at"),
                ("BY", "/actor"),
                ("NAME", "/actor_name"),
                ("ACT", "/act"),
                ("ORDER", "/order_id"),
                ("REASON", "/detail/reason"),
            ],
            Shape::NextSteps | Shape::Settings | Shape::One => &[],
        }
    }

    /// The columns that are left out where there is no room, the first one first. An order is named by its channel and number as well as
    /// by its id.
    fn least(self) -> &'static [&'static str] {
        match self {
            Shape::Orders => &["MORE", "LABEL", "ID"],
            Shape::Calls => &["MS", "ATTEMPT"],
            Shape::Refunds => &["DECIDED BY", "SOURCE", "ORDER"],
            Shape::Deliveries => &["ATTEMPTS", "NEXT", "ORDER"],
            Shape::Partners => &["IN FLIGHT", "LAST OK"],
            Shape::Deadlines => &["WARNED", "PASSED"],
            Shape::Inbox | Shape::Audit => &["ORDER"],
            Shape::Bulks => &["DONE"],
            Shape::Accounts => &["AGENCY", "NAME"],
            Shape::Invitations => &["BY"],
            Shape::Events | Shape::NextSteps | Shape::Settings | Shape::One => &[],
        }
    }
}

/// An answer as text.
pub(super) fn text(shape: Shape, answer: &Value, look: Look) -> String {
    if shape == Shape::NextSteps {
        // What came from outside must not move the cursor of a terminal.
        return foretold::in_lines(&look.words, answer).chars().filter(|c| *c == '\n' || !c.is_control()).collect();
    }
    if shape == Shape::Settings {
        return settings(answer, look);
    }
    let Some(items) = answer.get("items").and_then(Value::as_array) else {
        let mut lines = Vec::new();
        pairs("", answer, &mut lines);
        // An order's rules fill a screen of their own: `--json` shows them.
        lines.retain(|(name, _)| !name.starts_with("rules."));
        let width = lines.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
        let said = |name: &str, value: &str| in_words(&look.words, shape, column_of(name), value);
        return lines.iter().map(|(name, value)| format!("{name:width$}  {}\n", said(name, value))).collect();
    };
    if items.is_empty() {
        return format!("{}\n", look.words.say("cli-none"));
    }
    // A history is read downwards, although its newest part comes first.
    let mut items = items.clone();
    if shape == Shape::Events {
        items.reverse();
    }
    let mut text = table(shape, &items, look);
    if let Some(cursor) = answer["next_cursor"].as_str() {
        text.push_str(&format!("{}: --cursor {cursor}\n", look.words.say("cli-more")));
    }
    text
}

/// A line for each setting, and below them what was changed.
fn settings(answer: &Value, look: Look) -> String {
    let list = |name: &str| answer[name].as_array().cloned().unwrap_or_default();
    let at = |it: &Value, name: &str| cell(it.get(name));
    let mut lines: Vec<String> = list("settings")
        .iter()
        .map(|it| format!("{}  {} = {}", at(it, "file"), at(it, "key"), at(it, "value")))
        .collect();
    lines.extend([String::new(), look.words.say_with("settings-changed", &[("version", cell(answer.get("version")))])]);
    let changed = list("changed");
    if changed.is_empty() {
        lines.push(format!("  {}", look.words.say("none")));
    }
    let shown =
        |it: &Value| format!("  {}  {}: {} → {}", at(it, "file"), at(it, "key"), at(it, "before"), at(it, "after"));
    lines.extend(changed.iter().map(shown));
    lines.join("\n") + "\n"
}

fn cell(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => "-".to_owned(),
        Some(Value::String(text)) if text.is_empty() => "-".to_owned(),
        // What came from outside must not move the cursor of a terminal.
        Some(Value::String(text)) => text.chars().filter(|c| !c.is_control()).collect(),
        Some(other) => other.to_string(),
    }
}

/// A column's title in a language.
fn title(words: &Words, title: &str) -> String {
    if title.is_empty() { String::new() } else { words.say(&title_key(title)) }
}

fn title_key(title: &str) -> String {
    format!("col-{}", title.to_ascii_lowercase().replace(' ', "-"))
}

/// A word of the interface in the language of whoever reads it. In English the words are those that commands, filters and `--json` take.
fn in_words(words: &Words, shape: Shape, column: &str, word: &str) -> String {
    if words.language() == Language::En {
        return word.to_owned();
    }
    match (column, shape) {
        ("STATE" | "BOOKING" | "TICKETING" | "PAYMENT" | "BREAKER" | "SOURCE" | "ROLE" | "SCOPE" | "BY", _) => {
            words.word(word)
        }
        ("ATTENTION", _) => words.attention(word),
        ("VERDICT", _) => words.verdict(word),
        ("CALL", _) => words.call(word),
        ("REASON", _) => words.reason(word),
        ("KIND", Shape::Events) => words.event(word),
        ("KIND", _) => words.word(word),
        ("ACT", Shape::Audit) => words.audited(word),
        ("ACT", _) => words.act(word),
        _ => word.to_owned(),
    }
}

/// The column under which a leaf of one thing would stand.
fn column_of(name: &str) -> &'static str {
    match name.rsplit_once('.').unwrap_or(("", name)) {
        (_, "state" | "role" | "source" | "breaker") => "STATE",
        (above, "kind") if above.starts_with("attention") => "ATTENTION",
        (_, "verdict") => "VERDICT",
        (_, "reason") => "REASON",
        _ => "",
    }
}

/// A cell as the interface says it, by which it is coloured, and as it is shown.
type Cell = (String, String);

fn table(shape: Shape, items: &[Value], look: Look) -> String {
    let columns = shape.columns();
    let titles = columns.iter().map(|(name, _)| (String::new(), title(&look.words, name))).collect();
    let cell_of = |item: &Value, (name, at): &Column| {
        let whole = cell(item.pointer(at));
        let shown = in_words(&look.words, shape, name, &whole);
        (whole, shown)
    };
    let rows = items.iter().map(|item| columns.iter().map(|column| cell_of(item, column)).collect());
    let rows: Vec<Vec<Cell>> = std::iter::once(titles).chain(rows).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].1.width()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns.len()).map(width).collect();
    let lines = fit(columns, &widths, shape.least(), look.room);
    let mut text = String::new();
    for (number, row) in rows.iter().enumerate() {
        for (at, line) in lines.iter().enumerate() {
            let indent = if at == 0 { 0 } else { INDENT };
            let said = line_of(line, row, |name| if number == 0 { None } else { Some(name) }, columns, look.paint);
            text.push_str(&format!("{}{said}\n", " ".repeat(indent)));
        }
        if let Some(item) = number.checked_sub(1).and_then(|at| items.get(at)) {
            text.push_str(&texts_of(shape, item, &look.words));
        }
    }
    let is_shown = |column: usize| lines.iter().flatten().any(|it| it.column == column);
    let left_out: Vec<String> =
        (0..columns.len()).filter(|at| !is_shown(*at)).map(|at| title(&look.words, columns[at].0)).collect();
    if !left_out.is_empty() {
        text.push_str(&look.words.say_with("cli-left-out", &[("columns", left_out.join(", "))]));
        text.push('\n');
    }
    text
}

/// One line of a row; a row of titles has no columns by which its cells are coloured.
fn line_of<'c>(
    line: &[Shown],
    row: &[Cell],
    coloured_by: impl Fn(&'c str) -> Option<&'c str>,
    columns: &'c [Column],
    paint: Paint,
) -> String {
    let cells = line.iter().enumerate().map(|(index, it)| {
        let (whole, shown) = &row[it.column];
        let shown = cut(shown, it.width);
        // Nothing follows the last one.
        let gap = if index + 1 == line.len() { 0 } else { it.width.saturating_sub(shown.width()) };
        let style = coloured_by(columns[it.column].0).map_or_else(|| paint.title(), |name| paint.cell(name, whole));
        format!("{style}{shown}{style:#}{}", " ".repeat(gap))
    });
    cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
}

/// What was asked and answered in a call, below its line.
fn texts_of(shape: Shape, item: &Value, words: &Words) -> String {
    let said = &item["said"];
    if shape != Shape::Calls || said.is_null() {
        return String::new();
    }
    let whole = |value: &Value| match value {
        Value::Null => "-".to_owned(),
        // What came from outside must not move the cursor of a terminal; JSON writes such signs as letters.
        Value::String(plain) => plain.chars().filter(|c| *c == '\n' || !c.is_control()).collect(),
        other => format!("{other:#}"),
    };
    let parts = [("message-asked", "asked"), ("message-answered", "answered")];
    let parts = parts.map(|(key, part)| format!("{}:\n{}", words.say(key), whole(&said[part])));
    let to = said["to"].as_str().map(|to| format!("{}\n", cell(Some(&Value::from(to))))).unwrap_or_default();
    let text = format!("{to}{}", parts.join("\n"));
    text.lines().map(|line| format!("    {line}\n")).collect()
}

/// Cut to so many columns of a terminal; Chinese and Korean characters take two.
fn cut(cell: &str, width: usize) -> String {
    if cell.width() <= width {
        return cell.to_owned();
    }
    let mut taken = 0;
    let fits = |c: &char| {
        taken += c.width().unwrap_or(0);
        taken < width
    };
    cell.chars().take_while(fits).chain(['…']).collect()
}

/// The leaves of a value by their dotted names; what is not there is left out.
fn pairs(path: &str, value: &Value, into: &mut Vec<(String, String)>) {
    let join = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    match value {
        Value::Null => {}
        Value::Object(fields) => fields.iter().for_each(|(name, value)| pairs(&join(name), value, into)),
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(index, value)| pairs(&join(&(index + 1).to_string()), value, into));
        }
        leaf => into.push((path.to_owned(), cell(Some(leaf)))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn look(room: Room) -> Look {
        Look { room, paint: Paint::Plain, words: Words::of(Language::En) }
    }

    #[test]
    fn every_title_has_its_word_in_every_language() {
        let shapes = [
            Shape::Orders,
            Shape::Events,
            Shape::Calls,
            Shape::Refunds,
            Shape::Deliveries,
            Shape::Partners,
            Shape::Deadlines,
            Shape::Inbox,
            Shape::Accounts,
            Shape::Invitations,
            Shape::Audit,
        ];
        for (name, _) in shapes.into_iter().flat_map(Shape::columns).filter(|(name, _)| !name.is_empty()) {
            assert_eq!(title(&Words::of(Language::En), name), *name);
            for language in Language::ALL {
                assert_ne!(title(&Words::of(language), name), title_key(name), "{language:?}");
            }
        }
    }

    #[test]
    fn a_coloured_table_is_the_plain_one_with_colours() {
        let page = json!({ "items": [{ "id": "dlv_1", "state": "dead", "last_error": "早到了" }, { "id": "dlv_22", "state": "delivered" }] });
        let plain = text(Shape::Deliveries, &page, look(Room::Any));
        let coloured = text(Shape::Deliveries, &page, Look { paint: Paint::Coloured, ..look(Room::Any) });
        assert!(coloured.contains("\u{1b}[31mdead") && coloured.contains("\u{1b}[32mdelivered"), "{coloured:?}");
        assert_eq!(
            anstream::adapter::strip_str(&coloured).to_string().replace(" \n", "\n"),
            plain.replace(" \n", "\n")
        );
        let narrow = text(Shape::Deliveries, &page, look(Room::Columns(60)));
        assert!(narrow.lines().all(|line| line.width() <= 60), "{narrow}");
        let korean = text(Shape::Deliveries, &page, Look { words: Words::of(Language::Ko), ..look(Room::Any) });
        assert!(korean.starts_with("ID") && korean.contains("상태"), "{korean}");
    }

    #[test]
    fn an_id_is_whole_or_not_there_on_every_terminal() {
        let id = |kind: &str, at: usize| format!("{kind}_{:032x}", 0x01a2_2b43_a7f0_u64 + at as u64);
        let error = "the partner answers 500, and what it says is longer than any terminal is wide ".repeat(2);
        let delivery = |at| {
            json!({ "id": id("dlv", at), "order_id": id("ord", at), "destination": "channel:kakao-jeju",
            "call": "booking_confirmed", "state": "dead", "attempts": 12, "last_error": error })
        };
        let deliveries = json!({ "items": (0..4).map(delivery).collect::<Vec<_>>() });
        let order = |at| {
            json!({ "id": id("ord", at), "channel": "kakao-jeju", "channel_order_id": format!("B-{at}"),
            "state": "awaiting_booking", "booking": { "state": "requested", "visit_date": "2027-03-01",
            "ticketing": { "state": "cancel_refused" } }, "payment": { "state": "partially_refunded" },
            "attention": { "kind": "waits_for_confirmation", "more": 2 }, "label": "预约待确认" })
        };
        let orders = json!({ "items": (0..4).map(order).collect::<Vec<_>>() });
        for most in [60, 80, 100, 120, 173, 200] {
            let said = text(Shape::Deliveries, &deliveries, look(Room::Columns(most)));
            assert!((0..4).all(|at| said.contains(&id("dlv", at))), "{most}: {said}");
            assert!(said.lines().all(|line| line.width() <= most), "{most}: {said}");
            let said = text(Shape::Orders, &orders, look(Room::Columns(most)));
            assert!((0..4).all(|at| said.contains(&id("ord", at)) || said.contains(&format!("B-{at}"))), "{said}");
            for whole in ["waits_for_confirmation", "awaiting_booking", "2027-03-01", "cancel_refused"] {
                assert_eq!(said.matches(whole).count(), 4, "{most} {whole}: {said}");
            }
            assert!(said.lines().all(|line| line.width() <= most), "{most}: {said}");
        }
        assert!(!text(Shape::Orders, &orders, look(Room::Columns(80))).contains("ord_"), "its number is there");
        let left_out = text(Shape::Orders, &orders, look(Room::Columns(80)));
        assert!(left_out.ends_with("left out for want of room: ID, MORE, LABEL (--wide)\n"), "{left_out}");
    }

    #[test]
    fn what_was_asked_and_answered_stands_below_its_call() {
        let call = json!({ "at": "2026-11-21T10:00:00+08:00", "direction": "out", "partner": "gate", "call": "issue", "attempt": 1,
            "status": 201, "duration_ms": 3, "verdict": "done", "summary": "issued",
            "said": { "to": "POST https://gate.example/r", "asked": { "product": "P" }, "answered": "plain\u{1b}\ntext" } });
        let said = text(Shape::Calls, &json!({ "items": [call] }), look(Room::Any));
        let below = "    POST https://gate.example/r\n    What was said:\n    {\n      \"product\": \"P\"\n    }\n    \
                     What was answered:\n    plain\n    text\n";
        assert!(said.ends_with(below), "{said}");
    }

    #[test]
    fn words_of_the_interface_are_in_the_language_and_commands_words_in_english() {
        let page = json!({ "items": [{ "id": "ord_1", "state": "booked", "booking": { "state": "requested" },
            "payment": "paid", "attention": { "kind": "waits_for_confirmation" } }] });
        let english = text(Shape::Orders, &page, look(Room::Any));
        assert!(english.contains("booked") && english.contains("waits_for_confirmation"), "{english}");
        for language in [Language::Zh, Language::Ko] {
            let words = Words::of(language);
            let said = text(Shape::Orders, &page, Look { words, ..look(Room::Any) });
            for (word, expected) in [("requested", words.word("requested")), ("booked", words.word("booked"))] {
                assert!(said.contains(&expected) && !said.contains(word), "{language:?}: {said}");
            }
            assert!(said.contains(&words.attention("waits_for_confirmation")), "{said}");
            let one = text(Shape::One, &json!({ "payment": { "state": "paid" } }), Look { words, ..look(Room::Any) });
            assert_eq!(one, format!("payment.state  {}\n", words.word("paid")));
        }
    }

    #[test]
    fn lists_are_tables_and_one_thing_is_lines() {
        let page = json!({ "items": [
            { "seq": 12, "at": "2026-11-21T10:00:00+08:00", "kind": "redeemed", "actor": { "kind": "ops", "name": "ada" }, "reason": "a\u{1b}b" },
            { "seq": 11, "at": "2026-11-21T10:00:00+08:00", "kind": "order_placed", "actor": { "kind": "channel", "name": "d" }, "reason": null },
        ], "next_cursor": "11" });
        assert_eq!(
            text(Shape::Events, &page, look(Room::Any)),
            "SEQ  AT                         KIND          BY       NAME  REASON\n\
             11   2026-11-21T10:00:00+08:00  order_placed  channel  d     -\n\
             12   2026-11-21T10:00:00+08:00  redeemed      ops      ada   ab\n\
             there are more: --cursor 11\n"
        );
        assert_eq!(text(Shape::Events, &json!({ "items": [], "next_cursor": null }), look(Room::Any)), "none\n");
        let one = json!({ "id": "ord_1", "booking": null, "buyer": { "phone": "138****0001" }, "list": [{ "a": 1 }] });
        let narrow = text(Shape::Events, &page, look(Room::Columns(50)));
        assert!(narrow.lines().all(|line| line.chars().count() <= 50), "{narrow}");
        assert!(narrow.contains("\n12   2026-11-21T10:00:00+08:00  redeemed\n  ops      ada   ab\n"), "{narrow}");
        assert_eq!(
            text(Shape::One, &one, look(Room::Any)),
            "id           ord_1\nbuyer.phone  138****0001\nlist.1.a     1\n"
        );
    }
}
