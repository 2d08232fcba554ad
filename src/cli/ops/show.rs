//! Answers for people: lists as tables, one thing as lines of name and value.

use serde_json::Value;

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
    One,
}

/// How wide a table may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Room {
    /// As wide as it is.
    Any,
    /// So many characters; what is longer is cut.
    Columns(usize),
}

impl Room {
    /// That of the terminal on standard output; any, where it is none.
    pub(super) fn of_the_terminal() -> Self {
        #[cfg(unix)]
        if let Ok(size) = rustix::termios::tcgetwinsize(std::io::stdout())
            && size.ws_col > 0
        {
            return Room::Columns(usize::from(size.ws_col));
        }
        Room::Any
    }
}

/// A column: its title, and the place of its value.
type Column = (&'static str, &'static str);

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
            Shape::One => &[],
        }
    }
}

/// An answer as text.
pub(super) fn text(shape: Shape, answer: &Value, room: Room) -> String {
    let Some(items) = answer.get("items").and_then(Value::as_array) else {
        let mut lines = Vec::new();
        pairs("", answer, &mut lines);
        // An order's rules fill a screen of their own: `--json` shows them.
        lines.retain(|(name, _)| !name.starts_with("rules."));
        let width = lines.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
        return lines.iter().map(|(name, value)| format!("{name:width$}  {value}\n")).collect();
    };
    if items.is_empty() {
        return "none\n".to_owned();
    }
    // A history is read downwards, although its newest part comes first.
    let mut items = items.clone();
    if shape == Shape::Events {
        items.reverse();
    }
    let mut text = table(shape.columns(), &items, room);
    if let Some(cursor) = answer["next_cursor"].as_str() {
        text.push_str(&format!("there are more: --cursor {cursor}\n"));
    }
    text
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

fn table(columns: &[Column], items: &[Value], room: Room) -> String {
    let titles = columns.iter().map(|(title, _)| (*title).to_owned()).collect();
    let rows: Vec<Vec<String>> =
        items.iter().map(|item| columns.iter().map(|(_, at)| cell(item.pointer(at))).collect()).collect();
    let rows: Vec<Vec<String>> = std::iter::once(titles).chain(rows).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths = fitted((0..columns.len()).map(width).collect(), room);
    let line = |row: &Vec<String>| {
        let cells: Vec<String> =
            row.iter().zip(&widths).map(|(cell, width)| format!("{:width$}", cut(cell, *width))).collect();
        format!("{}\n", cells.join("  ").trim_end())
    };
    rows.iter().map(line).collect()
}

/// The widths at which the columns fit: the widest ones give way first.
fn fitted(mut widths: Vec<usize>, room: Room) -> Vec<usize> {
    let Room::Columns(columns) = room else { return widths };
    let gaps = 2 * widths.len().saturating_sub(1);
    while widths.iter().sum::<usize>() + gaps > columns {
        let Some(widest) = widths.iter_mut().max().filter(|widest| **widest > WIDTH_MIN) else { break };
        *widest -= 1;
    }
    widths
}

/// Columns are not made narrower than this.
const WIDTH_MIN: usize = 6;

fn cut(cell: &str, width: usize) -> String {
    if cell.chars().count() <= width {
        return cell.to_owned();
    }
    cell.chars().take(width.saturating_sub(1)).chain(['…']).collect()
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

    #[test]
    fn lists_are_tables_and_one_thing_is_lines() {
        let page = json!({ "items": [
            { "seq": 12, "at": "2026-11-21T10:00:00+08:00", "kind": "redeemed", "actor": { "kind": "ops", "name": "ada" }, "reason": "a\u{1b}b" },
            { "seq": 11, "at": "2026-11-21T10:00:00+08:00", "kind": "order_placed", "actor": { "kind": "channel", "name": "d" }, "reason": null },
        ], "next_cursor": "11" });
        assert_eq!(
            text(Shape::Events, &page, Room::Any),
            "SEQ  AT                         KIND          BY       NAME  REASON\n\
             11   2026-11-21T10:00:00+08:00  order_placed  channel  d     -\n\
             12   2026-11-21T10:00:00+08:00  redeemed      ops      ada   ab\n\
             there are more: --cursor 11\n"
        );
        assert_eq!(text(Shape::Events, &json!({ "items": [], "next_cursor": null }), Room::Any), "none\n");
        let one = json!({ "id": "ord_1", "booking": null, "buyer": { "phone": "138****0001" }, "list": [{ "a": 1 }] });
        let narrow = text(Shape::Events, &page, Room::Columns(50));
        assert!(narrow.lines().all(|line| line.chars().count() <= 50) && narrow.contains('…'), "{narrow}");
        assert_eq!(text(Shape::One, &one, Room::Any), "id           ord_1\nbuyer.phone  138****0001\nlist.1.a     1\n");
    }
}
