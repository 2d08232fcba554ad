// SPDX-License-Identifier: Apache-2.0

//! The way into the console of a demonstration.

use std::sync::PoisonError;

use subtle::ConstantTimeEq as _;

use crate::accounts::people::{Applicant, By};
use crate::accounts::scope::Scope;
use crate::accounts::signing_in::{Accounts, Begun, From};
use crate::accounts::{Refused, secret_token};
use crate::config::Role;
use crate::http::caller::Caller;

impl Accounts {
    /// The end of a link that opens the console once, signed in as an administrator of everything who was just made: for the demonstration,
    /// whose data is thrown away. Nothing that can be called from outside makes such a link.
    ///
    /// # Errors
    /// [`Refused`].
    pub async fn demonstration_link(&self) -> Result<String, Refused> {
        let from = From { caller: Caller::Unknown, agent: String::new() };
        let invited = self.invite(&By::Host, "demo@ticketbridge.example", Role::Admin, &Scope::Everything).await?;
        let applicant = Applicant {
            name: "Demo".to_owned(),
            mobile: "000-0000".to_owned(),
            direct: "000-0000".to_owned(),
            password: secret_token(&self.engine),
            ..Applicant::default()
        };
        self.accept(&invited.token, applicant, &from).await?;
        let account = self.engine.store().account_of_email("demo@ticketbridge.example").await?;
        let account = account.ok_or(Refused::NotFound("account"))?;
        // Nobody has passed a factor: guests stay masked until he has set one up and passed it, as everywhere.
        let begun = self.begin(&account, None, &from).await?;
        let token = secret_token(&self.engine);
        self.links.lock().unwrap_or_else(PoisonError::into_inner).push((token.clone(), begun));
        Ok(token)
    }

    /// The session of such a link; the next who comes finds nothing.
    pub fn take_link(&self, token: &str) -> Option<Begun> {
        let mut links = self.links.lock().unwrap_or_else(PoisonError::into_inner);
        let at = links.iter().position(|(known, _)| bool::from(known.as_bytes().ct_eq(token.as_bytes())))?;
        Some(links.swap_remove(at).1)
    }
}
