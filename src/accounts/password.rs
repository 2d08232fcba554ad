// SPDX-License-Identifier: Apache-2.0

//! Passwords: argon2id, off the way of everything else since it takes its time on purpose.

use argon2::password_hash::phc::PasswordHash;
use argon2::{Argon2, PasswordHasher as _, PasswordVerifier as _};

/// Characters of a password, at least.
const CHARS_MIN: usize = 10;
/// Bytes of a password, at most: hashing more would only take longer.
const BYTES_MAX: usize = 256;

/// Whether a password may be one of somebody with this e-mail address, where that is known; otherwise what is wrong with it.
///
/// # Errors
/// A sentence.
pub fn check(password: &str, email: Option<&str>) -> Result<(), String> {
    if password.chars().count() < CHARS_MIN {
        return Err(format!("`password` has at least {CHARS_MIN} characters; a few words are easy to remember"));
    }
    if password.len() > BYTES_MAX {
        return Err(format!("`password` has at most {BYTES_MAX} bytes"));
    }
    if email.is_some_and(|email| password.to_lowercase().contains(&email.to_lowercase())) {
        return Err("`password` contains the e-mail address: take another one".to_owned());
    }
    Ok(())
}

/// The hash of a password, with this salt.
pub async fn hash(password: String, salt: [u8; 16]) -> Option<String> {
    let work = move || Argon2::default().hash_password_with_salt(password.as_bytes(), &salt).ok();
    let hash: PasswordHash = tokio::task::spawn_blocking(work).await.ok()??;
    Some(hash.to_string())
}

/// Whether a password is the one of a hash. Without a hash the same work is done for nothing, so that nobody learns from the time which
/// accounts there are.
pub async fn verify(password: String, hash: Option<String>) -> bool {
    /// What is compared with where there is nothing to compare with; no password has this hash.
    const NOBODYS: &str =
        "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    let work = move || {
        let is_somebodys = hash.is_some();
        let hash = hash.unwrap_or_else(|| NOBODYS.to_owned());
        let fits = PasswordHash::new(&hash)
            .is_ok_and(|hash| Argon2::default().verify_password(password.as_bytes(), &hash).is_ok());
        fits && is_somebodys
    };
    tokio::task::spawn_blocking(work).await.unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_opens_its_own_hash_alone_and_nobody_opens_nothing() {
        let hashed = hash("correct horse battery".to_owned(), [7; 16]).await.expect("a hash");
        assert!(hashed.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hashed}");
        assert!(verify("correct horse battery".to_owned(), Some(hashed.clone())).await);
        assert!(!verify("correct horse batter".to_owned(), Some(hashed)).await);
        assert!(!verify("correct horse battery".to_owned(), None).await);
        assert!(!verify(String::new(), Some("no hash".to_owned())).await);
    }

    #[test]
    fn short_long_and_obvious_passwords_are_refused() {
        for (password, ok) in [
            ("123456789".to_owned(), false),
            ("1234567890".to_owned(), true),
            ("x".repeat(256), true),
            ("x".repeat(257), false),
            ("my Ann@Desk.example".to_owned(), false),
        ] {
            assert_eq!(check(&password, Some("ann@desk.example")).is_ok(), ok, "{password}");
        }
    }
}
