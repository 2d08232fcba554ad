// SPDX-License-Identifier: Apache-2.0

//! `bulk …`: one act on many.

use clap::Subcommand;
use clap::builder::PossibleValuesParser;
use serde_json::{Map, Value, json};

use super::arguments::Part;
use super::question::{Question, act, escape, get, list};
use super::show::Shape;
use crate::http::ops::bulk::ACT_WORDS;

/// `bulk …`.
#[derive(Debug, Subcommand)]
pub enum Bulk {
    /// Say what would come of an act on many orders or deliveries; with --yes do it
    Run {
        /// The act; retry and drop are for deliveries, the others for orders
        #[arg(value_parser = PossibleValuesParser::new(ACT_WORDS))]
        act: String,
        /// On this one, by our id; may be repeated
        #[arg(long = "id", value_name = "ID", required_unless_present = "filters", conflicts_with = "filters")]
        ids: Vec<String>,
        /// On all that match a parameter of the list, for example state=booked; may be repeated
        #[arg(long = "match", value_name = "NAME=VALUE", value_parser = filter)]
        filters: Vec<(String, String)>,
        /// Why, where the act wants a reason
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
        /// Do it, and not only say what would come of it
        #[arg(long)]
        yes: bool,
    },
    /// How far one has come, and what was refused
    Show {
        /// Its id, blk_…
        id: String,
    },
    /// What one has done to many, newest first
    List(Part),
}

/// `state=booked`.
fn filter(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.trim().is_empty() => Ok((name.trim().to_owned(), value.trim().to_owned())),
        _ => Err("write the name of a parameter and its value, for example state=booked".to_owned()),
    }
}

/// The call of a command.
pub(super) fn question(command: Bulk) -> Question {
    match command {
        Bulk::Run { act: word, ids, filters, reason, yes } => {
            let filters: Map<String, Value> = filters.into_iter().map(|(name, value)| (name, json!(value))).collect();
            let fields = vec![
                ("items", (!ids.is_empty()).then(|| json!(ids))),
                ("match", ids.is_empty().then(|| Value::from(filters))),
                ("reason", reason.map(Value::from)),
            ];
            let asked = if yes { "" } else { "?dry_run=true" };
            act(format!("bulk/{word}{asked}"), fields, Shape::One)
        }
        Bulk::Show { id } => get(format!("bulk/{}", escape(&id)), Shape::One),
        Bulk::List(part) => list("bulk", Shape::Bulks, part, Vec::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_is_a_name_and_a_value() {
        assert_eq!(filter("state=booked"), Ok(("state".to_owned(), "booked".to_owned())));
        assert_eq!(filter("q=a=b"), Ok(("q".to_owned(), "a=b".to_owned())));
        assert!(filter("booked").is_err() && filter("=x").is_err());
    }
}
