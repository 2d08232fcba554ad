//! What makes two messages the same: hashes of keys and contents.

use sha2::{Digest, Sha256};

/// Lower-hex SHA-256 over parts that cannot run into each other.
pub(crate) fn sha256_hex(parts: &[&str]) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part.as_bytes());
    }
    hex::encode(hasher.finalize())
}

/// Lower-hex SHA-256 of a JSON body's content: the same for any order of keys and any white space; of the bytes when it is no JSON.
pub fn content_sha256(body: &[u8]) -> String {
    fn sorted(value: &serde_json::Value) -> serde_json::Value {
        match value {
            serde_json::Value::Object(map) => {
                let mut entries: Vec<_> = map.iter().collect();
                entries.sort_by_key(|(key, _)| key.as_str());
                serde_json::Value::Object(entries.into_iter().map(|(k, v)| (k.clone(), sorted(v))).collect())
            }
            serde_json::Value::Array(items) => serde_json::Value::Array(items.iter().map(sorted).collect()),
            other => other.clone(),
        }
    }
    match serde_json::from_slice::<serde_json::Value>(body) {
        Ok(value) => hex::encode(Sha256::digest(sorted(&value).to_string())),
        Err(_) => hex::encode(Sha256::digest(body)),
    }
}
