// SPDX-License-Identifier: Apache-2.0

//! Accounts and invitations: who comes, who goes, and who may do what.

use ticketbridge_core::{TimeZone, UnixMillis};
use ticketbridge_store::{AccountFilter, AccountRow, InvitationRow, ScopeWords};

use crate::accounts::people::{Applicant, By, Change};
use crate::accounts::scope::Scope;
use crate::http::ops::answers::{Time, people as told};
use crate::http::ops::call::{Cookie, Outcome, Request, Said};
use crate::http::ops::query::listed;
use crate::http::ops::session::{role_of, shown as session_shown};
use crate::http::ops::view::common_zone;

fn by(request: &Request) -> By {
    By::Holder(request.holder.clone())
}

fn scope(words: &ScopeWords) -> told::Scope {
    told::Scope(Scope::of_words(words).map(|scope| scope.json()).into())
}

fn account(row: &AccountRow, zone: TimeZone) -> told::Account<'_> {
    told::Account {
        id: &row.id,
        name: &row.profile.name,
        email: &row.profile.email,
        mobile: &row.profile.mobile,
        direct: &row.profile.direct,
        agency_code: row.profile.agency_code.as_deref(),
        state: row.state,
        role: row.role.as_deref(),
        scope: scope(&row.scope),
        sign_in: &row.sign_in,
        has_factor: row.has_factor(),
        created_at: Time::of(row.created_at, zone),
        updated_at: Time::of(row.updated_at, zone),
    }
}

fn invitation(row: &InvitationRow, now: UnixMillis, zone: TimeZone) -> told::Invitation<'_> {
    told::Invitation {
        id: &row.id,
        email: &row.email,
        role: &row.role,
        scope: scope(&row.scope),
        state: row.state_at(now),
        invited_by: &row.invited_by,
        created_at: Time::of(row.created_at, zone),
        expires_at: Time::of(row.expires_at, zone),
        account: row.account.as_deref(),
    }
}

fn applicant(request: &Request) -> Applicant {
    let given = &request.given;
    Applicant {
        name: given.needed("name"),
        email: given.needed("email"),
        mobile: given.needed("mobile"),
        direct: given.needed("direct"),
        password: given.as_it_is("password"),
    }
}

/// `POST sign-up`.
pub(crate) async fn sign_up(request: Request) -> Outcome {
    let code = request.given.needed("agency_code");
    request.shared.accounts.sign_up(&applicant(&request), &code, &request.from).await?;
    // The same whether or not the address was known.
    Ok(Said::once(&told::SignedUp { state: "pending_approval" }))
}

/// `GET accounts`.
pub(crate) async fn list(request: Request) -> Outcome {
    let filter = AccountFilter { state: request.query.word("state"), within: request.reach.scopes() };
    let page = request.shared.engine.store().list_accounts(&filter, &request.query.page()).await?;
    let zone = common_zone(&request.running);
    Ok(Said::ok(&listed(&page, |row| account(row, zone))))
}

async fn change(request: Request, change: Change) -> Outcome {
    let changed = request.shared.accounts.change(&by(&request), request.in_path("id"), change).await?;
    Ok(Said::ok(&account(&changed, common_zone(&request.running))))
}

/// `POST accounts/{id}/approve`.
pub(crate) async fn approve(request: Request) -> Outcome {
    let (role, scope) = (role_of(&request)?, request.given.scope());
    change(request, Change::Approve(role, scope)).await
}
/// `POST accounts/{id}/role`.
pub(crate) async fn grant(request: Request) -> Outcome {
    let (role, scope) = (role_of(&request)?, request.given.scope());
    change(request, Change::Grant(role, scope)).await
}
/// `POST accounts/{id}/deactivate`.
pub(crate) async fn deactivate(request: Request) -> Outcome {
    change(request, Change::Deactivate).await
}
/// `POST accounts/{id}/activate`.
pub(crate) async fn activate(request: Request) -> Outcome {
    change(request, Change::Activate).await
}
/// `POST accounts/{id}/reset-factor`.
pub(crate) async fn reset_factor(request: Request) -> Outcome {
    change(request, Change::ResetFactor).await
}

/// `GET invitations`.
pub(crate) async fn invitations(request: Request) -> Outcome {
    let now = request.shared.engine.clock().now();
    let (state, within) = (request.query.word("state"), request.reach.scopes());
    let page = request.shared.engine.store().list_invitations(state, &within, now, &request.query.page()).await?;
    let zone = common_zone(&request.running);
    Ok(Said::ok(&listed(&page, |row| invitation(row, now, zone))))
}

/// `POST invitations`: no mail is sent; the link is in this answer and nowhere else.
pub(crate) async fn invite(request: Request) -> Outcome {
    let (role, scope) = (role_of(&request)?, request.given.scope());
    let invited = request.shared.accounts.invite(&by(&request), &request.given.needed("email"), role, &scope).await?;
    let zone = common_zone(&request.running);
    Ok(Said::once(&told::Invited {
        id: &invited.id,
        state: "pending",
        expires_at: Time::of(invited.expires_at, zone),
        link: link(&request.running.config.server.public_url, &invited.token),
    }))
}

/// Where an invitation is accepted.
pub(crate) fn link(base: &str, token: &str) -> String {
    format!("{base}/console/invitations/{token}")
}

/// `POST accounts/{id}/reset-password`: no mail is sent; the link is in this answer and nowhere else.
pub(crate) async fn password_link(request: Request) -> Outcome {
    let reset = request.shared.accounts.password_link(&by(&request), request.in_path("id")).await?;
    let zone = common_zone(&request.running);
    Ok(Said::once(&told::PasswordLink {
        account: request.in_path("id"),
        expires_at: Time::of(reset.expires_at, zone),
        link: reset_link(&request.running.config.server.public_url, &reset.token),
    }))
}

/// Where somebody gives himself another password.
pub(crate) fn reset_link(base: &str, token: &str) -> String {
    format!("{base}/console/reset/{token}")
}

/// `POST password-resets/{id}`.
pub(crate) async fn reset_password(request: Request) -> Outcome {
    let password = request.given.as_it_is("password");
    request.shared.accounts.reset_password(request.in_path("id"), &password, &request.from).await?;
    Ok(Said::once(&told::PasswordReset { state: "password_changed" }))
}

/// `POST invitations/{id}/revoke`.
pub(crate) async fn revoke(request: Request) -> Outcome {
    let revoked = request.shared.accounts.revoke(&by(&request), &request.reach, request.in_path("id")).await?;
    let now = request.shared.engine.clock().now();
    Ok(Said::ok(&invitation(&revoked, now, common_zone(&request.running))))
}

/// `POST invitations/{token}/accept`.
pub(crate) async fn accept(request: Request) -> Outcome {
    let begun = request.shared.accounts.accept(request.in_path("id"), applicant(&request), &request.from).await?;
    Ok(Said::once(&session_shown(&request, &begun.holder)).with(Cookie::Set(begun.token)))
}
