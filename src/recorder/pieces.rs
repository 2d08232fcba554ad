// SPDX-License-Identifier: Apache-2.0

//! The pieces of a time, from the database.

use ticketbridge_core::UnixMillis;
use ticketbridge_store::{Store, StoreError, TapePiece};

use super::tape::Piece;

/// Rows that are read at once.
pub(super) const READ_MAX: u32 = 500;

/// What was recorded in a time, in its order.
pub(super) async fn read(
    store: &Store,
    time: (UnixMillis, UnixMillis),
) -> Result<Vec<(UnixMillis, Piece)>, StoreError> {
    let (mut pieces, mut last) = (Vec::new(), None::<TapePiece>);
    loop {
        let found = store.read_tape(time, last.as_ref(), READ_MAX).await?;
        // A piece that a later version wrote is not understood, and so not played.
        pieces.extend(found.iter().filter_map(|piece| Some((piece.at, serde_json::from_slice(&piece.content).ok()?))));
        match found.last() {
            Some(end) => last = Some(end.clone()),
            None => return Ok(pieces),
        }
    }
}
