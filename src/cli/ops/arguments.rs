// SPDX-License-Identifier: Apache-2.0

//! What the commands of ops take, and what they say of it in `--help`.

use std::path::PathBuf;

use clap::builder::PossibleValuesParser;
use clap::{Args, Subcommand};
use secrecy::SecretString;

use crate::console::catalogue::Language;
use crate::http::ops::words::{self, ATTENTION_KINDS};

/// A command with the way to the bridge.
#[derive(Debug, Args)]
pub struct With<C: Subcommand> {
    #[command(flatten)]
    pub(super) access: Access,
    #[command(subcommand)]
    pub(super) command: C,
}

/// The way to the bridge.
#[derive(Debug, Args)]
pub struct Access {
    /// Address of the bridge; without it the configuration's
    #[arg(long, global = true, value_name = "URL")]
    pub(super) url: Option<String>,
    /// An ops token; without it the configuration's
    #[arg(long, global = true, value_name = "TOKEN", env = "TICKETBRIDGE_OPS_TOKEN", hide_env_values = true)]
    pub(super) token: Option<SecretString>,
    /// Directory of the configuration, for the address and the token
    #[arg(long = "config", global = true, value_name = "DIR", default_value = "config")]
    pub(super) directory: PathBuf,
    /// Print the answer as JSON
    #[arg(long, global = true)]
    pub(super) json: bool,
    /// Print tables as wide as they are; on a terminal they are cut to its width
    #[arg(long, global = true)]
    pub(super) wide: bool,
    /// The language of titles and sentences; otherwise that of LC_ALL, LC_MESSAGES or LANG
    #[arg(long = "lang", global = true, value_name = "LANGUAGE", value_parser = ["zh", "ko", "en"])]
    pub(super) language: Option<String>,
}

impl Access {
    /// The language that is wished.
    pub(super) fn language(&self) -> Language {
        let named = self.language.as_deref().and_then(Language::of_word);
        named.unwrap_or_else(|| Language::of_locale(|name| std::env::var(name).ok()))
    }
}

/// Which part of a list.
#[derive(Debug, Args)]
pub struct Part {
    /// Entries at most, 1 to 200
    #[arg(long, value_name = "N")]
    pub(super) limit: Option<u32>,
    /// Where the last part ended
    #[arg(long, value_name = "CURSOR")]
    pub(super) cursor: Option<String>,
}

/// Why something is done.
#[derive(Debug, Args)]
pub struct Reason {
    /// Why; it goes into the history
    #[arg(long, value_name = "TEXT")]
    pub(super) reason: String,
}

/// An order: our id, or channel:number with the channel's own number.
#[derive(Debug, Args)]
pub struct One {
    /// Our id, or channel:number with the channel's number of the sale or a booking
    #[arg(value_name = "ORDER")]
    pub(super) order: String,
}

/// `orders …`.
#[expect(clippy::large_enum_variant, reason = "a command line is read once")]
#[derive(Debug, Subcommand)]
pub enum Orders {
    /// Orders, newest first
    List {
        /// Of this channel
        #[arg(long)]
        channel: Option<String>,
        /// Where the sale stands
        #[arg(long, value_parser = PossibleValuesParser::new(words::ORDER_STATES))]
        state: Option<String>,
        /// Where the visit stands
        #[arg(long, value_parser = PossibleValuesParser::new(words::BOOKING_STATES))]
        booking: Option<String>,
        /// Where the tickets stand
        #[arg(long, value_parser = PossibleValuesParser::new(words::TICKETING_STATES))]
        ticketing: Option<String>,
        /// Where the money stands
        #[arg(long, value_parser = PossibleValuesParser::new(words::PAYMENT_STATES))]
        payment: Option<String>,
        /// Where the refund case stands
        #[arg(long, value_parser = PossibleValuesParser::new(words::REFUND_STATES))]
        refund: Option<String>,
        /// Visited on this date, YYYY-MM-DD
        #[arg(long)]
        visit_date: Option<String>,
        /// Needing a person; with a kind, for that alone
        #[arg(value_parser = PossibleValuesParser::new(["any"].into_iter().chain(ATTENTION_KINDS.iter().copied())),
              long, value_name = "KIND", num_args = 0..=1, default_missing_value = "any", require_equals = true)]
        attention: Option<String>,
        /// Needing a person, or waiting for a decision on a booking, a refund or a dead letter
        #[arg(long, conflicts_with = "attention")]
        waiting: bool,
        /// Of the guest with this phone, all digits
        #[arg(long, value_name = "NUMBER", group = "whom", requires = "reason",
              conflicts_with_all = ["channel", "state", "booking", "ticketing", "payment", "refund", "visit_date", "attention", "waiting", "q"])]
        phone: Option<String>,
        /// Of the guest with this name, all of it, its words in any order
        #[arg(long, value_name = "NAME", group = "whom", requires = "reason",
              conflicts_with_all = ["channel", "state", "booking", "ticketing", "payment", "refund", "visit_date", "attention", "waiting", "q"])]
        name: Option<String>,
        /// Why a guest is searched for
        #[arg(long, value_name = "TEXT", requires = "whom")]
        reason: Option<String>,
        /// An identifier, ours or the channel's, a ticket's code, or the back-end's number of a reservation
        #[arg(long)]
        q: Option<String>,
        #[command(flatten)]
        part: Part,
    },
    /// One order
    Show(One),
    /// Its history: the latest events, oldest of them first
    Events {
        #[command(flatten)]
        one: One,
        #[command(flatten)]
        part: Part,
    },
    /// Every message in and out for it, masked
    Calls {
        #[command(flatten)]
        one: One,
        /// With what was asked and answered, as far as it is kept
        #[arg(long)]
        bodies: bool,
        #[command(flatten)]
        part: Part,
    },
    /// Guests' data in clear; who asked and why goes into the history
    Reveal {
        #[command(flatten)]
        one: One,
        #[command(flatten)]
        reason: Reason,
    },
    /// Say that what it is flagged for was seen to, at the gate or with the channel
    Settle {
        #[command(flatten)]
        one: One,
        /// Which flag
        #[arg(long, value_parser = PossibleValuesParser::new(ATTENTION_KINDS.iter().copied()))]
        kind: String,
        #[command(flatten)]
        reason: Reason,
    },
    /// Accept the booking that waits for a manager
    Confirm(One),
    /// Decline it
    Decline {
        #[command(flatten)]
        one: One,
        #[command(flatten)]
        reason: Reason,
    },
    /// The guest was there
    Redeem {
        #[command(flatten)]
        one: One,
        /// When, for example 2026-12-01T09:00:00+08:00; now when left out
        #[arg(long)]
        at: Option<String>,
    },
    /// The guest was not there
    NoShow {
        #[command(flatten)]
        one: One,
        /// When that was established; now when left out
        #[arg(long)]
        at: Option<String>,
    },
    /// Call the order off, or a part of it where the channel allows that
    Cancel {
        #[command(flatten)]
        one: One,
        #[command(flatten)]
        reason: Reason,
        /// What is kept, in minor units, where the channel lets us lower it; its own fee when left out
        #[arg(long, allow_negative_numbers = true)]
        fee: Option<i64>,
        /// Only so many units of a line, as the channel numbers its lines; may be repeated
        #[arg(long = "line", value_name = "DETAIL:UNITS", value_parser = line)]
        lines: Vec<(String, u32)>,
        /// What the guest is to be told: a person's task once the order is cancelled, for no channel does it
        #[arg(long, value_name = "TEXT")]
        notify_text: Option<String>,
    },
    /// Give money back and leave the booking as it is
    ReturnPayment {
        #[command(flatten)]
        one: One,
        #[command(flatten)]
        reason: Reason,
        /// In minor units; all that is left when left out
        #[arg(long, allow_negative_numbers = true)]
        amount: Option<i64>,
    },
    /// Send the guest a payment link, or take it back
    #[command(subcommand)]
    PaymentLinks(PaymentLinks),
    /// Compare open orders with their channel and back-end, repair what is certain, list every other difference
    Reconcile {
        /// Of this channel; of all when left out
        #[arg(long)]
        channel: Option<String>,
        /// Only show what the last comparison has found
        #[arg(long, conflicts_with = "channel")]
        last: bool,
    },
    /// What happens if nobody does anything, and what each act would do
    NextSteps(One),
}

/// `orders payment-links …`.
#[derive(Debug, Subcommand)]
pub enum PaymentLinks {
    /// Send one; it takes the place of one that is live
    Send {
        #[command(flatten)]
        one: One,
        /// In minor units; the next part that is due when left out
        #[arg(long, allow_negative_numbers = true)]
        amount: Option<i64>,
        /// Until when it can be paid, for example 2026-12-01T09:00:00+09:00; three days from now when left out
        #[arg(long, value_name = "TIME")]
        expires_at: Option<String>,
    },
    /// Take the live one back
    Revoke(One),
}

/// `D1:2`.
fn line(text: &str) -> Result<(String, u32), String> {
    let parts = text.rsplit_once(':').and_then(|(detail, units)| Some((detail.trim(), units.trim().parse().ok()?)));
    match parts {
        Some((detail, units)) if !detail.is_empty() && units > 0 => Ok((detail.to_owned(), units)),
        _ => Err("write the number of the line and how many units, for example D1:2".to_owned()),
    }
}

/// `refunds …`.
#[derive(Debug, Subcommand)]
pub enum Refunds {
    /// Refund cases, newest first
    List {
        /// In this state
        #[arg(long, value_parser = PossibleValuesParser::new(words::REFUND_STATES))]
        state: Option<String>,
        /// Of this channel
        #[arg(long)]
        channel: Option<String>,
        #[command(flatten)]
        part: Part,
    },
    /// Approve: the tickets are voided at the back-end first
    Approve {
        /// The case, rfc_…
        case: String,
        /// Fee in minor units; the channel's when left out
        #[arg(long, allow_negative_numbers = true)]
        fee: Option<i64>,
        /// Do not wait for the back-end to void the tickets
        #[arg(long)]
        without_backend: bool,
        /// Why, for the record
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
    /// Reject
    Reject {
        /// The case, rfc_…
        case: String,
        #[command(flatten)]
        reason: Reason,
    },
}

/// `tickets …`.
#[derive(Debug, Subcommand)]
pub enum Tickets {
    /// Issue tickets by hand: one code for each unit, a multiple of that, or one for all
    Issue {
        #[command(flatten)]
        one: One,
        /// What admits
        #[arg(required = true, value_name = "CODE")]
        codes: Vec<String>,
        /// What the codes are
        #[arg(long, default_value = "code", value_parser = ["code", "qr", "url", "document"])]
        kind: String,
    },
}

/// `deliveries …`.
#[derive(Debug, Subcommand)]
pub enum Deliveries {
    /// The outbox, newest first
    List {
        /// In this state
        #[arg(long, value_parser = PossibleValuesParser::new(words::DELIVERY_STATES))]
        state: Option<String>,
        /// To this partner: channel:ID or backend:ID
        #[arg(long)]
        destination: Option<String>,
        /// For this order, by our id
        #[arg(long)]
        order: Option<String>,
        #[command(flatten)]
        part: Part,
    },
    /// Try one at once, and as often as a new one
    Retry {
        /// The delivery, dlv_…
        delivery: String,
    },
    /// Take one out; the order stays as it is
    Drop {
        /// The delivery, dlv_…
        delivery: String,
        #[command(flatten)]
        reason: Reason,
    },
}

/// `codes …`.
#[derive(Debug, Subcommand)]
pub enum Codes {
    /// Load codes: one a line, or CSV whose first line names the column. Repeating it goes on where it stopped
    Import {
        /// The pool
        pool: String,
        /// The file
        file: PathBuf,
        /// The column that holds the codes; needed where none is called `code`. `none`: the first line is a code too
        #[arg(long, value_name = "NAME")]
        column: Option<String>,
    },
    /// Take codes out that nobody has yet, from a file of the same kind
    Withdraw {
        /// The pool
        pool: String,
        /// The file
        file: PathBuf,
        /// The column that holds the codes; needed where none is called `code`. `none`: the first line is a code too
        #[arg(long, value_name = "NAME")]
        column: Option<String>,
    },
    /// Hold back what is left, until it is released
    Hold {
        /// The pool
        pool: String,
    },
    /// Let what is held back be handed out again: after a restore, once the codes that guests got since the copy are withdrawn
    Release {
        /// The pool
        pool: String,
    },
    /// How full a pool is
    Show {
        /// The pool
        pool: String,
    },
}

/// `credit …`.
#[derive(Debug, Subcommand)]
pub enum Credit {
    /// What an account may still take
    Show {
        /// The account
        account: String,
    },
    /// A distributor has paid in; once for each reference
    Deposit {
        /// The account
        account: String,
        /// Minor units
        #[arg(long)]
        amount: i64,
        /// The payment's own number
        #[arg(long, value_name = "TEXT")]
        reference: String,
    },
}

/// `guests …`. Administrators only.
#[derive(Debug, Subcommand)]
pub enum Guests {
    /// Everything that is known of a guest, in clear; on the record of every order
    Export(Guest),
    /// Forget a guest in every order that is over
    Erase(Guest),
}

/// A guest, found by phone.
#[derive(Debug, Args)]
pub struct Guest {
    /// The phone, all digits
    #[arg(long, value_name = "NUMBER")]
    pub(super) phone: String,
    #[command(flatten)]
    pub(super) reason: Reason,
}
