// SPDX-License-Identifier: Apache-2.0

//! What can happen in one step, and how a seed makes a sequence of it.

use super::books::CancelStatus;
use super::{kakao, tripstore};
use crate::dice::{Dice, Post, hows, length, post};
use crate::partners::How;
use crate::snapshot::tripstore::Pays;

/// An act of somebody of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    Confirm,
    Decline,
    SupplyTickets,
    Redeem,
    NoShow,
    Cancel {
        /// Without a fee, whatever the platform's would be.
        free: bool,
        /// One unit only.
        part: bool,
    },
    Approve {
        anyway: bool,
    },
    Reject,
    /// Money goes back, and the booking stays.
    Return {
        all: bool,
    },
    SendLink {
        part: bool,
    },
    RevokeLink,
    RetryDead,
    DropDead,
}

/// One step. A sale or message is named by the number of the step that made it; a number that names nothing does nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Op {
    /// A guest books at the Kakao-style platform.
    Visit {
        product: u8,
        by_manager: bool,
        paid: bool,
        free: bool,
        days: u8,
        post: Post,
    },
    /// A traveller books at the marketplace.
    Trip {
        product: u8,
        pays: Pays,
        days: u8,
        post: Post,
    },
    /// Something happens at the Kakao-style platform; money goes back at once, or waits.
    ThereVisit {
        sale: usize,
        what: kakao::There,
        waits: bool,
        post: Post,
    },
    /// Something happens at the marketplace.
    ThereTrip {
        sale: usize,
        what: tripstore::There,
        waits: bool,
        post: Post,
    },
    /// The platform asks what is left of a date.
    AskLeft {
        product: u8,
        days: u8,
    },
    Arrive {
        message: usize,
    },
    Repeat {
        message: usize,
        times: u8,
    },
    Contradict {
        message: usize,
    },
    /// The guest goes in; `early` at a gate that does not look at the date.
    Enter {
        sale: usize,
        early: bool,
        post: Post,
    },
    /// The gate has finished what it worked on.
    Decide {
        sale: usize,
        well: bool,
        post: Post,
    },
    Act {
        sale: usize,
        act: Act,
    },
    Advance {
        ms: i64,
    },
    Work {
        instance: u8,
        many: u8,
        hows: Vec<How>,
    },
    Deadlines {
        instance: u8,
    },
    /// The books are compared: of open orders, or of those that came to their end.
    Reconcile {
        instance: u8,
        closed: bool,
        hows: Vec<How>,
    },
    GoOn {
        hanging: usize,
    },
    Kill {
        hanging: usize,
    },
    FailCommit {
        after: bool,
    },
    Restart,
    Quiet,
}

/// What there is to choose from.
#[derive(Clone, Debug, Default)]
pub(crate) struct Census {
    /// The steps that made sales, and whether each is a trip.
    pub(crate) sales: Vec<(usize, bool)>,
    pub(crate) messages: Vec<usize>,
    pub(crate) hanging: usize,
}

/// The next step of a sequence. Younger sales are chosen more often, so that stories go on.
pub(crate) fn next(dice: &mut Dice, census: &Census) -> Op {
    let back = |dice: &mut Dice, many: usize| match dice.one_in(4) {
        true => many.checked_sub(1 + dice.below(many)),
        false => many.checked_sub(1 + dice.below(many.min(6))),
    };
    let (sale, is_trip) = back(dice, census.sales.len()).map_or((0, false), |index| census.sales[index]);
    let message = back(dice, census.messages.len()).map_or(0, |index| census.messages[index]);
    match dice.below(100) {
        0..=5 => Op::Visit {
            product: dice.small(3),
            by_manager: !dice.one_in(3),
            paid: !dice.one_in(5),
            free: dice.one_in(3),
            days: dice.small(5),
            post: post(dice),
        },
        6..=10 => Op::Trip {
            product: dice.small(3),
            pays: dice.pick(&[Pays::Full, Pays::Link, Pays::Partial, Pays::Partial, Pays::Agency]),
            days: dice.small(5),
            post: post(dice),
        },
        11..=31 if is_trip => Op::ThereTrip { sale, what: there_trip(dice), waits: dice.one_in(3), post: post(dice) },
        11..=31 => Op::ThereVisit { sale, what: there_visit(dice), waits: dice.one_in(3), post: post(dice) },
        32 => Op::AskLeft { product: dice.small(3), days: dice.small(5) },
        33..=39 => Op::Arrive { message: census.messages.get(dice.below(census.messages.len())).copied().unwrap_or(0) },
        40..=43 => Op::Repeat { message, times: dice.pick(&[1, 1, 2, 20]) },
        44 => Op::Contradict { message },
        45..=48 => Op::Enter { sale, early: dice.one_in(3), post: post(dice) },
        49..=52 => Op::Decide { sale, well: !dice.one_in(3), post: post(dice) },
        53..=66 => Op::Act { sale, act: act(dice) },
        67..=73 => Op::Advance { ms: length(dice) },
        74..=88 => Op::Work { instance: dice.small(2), many: 1 + dice.small(6), hows: hows(dice, 4) },
        89..=91 => Op::Deadlines { instance: dice.small(2) },
        92 => Op::Reconcile { instance: dice.small(2), closed: dice.one_in(2), hows: hows(dice, 2) },
        93..=94 => Op::GoOn { hanging: dice.below(census.hanging) },
        95 => Op::Kill { hanging: dice.below(census.hanging) },
        96 => Op::FailCommit { after: dice.one_in(2) },
        97 if dice.one_in(4) => Op::Restart,
        97 => Op::Work { instance: dice.small(2), many: 20, hows: Vec::new() },
        98 => Op::Advance { ms: length(dice) },
        _ => Op::Quiet,
    }
}

fn ending(dice: &mut Dice) -> CancelStatus {
    dice.pick(&[
        CancelStatus::Done,
        CancelStatus::Done,
        CancelStatus::Failed,
        CancelStatus::Credited,
        CancelStatus::Pending,
    ])
}

fn there_visit(dice: &mut Dice) -> kakao::There {
    use kakao::There::{
        Cancels, CancelsPart, Confirms, ExOfficio, NoShow, RefundsEnd, Rejects, ReturnsPayment, Uses, UsesPart,
    };
    let end = RefundsEnd(ending(dice));
    dice.pick(&[
        Cancels,
        Cancels,
        CancelsPart,
        CancelsPart,
        Confirms,
        Confirms,
        Rejects,
        Uses,
        Uses,
        UsesPart,
        NoShow,
        ExOfficio,
        ReturnsPayment,
        end,
        end,
    ])
}

fn there_trip(dice: &mut Dice) -> tripstore::There {
    use tripstore::There::{
        AsksToCancel, Completes, Departs, FinishesCancel, GoesAfterAll, LinkExpires, Pays, PaysLink, PaysOldLink,
        RefundsEnd, Renumbers, ReturnsPayment,
    };
    let end = RefundsEnd(ending(dice));
    dice.pick(&[
        PaysLink,
        PaysLink,
        PaysOldLink,
        Pays,
        Pays,
        LinkExpires,
        AsksToCancel,
        AsksToCancel,
        GoesAfterAll,
        Completes,
        Completes,
        FinishesCancel,
        Departs,
        Renumbers,
        ReturnsPayment,
        end,
    ])
}

fn act(dice: &mut Dice) -> Act {
    let cancel = Act::Cancel { free: dice.one_in(2), part: dice.one_in(2) };
    let approve = Act::Approve { anyway: dice.one_in(4) };
    let give = Act::Return { all: dice.one_in(3) };
    let link = Act::SendLink { part: dice.one_in(3) };
    dice.pick(&[
        Act::Confirm,
        Act::Confirm,
        Act::Confirm,
        Act::Decline,
        Act::SupplyTickets,
        Act::Redeem,
        Act::NoShow,
        cancel,
        cancel,
        approve,
        approve,
        Act::Reject,
        give,
        give,
        link,
        link,
        Act::RevokeLink,
        Act::RetryDead,
        Act::RetryDead,
        Act::DropDead,
    ])
}
