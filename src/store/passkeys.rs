// SPDX-License-Identifier: Apache-2.0

//! Passkeys of people, and the challenges that were set for them. Who reads the database learns neither a credential nor its name, and who
//! writes to it puts no key of his own in the place of somebody's: both are sealed to their row.

use sea_orm::QueryResult;
use serde_json::Value;
use ticketbridge_core::UnixMillis;

use crate::connect::Store;
use crate::dialect::{Query, get, get_count, get_word, values, word};
use crate::error::StoreError;
use crate::seal::sha256_hex;
use crate::tx::Tx;

/// A passkey to be.
#[derive(Clone, Debug)]
pub struct NewPasskey {
    /// Its id.
    pub id: String,
    /// Whose.
    pub account: String,
    /// By what its authenticator knows it.
    pub credential_id: Vec<u8>,
    /// What its owner calls it.
    pub name: String,
    /// The credential: its public key, and how it is reached.
    pub credential: Value,
    /// How often it says that it was used.
    pub counter: u32,
    /// When.
    pub at: UnixMillis,
}

/// A passkey.
#[derive(Clone, Debug, PartialEq)]
pub struct PasskeyRow {
    /// Its id.
    pub id: String,
    /// Whose.
    pub account: String,
    /// What its owner calls it.
    pub name: String,
    /// The credential: its public key, and how it is reached.
    pub credential: Value,
    /// How often it said last that it was used; 0 where it does not count.
    pub counter: i64,
    /// When it was added.
    pub created_at: UnixMillis,
    /// When it was used last.
    pub used_at: Option<UnixMillis>,
}

/// What a challenge was set for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChallengeKind {
    /// Adding a passkey.
    Add,
    /// The second factor of a session.
    Factor,
    /// Signing in.
    SignIn,
}

/// A challenge that was set.
#[derive(Clone, Debug)]
pub struct NewChallenge {
    /// The challenge, as browsers write it.
    pub challenge: String,
    /// What for.
    pub kind: ChallengeKind,
    /// In which session; none yet for signing in.
    pub session: Option<String>,
    /// What the answer is judged by.
    pub state: Value,
    /// Until when it can be answered.
    pub expires_at: UnixMillis,
}

const COLUMNS: &str = "id, account_id, name, credential, counter, created_ms, used_ms";

fn name_row(id: &str) -> String {
    format!("passkey.name/{id}")
}
fn credential_row(id: &str) -> String {
    format!("passkey.credential/{id}")
}
fn challenge_row(hash: &str) -> String {
    format!("passkey_challenge/{hash}")
}
fn credential_hash(query: &impl Query, credential_id: &[u8]) -> String {
    query.sealer().keyed_hash("passkey", &hex::encode(credential_id))
}
fn challenge_hash(challenge: &str) -> String {
    sha256_hex(&[b"passkey_challenge", challenge.as_bytes()])
}

fn read(query: &impl Query, row: &QueryResult) -> Result<PasskeyRow, StoreError> {
    let id: String = get(row, "id")?;
    let name = query.sealer().open(&name_row(&id), &get::<String>(row, "name")?)?;
    let credential = query.sealer().open(&credential_row(&id), &get::<String>(row, "credential")?)?;
    Ok(PasskeyRow {
        account: get(row, "account_id")?,
        name: String::from_utf8_lossy(&name).into_owned(),
        credential: serde_json::from_slice(&credential)?,
        counter: get(row, "counter")?,
        created_at: UnixMillis(get(row, "created_ms")?),
        used_at: get::<Option<i64>>(row, "used_ms")?.map(UnixMillis),
        id,
    })
}

impl Store {
    /// The passkeys of an account, the oldest first.
    ///
    /// # Errors
    /// [`StoreError::Statement`], [`StoreError::Sealed`].
    pub async fn passkeys(&self, account: &str) -> Result<Vec<PasskeyRow>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM passkey WHERE account_id = ? ORDER BY created_ms, id");
        let rows = self.rows(&sql, values![account]).await?;
        rows.iter().map(|row| read(self, row)).collect()
    }

    /// The passkey that its authenticator knows by this.
    ///
    /// # Errors
    /// [`StoreError::Statement`], [`StoreError::Sealed`].
    pub async fn passkey_of_credential(&self, credential_id: &[u8]) -> Result<Option<PasskeyRow>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM passkey WHERE credential_hash = ?");
        let row = self.row(&sql, values![credential_hash(self, credential_id)]).await?;
        row.map(|row| read(self, &row)).transpose()
    }
}

impl Tx {
    /// Adds a passkey.
    ///
    /// # Errors
    /// [`StoreError::Duplicate`] when somebody has one with this credential.
    pub async fn add_passkey(&self, new: &NewPasskey) -> Result<(), StoreError> {
        let sql = "INSERT INTO passkey (id, account_id, credential_hash, name, credential, counter, created_ms) \
                   VALUES (?, ?, ?, ?, ?, ?, ?)";
        let row = values![
            new.id.as_str(),
            new.account.as_str(),
            credential_hash(self, &new.credential_id),
            self.sealer().seal(&name_row(&new.id), new.name.as_bytes()),
            self.sealer().seal(&credential_row(&new.id), &serde_json::to_vec(&new.credential)?),
            i64::from(new.counter),
            new.at.0,
        ];
        self.execute(sql, row).await.map(drop)
    }

    /// Calls a passkey of somebody something else; `false` when he has no such one.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn rename_passkey(&self, account: &str, id: &str, name: &str) -> Result<bool, StoreError> {
        let sealed = self.sealer().seal(&name_row(id), name.as_bytes());
        let sql = "UPDATE passkey SET name = ? WHERE id = ? AND account_id = ?";
        Ok(self.execute(sql, values![sealed, id, account]).await? == 1)
    }

    /// Forgets a passkey of somebody; `false` when he has no such one.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn remove_passkey(&self, account: &str, id: &str) -> Result<bool, StoreError> {
        let sql = "DELETE FROM passkey WHERE id = ? AND account_id = ?";
        Ok(self.execute(sql, values![id, account]).await? == 1)
    }

    /// Forgets every passkey of somebody; how many.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn remove_passkeys(&self, account: &str) -> Result<u64, StoreError> {
        self.execute("DELETE FROM passkey WHERE account_id = ?", values![account]).await
    }

    /// Notes that a passkey was used, and how often it says that it was by now; `false` when that is not more often than it said before, or
    /// when it is gone. Of two who come with one count one is believed. One that does not count stays at 0.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn use_passkey(
        &self,
        id: &str,
        credential: &Value,
        counter: u32,
        now: UnixMillis,
    ) -> Result<bool, StoreError> {
        let sealed = self.sealer().seal(&credential_row(id), &serde_json::to_vec(credential)?);
        let counter = i64::from(counter);
        let sql = "UPDATE passkey SET credential = ?, counter = ?, used_ms = ? \
                   WHERE id = ? AND (counter < ? OR (counter = 0 AND ? = 0))";
        let changed = self.execute(sql, values![sealed, counter, now.0, id, counter, counter]).await?;
        Ok(changed == 1)
    }

    /// Keeps a challenge until it is answered.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn put_challenge(&self, new: &NewChallenge) -> Result<(), StoreError> {
        let hash = challenge_hash(&new.challenge);
        let sealed = self.sealer().seal(&challenge_row(&hash), &serde_json::to_vec(&new.state)?);
        let sql = "INSERT INTO passkey_challenge (challenge_hash, kind, session_id, state, expires_ms) \
                   VALUES (?, ?, ?, ?, ?)";
        let row = values![hash, word(&new.kind), new.session.clone(), sealed, new.expires_at.0];
        self.execute(sql, row).await.map(drop)
    }

    /// Takes a challenge: what its answer is judged by. It is taken once, right or wrong; one of another session or for something else, or
    /// whose time is over, is none.
    ///
    /// # Errors
    /// [`StoreError::Statement`], [`StoreError::Sealed`].
    pub async fn take_challenge(
        &self,
        challenge: &str,
        kind: ChallengeKind,
        session: Option<&str>,
        now: UnixMillis,
    ) -> Result<Option<Value>, StoreError> {
        let hash = challenge_hash(challenge);
        let sql = "SELECT kind, session_id, state, expires_ms FROM passkey_challenge WHERE challenge_hash = ?";
        let Some(row) = self.row(sql, values![hash.as_str()]).await? else { return Ok(None) };
        let sealed: String = get(&row, "state")?;
        let fits = get_word::<ChallengeKind>(&row, "kind")? == kind
            && get::<Option<String>>(&row, "session_id")?.as_deref() == session
            && get::<i64>(&row, "expires_ms")? > now.0;
        let taken =
            self.execute("DELETE FROM passkey_challenge WHERE challenge_hash = ?", values![hash.as_str()]).await?;
        if taken != 1 || !fits {
            return Ok(None);
        }
        Ok(Some(serde_json::from_slice(&self.sealer().open(&challenge_row(&hash), &sealed)?)?))
    }

    /// Forgets challenges whose time is over; how many.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn purge_challenges(&self, now: UnixMillis) -> Result<u64, StoreError> {
        self.execute("DELETE FROM passkey_challenge WHERE expires_ms <= ?", values![now.0]).await
    }

    /// How many passkeys somebody has.
    ///
    /// # Errors
    /// [`StoreError::Statement`].
    pub async fn count_passkeys(&self, account: &str) -> Result<u64, StoreError> {
        let row = self.row("SELECT COUNT(*) AS many FROM passkey WHERE account_id = ?", values![account]).await?;
        row.map_or(Ok(0), |row| get_count(&row, "many"))
    }
}
