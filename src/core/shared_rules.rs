// SPDX-License-Identifier: Apache-2.0

//! The rules of an order as all orders share them that were placed under the same: once in memory, and once in the database.
//!
//! Written anywhere, they are written out. Inside [`apart`] only their digest is written, and whoever asked for it keeps what it stands
//! for; inside [`with_known`] a digest is read as the rules that are known by it.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest as _, Sha256};

use crate::product::{BookingProduct, ChannelRules, RuleSnapshot, VoucherProduct};

/// Rules, shared. Cheap to clone.
#[derive(Clone)]
pub struct SharedRules(Arc<Inner>);

struct Inner {
    snapshot: RuleSnapshot,
    digest: OnceLock<String>,
}

/// What of the rules is the same for every version of the configuration that did not change them.
#[derive(Serialize)]
struct Terms<'r> {
    voucher: &'r Option<VoucherProduct>,
    booking: &'r BookingProduct,
    channel: &'r ChannelRules,
}

/// The same, read.
#[derive(Deserialize)]
struct ReadTerms {
    voucher: Option<VoucherProduct>,
    booking: BookingProduct,
    channel: ChannelRules,
}

/// Rules that were written, out or by their digest.
#[derive(Deserialize)]
struct Written {
    config_version: u64,
    #[serde(default)]
    digest: Option<String>,
    #[serde(default)]
    voucher: Option<VoucherProduct>,
    #[serde(default)]
    booking: Option<BookingProduct>,
    #[serde(default)]
    channel: Option<ChannelRules>,
}

/// Rules by their digest.
#[derive(Serialize)]
struct ByDigest<'r> {
    config_version: u64,
    digest: &'r str,
}

impl SharedRules {
    /// The terms as text, the same for the same terms: of this their digest is taken.
    pub fn terms(&self) -> String {
        let RuleSnapshot { config_version: _, voucher, booking, channel } = &self.0.snapshot;
        let terms = serde_json::to_string(&Terms { voucher, booking, channel });
        terms.unwrap_or_else(|error| unreachable!("rules are plain data: {error}"))
    }

    /// The SHA-256 of [`SharedRules::terms`], in hex.
    pub fn digest(&self) -> &str {
        self.0.digest.get_or_init(|| digest_of(&self.terms()))
    }

    /// The rules of terms that were kept, known by the digest that they were kept under.
    ///
    /// # Errors
    /// When it is no such text, or not the one of that digest.
    pub fn from_terms(digest: &str, terms: &str) -> Result<Self, serde_json::Error> {
        if digest_of(terms) != digest {
            return Err(serde_json::Error::custom(format!(
                "the rules kept as {digest} are not the ones that were kept"
            )));
        }
        let ReadTerms { voucher, booking, channel } = serde_json::from_str(terms)?;
        let rules = Self::from(RuleSnapshot { config_version: 0, voucher, booking, channel });
        // By this name they were kept; a version that knows more of rules would write them another way.
        let _ = rules.0.digest.set(digest.to_owned());
        Ok(rules)
    }

    /// The same rules, taken from this version of the configuration.
    #[must_use]
    pub fn at_version(&self, config_version: u64) -> Self {
        if self.0.snapshot.config_version == config_version {
            return self.clone();
        }
        let snapshot = RuleSnapshot { config_version, ..self.0.snapshot.clone() };
        Self(Arc::new(Inner { snapshot, digest: self.0.digest.clone() }))
    }
}

fn digest_of(terms: &str) -> String {
    hex::encode(Sha256::digest(terms.as_bytes()))
}

impl From<RuleSnapshot> for SharedRules {
    fn from(snapshot: RuleSnapshot) -> Self {
        Self(Arc::new(Inner { snapshot, digest: OnceLock::new() }))
    }
}
impl Deref for SharedRules {
    type Target = RuleSnapshot;
    fn deref(&self) -> &RuleSnapshot {
        &self.0.snapshot
    }
}
impl DerefMut for SharedRules {
    fn deref_mut(&mut self) -> &mut RuleSnapshot {
        // They become others, with another digest.
        let inner = Inner { snapshot: self.0.snapshot.clone(), digest: OnceLock::new() };
        self.0 = Arc::new(inner);
        match Arc::get_mut(&mut self.0) {
            Some(inner) => &mut inner.snapshot,
            None => unreachable!("nobody else has what was just made"),
        }
    }
}
impl PartialEq for SharedRules {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0.snapshot == other.0.snapshot
    }
}
impl Eq for SharedRules {}
impl Hash for SharedRules {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.snapshot.hash(state);
    }
}
impl fmt::Debug for SharedRules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.snapshot.fmt(f)
    }
}

/// Rules by the digests that they are kept under. Cheap to clone; clones are the same.
#[derive(Clone, Debug, Default)]
pub struct KnownRules(Arc<RwLock<HashMap<String, SharedRules>>>);

impl KnownRules {
    /// How many are remembered at most: beyond that all are forgotten, and read again.
    pub const REMEMBERED_MAX: usize = 10_000;

    /// Those of this digest.
    pub fn get(&self, digest: &str) -> Option<SharedRules> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(digest).cloned()
    }

    /// Remembers these.
    pub fn put(&self, rules: SharedRules) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= Self::REMEMBERED_MAX {
            known.clear();
        }
        known.insert(rules.digest().to_owned(), rules);
    }
}

thread_local! {
    /// The rules that were written by their digest; `None`: they are written out.
    static APART: RefCell<Option<Vec<SharedRules>>> = const { RefCell::new(None) };
    /// By which digests are read, and the one that was not among them.
    static KNOWN: RefCell<Option<(KnownRules, Option<String>)>> = const { RefCell::new(None) };
}

/// Runs `write` with rules written by their digest; gives what they stand for as well.
pub fn apart<T>(write: impl FnOnce() -> T) -> (T, Vec<SharedRules>) {
    struct Restore(Option<Vec<SharedRules>>);
    impl Drop for Restore {
        fn drop(&mut self) {
            APART.replace(self.0.take());
        }
    }
    let _restore = Restore(APART.replace(Some(Vec::new())));
    let written = write();
    (written, APART.take().unwrap_or_default())
}

/// Runs `read` with digests read as the rules that are known by them; gives the digest as well that was not known, if there was one: what
/// was read is an error then.
pub fn with_known<T>(known: &KnownRules, read: impl FnOnce() -> T) -> (T, Option<String>) {
    struct Restore(Option<(KnownRules, Option<String>)>);
    impl Drop for Restore {
        fn drop(&mut self) {
            KNOWN.replace(self.0.take());
        }
    }
    let _restore = Restore(KNOWN.replace(Some((known.clone(), None))));
    let read = read();
    (read, KNOWN.take().and_then(|(_, missing)| missing))
}

impl Serialize for SharedRules {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let is_apart = APART.with_borrow_mut(|written| {
            written.as_mut().map(|written| {
                if !written.iter().any(|rules| rules.digest() == self.digest()) {
                    written.push(self.clone());
                }
            })
        });
        match is_apart {
            Some(()) => ByDigest { config_version: self.config_version, digest: self.digest() }.serialize(serializer),
            None => self.0.snapshot.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for SharedRules {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Written { config_version, digest, voucher, booking, channel } = Written::deserialize(deserializer)?;
        if let Some(digest) = digest {
            let known = KNOWN.with_borrow_mut(|known| {
                let (known, missing) = known.as_mut()?;
                let found = known.get(&digest);
                if found.is_none() {
                    *missing = Some(digest.clone());
                }
                found
            });
            return match known {
                Some(rules) => Ok(rules.at_version(config_version)),
                None => Err(D::Error::custom(format!("the rules kept as {digest} are not known"))),
            };
        }
        let booking = booking.ok_or_else(|| D::Error::missing_field("booking"))?;
        let channel = channel.ok_or_else(|| D::Error::missing_field("channel"))?;
        Ok(RuleSnapshot { config_version, voucher, booking, channel }.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::samples::rules;

    #[test]
    fn rules_are_written_out_unless_they_are_kept_apart() {
        let shared = SharedRules::from(rules());
        let whole = serde_json::to_string(&shared).unwrap();
        assert_eq!(whole, serde_json::to_string(&rules()).unwrap());
        let (short, kept) = apart(|| serde_json::to_string(&[&shared, &shared]).unwrap());
        assert_eq!(kept, std::slice::from_ref(&shared), "once, however often it is written");
        assert!(short.len() < 250, "{short}");
        assert_eq!(serde_json::to_string(&shared).unwrap(), whole, "afterwards as before");
    }

    #[test]
    fn a_digest_is_read_as_what_is_known_by_it_and_as_nothing_else() {
        let shared = SharedRules::from(rules());
        let (short, _) = apart(|| serde_json::to_string(&shared).unwrap());
        let known = KnownRules::default();
        let (read, missing) = with_known(&known, || serde_json::from_str::<SharedRules>(&short));
        assert!(read.is_err());
        assert_eq!(missing.as_deref(), Some(shared.digest()));
        known.put(SharedRules::from_terms(shared.digest(), &shared.terms()).unwrap());
        let (read, missing) = with_known(&known, || serde_json::from_str::<SharedRules>(&short));
        assert_eq!((read.unwrap(), missing), (shared.clone(), None));
        assert!(serde_json::from_str::<SharedRules>(&short).is_err(), "outside nothing is known");
        assert!(SharedRules::from_terms(shared.digest(), &shared.terms().replacen('1', "2", 1)).is_err());
    }

    #[test]
    fn another_version_of_the_configuration_with_the_same_rules_is_kept_as_the_same() {
        let first = SharedRules::from(rules());
        let later = SharedRules::from(RuleSnapshot { config_version: first.config_version + 1, ..rules() });
        assert_ne!(first, later);
        assert_eq!(first.digest(), later.digest());
        assert_eq!(first.at_version(later.config_version), later);
        let mut changed = first.clone();
        changed.booking.visitors_per_unit += 1;
        assert_ne!(changed.digest(), first.digest());
        assert_eq!(first, SharedRules::from(rules()), "the others keep theirs");
    }
}
