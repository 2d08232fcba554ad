// SPDX-License-Identifier: Apache-2.0

//! Changed secrets take their time: the rows are brought up to what the files say, and what they hold back is known to whoever builds the
//! partners. Which hold when is [`propagation`](super::propagation)'s business.

use std::sync::Arc;

use serde_json::Value;
use ticketbridge_core::ChannelId;
use ticketbridge_core::message::Destination;
use ticketbridge_store::{NewAudit, SecretsRow, StoreError, Tx};

use crate::accounts::{About, entry};
use crate::config::{Config, SecretChanges};
use crate::engine::Engine;
use crate::http::Shared;
use crate::service::propagation::{AllHeld, Filed, step};

/// What the file of one partner says of its secrets.
struct Partner {
    connection: String,
    filed: Filed,
    /// That its secrets change at once, if they do and its file says that it is an emergency.
    audit: Option<NewAudit>,
}

/// Every partner that has secrets.
fn partners(engine: &Engine, config: &Config) -> Vec<Partner> {
    let partner = |destination: Destination, values: Value, changes: SecretChanges, channel: Option<&ChannelId>| {
        let connection = destination.to_string();
        let fingerprint = engine.store().fingerprint(&connection, &values);
        let audit = changes.emergency.then(|| NewAudit {
            channel: channel.cloned(),
            ..entry(
                engine,
                "configuration",
                "secrets_changed_in_emergency",
                About { detail: serde_json::json!({ "connection": connection }), ..About::default() },
            )
        });
        let (propagation, emergency) = (changes.propagation, changes.emergency);
        Partner { connection, filed: Filed { values, fingerprint, propagation, emergency }, audit }
    };
    let channels = config.channels.iter().map(|it| {
        let values = it.settings.secret_parts(it.secrets);
        partner(Destination::Channel(it.id.clone()), values, it.secret_changes, Some(&it.id))
    });
    let backends = config.backends.iter().map(|it| {
        let values = it.settings.secret_parts(it.secrets);
        partner(Destination::Backend(it.id.clone()), values, it.secret_changes, None)
    });
    channels.chain(backends).collect()
}

/// Which secrets hold although the files of `config` have others; nothing is written.
///
/// # Errors
/// Store errors.
pub async fn would_hold(engine: &Engine, config: &Config) -> Result<AllHeld, StoreError> {
    let now = engine.clock().now();
    let known = engine.store().partner_secrets().await?;
    let mut held = AllHeld::default();
    for partner in partners(engine, config) {
        held.note(&step(&partner.connection, &of(&known, &partner.connection), &partner.filed, now).rows, now);
    }
    Ok(held)
}

fn of(known: &[SecretsRow], connection: &str) -> Vec<SecretsRow> {
    known.iter().filter(|row| row.connection == connection).cloned().collect()
}

/// Brings the rows up to what the files of `config` say, and tells which secrets hold although the files have others.
///
/// # Errors
/// Store errors.
pub async fn apply(engine: &Engine, config: &Config) -> Result<AllHeld, StoreError> {
    let (partners, now) = (Arc::new(partners(engine, config)), engine.clock().now());
    engine
        .store()
        .write("apply_secrets", move |tx: &Tx| {
            let partners = partners.clone();
            Box::pin(async move {
                let known = tx.lock_partner_secrets().await?;
                let mut held = AllHeld::default();
                for partner in partners.iter() {
                    let own = of(&known, &partner.connection);
                    let step = step(&partner.connection, &own, &partner.filed, now);
                    if step.rows != own {
                        tx.put_partner_secrets(&partner.connection, &step.rows).await?;
                    }
                    if let Some(audit) = partner.audit.as_ref().filter(|_| step.is_change) {
                        tx.add_audit(audit).await?;
                    }
                    held.note(&step.rows, now);
                }
                // Of a partner that is there no more nothing is kept: when it comes back, its first secrets hold at once.
                for gone in known.iter().filter(|row| !partners.iter().any(|it| it.connection == row.connection)) {
                    tx.put_partner_secrets(&gone.connection, &[]).await?;
                }
                Ok(held)
            })
        })
        .await
}

/// Lets back-ends go whose key was refused, once changed secrets have come into force: the key may be another now.
pub async fn after_a_change(shared: &Shared) {
    // Whoever asks what is in force makes sure of the time.
    shared.engine.running();
    if shared.engine.live().has_let_through()
        && let Err(error) = shared.worker.try_keys_again().await
    {
        crate::trouble::log_trouble("back-ends whose key was refused could not be let go", &error);
    }
}
