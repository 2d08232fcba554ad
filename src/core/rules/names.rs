// SPDX-License-Identifier: Apache-2.0

//! A guest's name as it is searched for: the ways in which people write one name are one.

/// Words of a name whose order is tried; a longer one is looked for as it is written.
const WORDS_MAX: usize = 6;

/// A name as it is kept for searching: its letters and digits alone, small.
pub fn name_text(name: &str) -> String {
    name.chars().filter(|one| one.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// What a name may be kept as by those who write its words in another order: "Ada Example" is "Example, Ada" too.
pub fn name_texts(name: &str) -> Vec<String> {
    let words: Vec<String> =
        name.split(|one: char| !one.is_alphanumeric()).map(name_text).filter(|word| !word.is_empty()).collect();
    let turns = if words.len() <= WORDS_MAX { words.len() } else { 1 };
    let mut texts: Vec<String> = Vec::with_capacity(turns);
    for first in 0..turns {
        let turned: String = words.iter().cycle().skip(first).take(words.len()).map(String::as_str).collect();
        if !texts.contains(&turned) {
            texts.push(turned);
        }
    }
    texts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_name_is_found_however_it_is_written() {
        for (kept, asked) in [
            ("Ada Example", "ada example"),
            ("Ada Example", "EXAMPLE, Ada"),
            ("Anna Maria Kim", "Kim Anna-Maria"),
            ("홍길동", "홍 길동"),
            ("홍 길동", "홍길동"),
            ("阿里木·买买提", "阿里木买买提"),
            ("ÉLODIE", "élodie"),
        ] {
            assert!(name_texts(asked).contains(&name_text(kept)), "{kept} by {asked}: {:?}", name_texts(asked));
        }
        for (kept, asked) in [("Ada Example", "Ada"), ("Ada Example", "Bob Example"), ("홍길동", "길동")] {
            assert!(!name_texts(asked).contains(&name_text(kept)), "{kept} by {asked}");
        }
        assert!(name_texts(" . ").is_empty());
    }

    #[test]
    fn a_name_of_many_words_is_tried_as_it_is_written_alone() {
        let of = |words: usize| name_texts(&(0..words).map(|word| format!("w{word} ")).collect::<String>()).len();
        assert_eq!((of(WORDS_MAX), of(WORDS_MAX + 1)), (WORDS_MAX, 1));
    }
}
