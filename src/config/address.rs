// SPDX-License-Identifier: Apache-2.0

//! Addresses of databases and pages, and where a password may stand in one.

/// An address, taken apart so that what may be a password is never shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Address<'a> {
    pub(crate) scheme: &'a str,
    /// Who signs in, and with what: all before the last `@`.
    pub(crate) user: Option<&'a str>,
    /// Host, port and path.
    pub(crate) place: &'a str,
    /// What follows the `?`; it may hold a password as well.
    pub(crate) query: Option<&'a str>,
}

impl<'a> Address<'a> {
    /// `None` where a text is no address. A `/` or a `?` in a password is often forgotten to be written as `%2F` or `%3F`; where a `?`
    /// comes before an `@` nobody can tell what is a place, and so nothing of it is one.
    pub(crate) fn of(text: &'a str) -> Option<Self> {
        let (scheme, rest) = text.split_once("://")?;
        let (place, query) = rest.split_once('?').map_or((rest, None), |(place, query)| (place, Some(query)));
        if scheme == "sqlite" {
            return Some(Self { scheme, user: None, place, query });
        }
        if query.is_some_and(|query| query.contains('@')) {
            return Some(Self { scheme, user: Some(rest), place: "", query });
        }
        let (user, place) = place.rsplit_once('@').map_or((None, place), |(user, place)| (Some(user), place));
        Some(Self { scheme, user, place, query })
    }

    /// Whether a password is written out in it.
    pub(crate) fn has_password(self) -> bool {
        let behind = |text: &str, sign| text.split_once(sign).is_some_and(|(_, word)| !word.is_empty());
        self.user.is_some_and(|user| behind(user, ":"))
            || self.query.is_some_and(|query| query.split('&').any(|pair| behind(pair, "password=")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_known_as_one_wherever_it_stands() {
        for (text, place, has_password) in [
            ("postgres://me:hunter2@db:5433/bridge", "db:5433/bridge", true),
            ("postgres://me:hun/ter2@db/bridge", "db/bridge", true),
            ("postgres://me:hun@ter2@db/bridge", "db/bridge", true),
            ("mysql://me:hun?ter2@db/bridge", "", true),
            ("mysql://db/bridge?user=a@b&sslmode=require", "", false),
            ("mysql://db/bridge?user=a@b&password=hunter2", "", true),
            ("postgres://db/bridge?user=me&password=hunter2", "db/bridge", true),
            ("postgres://me@db/bridge?sslmode=require", "db/bridge", false),
            ("postgres://me:@db/bridge?password=", "db/bridge", false),
            ("sqlite://data/a@b:c.db?mode=rw", "data/a@b:c.db", false),
        ] {
            let address = Address::of(text).expect("an address");
            assert_eq!((address.place, address.has_password()), (place, has_password), "{text}");
        }
        assert_eq!(Address::of("Asia/Seoul"), None);
    }
}
