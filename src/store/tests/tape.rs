// SPDX-License-Identifier: Apache-2.0

use super::*;
use crate::TapePiece;
use crate::dialect::{Query as _, get, values};
use crate::test_support::for_each_database;

fn piece(n: i64) -> TapePiece {
    TapePiece { id: format!("tap_{n:04}"), at: NOW + Millis(n / 2), content: format!("piece {n}").into_bytes() }
}

#[tokio::test]
async fn a_recording_is_read_part_by_part_in_its_order_and_sealed() {
    for_each_database(|store| async move {
        let pieces: Vec<TapePiece> = (0..150).map(piece).collect();
        write(&store, work!(tx, pieces => tx.tape(&pieces).await)).await;
        let (mut found, mut last) = (Vec::new(), None::<TapePiece>);
        loop {
            let part = store.read_tape((NOW + Millis(5), NOW + Millis(70)), last.as_ref(), 7).await.unwrap();
            let Some(end) = part.last() else { break };
            last = Some(end.clone());
            found.extend(part);
        }
        assert_eq!(found, pieces[10..140], "from the first of its time to the last before its end");
        let row = store.row("SELECT sealed FROM tape WHERE id = 'tap_0003'", values![]).await.unwrap().unwrap();
        assert!(!get::<String>(&row, "sealed").unwrap().contains("piece"));
    })
    .await;
}

#[tokio::test]
async fn what_is_older_than_it_is_kept_is_deleted() {
    for_each_database(|store| async move {
        let pieces: Vec<TapePiece> = (0..20).map(piece).collect();
        write(&store, work!(tx, pieces => tx.tape(&pieces).await)).await;
        let before = NOW + Millis(5);
        let purged = async || write(&store, work!(tx, before => tx.purge_tape(before, 7).await)).await;
        assert_eq!((purged().await, purged().await, purged().await), (7, 3, 0));
        let left = store.read_tape((UnixMillis(0), NOW + Millis(99)), None, 99).await.unwrap();
        assert_eq!(left, pieces[10..]);
    })
    .await;
}
