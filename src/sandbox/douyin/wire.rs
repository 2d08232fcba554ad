// SPDX-License-Identifier: Apache-2.0

//! Douyin's signature and encryption, written from `adapters/douyin/README.md` a second time and on purpose
//! apart from the bridge's own: two implementations that agree prove more than one that agrees with itself.

use aes::cipher::{BlockModeEncrypt as _, KeyIvInit as _, block_padding::Pkcs7};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use md5::Md5;
use sha2::{Digest as _, Sha256};

/// Length of the AES key and of a fitted secret, bytes.
const KEY_BYTES: usize = 32;
/// Length of the initial vector, bytes: the end of the fitted secret.
const VECTOR_BYTES: usize = 16;

/// Both signatures of one call, lower-case hex.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signatures {
    /// For the header `x-life-sign`.
    pub sha256: String,
    /// For the query parameter `sign`.
    pub md5: String,
}

/// Signs a call. `pairs` are the decoded query parameters; `sign` among them is left out.
pub fn sign(secret: &str, pairs: &[(&str, &str)], body: &[u8]) -> Signatures {
    let mut signed: Vec<&(&str, &str)> = pairs.iter().filter(|(key, _)| *key != "sign").collect();
    signed.sort();
    let mut text = secret.as_bytes().to_vec();
    for (key, value) in signed {
        text.extend_from_slice(format!("&{key}={value}").as_bytes());
    }
    if !body.is_empty() {
        text.extend_from_slice(b"&http_body=");
        text.extend_from_slice(body);
    }
    Signatures { sha256: hex::encode(Sha256::digest(&text)), md5: hex::encode(Md5::digest(&text)) }
}

/// Fits a secret to 32 characters: `#` added, or characters dropped, left and right in turn.
pub fn fit_secret(secret: &str) -> String {
    let mut fitted: std::collections::VecDeque<char> = secret.chars().collect();
    let mut left = true;
    while fitted.len() != KEY_BYTES {
        match (fitted.len() < KEY_BYTES, left) {
            (true, true) => fitted.push_front('#'),
            (true, false) => fitted.push_back('#'),
            (false, true) => drop(fitted.pop_front()),
            (false, false) => drop(fitted.pop_back()),
        }
        left = !left;
    }
    fitted.into_iter().collect()
}

/// Encrypts a field so that it can be decrypted locally: AES-256-CBC, padded, base64.
pub fn encrypt_field(secret: &str, text: &str) -> String {
    let fitted = fit_secret(secret).into_bytes();
    let key = fitted.get(..KEY_BYTES).expect("a fitted secret of ASCII characters has 32 bytes or more");
    let vector = fitted.get(fitted.len() - VECTOR_BYTES..).expect("a fitted secret has 32 bytes or more");
    let cipher =
        cbc::Encryptor::<aes::Aes256>::new_from_slices(key, vector).expect("the lengths are those of AES-256-CBC");
    BASE64.encode(cipher.encrypt_padded_vec::<Pkcs7>(text.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "0f1e2d3c4b5a69788796a5b4c3d2e1f0";
    const KEY: (&str, &str) = ("client_key", "awsynthetic0000001");
    const STAMP: (&str, &str) = ("timestamp", "1790000000123");

    #[test]
    fn signatures_match_the_vectors() {
        let excluded = [KEY, ("sign", "00000000000000000000000000000000"), STAMP];
        let signed = sign(SECRET, &excluded, br#"{"order_id":"1"}"#);
        assert_eq!(signed.sha256, "74518ac97c17a59c16f8702262984daf4fd3f8bee7eae265a3496a7256dfb3ab");
        assert_eq!(signed.md5, "54f2698cae6f82bac25bd0952cb003f1");
        let repeated = [STAMP, ("x", "b"), KEY, ("x", "a"), ("x", "B")];
        assert_eq!(
            sign(SECRET, &repeated, br#"{"order_id":"1"}"#).sha256,
            "2613844e3c2e69c99ffe5bd50b81a6d7dd4bfa75b4d46ee8e1472a61941fc6c6"
        );
        let empty = sign(SECRET, &[KEY, STAMP], b"");
        assert_eq!(empty.sha256, "0c9e6419bedd2887187f1ac3d3108fb4dd052cdb6ef44216e27f028764d5e112");
        assert_eq!(empty.md5, "fb3338ebfaa3aa2edebb9f99d21f2f88");
    }

    #[test]
    fn fields_are_encrypted_as_in_the_vectors() {
        assert_eq!(encrypt_field(SECRET, "13800138000"), "PtNHi5hu+mlhUM26Ais8dg==");
        assert_eq!(encrypt_field(SECRET, "测试甲"), "SyzRVCct/gi23ypUdOPU5w==");
        assert_eq!(encrypt_field(SECRET, ""), "rNgpNGCb78DHS6rKPcpeZQ==");
        assert_eq!(encrypt_field("0f1e2d3c4b5a69788796a5b4c3d2e", "13800138000"), "VbpBN6sgAzQkv3ZohBopTQ==");
    }

    #[test]
    fn a_secret_is_fitted_left_and_right_in_turn() {
        assert_eq!(fit_secret("0f1e2d3c4b5a69788796a5b4c3d2e"), "##0f1e2d3c4b5a69788796a5b4c3d2e#");
        assert_eq!(fit_secret("LL0f1e2d3c4b5a69788796a5b4c3d2e1f0R"), SECRET);
    }
}
