//! What a simulation once found, as short as it could be told. Each must pass for ever.

use super::op::Op;
use crate::run::Reproduction;

/// All of them; each in a world of this variant.
pub(crate) fn all() -> Vec<Reproduction<Op>> {
    Vec::new()
}
