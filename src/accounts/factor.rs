// SPDX-License-Identifier: Apache-2.0

//! The second factor: time-based one-time codes (RFC 6238), and ten recovery codes that stand for one once each.

use ticketbridge_core::UnixMillis;
use totp_rs::{Builder, Totp};

/// Who an authenticator says the code is for.
const ISSUER: &str = "ticketbridge";
/// Recovery codes that somebody gets at once.
pub const RECOVERY_CODES: usize = 10;

fn totp(secret: &[u8], account: &str) -> Option<Totp> {
    // A colon separates the issuer from the name.
    let name = account.replace(':', "_");
    Builder::new()
        .with_secret(secret.to_vec())
        .with_skew(1)
        .with_account_name(name)
        .with_issuer(Some(ISSUER))
        .build()
        .ok()
}

/// A secret as an authenticator takes it: in base 32, and as an address.
pub fn shown(secret: &[u8], account: &str) -> Option<(String, String)> {
    let totp = totp(secret, account)?;
    let uri = totp.to_url().ok()?;
    let base32 = uri.split(['?', '&']).find_map(|part| part.strip_prefix("secret="))?.to_owned();
    Some((base32, uri))
}

/// The step of which `code` is the code, if it is that of the present one or one beside it.
pub fn step_of(secret: &[u8], code: &str, now: UnixMillis) -> Option<i64> {
    let time = u64::try_from(now.0 / 1_000).ok()?;
    let found = totp(secret, "nobody")?.check(code.trim(), time)?;
    i64::try_from(found).ok()
}

/// The code of a step, as an authenticator would show it at `now`.
pub fn code_at(secret: &[u8], now: UnixMillis) -> Option<String> {
    let time = u64::try_from(now.0 / 1_000).ok()?;
    Some(totp(secret, "nobody")?.generate(time).to_string())
}

/// Ten recovery codes of random bits: `xxxx-xxxx-xxxx`, without letters that are taken for digits.
pub fn recovery_codes(mut random: impl FnMut() -> [u8; 16]) -> Vec<String> {
    const LETTERS: &[u8; 32] = b"abcdefghjkmnpqrstuvwxyz023456789";
    let one = |bytes: [u8; 16]| {
        let bits = u128::from_be_bytes(bytes);
        let letter = |place: u32| char::from(LETTERS[usize::try_from(bits >> (5 * place) & 31).unwrap_or(0)]);
        let text: Vec<char> = (0..12).rev().map(letter).collect();
        text.chunks(4).map(|part| part.iter().collect::<String>()).collect::<Vec<_>>().join("-")
    };
    (0..RECOVERY_CODES).map(|_| one(random())).collect()
}

/// A recovery code as it is compared; `None` for what is none.
pub fn plain_recovery_code(text: &str) -> Option<String> {
    let plain: String = text.trim().to_lowercase().chars().filter(|c| c.is_ascii_alphanumeric()).collect();
    (plain.len() == 12).then(|| format!("{}-{}-{}", &plain[..4], &plain[4..8], &plain[8..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Seconds of a step.
    const STEP: i64 = 30;

    #[test]
    fn codes_are_those_of_rfc_6238() {
        let secret = b"12345678901234567890";
        for (seconds, code) in [(59, "287082"), (1_111_111_109, "081804"), (1_234_567_890, "005924")] {
            let now = UnixMillis(seconds * 1_000);
            assert_eq!(code_at(secret, now).as_deref(), Some(code));
            assert_eq!(step_of(secret, code, now), Some(seconds / STEP));
            for beside in [-STEP, STEP] {
                assert_eq!(step_of(secret, code, UnixMillis((seconds + beside) * 1_000)), Some(seconds / STEP));
            }
            assert_eq!(step_of(secret, code, UnixMillis((seconds + 3 * STEP) * 1_000)), None);
        }
    }

    #[test]
    fn a_secret_is_shown_for_authenticators() {
        let (base32, uri) = shown(b"12345678901234567890", "ann@desk.example").expect("a secret");
        assert_eq!(base32, "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
        assert!(uri.starts_with("otpauth://totp/ticketbridge:ann%40desk.example?"), "{uri}");
    }

    #[test]
    fn recovery_codes_are_ten_and_read_as_people_write_them() {
        let mut next = 0_u32;
        let codes = recovery_codes(|| {
            next += 1;
            u128::from(next).to_be_bytes()
        });
        assert_eq!(codes.iter().collect::<std::collections::BTreeSet<_>>().len(), RECOVERY_CODES);
        let first = &codes[0];
        assert_eq!(plain_recovery_code(&format!(" {} ", first.to_uppercase().replace('-', " "))).as_ref(), Some(first));
        assert_eq!(plain_recovery_code("123456"), None);
    }
}
