// SPDX-License-Identifier: Apache-2.0

//! What can happen in one step, and how a seed makes a sequence of it. A step names everything that it depends on, so that any list of steps
//! can be run again, also with some of them left out.

use super::world::PRODUCTS;
use crate::dice::{Dice, Post, hows, length, post};
use crate::partners::How;

/// An act of somebody of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    Confirm,
    Decline,
    SupplyTickets,
    Redeem,
    NoShow,
    Cancel,
    Approve,
    /// Without waiting for the back-end.
    ApproveAnyway,
    Reject,
    RetryDead,
    DropDead,
}

/// One step. A sale or message is named by the number of the step that made it; a number that names nothing does nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Op {
    Sell {
        product: u8,
        quantity: u8,
        post: Post,
    },
    Book {
        sale: usize,
        days: u8,
        post: Post,
    },
    /// The demand for tickets; the worker carries out so many deliveries while the channel waits.
    Issue {
        sale: usize,
        work: u8,
        hows: Vec<How>,
        post: Post,
    },
    Apply {
        sale: usize,
        source: i64,
        cancels_booking: bool,
        fee: i64,
        for_sale: bool,
        post: Post,
    },
    CancelNotify {
        sale: usize,
        kind: i64,
        for_sale: bool,
        post: Post,
    },
    RefundNotify {
        sale: usize,
        share: u8,
        expired: bool,
        post: Post,
    },
    InfoSync {
        sale: usize,
        kind: i64,
        post: Post,
    },
    Pay {
        sale: usize,
        post: Post,
    },
    Query {
        sale: usize,
    },
    /// A message that waits on the way arrives.
    Arrive {
        message: usize,
    },
    /// A message arrives again.
    Repeat {
        message: usize,
        times: u8,
    },
    /// A message arrives again with other content.
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
    /// One worker carries out so many deliveries, their calls going this way.
    Work {
        instance: u8,
        many: u8,
        hows: Vec<How>,
    },
    /// One worker looks at the deadlines.
    Deadlines {
        instance: u8,
    },
    /// A delivery that hangs goes on.
    GoOn {
        hanging: usize,
    },
    /// A delivery that hangs is given up by a crash.
    Kill {
        hanging: usize,
    },
    /// The next commit fails, before or after it took effect.
    FailCommit {
        after: bool,
    },
    Restart,
    /// Faults end, everything that is on the way arrives, and everything is worked off; then the world must be in order.
    Quiet,
}

/// What there is to choose from: the numbers of the steps that made it, and how many deliveries hang.
#[derive(Clone, Debug, Default)]
pub(crate) struct Census {
    pub(crate) sales: Vec<usize>,
    pub(crate) messages: Vec<usize>,
    pub(crate) hanging: usize,
}

/// The next step of a sequence. Younger sales are chosen more often, so that stories go on.
pub(crate) fn next(dice: &mut Dice, census: &Census) -> Op {
    let recent = |dice: &mut Dice, from: &[usize]| {
        let back = if dice.one_in(4) { dice.below(from.len()) } else { dice.below(from.len().min(6)) };
        from.len().checked_sub(1 + back).map_or(0, |index| from[index])
    };
    let sale = recent(dice, &census.sales);
    let message = recent(dice, &census.messages);
    match dice.below(100) {
        0..=8 => Op::Sell {
            product: dice.small(u8::try_from(PRODUCTS.len()).unwrap_or(1)),
            quantity: 1 + dice.small(3),
            post: post(dice),
        },
        9..=19 => Op::Book { sale, days: dice.small(5), post: post(dice) },
        20..=29 => Op::Issue { sale, work: dice.small(4), hows: hows(dice, 2), post: post(dice) },
        30..=36 => Op::Apply {
            sale,
            source: dice.pick(&[101, 101, 301, 301, 302, 103, 307, 102]),
            cancels_booking: dice.one_in(3),
            fee: dice.pick(&[0, 0, 2_000, 4_000, 10_000]),
            for_sale: dice.one_in(8),
            post: post(dice),
        },
        37..=38 => {
            Op::CancelNotify { sale, kind: 1 + i64::from(dice.small(3)), for_sale: dice.one_in(3), post: post(dice) }
        }
        39..=40 => {
            Op::RefundNotify { sale, share: dice.pick(&[100, 100, 80, 50]), expired: dice.one_in(4), post: post(dice) }
        }
        41..=42 => Op::InfoSync { sale, kind: 1 + i64::from(dice.small(3)), post: post(dice) },
        43 => Op::Pay { sale, post: post(dice) },
        44..=45 => Op::Query { sale },
        46..=50 => Op::Arrive { message: census.messages.get(dice.below(census.messages.len())).copied().unwrap_or(0) },
        51..=54 => Op::Repeat { message, times: dice.pick(&[1, 1, 2, 20]) },
        55 => Op::Contradict { message },
        56..=60 => Op::Enter { sale, early: dice.one_in(3), post: post(dice) },
        61..=64 => Op::Decide { sale, well: !dice.one_in(3), post: post(dice) },
        65..=70 => Op::Act { sale, act: act(dice) },
        71..=77 => Op::Advance { ms: length(dice) },
        78..=90 => Op::Work { instance: dice.small(2), many: 1 + dice.small(6), hows: hows(dice, 4) },
        91..=93 => Op::Deadlines { instance: dice.small(2) },
        94..=95 => Op::GoOn { hanging: dice.below(census.hanging) },
        96 => Op::Kill { hanging: dice.below(census.hanging) },
        97 => Op::FailCommit { after: dice.one_in(2) },
        98 => {
            if dice.one_in(4) {
                Op::Restart
            } else {
                Op::Work { instance: dice.small(2), many: 20, hows: Vec::new() }
            }
        }
        _ => {
            if dice.one_in(2) {
                Op::Quiet
            } else {
                Op::Advance { ms: length(dice) }
            }
        }
    }
}

fn act(dice: &mut Dice) -> Act {
    dice.pick(&[
        Act::Confirm,
        Act::Confirm,
        Act::Confirm,
        Act::Decline,
        Act::SupplyTickets,
        Act::SupplyTickets,
        Act::Redeem,
        Act::NoShow,
        Act::Cancel,
        Act::Approve,
        Act::Approve,
        Act::ApproveAnyway,
        Act::Reject,
        Act::Reject,
        Act::RetryDead,
        Act::RetryDead,
        Act::DropDead,
    ])
}
