// SPDX-License-Identifier: Apache-2.0

//! The names that we choose. A booking's uuid is derived, never drawn: after a crash the same attempt has the same one, so that a
//! lost answer can be looked up and a repeat cannot become a second booking.

use sha1::{Digest as _, Sha1};

/// The namespace of the uuids that are derived here: a random one, fixed for ever.
const NAMESPACE: [u8; 16] =
    [0x6f, 0x1d, 0x3b, 0x52, 0x8a, 0x04, 0x4c, 0x7e, 0x9b, 0x21, 0xd5, 0x60, 0x3f, 0xa8, 0x17, 0xc4];

/// The uuid of one attempt to book: of this back-end, this booking of ours, and the number of the attempt, 1 for the first.
pub(crate) fn booking(backend: &str, booking: &str, attempt: u32) -> String {
    derived(&NAMESPACE, &format!("{backend}\n{booking}\n{attempt}"))
}

/// The uuid of one unit of it.
pub(crate) fn unit(booking: &str, index: usize) -> String {
    derived(&NAMESPACE, &format!("{booking}\n{index}"))
}

/// A name-based uuid, version 5 (RFC 9562).
fn derived(namespace: &[u8; 16], name: &str) -> String {
    let digest = Sha1::new().chain_update(namespace).chain_update(name).finalize();
    let mut bytes = [0_u8; 16];
    bytes.copy_from_slice(&digest[..16]);
    bytes[6] = (bytes[6] & 0x0f) | 0x50;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    let hex = hex::encode(bytes);
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_the_uuid_that_the_standard_gives_it() {
        // RFC 9562, appendix A.4: the DNS name `www.example.com`.
        let dns = [0x6b, 0xa7, 0xb8, 0x10, 0x9d, 0xad, 0x11, 0xd1, 0x80, 0xb4, 0x00, 0xc0, 0x4f, 0xd4, 0x30, 0xc8];
        assert_eq!(derived(&dns, "www.example.com"), "2ed6657d-e927-568b-95e1-2665a8aea6a2");
    }

    #[test]
    fn another_attempt_booking_or_back_end_has_another_uuid() {
        let all =
            [booking("a", "bkg_1", 1), booking("a", "bkg_1", 2), booking("a", "bkg_2", 1), booking("b", "bkg_1", 1)];
        let distinct: std::collections::BTreeSet<_> = all.iter().collect();
        assert_eq!(distinct.len(), all.len());
        assert_eq!(booking("a", "bkg_1", 1), all[0], "the same attempt keeps its uuid");
        assert_ne!(unit(&all[0], 0), unit(&all[0], 1));
    }
}
