// SPDX-License-Identifier: Apache-2.0

//! The words of every page, in three languages, each a file of Fluent messages beside this one.

use std::sync::OnceLock;

use fluent_bundle::concurrent::FluentBundle;
use fluent_bundle::{FluentArgs, FluentResource};

/// A language of the console.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Language {
    /// Chinese.
    Zh,
    /// Korean.
    Ko,
    /// English.
    En,
}

impl Language {
    /// All of them.
    pub(crate) const ALL: [Language; 3] = [Language::Zh, Language::Ko, Language::En];

    /// The word for it in addresses and in HTML.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Language::Zh => "zh",
            Language::Ko => "ko",
            Language::En => "en",
        }
    }

    /// Its name in itself.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Language::Zh => "中文",
            Language::Ko => "한국어",
            Language::En => "English",
        }
    }

    /// The language that a word means.
    pub(crate) fn of_word(word: &str) -> Option<Language> {
        Self::ALL.into_iter().find(|language| language.word() == word)
    }

    /// The first that an `Accept-Language` names; English where it names none of ours.
    pub(crate) fn preferred(wished: &str) -> Language {
        let mut wishes: Vec<(f32, &str)> = wished
            .split(',')
            .map(|part| {
                let (tag, weight) = part.trim().split_once(";q=").unwrap_or((part.trim(), "1"));
                (weight.trim().parse().unwrap_or(0.0), tag)
            })
            .collect();
        // Stable: of two that are wished as much, the first.
        wishes.sort_by(|a, b| b.0.total_cmp(&a.0));
        let primary = |tag: &str| tag.split('-').next().unwrap_or_default().to_ascii_lowercase();
        wishes.into_iter().find_map(|(_, tag)| Language::of_word(&primary(tag))).unwrap_or(Language::En)
    }

    /// That of a locale as a shell names it (`ko_KR.UTF-8`), by the variables that programs look at; English where it is none of ours.
    pub(crate) fn of_locale(variable: impl Fn(&str) -> Option<String>) -> Language {
        let named =
            ["LC_ALL", "LC_MESSAGES", "LANG"].into_iter().find_map(|name| variable(name).filter(|it| !it.is_empty()));
        let primary = named.unwrap_or_default();
        Language::of_word(primary.split(['_', '.', '-']).next().unwrap_or_default()).unwrap_or(Language::En)
    }

    fn source(self) -> &'static str {
        match self {
            Language::Zh => include_str!("catalogue/zh.ftl"),
            Language::Ko => include_str!("catalogue/ko.ftl"),
            Language::En => include_str!("catalogue/en.ftl"),
        }
    }
}

type Bundle = FluentBundle<FluentResource>;

fn bundle(language: Language) -> &'static Bundle {
    static BUNDLES: OnceLock<Vec<(Language, Bundle)>> = OnceLock::new();
    let all = BUNDLES.get_or_init(|| Language::ALL.into_iter().map(|language| (language, load(language))).collect());
    all.iter().find(|(known, _)| *known == language).map(|(_, bundle)| bundle).expect("every language is loaded")
}

fn load(language: Language) -> Bundle {
    let tag = language.word().parse().expect("a language tag");
    let resource = FluentResource::try_new(language.source().to_owned()).expect("a test reads the same file");
    let mut bundle = Bundle::new_concurrent(vec![tag]);
    // The marks around what is put in are for running text of two directions, and would stand in numbers that people copy.
    bundle.set_use_isolating(false);
    bundle.add_resource(resource).expect("no message twice: a test reads the same file");
    bundle
}

/// The words of one language.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Words {
    language: Language,
}

impl Words {
    /// Of this one.
    pub(crate) fn of(language: Language) -> Self {
        Self { language }
    }
    /// Which it is.
    pub(crate) fn language(&self) -> Language {
        self.language
    }

    /// A message; its key where there is none, which a test does not let happen.
    pub(crate) fn say(&self, key: &str) -> String {
        self.known(key, None).unwrap_or_else(|| key.to_owned())
    }

    /// A message with something put in.
    pub(crate) fn say_with(&self, key: &str, with: &[(&'static str, String)]) -> String {
        let args: FluentArgs<'_> = with.iter().map(|(name, value)| (*name, value.clone())).collect();
        self.known(key, Some(&args)).unwrap_or_else(|| key.to_owned())
    }

    /// What a word of the interface is called, such as a state; the word itself where it is no word of ours.
    pub(crate) fn word(&self, word: &str) -> String {
        self.known(&format!("w-{word}"), None).unwrap_or_else(|| word.to_owned())
    }
    /// What somebody is needed for.
    pub(crate) fn attention(&self, kind: &str) -> String {
        self.known(&format!("a-{kind}"), None).unwrap_or_else(|| kind.to_owned())
    }
    /// What that means, and what to do.
    pub(crate) fn attention_means(&self, kind: &str) -> String {
        self.known(&format!("s-{kind}"), None).unwrap_or_else(|| kind.to_owned())
    }
    /// What an order waits for.
    pub(crate) fn waits(&self, word: &str) -> String {
        self.known(&format!("n-{word}"), None).unwrap_or_else(|| word.to_owned())
    }
    /// What comes of a deadline that passes, and what the channel is answered until then.
    pub(crate) fn passes(&self, kind: &str) -> String {
        self.known(&format!("d-{kind}"), None).unwrap_or_else(|| kind.to_owned())
    }
    /// What somebody did, as the audit has it.
    pub(crate) fn audited(&self, act: &str) -> String {
        self.known(&format!("u-{act}"), None).unwrap_or_else(|| act.to_owned())
    }
    /// What happened.
    pub(crate) fn event(&self, kind: &str) -> String {
        self.known(&format!("e-{kind}"), None).unwrap_or_else(|| kind.to_owned())
    }
    /// What a requirement is about.
    pub(crate) fn requirement(&self, id: &str) -> String {
        self.known(&format!("t-{id}"), None).unwrap_or_else(|| id.to_owned())
    }
    /// Why policy decided as it did, or leaves it to a person; what somebody else wrote stands as it is.
    pub(crate) fn reason(&self, written: &str) -> String {
        self.known(&reason_key(written), None).unwrap_or_else(|| written.to_owned())
    }
    /// What a partner is told or asked.
    pub(crate) fn call(&self, call: &str) -> String {
        self.known(&format!("c-{call}"), None).unwrap_or_else(|| call.to_owned())
    }
    /// What came of a message or a call.
    pub(crate) fn verdict(&self, verdict: &str) -> String {
        self.known(&format!("v-{verdict}"), None).unwrap_or_else(|| verdict.to_owned())
    }
    /// A length of time, in its two largest units.
    pub(crate) fn length(&self, seconds: i64) -> String {
        let (sign, all) = (if seconds < 0 { "−" } else { "" }, seconds.unsigned_abs());
        let with = [
            ("days", (all / 86_400).to_string()),
            ("hours", (all / 3_600 % 24).to_string()),
            ("minutes", (all / 60 % 60).to_string()),
            ("seconds", (all % 60).to_string()),
        ];
        let said = match all {
            0..60 => self.say_with("length-seconds", &with),
            60..3_600 => self.say_with("length-minutes", &with),
            3_600..86_400 => self.say_with("length-hours", &with),
            86_400.. => self.say_with("length-days", &with),
        };
        format!("{sign}{said}")
    }
    /// What an act is called.
    pub(crate) fn act(&self, act: &str) -> String {
        let key = format!("act-{}", act.replace('/', "-"));
        self.known(&key, None).unwrap_or_else(|| act.to_owned())
    }

    /// Why something was not done, by its code.
    pub(crate) fn problem(&self, code: &str) -> Option<String> {
        self.known(&format!("p-{code}"), None)
    }

    fn known(&self, key: &str, args: Option<&FluentArgs<'_>>) -> Option<String> {
        let bundle = bundle(self.language);
        let pattern = bundle.get_message(key)?.value()?;
        let mut errors = Vec::new();
        Some(bundle.format_pattern(pattern, args, &mut errors).into_owned())
    }
}

/// The key of a sentence of policy's: its own words.
fn reason_key(written: &str) -> String {
    let words = written.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    format!("r-{}", words.collect::<Vec<_>>().join("-").to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::path::{Path, PathBuf};

    fn keys(language: Language) -> BTreeSet<&'static str> {
        let is_message = |line: &&str| line.starts_with(|c: char| c.is_ascii_alphabetic());
        language.source().lines().filter(is_message).filter_map(|line| line.split(" = ").next()).collect()
    }

    /// The sources in a folder, whole.
    fn sources(directory: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
        let of = |path: PathBuf| match path.extension().is_some_and(|extension| extension == "rs") {
            true => vec![std::fs::read_to_string(&path).unwrap()],
            false if path.is_dir() => sources(&path),
            false => Vec::new(),
        };
        entries.flat_map(of).collect()
    }

    /// The first text in quotes after each place where `call` stands in the sources of a folder.
    fn said(folder: &str, call: &str) -> BTreeSet<String> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(folder);
        let texts = sources(&folder);
        let places = texts.iter().flat_map(|text| text.split(call).skip(1));
        let which = usize::from(!call.ends_with('"'));
        places.filter_map(|place| place.split('"').nth(which)).map(str::to_owned).collect()
    }

    #[test]
    fn every_language_has_every_message_and_each_once() {
        let english = keys(Language::En);
        assert!(english.len() > 300);
        for language in Language::ALL {
            let own = keys(language);
            assert_eq!(own, english, "{language:?}");
            let lines = language.source().lines().filter(|line| line.contains(" = ")).count();
            assert_eq!(lines, own.len(), "{language:?} has a message twice");
            for key in own {
                let value = Words::of(language).known(key, None);
                assert!(value.is_some_and(|value| !value.trim().is_empty()), "{language:?}: {key} is empty");
            }
        }
    }

    #[test]
    fn every_message_that_a_page_says_is_there() {
        let calls = ["say", "say_with"].map(|call| format!(".{call}(\""));
        let fields = ["key: \"".to_owned(), "Page::of(\"".to_owned()];
        let wanted: BTreeSet<String> = calls.iter().chain(&fields).flat_map(|place| said("console", place)).collect();
        assert!(wanted.len() > 100, "{wanted:?}");
        let known = keys(Language::En);
        let missing: Vec<_> = wanted.iter().filter(|key| !known.contains(key.as_str())).collect();
        assert!(missing.is_empty(), "{missing:?}");
    }

    #[test]
    fn every_word_of_the_interface_has_a_name() {
        use crate::http::ops::words::{self, ATTENTION_KINDS};
        let known = keys(Language::En);
        let states = [
            words::ORDER_STATES,
            words::BOOKING_STATES,
            words::TICKETING_STATES,
            words::PAYMENT_STATES,
            words::REFUND_STATES,
            words::DELIVERY_STATES,
            words::DEADLINE_STATES,
        ];
        let states = states.into_iter().flatten().map(|word| format!("w-{word}"));
        let roles = crate::config::Role::WORDS.map(|(word, _)| format!("w-{word}"));
        let scopes = crate::accounts::scope::KINDS.map(|word| format!("w-{word}"));
        let deadlines = ticketbridge_core::message::DeadlineKind::ALL.map(|kind| format!("w-{}", kind.name()));
        let passes = ticketbridge_core::message::DeadlineKind::ALL.map(|kind| format!("d-{}", kind.name()));
        let deadlines = deadlines.into_iter().chain(passes);
        let attention = ATTENTION_KINDS.iter().flat_map(|word| [format!("a-{word}"), format!("s-{word}")]);
        let waits = crate::http::ops::waits::Waits::ALL.map(|it| format!("n-{}", it.word()));
        let all = states.chain(roles).chain(scopes).chain(deadlines).chain(attention).chain(waits);
        let missing: Vec<String> = all.filter(|key| !known.contains(key.as_str())).collect();
        assert!(missing.is_empty(), "{missing:?}");
    }

    /// Policy's reasons stand in its sources, each once.
    #[test]
    fn every_reason_of_policy_is_said_in_each_language_and_in_english_as_it_is() {
        let calls = [
            "Review::Person(\"",
            "Review::Reject(\"",
            "OTHER_TICKET: &str = \"",
            "FEE_ABOVE_PAYMENT: &str = \"",
            "OF_A_PART: &str = \"",
            "REPLACED: &str = \"",
        ];
        let wanted: BTreeSet<String> = calls.iter().flat_map(|place| said("core/policy", place)).collect();
        assert!(wanted.len() > 12, "{wanted:?}");
        for reason in &wanted {
            assert!(keys(Language::En).contains(reason_key(reason).as_str()), "{} is missing", reason_key(reason));
            assert_eq!(&Words::of(Language::En).reason(reason), reason);
            assert_ne!(&Words::of(Language::Ko).reason(reason), reason);
        }
        assert_eq!(Words::of(Language::Ko).reason("the guide is ill"), "the guide is ill", "a person's words");
    }

    /// What the worker writes stands in its sources; what came of messages is an enum of the store.
    #[test]
    fn every_verdict_has_a_name() {
        let known = keys(Language::En);
        let mut wanted: BTreeSet<String> = said("worker", "attempt(\"").into_iter().collect();
        wanted.extend(said("worker", "verdict: \""));
        let no_such =
            serde_json::from_str::<ticketbridge_store::InboxVerdict>("\"none\"").expect_err("no verdict").to_string();
        wanted.extend(no_such.split('`').skip(1).step_by(2).skip(1).map(str::to_owned));
        assert!(wanted.len() > 15, "{wanted:?}");
        let missing: Vec<_> = wanted.iter().filter(|word| !known.contains(format!("v-{word}").as_str())).collect();
        assert!(missing.is_empty(), "{missing:?}");
    }

    #[test]
    fn lengths_are_said_in_the_language() {
        for (seconds, en, ko, zh) in [
            (59, "59 s", "59초", "59 秒"),
            (600, "10 min", "10분", "10 分钟"),
            (-7_260, "−2 h 1 min", "−2시간 1분", "−2 小时 1 分钟"),
            (200_000, "2 d 7 h", "2일 7시간", "2 天 7 小时"),
        ] {
            let said = Language::ALL.map(|language| Words::of(language).length(seconds));
            assert_eq!(said, [zh, ko, en]);
        }
    }

    /// Refusals of the core by their type; those that an interface makes by what stands in its sources.
    #[test]
    fn every_refusal_has_a_sentence() {
        let known = keys(Language::En);
        let mut wanted: BTreeSet<String> =
            ticketbridge_core::Why::ALL.iter().map(|why| why.code().to_owned()).collect();
        // What is given there by a name of its own is no text, and then the next text is none of this.
        let is_code = |text: &String| {
            !["id", "result"].contains(&text.as_str()) && text.chars().all(|c| c.is_ascii_lowercase() || c == '_')
        };
        for folder in ["http", "accounts", "console"] {
            wanted.extend(said(folder, "Problem::new(").into_iter().filter(is_code));
        }
        assert!(wanted.len() > 60, "{wanted:?}");
        let missing: Vec<_> = wanted.iter().filter(|code| !known.contains(format!("p-{code}").as_str())).collect();
        assert!(missing.is_empty(), "{missing:?}");
    }

    #[test]
    fn every_requirement_has_a_title_and_the_english_one_is_that_of_check() {
        for topic in crate::config::help::topics() {
            assert_eq!(Words::of(Language::En).requirement(&topic.id), topic.title);
            for language in Language::ALL {
                assert_ne!(Words::of(language).requirement(&topic.id), topic.id, "{language:?}");
            }
        }
    }

    /// serde names every variant in its error.
    #[test]
    fn every_kind_of_event_has_a_name() {
        let no_such = serde_json::json!({ "event": "no such event" });
        let error = serde_json::from_value::<ticketbridge_core::Event>(no_such).expect_err("no event").to_string();
        let kinds: Vec<&str> = error.split('`').skip(1).step_by(2).skip(1).collect();
        assert!(kinds.len() > 40, "{error}");
        let known = keys(Language::En);
        let missing: Vec<_> = kinds.iter().filter(|kind| !known.contains(format!("e-{kind}").as_str())).collect();
        assert!(missing.is_empty(), "{missing:?}");
    }

    #[test]
    fn a_browser_gets_the_first_language_that_it_wishes_and_we_have() {
        for (wished, language) in [
            ("ko-KR,ko;q=0.9,en;q=0.8", Language::Ko),
            ("fr,zh-CN;q=0.5,en;q=0.4", Language::Zh),
            ("en;q=0.4,zh;q=0.5", Language::Zh),
            ("fr", Language::En),
            ("", Language::En),
        ] {
            assert_eq!(Language::preferred(wished), language, "{wished}");
        }
    }

    #[test]
    fn a_shell_gets_the_language_of_its_locale() {
        let of = |all: &'static str, lang: &'static str| {
            Language::of_locale(|name| match name {
                "LC_ALL" => Some(all.to_owned()),
                "LANG" => Some(lang.to_owned()),
                _ => None,
            })
        };
        assert_eq!(of("", "ko_KR.UTF-8"), Language::Ko);
        assert_eq!(of("zh_CN", "ko_KR.UTF-8"), Language::Zh);
        assert_eq!(of("C", "ko_KR.UTF-8"), Language::En, "who asks for C gets no other");
    }

    #[test]
    fn what_is_put_in_stands_as_it_is() {
        let said = Words::of(Language::En)
            .say_with("will-return", &[("amount", "199.00 CNY".into()), ("fee", "0.00 CNY".into())]);
        assert_eq!(said, "199.00 CNY goes back to the guest, 0.00 CNY is kept.");
    }
}
