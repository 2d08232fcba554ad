// SPDX-License-Identifier: Apache-2.0

//! Opening encrypted fields. Which of the two schemes holds is decided for each value.

use aes::Aes256;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use cbc::cipher::block_padding::Pkcs7;
use cbc::cipher::{BlockModeDecrypt, BlockModeEncrypt, KeyIvInit};
use ticketbridge_core::personal::REMOTE_CIPHER_PREFIX;

/// Bytes of an AES-256 key.
const KEY_BYTES: usize = 32;
/// Bytes of an AES block.
const BLOCK_BYTES: usize = 16;

/// The key made of a client secret: filled up with `#`, or cut, on the left, the right, the left … to 32 bytes.
fn fit(client_secret: &str) -> [u8; KEY_BYTES] {
    let secret = client_secret.as_bytes();
    let mut key = [b'#'; KEY_BYTES];
    match secret.len().checked_sub(KEY_BYTES) {
        Some(extra) => {
            let left = extra.div_ceil(2);
            key.copy_from_slice(&secret[left..left + KEY_BYTES]);
        }
        None => {
            let left = (KEY_BYTES - secret.len()).div_ceil(2);
            key[left..left + secret.len()].copy_from_slice(secret);
        }
    }
    key
}

/// The initial vector: the last 16 bytes of the key. (Other products of the platform use the first.)
fn initial_vector(key: &[u8; KEY_BYTES]) -> [u8; BLOCK_BYTES] {
    let mut vector = [0; BLOCK_BYTES];
    vector.copy_from_slice(&key[KEY_BYTES - BLOCK_BYTES..]);
    vector
}

/// Encrypts a field as Douyin does; for the sandbox and for tests.
pub fn encrypt_field(client_secret: &str, text: &str) -> String {
    let key = fit(client_secret);
    let cipher = cbc::Encryptor::<Aes256>::new(&key.into(), &initial_vector(&key).into());
    STANDARD.encode(cipher.encrypt_padded_vec::<Pkcs7>(text.as_bytes()))
}

/// The clear text of a locally encrypted field; `None` when `value` is not one under this secret.
pub fn decrypt_field(client_secret: &str, value: &str) -> Option<String> {
    let cipher_text = STANDARD.decode(value).ok()?;
    if cipher_text.is_empty() || !cipher_text.len().is_multiple_of(BLOCK_BYTES) {
        return None;
    }
    let key = fit(client_secret);
    let cipher = cbc::Decryptor::<Aes256>::new(&key.into(), &initial_vector(&key).into());
    let clear = cipher.decrypt_padded_vec::<Pkcs7>(&cipher_text).ok()?;
    String::from_utf8(clear).ok()
}

/// What a field means: an `Enc.` value stays as it is, for the online call; what one of the secrets opens is opened;
/// anything else was plain text.
pub fn open_field<'s>(secrets: impl IntoIterator<Item = &'s str>, value: &str) -> String {
    if value.starts_with(REMOTE_CIPHER_PREFIX) {
        return value.to_owned();
    }
    let mut opened = secrets.into_iter().filter_map(|secret| decrypt_field(secret, value));
    let Some(first) = opened.next() else { return value.to_owned() };
    // Padding is right by chance once in 256 times: what looks typed by a person goes before what does not.
    let is_typed = |text: &String| !text.chars().any(char::is_control);
    if is_typed(&first) { first } else { opened.find(is_typed).unwrap_or(first) }
}
