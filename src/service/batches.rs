// SPDX-License-Identifier: Apache-2.0

//! What was handed over for writing down: taken in batches until the stop, and then what is left.

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Fills `batch` with what waits, `most` at once; `false` when nothing is left and nothing can come any more. Once `stop` is cancelled nothing
/// new is taken.
pub(crate) async fn next_batch<T>(
    waiting: &mut mpsc::Receiver<T>,
    batch: &mut Vec<T>,
    most: usize,
    stop: &CancellationToken,
) -> bool {
    loop {
        let stopping = stop.is_cancelled();
        if stopping {
            waiting.close();
        }
        tokio::select! {
            biased;
            found = waiting.recv_many(batch, most) => return found > 0,
            () = stop.cancelled(), if !stopping => {}
        }
    }
}
