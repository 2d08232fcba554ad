// SPDX-License-Identifier: Apache-2.0

//! Ops work from a shell, over the ops interface of a running bridge: tables for people, `--json` for machines.

mod arguments;
mod ask;
mod bulk;
mod client;
mod fit;
mod people;
mod question;
mod service;
mod show;

use std::process::ExitCode;

use clap::Subcommand;

use crate::cli::progress::Progress;
use crate::cli::{fail, say};
use crate::console::catalogue::Words;
pub use arguments::{
    Access, Codes, Credit, Deliveries, Guest, Guests, One, Orders, Part, PaymentLinks, Reason, Refunds, Tickets, With,
};
use ask::CodesAsked;
use client::Client;
use fit::Room;
use service::{Deadlines, Inbox, Partners, Statements};
use show::{Look, Paint, Shape};

/// What ops do from a shell.
#[derive(Debug, Subcommand)]
pub enum OpsCommand {
    /// Look at orders and act on them
    Orders(With<Orders>),
    /// Decide refund cases
    Refunds(With<Refunds>),
    /// Issue tickets by hand
    Tickets(With<Tickets>),
    /// Look at the outbox; retry or drop what could not be delivered
    Deliveries(With<Deliveries>),
    /// Fill code pools
    Codes(With<Codes>),
    /// Look at credit accounts; record what distributors paid in
    Credit(With<Credit>),
    /// Export or erase what is known of one guest
    Guests(With<Guests>),
    /// Look at channels; hold their deliveries back
    Channels(With<Partners>),
    /// Look at back-ends; hold the calls to them back
    Backends(With<Partners>),
    /// Look at dealers, institutions, agencies, and from where partners may call
    Partners(With<service::Organisation>),
    /// Look at deadlines
    Deadlines(With<Deadlines>),
    /// Look at received messages; carry one out again
    Inbox(With<Inbox>),
    /// Statements of sales, commission and refunds
    Statements(With<Statements>),
    /// Do one thing to many orders or deliveries
    Bulk(With<bulk::Bulk>),
    /// Look at the running configuration; reload it
    Config(With<service::Config>),
    /// Accounts of people and invitations, from anywhere; `accounts` helps on the host itself
    People(With<people::People>),
    /// What people did and looked at
    Audit(With<people::Audit>),
}

/// Carries a command out. 0 when done, 1 when refused or not reached.
pub async fn run(command: OpsCommand) -> ExitCode {
    match answer(command).await {
        Ok(text) => {
            say(text.trim_end());
            ExitCode::SUCCESS
        }
        Err(sentence) => fail(sentence),
    }
}

/// What a command prints.
///
/// # Errors
/// One sentence that says what to do.
pub async fn answer(command: OpsCommand) -> Result<String, String> {
    let (access, question) = match command {
        OpsCommand::Orders(with) => (with.access, ask::orders(with.command)),
        OpsCommand::Refunds(with) => (with.access, ask::refunds(with.command)),
        OpsCommand::Tickets(with) => (with.access, ask::tickets(with.command)),
        OpsCommand::Deliveries(with) => (with.access, ask::deliveries(with.command)),
        OpsCommand::Codes(with) => match ask::codes(with.command)? {
            CodesAsked::One(question) => (with.access, question),
            CodesAsked::File { path, codes } => {
                let sums = Client::new(&with.access)?.send_codes(&path, &codes).await?;
                return Ok(if with.access.json {
                    format!("{sums:#}")
                } else {
                    let words = Words::of(with.access.language());
                    show::text(Shape::One, &sums, Look { room: Room::Any, paint: Paint::Plain, words })
                });
            }
        },
        OpsCommand::Credit(with) => (with.access, ask::credit(with.command)),
        OpsCommand::Guests(with) => (with.access, ask::guests(with.command)),
        OpsCommand::Channels(with) => (with.access, service::partners("channels", with.command)),
        OpsCommand::Backends(with) => (with.access, service::partners("backends", with.command)),
        OpsCommand::Partners(with) => (with.access, service::organisation(with.command)),
        OpsCommand::Deadlines(with) => (with.access, service::deadlines(with.command)),
        OpsCommand::Inbox(with) => (with.access, service::inbox(with.command)),
        OpsCommand::Statements(with) => (with.access, service::statements(with.command)),
        OpsCommand::Bulk(with) => (with.access, bulk::question(with.command)),
        OpsCommand::Config(with) => (with.access, service::config(with.command)),
        OpsCommand::People(with) => (with.access, people::people(with.command)),
        OpsCommand::Audit(with) => (with.access, people::audit(with.command)),
    };
    let found = {
        let _going_on = Progress::of("the bridge works on it");
        Client::new(&access)?.ask(&question).await?
    };
    if access.json {
        return Ok(format!("{found:#}"));
    }
    let room = if access.wide { Room::Any } else { Room::of_the_terminal() };
    let look = Look { room, paint: Paint::of_the_terminal(), words: Words::of(access.language()) };
    Ok(show::text(question.shape, &found, look))
}
