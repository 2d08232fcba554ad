// SPDX-License-Identifier: Apache-2.0

//! What a simulation once found, as short as it could be told. Each must pass for ever.

use super::op::Op;
use crate::dice::Post;
use crate::partners::How;
use crate::run::Reproduction;

/// All of them; each in a world whose channel learns of acceptance in this way.
pub(crate) fn all() -> Vec<Reproduction<Op>> {
    vec![
        ("late_tickets_refund_that_names_the_sale", "sync", late_tickets_refund_that_names_the_sale()),
        ("refund_in_two_parts", "sync", refund_in_two_parts()),
        ("refund_asked_for_after_one_with_a_fee", "async", refund_asked_for_after_one_with_a_fee()),
        ("late_tickets_refund_after_another_that_held_them_back", "async", late_tickets_refund_after_another()),
        ("refund_told_after_the_cancellation_was_given_up", "sync", refund_told_after_the_cancellation_was_given_up()),
    ]
}

/// The rejection was decided, and the channel was told "waiting" for ever: its vouchers were looked for under the sale's number.
fn late_tickets_refund_that_names_the_sale() -> Vec<Op> {
    vec![
        Op::Sell { product: 1, quantity: 3, post: Post::Now },
        Op::Apply { sale: 0, source: 301, cancels_booking: false, fee: 10_000, for_sale: true, post: Post::Later },
        Op::Book { sale: 0, days: 3, post: Post::Now },
        Op::Issue { sale: 0, work: 1, hows: vec![], post: Post::Now },
    ]
}

/// What the first part left was taken for the fee, and stayed one when the second part went back.
fn refund_in_two_parts() -> Vec<Op> {
    let half = Op::RefundNotify { sale: 0, share: 50, expired: false, post: Post::Now };
    vec![Op::Sell { product: 5, quantity: 3, post: Post::Now }, half.clone(), half]
}

/// The fee that the first refund had left was promised to the guest by the approval of the second.
fn refund_asked_for_after_one_with_a_fee() -> Vec<Op> {
    vec![
        Op::Sell { product: 4, quantity: 3, post: Post::Now },
        Op::Book { sale: 0, days: 3, post: Post::Now },
        Op::RefundNotify { sale: 0, share: 50, expired: true, post: Post::Now },
        Op::Apply { sale: 0, source: 101, cancels_booking: false, fee: 0, for_sale: false, post: Post::Now },
        Op::Quiet,
        Op::CancelNotify { sale: 0, kind: 3, for_sale: false, post: Post::Now },
    ]
}

/// The tickets had been held back by the first request, and the second waited for ever for a call that was never made.
fn late_tickets_refund_after_another() -> Vec<Op> {
    let ask =
        |source| Op::Apply { sale: 0, source, cancels_booking: false, fee: 2_000, for_sale: false, post: Post::Now };
    vec![
        Op::Sell { product: 0, quantity: 3, post: Post::Now },
        Op::Book { sale: 0, days: 0, post: Post::Now },
        Op::Issue { sale: 0, work: 0, hows: vec![], post: Post::Now },
        ask(302),
        Op::Quiet,
        ask(301),
    ]
}

/// The flag went with the refund case, and nobody asked the back-end again: a live ticket behind a refund, unseen.
fn refund_told_after_the_cancellation_was_given_up() -> Vec<Op> {
    let mut ops = vec![
        Op::Sell { product: 2, quantity: 2, post: Post::Now },
        Op::Book { sale: 0, days: 4, post: Post::Now },
        Op::Work { instance: 0, many: 5, hows: vec![] },
        Op::Apply { sale: 0, source: 301, cancels_booking: true, fee: 0, for_sale: false, post: Post::Now },
    ];
    // Six tries, none of which arrives; the question in between neither.
    for _ in 0..6 {
        ops.push(Op::Work { instance: 0, many: 1, hows: vec![How::RequestLost] });
        ops.push(Op::Advance { ms: 120_000 });
    }
    ops.push(Op::RefundNotify { sale: 0, share: 80, expired: false, post: Post::Now });
    ops
}
