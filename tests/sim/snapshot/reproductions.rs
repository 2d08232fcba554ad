//! What a simulation once found, as short as it could be told. Each must pass for ever.

use super::op::{Act, Op};
use super::tripstore::Pays;
use super::world::COUNTED;
use super::{kakao, tripstore};
use crate::dice::Post;
use crate::partners::How;
use crate::run::Reproduction;

/// All of them; each in a world of this variant.
pub(crate) fn all() -> Vec<Reproduction<Op>> {
    vec![
        ("called_off_against_the_rules_with_a_ticket", COUNTED, called_off_against_the_rules_with_a_ticket()),
        ("wants_out_after_going_in", COUNTED, wants_out_after_going_in()),
        ("another_message_under_one_key", COUNTED, another_message_under_one_key()),
    ]
}

fn work(many: u8, hows: &[How]) -> Op {
    Op::Work { instance: 0, many, hows: hows.to_vec() }
}

/// The platform counted the visit as used by itself, and took it back; its ticket went on admitting, and nobody was told.
fn called_off_against_the_rules_with_a_ticket() -> Vec<Op> {
    let there = |what| Op::ThereVisit { sale: 0, what, waits: false, post: Post::Now };
    vec![
        Op::Visit { product: 1, by_manager: true, paid: true, free: true, days: 4, post: Post::Now },
        work(5, &[]),
        there(kakao::There::Uses),
        there(kakao::There::ExOfficio),
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
