// SPDX-License-Identifier: Apache-2.0

//! Commands about the service and its partners, rather than about one order.

use clap::builder::PossibleValuesParser;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::arguments::Part;
use super::question::{Question, act, escape, get, list};
use super::show::Shape;
use crate::http::ops::words;

/// `channels …` and `backends …`.
#[derive(Debug, Subcommand)]
pub enum Partners {
    /// How they fare and what they can do
    List,
    /// Hold the deliveries to one back; they are kept
    Pause {
        /// Its name
        id: String,
    },
    /// Let them go again
    Resume {
        /// Its name
        id: String,
    },
}

/// `deadlines …`.
#[derive(Debug, Subcommand)]
pub enum Deadlines {
    /// Deadlines that count or have passed, the nearest first
    List {
        /// Due before this time, for example 2026-12-01T09:00:00+08:00
        #[arg(long, value_name = "TIME")]
        due_before: Option<String>,
        /// In this state
        #[arg(long, value_parser = PossibleValuesParser::new(words::DEADLINE_STATES))]
        state: Option<String>,
        #[command(flatten)]
        part: Part,
    },
}

/// `inbox …`.
#[derive(Debug, Subcommand)]
pub enum Inbox {
    /// Messages received, newest first
    List {
        /// From this channel or back-end
        #[arg(long)]
        channel: Option<String>,
        /// Of this call
        #[arg(long)]
        call: Option<String>,
        /// With the partner's own key
        #[arg(long)]
        key: Option<String>,
        /// With this outcome
        #[arg(long, value_parser = PossibleValuesParser::new(words::VERDICTS))]
        verdict: Option<String>,
        /// About this order, by our id
        #[arg(long)]
        order: Option<String>,
        #[command(flatten)]
        part: Part,
    },
    /// One message, with what was said and what was answered, masked
    Show {
        /// The message, inb_…
        id: String,
    },
    /// Carry a message that was refused, kept or not readable out again
    Replay {
        /// The message, inb_…
        id: String,
    },
}

/// `statements …`.
#[derive(Debug, Subcommand)]
pub enum Statements {
    /// What was sold, kept and returned in a period
    Show(Statement),
    /// Settle everything of a settle unit up to the end of a day that is over
    Close {
        /// The settle unit
        #[arg(long, value_name = "ID")]
        settle_id: String,
        /// The last day that is settled, YYYY-MM-DD
        #[arg(long, value_name = "DATE")]
        to: String,
    },
}

/// Whose statement: one of the two.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(super) struct Whose {
    /// Of this settle id: a channel's own id, unless it names another
    #[arg(long, value_name = "ID")]
    settle_id: Option<String>,
    /// Of this credit account
    #[arg(long, value_name = "ID")]
    account: Option<String>,
}

/// Which statement.
#[derive(Debug, Args)]
pub struct Statement {
    #[command(flatten)]
    whose: Whose,
    /// First day, YYYY-MM-DD
    #[arg(long, value_name = "DATE")]
    from: String,
    /// Last day, YYYY-MM-DD
    #[arg(long, value_name = "DATE")]
    to: String,
    /// Where there were sales in several
    #[arg(long, value_name = "CODE")]
    currency: Option<String>,
}

/// `config …`.
#[derive(Debug, Subcommand)]
pub enum Config {
    /// The running configuration, and the last change that was refused. Its version counts the changes since the start
    Show,
    /// Every setting in force, secrets hidden, and what the last change has changed
    Settings,
    /// Read the configuration anew: all of it, or nothing
    Reload,
}

pub(super) fn partners(kind: &str, command: Partners) -> Question {
    match command {
        Partners::List => list(kind, Shape::Partners, Part { limit: None, cursor: None }, Vec::new()),
        Partners::Pause { id } => act(format!("{kind}/{}/pause", escape(&id)), Vec::new(), Shape::One),
        Partners::Resume { id } => act(format!("{kind}/{}/resume", escape(&id)), Vec::new(), Shape::One),
    }
}

pub(super) fn deadlines(command: Deadlines) -> Question {
    let Deadlines::List { due_before, state, part } = command;
    list("deadlines", Shape::Deadlines, part, vec![("due_before", due_before), ("state", state)])
}

pub(super) fn inbox(command: Inbox) -> Question {
    match command {
        Inbox::List { channel, call, key, verdict, order, part } => {
            let filters =
                vec![("channel", channel), ("call", call), ("key", key), ("verdict", verdict), ("order", order)];
            list("inbox", Shape::Inbox, part, filters)
        }
        Inbox::Show { id } => get(format!("inbox/{}", escape(&id)), Shape::One),
        Inbox::Replay { id } => act(format!("inbox/{}/replay", escape(&id)), Vec::new(), Shape::One),
    }
}

pub(super) fn statements(command: Statements) -> Question {
    let Statement { whose: Whose { settle_id, account }, from, to, currency } = match command {
        Statements::Show(statement) => statement,
        Statements::Close { settle_id, to } => {
            let fields = vec![("settle_id", Some(json!(settle_id))), ("to", Some(json!(to)))];
            return act("statements/close".to_owned(), fields, Shape::One);
        }
    };
    let filters = vec![
        ("settle_id", settle_id),
        ("account", account),
        ("from", Some(from)),
        ("to", Some(to)),
        ("currency", currency),
    ];
    list("statements", Shape::One, Part { limit: None, cursor: None }, filters)
}

/// `partners …`.
#[derive(Debug, Subcommand)]
pub enum Organisation {
    /// The tree, with settle units and connections, and which addresses are pending, effective and removed
    Show,
}

pub(super) fn organisation(command: Organisation) -> Question {
    match command {
        Organisation::Show => get("partners".to_owned(), Shape::One),
    }
}

pub(super) fn config(command: Config) -> Question {
    match command {
        Config::Show => get("config".to_owned(), Shape::One),
        Config::Settings => get("config/settings".to_owned(), Shape::Settings),
        Config::Reload => act("config/reload".to_owned(), Vec::new(), Shape::One),
    }
}

/// Why somebody looks at what is hidden.
pub(super) fn reveal(order: &str, reason: &str) -> Question {
    let fields: Vec<(&str, Option<Value>)> = vec![("reason", Some(json!(reason)))];
    act(format!("orders/{}/reveal", escape(order)), fields, Shape::One)
}
