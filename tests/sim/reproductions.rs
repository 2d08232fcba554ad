//! What a simulation once found, as short as it could be told. Each must pass for ever.

use crate::op::{Op, Post};

/// A name, how the channel learns of acceptance, and the steps.
pub(crate) type Reproduction = (&'static str, &'static str, Vec<Op>);

/// All of them.
pub(crate) fn all() -> Vec<Reproduction> {
    vec![("late_tickets_refund_that_names_the_sale", "sync", late_tickets_refund_that_names_the_sale())]
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
