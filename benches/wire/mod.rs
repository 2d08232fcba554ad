// SPDX-License-Identifier: Apache-2.0

//! What the benchmark says on the wire, by code of its own: the bridge's adapters check it, so they may not make it.

pub(crate) mod douyin;
pub(crate) mod http;
pub(crate) mod kakao;
pub(crate) mod webhook;

/// A guest's name that stands for a number of an order: letters only, as names are checked.
pub(crate) fn name_of(number: &str) -> String {
    let letter = |byte: u8| match byte {
        b'0'..=b'9' => byte - b'0' + b'a',
        b'a'..=b'f' => byte - b'a' + b'k',
        other => other,
    };
    number.bytes().map(|byte| char::from(letter(byte))).collect()
}

/// The number that such a name stands for.
pub(crate) fn number_of(name: &str) -> String {
    let back = |byte: u8| match byte {
        b'a'..=b'j' => byte - b'a' + b'0',
        b'k'..=b'p' => byte - b'k' + b'a',
        other => other,
    };
    name.bytes().map(|byte| char::from(back(byte))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_its_number_and_has_letters_only() {
        let number = "R19dc0ffee4200000017";
        let name = name_of(number);
        assert!(name.chars().all(char::is_alphabetic), "{name}");
        assert_eq!(number_of(&name), number);
    }
}
