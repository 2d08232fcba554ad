// SPDX-License-Identifier: Apache-2.0

//! Tables of orders that their platform tells whole, and of how calls to a channel end; and that no name is left out of all tables.
//!
//! A file is one kind of place against one kind of saying. What has the same answer stands together in one line; `it` is the notification that is
//! spoken of.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use ticketbridge_core::message::PlaceOrder;
use ticketbridge_core::order::OrderKind;
use ticketbridge_core::personal::Phone;
use ticketbridge_core::{Command, Event, Millis};

use super::states::Place;
use super::{Saying, State, names, render, sayings, states};
use crate::support::{DIRECT, Story, Terms, VOUCHER, channel, sale, visit_noon};
use crate::tale::Tale;

/// What all tables have shown.
#[derive(Default)]
struct Shown {
    names: BTreeSet<(&'static str, &'static str)>,
    pairs: usize,
    places: usize,
}

impl Shown {
    fn place(&mut self, story: &Story) {
        self.places += 1;
        let order = story.order();
        self.names.insert(("payment", names::payment(&order.payment())));
        if let Some(reason) = &order.cancel_reason {
            self.names.insert(("reason", names::reason(reason)));
        }
        if let Some(channel_state) = order.channel_state.as_deref() {
            self.names.insert(("stage", names::stage(&channel_state.standing.stage)));
            self.names.insert(("proposal", names::proposal(&channel_state.proposal)));
            self.names.extend(channel_state.links.iter().map(|link| ("link", names::link(&link.state))));
        }
    }
    /// `after` is what the order and its surroundings are after an accepted command.
    fn pair(&mut self, command: &Command, after: Option<&Story>) {
        self.pairs += 1;
        assert_eq!(names::command(command), command.name());
        match command {
            Command::RecordTicketFacts { facts, .. } => drop(self.names.insert(("facts", names::facts(facts)))),
            Command::ApplyRefund(asked) => drop(self.names.insert(("source", names::source(&asked.source)))),
            Command::RecordRefund(refund) => drop(self.names.insert(("scope", names::scope(&refund.scope)))),
            Command::Redeem(redeem) => drop(self.names.insert(("redeemer", names::redeemer(&redeem.by)))),
            Command::SyncSnapshot { snapshot, .. } => {
                self.names.insert(("told", names::stage(&snapshot.standing.stage)));
            }
            _ => {}
        }
        let Some(after) = after else { return };
        if after.is_quiet() {
            return;
        }
        self.names.insert(("command", names::command(command)));
        if let Command::RecordNotification { notification, outcome } = command {
            assert_eq!(names::notification(notification), notification.name());
            self.names.insert(("report", names::notification(notification)));
            self.names.insert(("outcome", names::outcome(outcome)));
        }
        for event in &after.events {
            assert_eq!(names::event(event), event.name());
            self.names.insert(("event", names::event(event)));
            if let Event::AttentionRaised { kind, .. } = event {
                self.names.insert(("flag", names::flag(kind)));
            }
        }
        self.names.extend(after.effects.iter().map(|effect| ("effect", names::effect(effect))));
    }
}

/// The core stops: never the right answer.
const STOPS: &str = "STOPS";

/// One pair.
enum Answer {
    Nothing,
    Refused(&'static str),
    Happens(String),
}

fn answer(story: &Story, (name, actor, command): &Saying, shown: &mut Shown) -> Answer {
    let mut after = story.clone();
    if name.ends_with("on the day") {
        after.at(visit_noon());
    }
    after.later(Millis(1));
    let said = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| after.say(actor, command)));
    let Ok(said) = said else { return Answer::Happens(STOPS.to_owned()) };
    shown.pair(command, said.as_ref().ok().map(|()| &after));
    match said {
        Err(rejection) => Answer::Refused(rejection.why.code()),
        Ok(()) if after.is_quiet() => Answer::Nothing,
        Ok(()) => {
            let said = match command {
                Command::RecordNotification { notification, .. } | Command::RecordAgreement { notification } => {
                    render::notification(notification)
                }
                _ => "-".to_owned(),
            };
            let short = |event: &Event| match render::event(event).strip_suffix(&format!(" {said}")) {
                Some(name) => format!("{name} it"),
                None => render::event(event),
            };
            let events: Vec<String> = after.events.iter().map(short).collect();
            let effects: Vec<String> = after.effects.iter().map(|e| render::effect(e, after.now)).collect();
            let mut line = events.join(", ");
            if !effects.is_empty() {
                let _ = write!(line, "\n        | {}", effects.join(", "));
            }
            let stands = render::standing(after.order()).replace(&format!("UNDELIVERED {said}"), "UNDELIVERED it");
            if stands != render::standing(story.order()) {
                let _ = write!(line, "\n        => {stands}");
            }
            Answer::Happens(line)
        }
    }
}

fn block(name: &str, story: &Story, sayings: &[Saying], shown: &mut Shown) -> String {
    shown.place(story);
    let mut text = format!("## {name}\n   {}\n\n", render::standing(story.order()));
    let mut alike: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    let mut happens: Vec<(String, Vec<&str>)> = Vec::new();
    for saying in sayings {
        match answer(story, saying, shown) {
            Answer::Nothing => alike.entry("nothing".to_owned()).or_default().push(&saying.0),
            Answer::Refused(code) => alike.entry(format!("REFUSED {code}")).or_default().push(&saying.0),
            Answer::Happens(line) => match happens.iter_mut().find(|(known, _)| *known == line) {
                Some((_, names)) => names.push(&saying.0),
                None => happens.push((line, vec![&saying.0])),
            },
        }
    }
    for (word, names) in alike {
        let _ = writeln!(text, "    {word}: {}", names.join("; "));
    }
    for (line, names) in happens {
        let _ = writeln!(text, "    {}: {line}", names.join("; "));
    }
    text + "\n"
}

/// Says to a tale what one kind of speaker says.
type Speaker = fn(&Tale) -> Vec<Saying>;

const SPEAKERS: [(&str, Speaker); 6] = [
    ("platform", sayings::told_by_platform),
    ("answers", sayings::answered),
    ("calls", |tale| sayings::endings_of_calls(tale)),
    ("people", sayings::people),
    ("outside", sayings::outside),
    ("foreign", sayings::foreign),
];

fn whole_table(places: &[Place], speaker: Speaker, shown: &mut Shown) -> String {
    places.iter().map(|(name, tale)| block(name, tale, &speaker(tale), shown)).collect()
}

fn snapshots_of(kind: &str, places: Vec<Place>) {
    for (speaker, says) in SPEAKERS {
        insta::assert_snapshot!(format!("{kind}_{speaker}"), whole_table(&places, says, &mut Shown::default()));
    }
}

/// Orders of channels of the other kind, against how calls end, and what only whole orders know.
fn ordinary_table(states: &[State], shown: &mut Shown) -> String {
    let says = |story: &Story| [sayings::endings_of_calls(story), sayings::of_whole_orders(story)].concat();
    states.iter().map(|(name, story)| block(name, story, &says(story), shown)).collect()
}

#[test]
fn bookings_that_are_ours_to_decide() {
    snapshots_of("decisions", states::decisions());
}

#[test]
fn visits_and_their_use() {
    snapshots_of("visits", states::visits());
}

#[test]
fn cancelling() {
    snapshots_of("endings", states::endings());
}

#[test]
fn money_that_moves_alone() {
    snapshots_of("money", states::money());
}

#[test]
fn packages_with_deposits_and_links() {
    snapshots_of("packages", states::packages());
}

#[test]
fn a_platform_that_does_not_count() {
    snapshots_of("uncounted", states::uncounted());
}

/// A sale that is told for the first time: plain, under the channel's cipher, and made up from a later message.
fn sales() -> Vec<(Command, Story)> {
    let changed = |change: &dyn Fn(&mut PlaceOrder)| match sale(VOUCHER, false) {
        Command::PlaceOrder(mut placed, counts) => {
            change(&mut placed);
            Command::PlaceOrder(placed, counts)
        }
        other => other,
    };
    let hidden = changed(&|placed| placed.sale.buyer.phone = Some(Phone::new("Enc.abc")));
    let commands = [sale(VOUCHER, true), hidden, changed(&|placed| placed.is_stub = true)];
    let story = |command: Command| {
        let mut story = Story::new();
        story.tell(&channel(), &command);
        (command, story)
    };
    commands.map(story).into()
}

/// Orders that were made up from a later message, or whose guests are still under the channel's cipher.
fn unfinished() -> Vec<State> {
    let names = ["told and paid", "guests under the channel's cipher", "made up from a later message"];
    names.into_iter().zip(sales()).map(|(name, (_, story))| (name, story)).collect()
}

#[test]
fn sales_that_are_not_finished() {
    let says = |story: &Story| super::sayings(story);
    let table: String =
        unfinished().iter().map(|(name, story)| block(name, story, &says(story), &mut Shown::default())).collect();
    insta::assert_snapshot!("unfinished", table);
}

fn ordinary() -> Vec<(&'static str, Vec<State>)> {
    vec![
        ("unfinished", unfinished()),
        ("voucher", super::life(VOUCHER)),
        ("direct", super::life(DIRECT)),
        ("reserved", super::reserved::states()),
        ("tickets", super::tickets()),
        ("refunds", super::refunds()),
    ]
}

#[test]
fn how_calls_to_other_channels_end() {
    for (kind, states) in ordinary() {
        insta::assert_snapshot!(format!("{kind}_calls"), ordinary_table(&states, &mut Shown::default()));
    }
}

/// Whatever is said wherever, the core goes on: a stop would leave the message unanswered, and its sender repeating it.
fn goes_on(table: &str) {
    let at = table.lines().position(|line| line.contains(STOPS));
    assert_eq!(at, None, "the core stops:\n{table}");
}

/// Nothing that can be said, happen or be asked for is missing in all tables: each command is accepted somewhere and changes something, each
/// notification ends in some way that matters, each outcome, fact, flag, event and effect occurs.
#[test]
fn the_tables_leave_no_name_out() {
    let mut shown = Shown::default();
    let mut ordinary = ordinary();
    ordinary.push(("bare", super::life(Terms { tickets: false, ..VOUCHER })));
    for (_, states) in &ordinary {
        goes_on(&ordinary_table(states, &mut shown));
        for (_, story) in states {
            shown.place(story);
            for saying in super::sayings(story) {
                answer(story, &saying, &mut shown);
            }
        }
    }
    let places = [
        states::decisions(),
        states::visits(),
        states::endings(),
        states::money(),
        states::packages(),
        states::uncounted(),
    ];
    for (_, says) in SPEAKERS {
        for places in &places {
            goes_on(&whole_table(places, says, &mut shown));
        }
    }
    for (command, story) in sales() {
        shown.pair(&command, Some(&story));
    }
    println!("{} pairs of a command and a state, {} states", shown.pairs, shown.places);
    let all: [(&str, &[&'static str]); 16] = [
        ("command", names::COMMANDS),
        ("report", names::REPORTS),
        ("outcome", names::OUTCOMES),
        ("facts", names::FACTS),
        ("source", names::SOURCES),
        ("scope", names::SCOPES),
        ("redeemer", names::REDEEMERS),
        ("told", names::STAGES),
        ("stage", names::STAGES),
        ("link", names::LINKS),
        ("proposal", names::PROPOSALS),
        ("payment", names::PAYMENTS),
        ("reason", names::REASONS),
        ("flag", names::FLAGS),
        ("event", names::EVENTS),
        ("effect", names::EFFECTS),
    ];
    // Of the stock of other orders of its product an order knows nothing, nor of the ciphers of a repeat: the engine tells the one and
    // compares the other.
    // What follows a read that denies what was said yes to needs two messages: `tests/it/korea_answers.rs` has them.
    // Whether a partner is configured is the same in every state: `tests/it/deliveries.rs` has it.
    let elsewhere = [
        ("command", "record_partner_gone"),
        ("command", "record_partner_back"),
        ("flag", "partner gone"),
        ("effect", "tell stock"),
        ("effect", "compare guests"),
        ("reason", "never paid"),
        ("event", "report_denied"),
        ("event", "attention_settled"),
    ];
    let missing: Vec<_> = all
        .iter()
        .flat_map(|(kind, names)| names.iter().map(|name| (*kind, *name)))
        .filter(|name| !shown.names.contains(name) && !elsewhere.contains(name))
        .collect();
    assert!(missing.is_empty(), "no table shows {missing:?}");
}

/// The three kinds of an order's money and both kinds of an order stand in the tables.
#[test]
fn the_tables_show_every_kind_of_order() {
    use ticketbridge_core::order::money::PaymentMode;
    let of = |places: Vec<Place>| places.into_iter().map(|(_, tale)| tale.order().clone());
    let mut orders: Vec<_> = of(states::decisions()).chain(of(states::money())).chain(of(states::packages())).collect();
    orders.extend(ordinary().into_iter().flat_map(|(_, states)| states).map(|(_, story)| story.order().clone()));
    let kind = |kind: OrderKind| match kind {
        OrderKind::Voucher => "voucher",
        OrderKind::Direct => "direct",
    };
    let mode = |mode: PaymentMode| match mode {
        PaymentMode::Ledger => "ledger",
        PaymentMode::BookingOnly => "booking only",
        PaymentMode::External => "external",
    };
    let shown: BTreeSet<_> = orders
        .iter()
        .map(|o| (kind(o.kind), mode(o.money.mode), o.channel_state.is_some(), o.is_read_only()))
        .collect();
    for wanted in [
        ("voucher", "ledger", false, false),
        ("direct", "ledger", false, false),
        ("direct", "ledger", true, false),
        ("direct", "booking only", true, false),
        ("direct", "external", true, true),
    ] {
        assert!(shown.contains(&wanted), "{wanted:?} is not among {shown:?}");
    }
}
