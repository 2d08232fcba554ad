// SPDX-License-Identifier: Apache-2.0

//! Passkeys: one's own, and what they prove. What browsers are asked and what they answer is in the JSON of WebAuthn.

use ticketbridge_core::TimeZone;

use crate::accounts::Refused;
use crate::accounts::passkeys::OwnPasskey;
use crate::http::ops::answers::{Listed, Time, passkeys as told};
use crate::http::ops::call::{Cookie, Outcome, Request, Said};
use crate::http::ops::session::begun;
use crate::http::ops::view::common_zone;

fn row(passkey: &OwnPasskey, zone: TimeZone) -> told::Passkey<'_> {
    told::Passkey {
        id: &passkey.id,
        name: &passkey.name,
        algorithm: &passkey.algorithm,
        transports: &passkey.transports,
        is_synced: passkey.is_synced,
        counter: passkey.counter,
        created_at: Time::of(passkey.created_at, zone),
        used_at: Time::maybe(passkey.used_at, zone),
    }
}

/// `GET account/passkeys`.
pub(crate) async fn list(request: Request) -> Outcome {
    let zone = common_zone(&request.running);
    let found = request.shared.accounts.passkeys(&request.holder).await?;
    Ok(Said::ok(&Listed::whole(found.iter().map(|passkey| row(passkey, zone)))))
}

/// `POST account/passkeys/options`.
pub(crate) async fn options(request: Request) -> Outcome {
    Ok(Said::once(&told::Options(request.shared.accounts.begin_passkey(&request.holder).await?)))
}

/// `POST account/passkeys`.
pub(crate) async fn add(request: Request) -> Outcome {
    let (attestation, name) = (request.given.object("attestation"), request.given.needed("name"));
    let added = request.shared.accounts.add_passkey(&request.holder, &attestation, &name).await?;
    let body = told::Added { id: &added.id, recovery_codes: &added.recovery_codes };
    Ok(Said::once(&body).with(Cookie::Set(added.begun.token)))
}

/// `POST account/passkeys/{id}`.
pub(crate) async fn rename(request: Request) -> Outcome {
    let id = request.in_path("id");
    request.shared.accounts.rename_passkey(&request.holder, id, &request.given.needed("name")).await?;
    let found = request.shared.accounts.passkeys(&request.holder).await?;
    let renamed = found.iter().find(|passkey| passkey.id == id).ok_or(Refused::NotFound("passkey"))?;
    Ok(Said::once(&row(renamed, common_zone(&request.running))))
}

/// `DELETE account/passkeys/{id}`.
pub(crate) async fn remove(request: Request) -> Outcome {
    let id = request.in_path("id");
    request.shared.accounts.remove_passkey(&request.holder, id).await?;
    Ok(Said::once(&told::Removed { id }))
}

/// `POST session/factor/options`.
pub(crate) async fn factor_options(request: Request) -> Outcome {
    Ok(Said::once(&told::Options(request.shared.accounts.ask_for_factor(&request.holder).await?)))
}

/// `POST session/passkey/options`.
pub(crate) async fn sign_in_options(request: Request) -> Outcome {
    Ok(Said::once(&told::Options(request.shared.accounts.ask_to_sign_in().await?)))
}

/// `POST session/passkey`.
pub(crate) async fn sign_in(request: Request) -> Outcome {
    let assertion = request.given.object("assertion");
    let session = request.shared.accounts.sign_in_with(&assertion, &request.from).await?;
    Ok(begun(&request, session))
}
