//! What a simulation once found, as short as it could be told. Each must pass for ever.

use crate::op::Op;

/// A name, how the channel learns of acceptance, and the steps.
pub(crate) type Reproduction = (&'static str, &'static str, Vec<Op>);

/// All of them.
pub(crate) fn all() -> Vec<Reproduction> {
    Vec::new()
}
