// SPDX-License-Identifier: Apache-2.0

//! What may stand in the query and the body of a call.

/// A parameter of the query.
pub(crate) struct Param {
    /// Its name.
    pub(crate) name: &'static str,
    /// What it may be.
    pub(crate) kind: ParamKind,
    /// Whether it must be there.
    pub(crate) needed: bool,
    /// What it is for.
    pub(crate) about: &'static str,
}

/// What a parameter may be.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ParamKind {
    /// One of these.
    Word(&'static [&'static str]),
    /// Any text.
    Text,
    /// `YYYY-MM-DD`.
    Date,
    /// RFC 3339 with an offset.
    Time,
    /// Entries at most.
    Limit,
    /// Where the last page ended.
    Cursor,
}

/// A field of a body.
pub(crate) struct Field {
    /// Its name.
    pub(crate) name: &'static str,
    /// What it may be.
    pub(crate) kind: FieldKind,
    /// Whether it must be there.
    pub(crate) needed: bool,
    /// What it is for.
    pub(crate) about: &'static str,
}

/// What a field may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FieldKind {
    /// Text with something in it.
    Text,
    /// The name of somebody or something: text that is not long.
    Name,
    /// One of these.
    Word(&'static [&'static str]),
    /// An e-mail address.
    Email,
    /// A telephone number of somebody with an account.
    Telephone,
    /// A guest's phone: all digits of it, however it is written.
    GuestPhone,
    /// A password that is to be somebody's.
    NewPassword,
    /// `YYYY-MM-DD`.
    Date,
    /// A whole number.
    Amount,
    /// A whole number, zero or more.
    Version,
    /// True or false.
    Flag,
    /// RFC 3339 with an offset.
    Time,
    /// A list of tickets.
    Tickets,
    /// Units by line of the order.
    Lines,
    /// A scope: `{kind, id}`.
    Scope,
    /// What is acted on: ids, each alone or with the version that was seen.
    Items,
    /// The filters of a list.
    Match,
    /// What an authenticator said, in the JSON of WebAuthn.
    Credential,
}
