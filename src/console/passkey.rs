// SPDX-License-Identifier: Apache-2.0

//! Forms that want a passkey. The browser is asked by a script of ours, which shows them where there can be any; without it they are not there,
//! and every other way works.

use maud::{Markup, html};

use crate::console::Visit;
use crate::console::form::link;

/// The name to which passkeys are bound here, if there is one.
pub(crate) fn domain(visit: &Visit) -> Option<String> {
    let running = visit.shared.engine.running();
    running.config.passkeys.as_ref().map(|passkeys| passkeys.domain.clone())
}

/// What becomes of a passkey.
pub(crate) enum Use {
    /// One is made.
    Create,
    /// One is shown.
    Get,
}

/// A form that wants a passkey: where it goes, and the call that says what the browser is to be asked. `fields` is what stands in it before
/// the button.
pub(crate) fn form(
    visit: &Visit,
    id: &str,
    wants: &Use,
    (to, options): (&str, &str),
    button: &str,
    fields: &Markup,
) -> Markup {
    let wants = match wants {
        Use::Create => "create",
        Use::Get => "get",
    };
    html! {
        @if let Some(domain) = domain(visit) {
            form id=(id) method="post" action=(link(to)) hidden data-passkey=(wants) data-domain=(domain)
                data-options={ "/ops/v1" (options) } data-failed=(visit.words.say("passkey-failed")) {
                input type="hidden" name="credential";
                (fields)
                p { button type="submit" { (button) } }
                p role="alert" {}
            }
            // As a module it runs once, however many such forms there are.
            script type="module" src="/console/assets/passkeys.js" {}
        }
    }
}
