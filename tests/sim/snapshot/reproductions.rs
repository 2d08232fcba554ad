// SPDX-License-Identifier: Apache-2.0

//! What a simulation once found, as short as it could be told. Each must pass for ever.

use super::op::{Act, Op};
use super::tripstore::Pays;
use super::world::{COUNTED, UNCOUNTED};
use super::{kakao, tripstore};
use crate::dice::Post;
use crate::partners::How;
use crate::run::Reproduction;

/// All of them; each in a world of this variant.
pub(crate) fn all() -> Vec<Reproduction<Op>> {
    vec![
        ("cancelled_against_the_rules_with_a_ticket", COUNTED, cancelled_against_the_rules_with_a_ticket()),
        ("wants_out_after_going_in", COUNTED, wants_out_after_going_in()),
        ("another_message_under_one_key", COUNTED, another_message_under_one_key()),
        ("an_old_number_of_the_agencys_comes_late", COUNTED, an_old_number_of_the_agencys_comes_late()),
        ("completed_while_the_marketplace_waits", COUNTED, completed_while_the_marketplace_waits()),
        ("renumbered_in_the_instant_of_another_change", UNCOUNTED, renumbered_in_the_instant_of_another_change()),
        ("a_number_comes_between_two_attempts", UNCOUNTED, a_number_comes_between_two_attempts()),
        ("a_look_is_older_than_what_is_told_meanwhile", UNCOUNTED, a_look_is_older_than_what_is_told_meanwhile()),
    ]
}

fn work(many: u8, hows: &[How]) -> Op {
    Op::Work { instance: 0, many, hows: hows.to_vec() }
}

/// The platform counted the visit as used by itself, and took it back; its ticket went on admitting, and nobody was told.
fn cancelled_against_the_rules_with_a_ticket() -> Vec<Op> {
    let there = |what| Op::ThereVisit { sale: 0, what, waits: false, post: Post::Now };
    vec![
        Op::Visit { product: 1, by_manager: true, paid: true, free: true, days: 4, post: Post::Now },
        work(5, &[]),
        there(kakao::There::Uses),
        there(kakao::There::ExOfficio),
    ]
}

/// The agency gave the booking another number in the same instant in which it was completed. The marketplace does not count its changes, so
/// that the new number passed for an old message and was never known.
fn renumbered_in_the_instant_of_another_change() -> Vec<Op> {
    vec![
        Op::Trip { product: 1, pays: Pays::Full, days: 0, post: Post::Now },
        work(5, &[]),
        Op::ThereTrip { sale: 0, what: tripstore::There::Renumbers, waits: true, post: Post::Now },
    ]
}

/// A guest who had gone in asked the marketplace to call the trip off. It waited for the agency's decision for ever: nobody was told.
fn wants_out_after_going_in() -> Vec<Op> {
    let there = |what| Op::ThereTrip { sale: 0, what, waits: false, post: Post::Now };
    vec![
        Op::Trip { product: 2, pays: Pays::Partial, days: 0, post: Post::Now },
        there(tripstore::There::Completes),
        work(5, &[]),
        Op::Enter { sale: 0, early: false, post: Post::Now },
        there(tripstore::There::AsksToCancel),
    ]
}

/// The completion was not understood, the agency gave its number, and the look before the next attempt brought a body that nobody can read:
/// the completion went out again under its first key, with the number in it.
fn a_number_comes_between_two_attempts() -> Vec<Op> {
    vec![
        Op::Trip { product: 1, pays: Pays::Link, days: 0, post: Post::Now },
        work(3, &[How::Well, How::Garbage, How::TokenRejected, How::Well]),
        Op::Advance { ms: 5_788 },
        work(5, &[How::Garbage, How::Well]),
    ]
}

/// The guest asked to cancel while a look was under way, whose answer came afterwards: his request was taken for withdrawn, and the booking
/// completed.
fn a_look_is_older_than_what_is_told_meanwhile() -> Vec<Op> {
    let there = |what| Op::ThereTrip { sale: 0, what, waits: false, post: Post::Now };
    vec![
        Op::Trip { product: 1, pays: Pays::Partial, days: 2, post: Post::Now },
        Op::Work { instance: 1, many: 4, hows: vec![How::Busy, How::HangsAfter, How::Late(60), How::Refuses] },
        there(tripstore::There::AsksToCancel),
    ]
}

/// The completion was refused, the agency had another number when a person had it made again: the same key stood for two messages, and a
/// marketplace that remembers what it said under a key refused it for good.
fn another_message_under_one_key() -> Vec<Op> {
    vec![
        Op::Trip { product: 0, pays: Pays::Link, days: 3, post: Post::Now },
        Op::ThereTrip { sale: 0, what: tripstore::There::PaysOldLink, waits: false, post: Post::Now },
        Op::Act { sale: 0, act: Act::Confirm },
        // The agency is told, and the completion meets a booking that has changed; its answer is lost.
        work(1, &[]),
        Op::ThereTrip { sale: 0, what: tripstore::There::Pays, waits: false, post: Post::Later },
        work(1, &[How::FailsAfter]),
        Op::Quiet,
    ]
}

/// The agency refused the cancellation, for which the marketplace has no call; policy had the booking completed at once, and the marketplace,
/// which still waited, refused it for good.
fn completed_while_the_marketplace_waits() -> Vec<Op> {
    vec![
        Op::Trip { product: 1, pays: Pays::Partial, days: 3, post: Post::Now },
        Op::ThereTrip { sale: 0, what: tripstore::There::AsksToCancel, waits: false, post: Post::Now },
        Op::Act { sale: 0, act: Act::Reject },
        work(6, &[]),
    ]
}

/// The agency's answer to the hand-over was long on its way, and the agency had changed its number meanwhile: the old one came last and stayed.
fn an_old_number_of_the_agencys_comes_late() -> Vec<Op> {
    vec![
        Op::Trip { product: 0, pays: Pays::Link, days: 3, post: Post::Now },
        work(1, &[How::HangsAfter]),
        Op::ThereTrip { sale: 0, what: tripstore::There::Renumbers, waits: false, post: Post::Now },
        Op::GoOn { hanging: 0 },
    ]
}
