// SPDX-License-Identifier: Apache-2.0

//! `ticketbridge accounts …`: people, from the host itself, for the first of them and for when nobody can sign in.

use std::process::ExitCode;
use std::sync::Arc;

use clap::Subcommand;
use clap::builder::PossibleValuesParser;
use ticketbridge_core::TimeZone;
use ticketbridge_store::{AccountFilter, AccountRow, PageRequest, Store};

use crate::accounts::people::{By, Change};
use crate::accounts::scope::Scope;
use crate::accounts::signing_in::Accounts as People;
use crate::app;
use crate::cli::{ConfigDir, database, fail, say, serve};
use crate::clock::{Clock, SystemClock, SystemIds};
use crate::config::Role;
use crate::engine::Engine;
use crate::http::ops::{invitation_link, reset_link};
use crate::service::live::Live;

/// `accounts …`.
#[derive(Debug, Subcommand)]
pub(super) enum Accounts {
    /// Print a one-time link by which somebody becomes administrator of everything
    CreateAdmin {
        #[command(flatten)]
        config: ConfigDir,
        /// His e-mail address
        #[arg(long, value_name = "ADDRESS")]
        email: String,
    },
    /// List all accounts
    List(ConfigDir),
    /// Approve an account that waits
    Approve {
        #[command(flatten)]
        config: ConfigDir,
        /// Its id or its e-mail address
        #[arg(value_name = "ACCOUNT")]
        account: String,
        /// What it may
        #[arg(long, value_parser = PossibleValuesParser::new(Role::WORDS.map(|(word, _)| word)))]
        role: String,
        /// Whose data it sees: everything, dealer:ID, institution:ID or agency:ID; that of its sign-up when left out
        #[arg(long, value_name = "SCOPE")]
        scope: Option<String>,
    },
    /// Switch an account off; its sessions end
    Deactivate {
        #[command(flatten)]
        config: ConfigDir,
        /// Its id or its e-mail address
        #[arg(value_name = "ACCOUNT")]
        account: String,
    },
    /// Print a one-time link by which somebody who has forgotten his password gives himself another
    ResetPassword {
        #[command(flatten)]
        config: ConfigDir,
        /// Its id or its e-mail address
        #[arg(value_name = "ACCOUNT")]
        account: String,
    },
    /// Forget the second factor of somebody who has lost it; his sessions end
    ResetFactor {
        #[command(flatten)]
        config: ConfigDir,
        /// Its id or its e-mail address
        #[arg(value_name = "ACCOUNT")]
        account: String,
    },
}

impl Accounts {
    fn directory(&self) -> &ConfigDir {
        match self {
            Accounts::CreateAdmin { config, .. }
            | Accounts::List(config)
            | Accounts::Approve { config, .. }
            | Accounts::Deactivate { config, .. }
            | Accounts::ResetPassword { config, .. }
            | Accounts::ResetFactor { config, .. } => config,
        }
    }
}

pub(super) async fn accounts(command: Accounts) -> ExitCode {
    let config = match serve::load_on_host(command.directory()) {
        Ok(config) => config,
        Err(code) => return code,
    };
    let url = config.server.public_url.clone();
    if let Err(sentence) = database::is_there(&config) {
        return fail(sentence);
    }
    let store = match app::open_store(&config).await {
        Ok(store) => store,
        Err(error) => return fail(crate::trouble::chain(&error)),
    };
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let live = match Live::new(config, clock.now()) {
        Ok(live) => live,
        Err(error) => return fail(error),
    };
    let engine = Engine::new(store.clone(), clock.clone(), Arc::new(SystemIds::new(clock)), Arc::new(live));
    let done = carry_out(command, &People::new(engine), &store, &url).await;
    let closed = store.close().await;
    match (done, closed) {
        (Ok(()), Ok(())) => ExitCode::SUCCESS,
        (Err(sentence), _) => fail(sentence),
        (Ok(()), Err(error)) => fail(crate::trouble::chain(&error)),
    }
}

async fn carry_out(command: Accounts, people: &People, store: &Store, url: &str) -> Result<(), String> {
    let trouble = |error: &dyn std::error::Error| crate::trouble::chain(error);
    match command {
        Accounts::CreateAdmin { email, .. } => {
            // On the host nobody learns by that who has an account, and the link would never work.
            if let Some(account) = store.account_of_email(&email).await.map_err(|error| trouble(&error))? {
                return Err(format!(
                    "{email} has an account already ({}); `ticketbridge accounts reset-password {email}` lets whoever has the address in again, and `accounts list` shows what it may",
                    account.id
                ));
            }
            let invited = people.invite(&By::Host, &email, Role::Admin, &Scope::Everything).await;
            let invited = invited.map_err(|error| trouble(&error))?;
            say(format_args!("{}", invitation_link(url, &invited.token)));
            say(format_args!(
                "open it in a browser before {}; it works once, and whoever has it becomes administrator",
                invited.expires_at.rfc3339(TimeZone::UTC)
            ));
            Ok(())
        }
        Accounts::List(_) => list(store).await.map_err(|error| trouble(&error)),
        Accounts::Approve { account, role, scope, .. } => {
            let known = named(store, &account).await?;
            let role = Role::of_word(&role).ok_or("there is no such role")?;
            let scope = match scope {
                Some(text) => scope_of(&text)?,
                None => Scope::of_words(&known.scope).ok_or("say --scope: the account has none")?,
            };
            changed(people, &known, Change::Approve(role, scope)).await
        }
        Accounts::Deactivate { account, .. } => {
            changed(people, &named(store, &account).await?, Change::Deactivate).await
        }
        Accounts::ResetPassword { account, .. } => {
            let known = named(store, &account).await?;
            let reset = people.password_link(&By::Host, &known.id).await.map_err(|error| trouble(&error))?;
            say(format_args!("{}", reset_link(url, &reset.token)));
            say(format_args!("it works once, until {}", reset.expires_at.rfc3339(TimeZone::UTC)));
            Ok(())
        }
        Accounts::ResetFactor { account, .. } => {
            changed(people, &named(store, &account).await?, Change::ResetFactor).await
        }
    }
}

fn scope_of(text: &str) -> Result<Scope, String> {
    let (kind, id) = text.split_once(':').map_or((text, None), |(kind, id)| (kind, Some(id)));
    Scope::of(kind, id)
        .ok_or_else(|| format!("`{text}` is no scope: everything, dealer:ID, institution:ID or agency:ID"))
}

async fn named(store: &Store, name: &str) -> Result<AccountRow, String> {
    let found = if name.contains('@') { store.account_of_email(name).await } else { store.account(name).await };
    let found = found.map_err(|error| crate::trouble::chain(&error))?;
    found.ok_or_else(|| format!("there is no account `{name}`; `ticketbridge accounts list` shows them"))
}

async fn changed(people: &People, account: &AccountRow, change: Change) -> Result<(), String> {
    let changed = people.change(&By::Host, &account.id, change).await.map_err(|error| crate::trouble::chain(&error))?;
    show(&changed);
    Ok(())
}

async fn list(store: &Store) -> Result<(), ticketbridge_store::StoreError> {
    /// Accounts read at once.
    const PAGE: u32 = 200;
    let mut cursor = None;
    loop {
        let page = store.list_accounts(&AccountFilter::default(), &PageRequest { limit: PAGE, cursor }).await?;
        page.items.iter().for_each(show);
        cursor = page.next_cursor;
        if cursor.is_none() {
            return Ok(());
        }
    }
}

fn show(account: &AccountRow) {
    let state = serde_json::to_value(account.state).ok();
    let scope = Scope::of_words(&account.scope);
    let id = scope.as_ref().and_then(Scope::id).map(|id| format!(":{id}")).unwrap_or_default();
    say(format_args!(
        "{}  {}  {}  {}  {}{id}",
        account.id,
        account.profile.email,
        state.as_ref().and_then(|state| state.as_str()).unwrap_or_default(),
        account.role.as_deref().unwrap_or("-"),
        scope.as_ref().map_or("-", Scope::kind),
    ));
}
