// SPDX-License-Identifier: Apache-2.0

use super::*;
use crate::test_support::for_each_database;
use crate::{
    AccountFilter, AccountState, AuditFilter, ChallengeKind, DoorRow, InvitationState, NewAccount, NewAudit,
    NewChallenge, NewInvitation, NewPasskey, NewSession, PageRequest, Profile, ScopeWords, ScopesWithin, SecretsRow,
};

fn agency(id: &str) -> ScopeWords {
    ScopeWords { kind: "agency".to_owned(), id: Some(id.to_owned()) }
}

fn account(n: u128, state: AccountState, scope: ScopeWords) -> NewAccount {
    let profile = Profile { name: format!("Person {n}"), email: format!("P{n}@X.example"), ..Profile::default() };
    NewAccount {
        id: format!("acc_{n}"),
        profile,
        state,
        role: Some("admin".to_owned()),
        scope,
        sign_in: "password".to_owned(),
        identity: None,
        password: Some("$argon2id$…".to_owned()),
        at: NOW + Millis(i64::try_from(n).unwrap()),
    }
}

fn passkey(n: u128) -> NewPasskey {
    NewPasskey {
        id: format!("pky_{n}"),
        account: format!("acc_{n}"),
        credential_id: n.to_be_bytes().to_vec(),
        name: "My phone".to_owned(),
        credential: serde_json::json!({ "key": n.to_string() }),
        counter: 5,
        at: NOW,
    }
}

fn challenge(challenge: &str, session: Option<&str>) -> NewChallenge {
    NewChallenge {
        challenge: challenge.to_owned(),
        kind: ChallengeKind::Factor,
        session: session.map(str::to_owned),
        state: serde_json::json!({ "challenge": challenge }),
        expires_at: NOW + Millis::minutes(5),
    }
}

/// A person with everything that is sealed of one.
pub(super) async fn join(tx: &Tx, n: u128) -> Result<(), StoreError> {
    let new = account(n, AccountState::Active, agency("north"));
    tx.add_account(&new).await?;
    tx.begin_totp(&new.id, "00", NOW).await?;
    assert!(tx.confirm_totp(&new.id, "00", 1, NOW).await?);
    tx.add_passkey(&passkey(n)).await?;
    tx.put_challenge(&challenge(&format!("c{n}"), Some("ses_1"))).await?;
    let secrets = SecretsRow {
        connection: format!("backend:gate{n}"),
        fingerprint: "f1".to_owned(),
        values: serde_json::json!({ "secret": "s" }),
        propagation: Millis::minutes(5),
        saved_at: NOW,
        opens_at: NOW,
    };
    tx.put_partner_secrets(&secrets.connection, std::slice::from_ref(&secrets)).await?;
    let invitation = NewInvitation {
        id: format!("inv_{n}"),
        token: format!("token {n}"),
        email: format!("I{n}@x.example"),
        role: "viewer".to_owned(),
        scope: agency("north"),
        invited_by: new.id.clone(),
        at: NOW,
        expires_at: NOW + Millis::hours(1),
    };
    tx.add_invitation(&invitation).await?;
    let audit = NewAudit {
        id: format!("aud_{n}"),
        at: NOW,
        actor: new.id,
        act: "looked".to_owned(),
        order: None,
        channel: Some(channel()),
        scope: None,
        detail: serde_json::json!({ "reason": "Guest One" }),
    };
    tx.add_audit(&audit).await
}

const ALL: fn() -> PageRequest = || PageRequest { limit: 10, cursor: None };

#[tokio::test]
async fn an_account_is_found_by_its_address_in_any_case_and_there_is_one_of_each() {
    for_each_database(|store| async move {
        write(&store, work!(tx => join(tx, 1).await)).await;
        let found = store.account_of_email(" p1@x.EXAMPLE ").await.unwrap().unwrap();
        assert_eq!(
            (found.id.as_str(), found.profile.email.as_str(), found.state),
            ("acc_1", "p1@x.example", AccountState::Active)
        );
        assert_eq!(store.account("acc_1").await.unwrap(), Some(found));
        let again = NewAccount { id: "acc_2".to_owned(), ..account(1, AccountState::Active, agency("north")) };
        let result = store
            .write("test", move |tx: &Tx| {
                let again = again.clone();
                Box::pin(async move { tx.add_account(&again).await })
            })
            .await;
        assert!(matches!(result, Err(StoreError::Duplicate)), "{result:?}");
    })
    .await;
}

#[tokio::test]
async fn codes_are_taken_once() {
    for_each_database(|store| async move {
        write(&store, work!(tx => join(tx, 1).await)).await;
        let steps = async |step: i64| write(&store, work!(tx, step => tx.take_totp_step("acc_1", step).await)).await;
        assert_eq!([steps(5).await, steps(5).await, steps(4).await, steps(6).await], [true, false, false, true]);
        let codes = vec!["a".to_owned(), "b".to_owned()];
        write(&store, work!(tx, codes => tx.put_recovery_codes("acc_1", &codes).await)).await;
        let take = async |code: &'static str| {
            write(&store, work!(tx, code => tx.take_recovery_code("acc_1", code, NOW).await)).await
        };
        assert_eq!([take("a").await, take("a").await, take("c").await], [true, false, false]);
        assert_eq!(store.recovery_codes_left("acc_1").await.unwrap(), 1);
        write(&store, work!(tx => tx.put_recovery_codes("acc_1", &[]).await)).await;
        assert_eq!(store.recovery_codes_left("acc_1").await.unwrap(), 0);
    })
    .await;
}

#[tokio::test]
async fn a_passkey_is_of_one_account_and_its_count_only_goes_on() {
    for_each_database(|store| async move {
        write(&store, work!(tx => join(tx, 1).await)).await;
        write(&store, work!(tx => tx.remove_passkeys("acc_1").await)).await;
        write(&store, work!(tx => tx.add_passkey(&passkey(1)).await)).await;
        let taken = NewPasskey { id: "pky_2".to_owned(), ..passkey(1) };
        let result = store
            .write("test", move |tx: &Tx| {
                let taken = taken.clone();
                Box::pin(async move { tx.add_passkey(&taken).await })
            })
            .await;
        assert!(matches!(result, Err(StoreError::Duplicate)), "{result:?}");
        assert_eq!(store.account("acc_1").await.unwrap().unwrap().passkeys, 1);
        let found = store.passkey_of_credential(&1_u128.to_be_bytes()).await.unwrap().unwrap();
        assert_eq!((found.name.as_str(), found.counter, found.used_at), ("My phone", 5, None));
        let credential = serde_json::json!({ "key": "changed" });
        let uses = async |counter: u32| {
            let credential = credential.clone();
            write(&store, work!(tx, credential, counter => tx.use_passkey("pky_1", &credential, counter, NOW).await))
                .await
        };
        assert_eq!([uses(5).await, uses(0).await, uses(6).await, uses(6).await], [false, false, true, false]);
        let found = store.passkeys("acc_1").await.unwrap().remove(0);
        assert_eq!(
            (found.counter, found.used_at, found.credential),
            (6, Some(NOW), serde_json::json!({ "key": "changed" }))
        );
        let change = async |account: &'static str| {
            let renamed = write(&store, work!(tx, account => tx.rename_passkey(account, "pky_1", "Mine").await)).await;
            (renamed, write(&store, work!(tx, account => tx.remove_passkey(account, "pky_1").await)).await)
        };
        assert_eq!([change("acc_2").await, change("acc_1").await], [(false, false), (true, true)]);
    })
    .await;
}

#[tokio::test]
async fn a_challenge_is_taken_once_in_its_session_for_its_purpose_and_in_time() {
    for_each_database(|store| async move {
        let put = async |text: &'static str, session: Option<&'static str>| {
            write(&store, work!(tx, text, session => tx.put_challenge(&challenge(text, session)).await)).await;
        };
        let take = async |text: &'static str, kind: ChallengeKind, session: Option<&'static str>, at: UnixMillis| {
            let taken =
                write(&store, work!(tx, text, kind, session, at => tx.take_challenge(text, kind, session, at).await))
                    .await;
            taken.is_some()
        };
        let (factor, late) = (ChallengeKind::Factor, NOW + Millis::minutes(5));
        put("a", Some("ses_1")).await;
        let of_ses = Some("ses_1");
        let (one, two) = tokio::join!(take("a", factor, of_ses, NOW), take("a", factor, of_ses, NOW));
        assert!(one != two, "of two one gets it");
        for (kind, session, at) in [
            (ChallengeKind::SignIn, of_ses, NOW),
            (factor, Some("ses_2"), NOW),
            (factor, None, NOW),
            (factor, of_ses, late),
        ] {
            put("b", of_ses).await;
            assert!(!take("b", kind, session, at).await);
            assert!(!take("b", factor, of_ses, NOW).await, "and then it is gone");
        }
        put("c", None).await;
        let gone = write(&store, work!(tx, late => tx.purge_challenges(late).await)).await;
        assert_eq!(gone, 1);
    })
    .await;
}

#[tokio::test]
async fn what_may_be_tried_once_is_taken_by_one_of_many_and_known_for_a_while() {
    for_each_database(|store| async move {
        let take = async |what: &'static str| write(&store, work!(tx, what => tx.take_once(what, NOW).await)).await;
        let (one, two, three) = tokio::join!(take("state/a"), take("state/a"), take("state/a"));
        assert_eq!([one, two, three].into_iter().filter(|taken| *taken).count(), 1);
        assert_eq!([take("state/b").await, take("state/a").await], [true, false]);
        let gone = write(&store, work!(tx => tx.purge_guesses(NOW + Millis(1)).await)).await;
        assert_eq!((gone, take("state/a").await), (2, true));
    })
    .await;
}

#[tokio::test]
async fn an_invitation_is_accepted_or_taken_back_and_never_after_its_time() {
    for_each_database(|store| async move {
        for n in 1..=3 {
            write(&store, work!(tx, n => join(tx, n).await)).await;
        }
        let accept = async |id: &'static str, at: UnixMillis| {
            write(&store, work!(tx, id, at => tx.accept_invitation(id, "acc_9", at).await)).await
        };
        let revoke = async |id: &'static str| write(&store, work!(tx, id => tx.revoke_invitation(id, NOW).await)).await;
        let late = NOW + Millis::hours(1);
        assert_eq!([accept("inv_1", NOW).await, revoke("inv_1").await], [true, false]);
        assert_eq!([revoke("inv_2").await, accept("inv_2", NOW).await], [true, false]);
        assert!(!accept("inv_3", late).await);
        for (state, id) in [
            (InvitationState::Accepted, "inv_1"),
            (InvitationState::Revoked, "inv_2"),
            (InvitationState::Expired, "inv_3"),
        ] {
            let found = store.list_invitations(Some(state), &ScopesWithin::Everything, late, &ALL()).await.unwrap();
            let ids: Vec<&str> = found.items.iter().map(|it| it.id.as_str()).collect();
            assert_eq!(ids, [id], "{state:?}");
        }
        assert_eq!(store.invitation_of_token("token 2").await.unwrap().map(|it| it.id), Some("inv_2".to_owned()));
        assert_eq!(store.invitation_of_token("token 4").await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn a_session_is_known_by_its_token_alone_and_ends() {
    for_each_database(|store| async move {
        let begin = |token: &str, id: &str| NewSession {
            token: token.to_owned(),
            id: id.to_owned(),
            account: "acc_1".to_owned(),
            created_at: NOW,
            seen_at: NOW,
            factor_at: None,
            address: "192.0.2.1".to_owned(),
            agent: "x".repeat(500),
        };
        for (token, id) in [("one", "ses_1"), ("two", "ses_2")] {
            let new = begin(token, id);
            write(&store, work!(tx, new => tx.begin_session(&new).await)).await;
        }
        assert!(write(&store, work!(tx => tx.pass_factor("ses_1", "three", NOW).await)).await);
        assert_eq!(store.session("one").await.unwrap(), None, "its old token is worth nothing");
        assert_eq!(store.session("three").await.unwrap().unwrap().factor_at, Some(NOW));
        assert!(!write(&store, work!(tx => tx.end_session("acc_2", "ses_1", NOW).await)).await, "of somebody else");
        assert!(write(&store, work!(tx => tx.end_session("acc_1", "ses_1", NOW).await)).await);
        assert!(!write(&store, work!(tx => tx.pass_factor("ses_1", "four", NOW).await)).await, "it has ended");
        assert_eq!(store.sessions("acc_1", NOW - Millis(1)).await.unwrap().len(), 1);
        let order = order_id(1);
        write(&store, work!(tx, order => tx.note_revealed("ses_2", &order, NOW).await)).await;
        write(&store, work!(tx, order => tx.note_revealed("ses_2", &order, NOW).await)).await;
        assert!(
            store.has_revealed("ses_2", &order).await.unwrap() && !store.has_revealed("ses_1", &order).await.unwrap()
        );
        assert_eq!(write(&store, work!(tx => tx.end_sessions("acc_1", NOW).await)).await, 1);
        assert_eq!(write(&store, work!(tx => tx.purge_sessions(NOW + Millis(1)).await)).await, 3);
    })
    .await;
}

#[tokio::test]
async fn people_and_acts_of_one_scope_are_listed_without_the_others() {
    for_each_database(|store| async move {
        write(&store, work!(tx => join(tx, 1).await)).await;
        let other = account(2, AccountState::Active, agency("south"));
        write(&store, work!(tx, other => tx.add_account(&other).await)).await;
        let within =
            |scope: &str, channels: Vec<ChannelId>| ScopesWithin::Only { scopes: vec![agency(scope)], channels };
        for (scope, wanted) in [("north", "acc_1"), ("south", "acc_2")] {
            let filter = AccountFilter { state: Some(AccountState::Active), within: within(scope, Vec::new()) };
            let found = store.list_accounts(&filter, &ALL()).await.unwrap();
            assert_eq!(found.items.iter().map(|it| it.id.as_str()).collect::<Vec<_>>(), [wanted]);
        }
        for (within, many) in [
            (ScopesWithin::Everything, 1),
            (within("south", vec![channel()]), 1),
            (within("south", Vec::new()), 0),
            (ScopesWithin::Only { scopes: Vec::new(), channels: Vec::new() }, 0),
        ] {
            let found = store.list_audit(&AuditFilter { within, ..AuditFilter::default() }, &ALL()).await.unwrap();
            assert_eq!(found.items.len(), many);
            assert!(found.items.iter().all(|it| it.detail["reason"] == "Guest One"));
        }
    })
    .await;
}

#[tokio::test]
async fn doors_are_kept_by_network_and_units_are_settled_forwards() {
    for_each_database(|store| async move {
        let door = DoorRow {
            connection: "kakao".to_owned(),
            network: "192.0.2.0/24".to_owned(),
            propagation: Millis::minutes(5),
            saved_at: NOW,
            opens_at: NOW,
            closes_at: None,
        };
        let closed = DoorRow { closes_at: Some(NOW + Millis(1)), ..door.clone() };
        for one in [door, closed.clone()] {
            write(&store, work!(tx, one => tx.put_door(&one).await)).await;
        }
        assert_eq!(store.doors().await.unwrap(), [closed]);
        let settle = async |until: i64| {
            let until = NOW + Millis(until);
            write(&store, work!(tx, until => tx.settle_until("park-1", until, "books", NOW).await)).await
        };
        assert_eq!([settle(10).await, settle(10).await, settle(5).await, settle(20).await], [true, false, false, true]);
        assert_eq!(store.settled_until("park-1").await.unwrap(), Some(NOW + Millis(20)));
        assert_eq!(store.unsettled_lines("park-1").await.unwrap(), 0);
    })
    .await;
}
