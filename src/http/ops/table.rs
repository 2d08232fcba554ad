// SPDX-License-Identifier: Apache-2.0

//! Every call of the ops interface, in the order of `docs/src/contract/ops.md`.

use crate::http::ops::answers::{self, Shape};
use crate::http::ops::call::{Answer, Body, Call, Verb, Who};
use crate::http::ops::fields::{Field, FieldKind, Param, ParamKind};
use crate::http::ops::words::{
    ACCOUNT_STATES, ATTENTION_KINDS, BOOKING_STATES, DEADLINE_STATES, DELIVERY_STATES, INVITATION_STATES, LANGUAGES,
    ORDER_STATES, PAYMENT_STATES, REFUND_STATES, ROLES, TICKETING_STATES, VERDICTS,
};
use crate::http::ops::{
    audit, bulk, codes, config, credit, deadlines, deliveries, guests, inbox, manual_commands, next_steps, openapi,
    orders, organisation, partners, passkeys, people, reconciliation, refunds, reveal, session, statements, stream,
};

const LIMIT: Param = Param {
    name: "limit",
    kind: ParamKind::Limit,
    needed: false,
    about: "Entries of the page, at most 200; 50 when left out.",
};
const CURSOR: Param = Param {
    name: "cursor",
    kind: ParamKind::Cursor,
    needed: false,
    about: "`next_cursor` of the page before; left out for the first.",
};
const CHANNEL: Param = text("channel", "Of this channel.");
const CODE_COLUMN: &[Param] = &[text(
    "column",
    "The column of a CSV that holds the codes; needed where none is called `code`. `none`: the first line is a code as well.",
)];
const PAGE: &[Param] = &[LIMIT, CURSOR];

const fn text(name: &'static str, about: &'static str) -> Param {
    Param { name, kind: ParamKind::Text, needed: false, about }
}
const fn word(name: &'static str, words: &'static [&'static str], about: &'static str) -> Param {
    Param { name, kind: ParamKind::Word(words), needed: false, about }
}

const VERSION: Field = Field {
    name: "expected_version",
    kind: FieldKind::Version,
    needed: false,
    about: "Act only if the order (for acts on no order: the configuration) is still at this version.",
};
const REASON: Field =
    Field { name: "reason", kind: FieldKind::Text, needed: true, about: "Why; it goes into the history." };
const AT: Field = Field { name: "at", kind: FieldKind::Time, needed: false, about: "When; now when left out." };

const A_GUEST: Body = Body::Fields(&[
    Field { name: "phone", kind: FieldKind::GuestPhone, needed: true, about: "The guest's phone, all digits." },
    REASON,
]);
const WHOM: Body = Body::Fields(&[
    Field {
        name: "phone",
        kind: FieldKind::GuestPhone,
        needed: false,
        about: "The guest's phone, all digits; this or `name`.",
    },
    text_field("name", false, "The guest's name, all of it, its words in any order; this or `phone`."),
    REASON,
]);
const NAME: Field = field("name", FieldKind::Name, true, "The name.");
const MOBILE: Field = field("mobile", FieldKind::Telephone, true, "The mobile number.");
const DIRECT: Field = field("direct", FieldKind::Telephone, true, "The direct number.");
const PASSWORD: Field = field("password", FieldKind::NewPassword, true, "A password of ten characters or more.");
const ROLE: Field = field("role", FieldKind::Word(ROLES), true, "admin, operator, settlement or viewer.");
const A_GRANT: Body = Body::Fields(&[
    ROLE,
    Field {
        name: "scope",
        kind: FieldKind::Scope,
        needed: true,
        about: "Whose data: {kind: everything|dealer|institution|agency, id}.",
    },
]);

const fn text_field(name: &'static str, needed: bool, about: &'static str) -> Field {
    field(name, FieldKind::Text, needed, about)
}
const fn field(name: &'static str, kind: FieldKind, needed: bool, about: &'static str) -> Field {
    Field { name, kind, needed, about }
}
const fn credential(name: &'static str, needed: bool) -> Field {
    Field {
        name,
        kind: FieldKind::Credential,
        needed,
        about: "What `navigator.credentials` has given, as JSON: what is binary in base64url.",
    }
}
const NOTHING: Body = Body::Fields(&[VERSION]);
const A_REASON: Body = Body::Fields(&[REASON, VERSION]);
const A_TIME: Body = Body::Fields(&[AT, VERSION]);

/// Makes the entry of a call; the last part is its handler.
macro_rules! call {
    ($verb:ident $path:literal, $does:literal, $who:ident, $query:expr, $body:expr, $answer:expr, $run:path) => {
        Call {
            verb: Verb::$verb,
            path: $path,
            does: $does,
            who: Who::$who,
            query: $query,
            body: $body,
            answer: $answer,
            run: |request| Box::pin($run(request)),
        }
    };
}

/// The calls.
pub(crate) static CALLS: &[Call] = &[
    call!(Get "/channels", "Channels: how they fare and what they can do.", Everyone, &[], Body::None,
        Answer::Page(Shape::of::<answers::partners::Partner>()), partners::channels),
    call!(Get "/backends", "Back-ends: how they fare and what they can do.", Everyone, &[], Body::None,
        Answer::Page(Shape::of::<answers::partners::Partner>()), partners::backends),
    call!(Post "/channels/{id}/pause", "Hold the deliveries to a channel back.", Operators, &[], NOTHING,
        Answer::One(Shape::of::<answers::partners::Partner>()), partners::pause_channel),
    call!(Post "/channels/{id}/resume", "Let them go again.", Operators, &[], NOTHING,
        Answer::One(Shape::of::<answers::partners::Partner>()), partners::resume_channel),
    call!(Post "/backends/{id}/pause", "Hold the calls to a back-end back.", Operators, &[], NOTHING,
        Answer::One(Shape::of::<answers::partners::Partner>()), partners::pause_backend),
    call!(Post "/backends/{id}/resume", "Let them go again.", Operators, &[], NOTHING,
        Answer::One(Shape::of::<answers::partners::Partner>()), partners::resume_backend),
    call!(Get "/orders", "Orders, newest first.", Readers, &[
        CHANNEL,
        word("state", ORDER_STATES, "Where the sale stands."),
        word("booking", BOOKING_STATES, "Where the visit stands."),
        word("ticketing", TICKETING_STATES, "Where the tickets stand."),
        word("payment", PAYMENT_STATES, "Where the money stands."),
        word("refund", REFUND_STATES, "Where the open or last refund case stands."),
        Param { name: "visit_date", kind: ParamKind::Date, needed: false, about: "Visited on this date." },
        text("attention", "Needing a person: `any`, or one kind of attention."),
        word("waiting", &["true"], "Needing a person, or waiting for a decision on a booking, a refund case or a dead letter."),
        text("q", "An identifier, whole: ours of an order, booking or refund case, the channel's of an order or booking, a ticket's code, or the back-end's number of a reservation."),
        LIMIT, CURSOR,
    ], Body::None, Answer::Page(Shape::of::<answers::order::Order>()), orders::list),
    call!(Post "/orders/search", "Orders that know a guest's phone or name, newest first, masked; who asked and why goes into the audit.", Operators,
        PAGE, WHOM, Answer::Page(Shape::of::<answers::order::Order>()), orders::search),
    call!(Get "/orders/{id}", "An order.", Readers, &[], Body::None, Answer::One(Shape::of::<answers::order::Order>()), orders::one),
    call!(Get "/orders/{id}/events", "Its history, newest first.", Readers, PAGE, Body::None,
        Answer::Page(Shape::of::<answers::history::Event>()), orders::events),
    call!(Get "/orders/{id}/calls", "Every message in and out for it, masked, newest first.", Readers, &[
        word("bodies", &["true"], "With what was asked and answered, as far as it is kept."), LIMIT, CURSOR,
    ], Body::None,
        Answer::Page(Shape::of::<answers::history::Call>()), orders::calls),
    call!(Get "/orders/{id}/next-steps", "What happens if nobody does anything, and what may be done, with what it would do.", Readers, &[],
        Body::None, Answer::One(Shape::of::<answers::next_steps::NextSteps>()), next_steps::show),
    call!(Post "/orders/{id}/confirm", "Accept the booking that waits for a manager.", Operators, &[], NOTHING,
        Answer::One(Shape::of::<answers::order::Order>()), manual_commands::confirm),
    call!(Post "/orders/{id}/decline", "Decline it; the reason is written for the guest.", Operators, &[], A_REASON,
        Answer::One(Shape::of::<answers::order::Order>()), manual_commands::decline),
    call!(Post "/orders/{id}/tickets", "Tickets issued by hand.", Operators, &[], Body::Fields(&[
        Field { name: "tickets", kind: FieldKind::Tickets, needed: true, about: "One for each unit, a multiple of that, or one for all." },
        VERSION,
    ]), Answer::One(Shape::of::<answers::order::Order>()), manual_commands::tickets),
    call!(Post "/orders/{id}/redeem", "The guest was there.", Operators, &[], A_TIME, Answer::One(Shape::of::<answers::order::Order>()), manual_commands::redeem),
    call!(Post "/orders/{id}/no-show", "The guest was not there.", Operators, &[], A_TIME, Answer::One(Shape::of::<answers::order::Order>()), manual_commands::no_show),
    call!(Post "/orders/{id}/cancel", "Call the order off, or a part of it where the channel allows that.", Operators, &[], Body::Fields(&[
        REASON,
        Field { name: "lines", kind: FieldKind::Lines, needed: false, about: "Only these units; all of them when left out." },
        Field { name: "fee", kind: FieldKind::Amount, needed: false, about: "What is kept, in minor units, where the channel lets us lower it." },
        Field { name: "notify_text", kind: FieldKind::Text, needed: false, about: "What the guest is to be told, which no channel does: once it is cancelled, a person's task (`to_do_by_hand`)." },
        VERSION,
    ]), Answer::One(Shape::of::<answers::order::Order>()), manual_commands::cancel),
    call!(Post "/orders/{id}/return-payment", "Give money back and leave the booking as it is.", Operators, &[], Body::Fields(&[
        REASON,
        Field { name: "amount", kind: FieldKind::Amount, needed: false, about: "In minor units; all that is left when left out." },
        VERSION,
    ]), Answer::One(Shape::of::<answers::order::Order>()), manual_commands::return_payment),
    call!(Post "/orders/{id}/payment-links", "Send the guest a payment link; it takes the place of one that is live.", Operators, &[], Body::Fields(&[
        Field { name: "amount", kind: FieldKind::Amount, needed: false, about: "In minor units; the next part that is due when left out." },
        Field { name: "expires_at", kind: FieldKind::Time, needed: false, about: "Until when it can be paid; three days from now when left out." },
        VERSION,
    ]), Answer::One(Shape::of::<answers::order::Order>()), manual_commands::send_link),
    call!(Post "/orders/{id}/payment-links/revoke", "Take the live payment link back.", Operators, &[], NOTHING,
        Answer::One(Shape::of::<answers::order::Order>()), manual_commands::revoke_link),
    call!(Post "/orders/{id}/settle-attention", "Say that what the order is flagged for was seen to; what ends by an act is refused.", Operators, &[],
        Body::Fields(&[field("kind", FieldKind::Word(ATTENTION_KINDS), true, "Which flag: the `kind` of an attention."), REASON, VERSION]),
        Answer::One(Shape::of::<answers::order::Order>()), manual_commands::settle_attention),
    call!(Post "/orders/{id}/reveal", "Guests' data in clear; who asked and why goes into the history.", Operators, &[], A_REASON,
        Answer::One(Shape::of::<answers::guests::Guests>()), reveal::reveal),
    call!(Get "/refunds", "Refund cases, newest first.", Readers, &[
        word("state", REFUND_STATES, "In this state."), CHANNEL, LIMIT, CURSOR,
    ], Body::None, Answer::Page(Shape::of::<answers::refund::RefundCase>()), refunds::list),
    call!(Post "/refunds/{id}/approve", "Approve: the tickets are voided at the back-end first.", Operators, &[], Body::Fields(&[
        Field { name: "fee", kind: FieldKind::Amount, needed: false, about: "Fee in minor units; the channel's when left out." },
        Field { name: "without_backend", kind: FieldKind::Flag, needed: false, about: "Do not wait for the back-end to void the tickets." },
        Field { name: "reason", kind: FieldKind::Text, needed: false, about: "Why, for the record." },
        VERSION,
    ]), Answer::One(Shape::of::<answers::refund::RefundCase>()), refunds::approve),
    call!(Post "/refunds/{id}/reject", "Reject.", Operators, &[], A_REASON, Answer::One(Shape::of::<answers::refund::RefundCase>()), refunds::reject),
    call!(Get "/deliveries", "The outbox, newest first.", Readers, &[
        word("state", DELIVERY_STATES, "In this state."),
        text("destination", "To this partner: channel:ID or backend:ID."),
        text("order", "For this order, by our id."),
        LIMIT, CURSOR,
    ], Body::None, Answer::Page(Shape::of::<answers::history::Delivery>()), deliveries::list),
    call!(Post "/deliveries/{id}/retry", "Try it at once, and as often as a new one.", Operators, &[], NOTHING,
        Answer::One(Shape::of::<answers::history::Delivery>()), deliveries::retry),
    call!(Post "/deliveries/{id}/drop", "Take it out; the order stays as it is.", Operators, &[], A_REASON,
        Answer::One(Shape::of::<answers::history::Delivery>()), deliveries::drop),
    call!(Get "/deadlines", "Deadlines that count or have passed, the nearest first.", Readers, &[
        Param { name: "due_before", kind: ParamKind::Time, needed: false, about: "Due before this time." },
        word("state", DEADLINE_STATES, "In this state."),
        text("order", "Of this order, by our id."),
        LIMIT, CURSOR,
    ], Body::None, Answer::Page(Shape::of::<answers::history::Deadline>()), deadlines::list),
    call!(Get "/inbox", "Messages received, newest first.", Operators, &[
        text("channel", "From this channel or back-end."),
        text("call", "Of this call."),
        text("key", "With the partner's own key."),
        word("verdict", VERDICTS, "With this outcome."),
        text("order", "About this order, by our id."),
        LIMIT, CURSOR,
    ], Body::None, Answer::Page(Shape::of::<answers::history::InboxRow>()), inbox::list),
    call!(Get "/inbox/{id}", "A message with what was said and what was answered, masked.", Operators, &[], Body::None,
        Answer::One(Shape::of::<answers::history::InboxMessage>()), inbox::one),
    call!(Post "/inbox/{id}/replay", "Carry a message that was refused, kept or not readable out again.", Operators, &[], NOTHING,
        Answer::One(Shape::of::<answers::history::Replayed>()), inbox::replay),
    call!(Get "/codes/{pool}", "How full a code pool is.", Readers, &[], Body::None, Answer::One(Shape::of::<answers::partners::Pool>()), codes::show),
    call!(Post "/codes/{pool}", "Load codes into a pool, as JSON or CSV.", Operators, CODE_COLUMN, Body::Codes,
        Answer::One(Shape::of::<answers::partners::Imported>()), codes::import),
    call!(Post "/codes/{pool}/withdraw", "Take codes out of a pool that nobody has yet, as JSON or CSV.", Operators, CODE_COLUMN,
        Body::Codes, Answer::One(Shape::of::<answers::partners::Withdrawn>()), codes::withdraw),
    call!(Post "/codes/{pool}/hold", "Hold back what a pool has left, until it is released.", Operators, &[], NOTHING,
        Answer::One(Shape::of::<answers::partners::CodesChanged>()), codes::hold),
    call!(Post "/codes/{pool}/release", "Let what is held back be handed out again: after a restore, once the codes that guests got since the copy are withdrawn.",
        Operators, &[], NOTHING, Answer::One(Shape::of::<answers::partners::CodesChanged>()), codes::release),
    call!(Get "/config", "The running configuration, and the last change that was refused.", Everyone, &[], Body::None,
        Answer::One(Shape::of::<answers::config::Config>()), config::show),
    call!(Get "/config/settings", "Every setting in force, secrets hidden, and what the last change has changed.", Everyone, &[], Body::None,
        Answer::One(Shape::of::<answers::config::ConfigSettings>()), config::settings),
    call!(Post "/config/reload", "Read the configuration anew: all of it, or nothing.", Administrators, &[], NOTHING,
        Answer::One(Shape::of::<answers::config::Config>()), config::reload),
    call!(Get "/credit/{id}", "A credit account: what it may still take.", Settlement, &[], Body::None,
        Answer::One(Shape::of::<answers::books::Credit>()), credit::show),
    call!(Post "/credit/{id}/deposits", "A distributor has paid in; once for each reference.", Settlement, &[], Body::Fields(&[
        Field { name: "amount", kind: FieldKind::Amount, needed: true, about: "Minor units, one or more." },
        Field { name: "reference", kind: FieldKind::Text, needed: true, about: "The payment's own number." },
        VERSION,
    ]), Answer::One(Shape::of::<answers::books::Credit>()), credit::deposit),
    call!(Get "/statements", "What was sold, kept and returned in a period, as JSON or CSV.", Settlement, &[
        text("settle_id", "Of this settle id: a channel's own id, unless it names another."),
        text("account", "Of this credit account."),
        Param { name: "from", kind: ParamKind::Date, needed: true, about: "First day." },
        Param { name: "to", kind: ParamKind::Date, needed: true, about: "Last day." },
        text("currency", "Where there were sales in several."),
        word("format", &["json", "csv"], "As `Accept: text/csv` does."),
    ], Body::None, Answer::One(Shape::of::<answers::books::Statement>()), statements::show),
    call!(Get "/reconciliation", "What the last comparison of books with channels and back-ends found.", Operators, &[],
        Body::None, Answer::One(Shape::of::<answers::books::Reconciliation>()), reconciliation::show),
    call!(Post "/reconciliation", "Compare the books of open orders now; takes a second for every twenty orders.", Operators,
        &[CHANNEL], NOTHING, Answer::One(Shape::of::<answers::books::Reconciliation>()), reconciliation::compare),
    call!(Post "/guests/export", "Everything that is known of a guest, in clear; on the record of every order.", Administrators, &[],
        A_GUEST, Answer::One(Shape::of::<answers::guests::GuestExport>()), guests::export),
    call!(Post "/guests/erase", "Forget a guest in every order that is over, and in the others when they are.", Administrators, &[], A_GUEST,
        Answer::One(Shape::of::<answers::guests::GuestErasure>()), guests::erase),
    call!(Post "/statements/close", "Settle everything of a settle unit up to the end of a day.", Settlement, &[], Body::Fields(&[
        text_field("settle_id", true, "The settle unit."),
        field("to", FieldKind::Date, true, "The last day that is settled, YYYY-MM-DD; it is over."),
        VERSION,
    ]), Answer::One(Shape::of::<answers::books::Settled>()), statements::close),
    call!(Get "/partners", "Dealers, institutions, agencies, settle units and connections, with the addresses from which they may call.", Everyone,
        &[], Body::None, Answer::One(Shape::of::<answers::organisation::Organisation>()), organisation::show),
    call!(Post "/session", "Sign in with a password; the answer sets the cookie of the session.", Anybody, &[], Body::Fields(&[
        text_field("email", true, "The e-mail address of the account."),
        text_field("password", true, "Its password."),
    ]), Answer::One(Shape::of::<answers::people::Session>()), session::sign_in),
    call!(Post "/session/passkey/options", "Begin signing in with a passkey: what the browser is to be asked. Answered once, within five minutes.",
        Anybody, &[], Body::Fields(&[]), Answer::One(Shape::of::<answers::passkeys::Options>()), passkeys::sign_in_options),
    call!(Post "/session/passkey", "Sign in with a passkey, which is a second factor as well; the answer sets the cookie of the session.", Anybody,
        &[], Body::Fields(&[credential("assertion", true)]), Answer::One(Shape::of::<answers::people::Session>()), passkeys::sign_in),
    call!(Post "/session/factor/options", "Begin passing the second factor with a passkey: what the browser is to be asked.", Person, &[],
        Body::Fields(&[]), Answer::One(Shape::of::<answers::passkeys::Options>()), passkeys::factor_options),
    call!(Post "/session/factor", "Pass the second factor: a one-time code, a recovery code, or a passkey.", Person, &[],
        Body::Fields(&[text_field("code", false, "The code."), credential("assertion", false)]), Answer::One(Shape::of::<answers::people::Session>()), session::factor),
    call!(Get "/session", "Who has signed in.", Person, &[], Body::None, Answer::One(Shape::of::<answers::people::Session>()), session::show),
    call!(Delete "/session", "Sign out.", Person, &[], Body::None, Answer::One(Shape::of::<answers::people::SignedOut>()), session::sign_out),
    call!(Get "/sessions", "One's own sessions that go on, newest first.", Person, &[], Body::None, Answer::Page(Shape::of::<answers::people::SessionRow>()),
        session::list),
    call!(Delete "/sessions/{id}", "End one of them.", Person, &[], Body::None, Answer::One(Shape::of::<answers::people::SignedOut>()), session::end),
    call!(Post "/account", "Change one's language and numbers; a number wants a fresh factor.", Person, &[], Body::Fields(&[
        field("language", FieldKind::Word(LANGUAGES), false, "zh, ko or en."),
        field("mobile", FieldKind::Telephone, false, "The mobile number."),
        field("direct", FieldKind::Telephone, false, "The direct number."),
    ]), Answer::One(Shape::of::<answers::people::Session>()), session::change_account),
    call!(Post "/account/password", "Change one's password; one's other sessions end.", Person, &[], Body::Fields(&[
        text_field("current", true, "The password that is changed."), PASSWORD,
    ]), Answer::One(Shape::of::<answers::people::Session>()), session::change_password),
    call!(Post "/account/totp", "Begin with one-time codes: the secret, for an authenticator.", Person, &[], Body::Fields(&[]),
        Answer::One(Shape::of::<answers::people::Totp>()), session::begin_totp),
    call!(Post "/account/totp/confirm", "Confirm it by a code; gives ten recovery codes, once.", Person, &[],
        Body::Fields(&[text_field("code", true, "A code of it.")]), Answer::One(Shape::of::<answers::people::RecoveryCodes>()), session::confirm_totp),
    call!(Get "/account/passkeys", "One's own passkeys, the oldest first.", Person, &[], Body::None, Answer::Page(Shape::of::<answers::passkeys::Passkey>()), passkeys::list),
    call!(Post "/account/passkeys/options", "Begin with a passkey: what the browser is to be asked. Who has a factor has to have passed it a \
        moment ago.", Person, &[], Body::Fields(&[]), Answer::One(Shape::of::<answers::passkeys::Options>()), passkeys::options),
    call!(Post "/account/passkeys", "Add it; gives ten recovery codes, once, where it is the first factor.", Person, &[], Body::Fields(&[
        credential("attestation", true), text_field("name", true, "What it is called: 1 to 60 characters."),
    ]), Answer::One(Shape::of::<answers::passkeys::Added>()), passkeys::add),
    call!(Post "/account/passkeys/{id}", "Call it something else.", Person, &[],
        Body::Fields(&[text_field("name", true, "What it is called: 1 to 60 characters.")]), Answer::One(Shape::of::<answers::passkeys::Passkey>()), passkeys::rename),
    call!(Delete "/account/passkeys/{id}", "Remove it; one's other sessions end. Wants a fresh factor.", Person, &[], Body::None,
        Answer::One(Shape::of::<answers::passkeys::Removed>()), passkeys::remove),
    call!(Post "/sign-up", "Ask for an account; an administrator of the agency approves it.", Anybody, &[], Body::Fields(&[
        NAME, field("email", FieldKind::Email, true, "The e-mail address."), text_field("agency_code", true, "The agency's code."), MOBILE, DIRECT,
        PASSWORD,
    ]), Answer::One(Shape::of::<answers::people::SignedUp>()), people::sign_up),
    call!(Get "/accounts", "Accounts, newest first.", Administrators, &[
        word("state", ACCOUNT_STATES, "In this state."), LIMIT, CURSOR,
    ], Body::None, Answer::Page(Shape::of::<answers::people::Account>()), people::list),
    call!(Post "/accounts/{id}/approve", "Approve an account that waits, with a role and a scope.", Administrators, &[], A_GRANT,
        Answer::One(Shape::of::<answers::people::Account>()), people::approve),
    call!(Post "/accounts/{id}/role", "Give an account another role and scope; its sessions end.", Administrators, &[], A_GRANT,
        Answer::One(Shape::of::<answers::people::Account>()), people::grant),
    call!(Post "/accounts/{id}/deactivate", "Switch an account off; its sessions end.", Administrators, &[], Body::Fields(&[]),
        Answer::One(Shape::of::<answers::people::Account>()), people::deactivate),
    call!(Post "/accounts/{id}/activate", "Switch an account on again.", Administrators, &[], Body::Fields(&[]),
        Answer::One(Shape::of::<answers::people::Account>()), people::activate),
    call!(Post "/accounts/{id}/reset-factor", "Forget the second factor of somebody who has lost it; his sessions end.", Administrators, &[],
        Body::Fields(&[]), Answer::One(Shape::of::<answers::people::Account>()), people::reset_factor),
    call!(Post "/accounts/{id}/reset-password", "Make a link by which somebody gives himself another password; it is shown this once.",
        Administrators, &[], Body::Fields(&[]), Answer::One(Shape::of::<answers::people::PasswordLink>()), people::password_link),
    call!(Post "/password-resets/{id}", "Take another password by such a link: `id` is its end. All sessions of the account end.", Anybody, &[],
        Body::Fields(&[PASSWORD]), Answer::One(Shape::of::<answers::people::PasswordReset>()), people::reset_password),
    call!(Get "/invitations", "Invitations, newest first.", Administrators, &[
        word("state", INVITATION_STATES, "In this state."), LIMIT, CURSOR,
    ], Body::None, Answer::Page(Shape::of::<answers::people::Invitation>()), people::invitations),
    call!(Post "/invitations", "Invite somebody; the link is shown this once.", Administrators, &[], Body::Fields(&[
        field("email", FieldKind::Email, true, "His e-mail address."),
        ROLE,
        Field { name: "scope", kind: FieldKind::Scope, needed: true, about: "Whose data he will see." },
    ]), Answer::One(Shape::of::<answers::people::Invited>()), people::invite),
    call!(Post "/invitations/{id}/revoke", "Take an invitation back, as long as nobody has accepted it.", Administrators, &[],
        Body::Fields(&[]), Answer::One(Shape::of::<answers::people::Invitation>()), people::revoke),
    call!(Post "/invitations/{id}/accept", "Accept the invitation of a link: `id` is the end of the link. Signs in.", Anybody, &[],
        Body::Fields(&[NAME, MOBILE, DIRECT, PASSWORD]), Answer::One(Shape::of::<answers::people::Session>()), people::accept),
    call!(Get "/audit", "What people did and looked at, newest first.", Administrators, &[
        text("actor", "By this account, by its id or its e-mail address; `token:` and a name for a token."),
        text("order", "Of this order, by our id."),
        Param { name: "from", kind: ParamKind::Time, needed: false, about: "Since this time." },
        LIMIT, CURSOR,
    ], Body::None, Answer::Page(Shape::of::<answers::history::AuditEntry>()), audit::list),
    call!(Post "/bulk/{id}", "Do something to many: confirm, decline, redeem, no-show, cancel, return-payment, payment-links, approve or reject \
        to orders, retry or drop to deliveries. With `dry_run=true` it says what would come of it.", Operators, &[
        word("dry_run", &["true", "false"], "Only say what would come of it."),
    ], Body::Fields(&[
        Field { name: "items", kind: FieldKind::Items, needed: false, about: "On these: ids, or {id, expected_version}." },
        Field { name: "match", kind: FieldKind::Match, needed: false, about: "On all that match: the parameters of the list." },
        Field { name: "reason", kind: FieldKind::Text, needed: false, about: "Why, where the act wants a reason." },
    ]), Answer::One(Shape::of::<answers::bulk::Bulk>()), bulk::begin),
    call!(Get "/bulk", "What one has done to many, newest first.", Operators, PAGE, Body::None, Answer::Page(Shape::of::<answers::bulk::BulkRow>()), bulk::list),
    call!(Get "/bulk/{id}", "How far it has come, and what was refused.", Operators, &[], Body::None, Answer::One(Shape::of::<answers::bulk::Bulk>()), bulk::show),
    call!(Get "/stream", "What changes, as server-sent events: `changed` with a kind and an id. `Last-Event-ID` goes on where one was.", Readers, &[
        text("last_event_id", "As the header does, for who cannot set one."),
    ], Body::None, Answer::Stream(Shape::of::<answers::history::Change>()), stream::show),
    call!(Get "/openapi.json", "This description.", Everyone, &[], Body::None, Answer::One(Shape::of::<answers::Anything>()), openapi::show),
];
