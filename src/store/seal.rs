// SPDX-License-Identifier: Apache-2.0

//! Sealing: what is personal leaves the process encrypted (AES-256-GCM), bound to the row it belongs to.
//!
//! Sealed text is `v1.<key id>.<base64 of nonce and cipher text>`. The key id is the first 8 hex digits of the key's
//! SHA-256. Keys are a list: the first seals, all open, so a rotation puts the new key in front and drops an old one
//! once nothing sealed with it is left. The list can be replaced while the service runs.
//!
//! The key of keyed hashes is another one, which lives in the database, sealed: hashes stay the same whatever becomes of the
//! keys of the list.

use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};
use std::fmt;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use crate::error::{SealError, StoreError};

const VERSION: &str = "v1";
const NONCE_BYTES: usize = 12;
/// Bytes of the key of keyed hashes.
pub(crate) const HASH_KEY_BYTES: usize = 32;

struct Key {
    id: String,
    cipher: Aes256Gcm,
}

struct Keys {
    keys: Vec<Key>,
    /// The key of hashes for a database that does not know its own yet: made of the oldest key.
    first_hash_key: [u8; HASH_KEY_BYTES],
}

impl Keys {
    fn current(&self) -> &Key {
        self.keys.first().expect("there is at least one key")
    }
}

struct Inner {
    keys: RwLock<Arc<Keys>>,
    hash_key: OnceLock<[u8; HASH_KEY_BYTES]>,
}

/// Seals and opens. Cheap to clone; shows nothing of its keys.
#[derive(Clone)]
pub struct Sealer(Arc<Inner>);

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealer({} keys)", self.keys().keys.len())
    }
}

impl Sealer {
    /// A sealer with these keys, the current one first.
    ///
    /// # Panics
    /// Without any key: the configuration check makes sure of one.
    pub fn new(keys: Vec<[u8; 32]>) -> Self {
        Self(Arc::new(Inner { keys: RwLock::new(Arc::new(read(&keys))), hash_key: OnceLock::new() }))
    }

    /// Takes another list of keys, the current one first; from now on it seals with that one.
    ///
    /// # Panics
    /// Without any key.
    pub fn replace(&self, keys: &[[u8; 32]]) {
        let keys = Arc::new(read(keys));
        *self.0.keys.write().unwrap_or_else(PoisonError::into_inner) = keys;
    }

    fn keys(&self) -> Arc<Keys> {
        self.0.keys.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What text is like, in SQL, that is sealed with a key of ours that is not among `keys`.
    pub(crate) fn like_without(&self, keys: &[[u8; 32]]) -> Vec<String> {
        let others: Vec<String> = keys.iter().map(key_id).collect();
        let ours = self.keys();
        let lost = ours.keys.iter().filter(|key| !others.contains(&key.id));
        lost.map(|key| format!("{VERSION}.{}.%", key.id)).collect()
    }

    /// What text that is sealed with the current key is like, in SQL.
    pub(crate) fn current_like(&self) -> String {
        format!("{VERSION}.{}.%", self.keys().current().id)
    }

    /// The key of hashes that a database begins with.
    pub(crate) fn first_hash_key(&self) -> [u8; HASH_KEY_BYTES] {
        self.keys().first_hash_key
    }

    /// Takes the database's own key of hashes; the first one stays.
    pub(crate) fn use_hash_key(&self, key: [u8; HASH_KEY_BYTES]) {
        self.0.hash_key.get_or_init(|| key);
    }

    /// Seals `clear` for the row that `row` names; only there it can be opened.
    pub fn seal(&self, row: &str, clear: &[u8]) -> String {
        let keys = self.keys();
        let key = keys.current();
        let nonce: [u8; NONCE_BYTES] = rand::random();
        let sealed = key
            .cipher
            .encrypt(&Nonce::from(nonce), Payload { msg: clear, aad: row.as_bytes() })
            .expect("memory holds a message far below the cipher's 64 GiB");
        let mut bytes = nonce.to_vec();
        bytes.extend_from_slice(&sealed);
        format!("{VERSION}.{}.{}", key.id, STANDARD_NO_PAD.encode(bytes))
    }

    /// Opens what was sealed for the row that `row` names.
    pub fn open(&self, row: &str, sealed: &str) -> Result<Vec<u8>, StoreError> {
        self.try_open(row, sealed).map_err(StoreError::Sealed)
    }

    fn try_open(&self, row: &str, sealed: &str) -> Result<Vec<u8>, SealError> {
        let mut parts = sealed.splitn(3, '.');
        let (Some(VERSION), Some(id), Some(body)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(SealError::Form);
        };
        let bytes = STANDARD_NO_PAD.decode(body).map_err(|_| SealError::Form)?;
        let (nonce, cipher_text) = bytes.split_first_chunk::<NONCE_BYTES>().ok_or(SealError::Form)?;
        let keys = self.keys();
        let key = keys.keys.iter().find(|k| k.id == id).ok_or(SealError::UnknownKey)?;
        key.cipher
            .decrypt(&Nonce::from(*nonce), Payload { msg: cipher_text, aad: row.as_bytes() })
            .map_err(|_| SealError::Forged)
    }

    /// A keyed hash of `text`, 64 hex digits: for comparing phones, documents and codes without keeping them. `label`
    /// keeps hashes of different things apart.
    ///
    /// Its key is the database's own, see [`crate::Store::migrate`]: the keys of the list can come and go.
    pub fn keyed_hash(&self, label: &str, text: &str) -> String {
        let mut mac = hmac(self.0.hash_key.get().unwrap_or(&self.keys().first_hash_key));
        mac.update(label.as_bytes());
        mac.update(&[0]);
        mac.update(text.as_bytes());
        hex::encode(mac.finalize().into_bytes())
    }
}

fn read(keys: &[[u8; 32]]) -> Keys {
    let oldest = keys.last().expect("the configuration check requires a data key");
    let mut derivation = hmac(oldest);
    derivation.update(b"ticketbridge keyed hash v1");
    let keys = keys.iter().map(|key| Key {
        id: key_id(key),
        cipher: Aes256Gcm::new_from_slice(key).expect("32 bytes are the key length of AES-256"),
    });
    Keys { keys: keys.collect(), first_hash_key: derivation.finalize().into_bytes().into() }
}

fn hmac(key: &[u8; 32]) -> Hmac<Sha256> {
    <Hmac<Sha256> as hmac::KeyInit>::new_from_slice(key).expect("HMAC takes keys of any length")
}

fn key_id(key: &[u8; 32]) -> String {
    let mut id = sha256_hex(&[key]);
    id.truncate(8);
    id
}

/// SHA-256 of the parts, one after the other, in lower-case hex.
pub(crate) fn sha256_hex(parts: &[&[u8]]) -> String {
    let mut digest = Sha256::new();
    for part in parts {
        digest.update(part);
    }
    hex::encode(digest.finalize())
}

/// 128 random bits in hex: the fencing token of a lease.
pub(crate) fn random_token() -> String {
    format!("{:032x}", rand::random::<u128>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_opens_for_its_own_row_only() {
        let sealer = Sealer::new(vec![[1; 32]]);
        let sealed = sealer.seal("orders/1", b"secret");
        assert!(!sealed.contains("secret"));
        assert_ne!(sealed, sealer.seal("orders/1", b"secret"), "a nonce is never used twice");
        assert_eq!(sealer.open("orders/1", &sealed).unwrap(), b"secret");
        assert!(matches!(sealer.open("orders/2", &sealed), Err(StoreError::Sealed(SealError::Forged))));
        assert!(matches!(sealer.open("orders/1", "plain"), Err(StoreError::Sealed(SealError::Form))));
        let cut = sealed.get(..20).unwrap();
        assert!(matches!(sealer.open("orders/1", cut), Err(StoreError::Sealed(SealError::Form))));
    }

    #[test]
    fn a_rotation_opens_the_old_and_seals_with_the_new() {
        let (old, new) = (Sealer::new(vec![[1; 32]]), Sealer::new(vec![[2; 32], [1; 32]]));
        let before = old.seal("r", b"x");
        assert_eq!(new.open("r", &before).unwrap(), b"x");
        let after = new.seal("r", b"x");
        assert!(matches!(old.open("r", &after), Err(StoreError::Sealed(SealError::UnknownKey))));
        assert_eq!(Sealer::new(vec![[2; 32]]).open("r", &after).unwrap(), b"x");
    }

    #[test]
    fn keyed_hashes_survive_a_rotation_and_differ_by_label_and_key() {
        let (old, new) = (Sealer::new(vec![[1; 32]]), Sealer::new(vec![[2; 32], [1; 32]]));
        let hash = old.keyed_hash("phone", "13800000001");
        assert_eq!(hash.len(), 64);
        assert_eq!(hash, new.keyed_hash("phone", "13800000001"));
        assert_ne!(hash, old.keyed_hash("document", "13800000001"));
        assert_ne!(hash, Sealer::new(vec![[2; 32]]).keyed_hash("phone", "13800000001"));
        assert_ne!(old.keyed_hash("a", "bc"), old.keyed_hash("ab", "c"));
    }

    #[test]
    fn a_sealer_shows_no_key() {
        assert_eq!(format!("{:?}", Sealer::new(vec![[7; 32]])), "Sealer(1 keys)");
    }
}
