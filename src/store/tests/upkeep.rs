use super::*;
use crate::test_support::for_each_database;
use crate::{KnownAct, LeaseToken};

async fn lease(store: &Store, holder: &'static str, at: i64) -> Option<LeaseToken> {
    write(store, work!(tx => tx.try_lease("purge", holder, Millis(100), after(at)).await)).await
}

#[tokio::test]
async fn one_instance_holds_a_lease_until_it_ends_or_is_given_back() {
    for_each_database(|store| async move {
        let first = lease(&store, "a", 0).await.unwrap();
        assert_eq!(lease(&store, "b", 99).await, None);
        let renewed = lease(&store, "a", 50).await.unwrap();
        assert_ne!(first, renewed);
        assert_eq!(lease(&store, "b", 149).await, None);
        assert!(lease(&store, "b", 150).await.is_some());
        assert!(!write(&store, work!(tx, renewed => tx.release_lease("purge", &renewed).await)).await);

        let held = lease(&store, "b", 160).await.unwrap();
        assert!(write(&store, work!(tx, held => tx.release_lease("purge", &held).await)).await);
        assert!(lease(&store, "a", 161).await.is_some());
    })
    .await;
}

#[tokio::test]
async fn of_instances_that_ask_together_one_gets_the_lease() {
    for_each_database(|store| async move {
        let names = ["a", "b", "c", "d", "e", "f"];
        let all = futures_util::future::join_all(names.map(|name| lease(&store, name, 0))).await;
        assert_eq!(all.iter().flatten().count(), 1);
    })
    .await;
}

#[tokio::test]
async fn an_act_is_kept_once_with_its_answer_and_forgotten_by_age() {
    for_each_database(|store| async move {
        let act = KnownAct { request_hash: "r".repeat(64), status: 409, body: b"{}".to_vec() };
        let key = "k".repeat(64);
        let (kept, k) = (act.clone(), key.clone());
        write(&store, work!(tx, kept, k => tx.put_act(&k, &kept, NOW).await)).await;
        assert_eq!(store.known_act(&key).await.unwrap(), Some(act.clone()));
        let k = key.clone();
        assert_eq!(write(&store, work!(tx, k => tx.known_act(&k).await)).await, Some(act.clone()));
        let (again, k) = (act.clone(), key.clone());
        let result: Result<(), StoreError> =
            store.write("again", work!(tx, again, k => tx.put_act(&k, &again, NOW).await)).await;
        assert!(matches!(result, Err(StoreError::Duplicate)));

        assert_eq!(write(&store, work!(tx => tx.purge_acts(NOW).await)).await, 0);
        assert_eq!(write(&store, work!(tx => tx.purge_acts(after(1)).await)).await, 1);
        assert_eq!(store.known_act(&key).await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn what_is_done_once_is_noted_once() {
    for_each_database(|store| async move {
        assert!(!store.is_done_once("index").await.unwrap());
        for at in [1, 2] {
            write(&store, work!(tx => tx.note_done_once("index", after(at)).await)).await;
        }
        assert!(store.is_done_once("index").await.unwrap());
        assert!(!store.is_done_once("other").await.unwrap());
    })
    .await;
}
