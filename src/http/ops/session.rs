// SPDX-License-Identifier: Apache-2.0

//! Signing in and out, one's own sessions, and one's second factor.

use http::HeaderValue;
use ticketbridge_core::TimeZone;
use ticketbridge_store::SessionRow;

use crate::accounts::holder::FRESH_FOR;
use crate::accounts::signing_in::Begun;
use crate::accounts::{Holder, Refused};
use crate::config::Config;
use crate::http::ops::answers::{Listed, Time, people as told};
use crate::http::ops::auth::COOKIE;
use crate::http::ops::body::refused;
use crate::http::ops::call::{Cookie, Failure, Outcome, Request, Said};
use crate::http::ops::view::common_zone;

/// The header that does with the cookie what is to be done.
pub(crate) fn header(cookie: &Cookie, config: &Config) -> Option<HeaderValue> {
    // On this machine alone nobody listens in between; anywhere else the cookie travels over https only.
    let secure = if config.server.public_url.starts_with("https://") { "; Secure" } else { "" };
    let (value, age) = match cookie {
        Cookie::Set(token) => (token.as_str(), config.console.absolute.0 / 1_000),
        Cookie::Clear => ("", 0),
    };
    HeaderValue::from_str(&format!("{COOKIE}={value}; Path=/; HttpOnly; SameSite=Lax; Max-Age={age}{secure}")).ok()
}

/// Who has signed in, as it is shown.
pub(crate) fn shown<'h>(request: &Request, holder: &'h Holder) -> told::Session<'h> {
    let now = request.shared.engine.clock().now();
    let zone = common_zone(&request.running);
    let signed = holder.signed();
    let factor_at = signed.and_then(|signed| signed.factor_at);
    told::Session {
        account: signed.map(|signed| signed.account.as_str()),
        session: signed.map(|signed| signed.session.as_str()),
        name: &holder.name,
        email: signed.map(|signed| signed.email.as_str()),
        sign_in: signed.map(|signed| signed.sign_in.as_str()),
        role: holder.role.word(),
        scope: told::Scope(holder.scope.json()),
        language: signed.and_then(|signed| signed.language.as_deref()),
        has_factor: signed.is_some_and(|signed| signed.has_factor),
        factor_at: Time::maybe(factor_at, zone),
        factor_is_fresh: factor_at.is_some_and(|at| now - at <= FRESH_FOR),
    }
}

pub(crate) fn begun(request: &Request, begun: Begun) -> Said {
    Said::once(&shown(request, &begun.holder)).with(Cookie::Set(begun.token))
}

/// `POST session`.
pub(crate) async fn sign_in(request: Request) -> Outcome {
    let (email, password) = (request.given.needed("email"), request.given.as_it_is("password"));
    let session = request.shared.accounts.sign_in(&email, &password, &request.from).await?;
    Ok(begun(&request, session))
}

/// `POST session/factor`.
pub(crate) async fn factor(request: Request) -> Outcome {
    let accounts = &request.shared.accounts;
    let session = match (request.given.text("code"), request.given.has("assertion")) {
        (Some(code), false) => accounts.pass_factor(&request.holder, &code, &request.from).await?,
        (None, true) => {
            accounts.pass_factor_with(&request.holder, &request.given.object("assertion"), &request.from).await?
        }
        (Some(_), true) | (None, false) => {
            let sentence = "the factor is a `code`, or the `assertion` of a passkey: one of the two";
            return Err(refused("code", sentence).into());
        }
    };
    Ok(begun(&request, session))
}

/// `GET session`.
pub(crate) async fn show(request: Request) -> Outcome {
    Ok(Said::ok(&shown(&request, &request.holder)))
}

/// `DELETE session`.
pub(crate) async fn sign_out(request: Request) -> Outcome {
    let session = request.holder.signed().map(|signed| signed.session.clone()).unwrap_or_default();
    request.shared.accounts.end_session(&request.holder, &session).await?;
    Ok(Said::once(&told::SignedOut { session: &session }).with(Cookie::Clear))
}

/// `GET sessions`.
pub(crate) async fn list(request: Request) -> Outcome {
    let signed = request.holder.signed().ok_or(Refused::NotFound("session"))?;
    let zone = common_zone(&request.running);
    let found = request.shared.accounts.sessions(&signed.account).await?;
    Ok(Said::ok(&Listed::whole(found.iter().map(|session| row(session, &signed.session, zone)))))
}

fn row<'s>(session: &'s SessionRow, own: &str, zone: TimeZone) -> told::SessionRow<'s> {
    told::SessionRow {
        id: &session.id,
        created_at: Time::of(session.created_at, zone),
        seen_at: Time::of(session.seen_at, zone),
        factor_at: Time::maybe(session.factor_at, zone),
        address: &session.address,
        agent: &session.agent,
        is_this: session.id == own,
    }
}

/// `DELETE sessions/{id}`.
pub(crate) async fn end(request: Request) -> Outcome {
    let session = request.in_path("id").to_owned();
    request.shared.accounts.end_session(&request.holder, &session).await?;
    let said = Said::once(&told::SignedOut { session: &session });
    let is_own = request.holder.signed().is_some_and(|signed| signed.session == session);
    Ok(if is_own { said.with(Cookie::Clear) } else { said })
}

/// `POST account`: the language, and one's own numbers.
pub(crate) async fn change_account(request: Request) -> Outcome {
    let (mobile, direct) = (request.given.text("mobile"), request.given.text("direct"));
    let language = request.given.text("language");
    if mobile.is_some() || direct.is_some() {
        // Whoever finds a browser open is not to be the one who is called back.
        let now = request.shared.engine.clock().now();
        request.holder.fresh(request.running.config.console.second_factor, now)?;
        request.shared.accounts.set_numbers(&request.holder, mobile, direct).await?;
    }
    let mut holder = request.holder.clone();
    if let (Some(language), crate::accounts::Via::Session(signed)) = (language, &mut holder.via) {
        request.shared.accounts.set_language(&signed.account, &language).await?;
        signed.language = Some(language);
    }
    Ok(Said::once(&shown(&request, &holder)))
}

/// `POST account/password`.
pub(crate) async fn change_password(request: Request) -> Outcome {
    let (current, new) = (request.given.as_it_is("current"), request.given.as_it_is("password"));
    // Whoever knows the password alone is not to shut out the one whose it is.
    request.holder.may_change_secrets(request.shared.engine.clock().now())?;
    request.shared.accounts.change_password(&request.holder, &current, &new, &request.from).await?;
    Ok(Said::once(&shown(&request, &request.holder)))
}

/// `POST account/totp`.
pub(crate) async fn begin_totp(request: Request) -> Outcome {
    let (secret, uri) = request.shared.accounts.begin_totp(&request.holder).await?;
    Ok(Said::once(&told::Totp { secret: &secret, otpauth_uri: &uri }))
}

/// `POST account/totp/confirm`.
pub(crate) async fn confirm_totp(request: Request) -> Outcome {
    let code = request.given.needed("code");
    let (begun, codes) = request.shared.accounts.confirm_totp(&request.holder, &code, &request.from).await?;
    Ok(Said::once(&told::RecoveryCodes { recovery_codes: &codes }).with(Cookie::Set(begun.token)))
}

/// The role that is granted: the table has seen that it is one.
pub(crate) fn role_of(request: &Request) -> Result<crate::config::Role, Failure> {
    crate::config::Role::of_word(&request.given.needed("role")).ok_or_else(|| refused("role", "`role` is none").into())
}
