// SPDX-License-Identifier: Apache-2.0

//! Pushes, of both generations. Nothing of them is signed: they are hints.

use serde_json::{Value, json};

use super::answer::{Said, refuse};
use super::books::Books;
use super::subscription::{Generation, Push, Subscription};

impl Books {
    /// Every change of a booking is told to this address from now on.
    pub fn subscribe(&mut self, url: &str, generation: Generation) -> String {
        let id = format!("sub-{}", self.subscriptions.len() + 1);
        self.subscriptions.push(Subscription { id: id.clone(), url: url.to_owned(), generation });
        id
    }

    /// Nobody is told any more.
    pub fn unsubscribe_all(&mut self) {
        self.subscriptions.clear();
    }

    /// A booking has changed.
    pub(super) fn tell(&mut self, uuid: &str) {
        let times = if self.switches.pushes_twice { 2 } else { 1 };
        for Subscription { url, generation, .. } in self.subscriptions.clone() {
            let body = match generation {
                Generation::Webhooks => {
                    json!({ "webhook": { "event": "booking_update" }, "booking": self.shown(uuid) })
                }
                Generation::Notifications => json!({ "type": "BOOKING_UPDATE", "data": { "uuid": uuid } }),
            };
            for _ in 0..times {
                self.pushes.push(Push { url: url.clone(), body: body.clone() });
            }
        }
    }

    /// `/webhooks` and `/notifications/subscriptions`.
    pub(super) fn manage(&mut self, generation: Generation, method: &str, id: Option<&str>, body: &Value) -> Said {
        let shown = |one: &Subscription| json!({ "id": one.id, "url": one.url });
        match (method, id) {
            ("GET", None) => {
                let own = self.subscriptions.iter().filter(|one| one.generation == generation);
                (200, own.map(shown).collect())
            }
            ("POST", None) => match body["url"].as_str() {
                Some(url) => {
                    let id = self.subscribe(url, generation);
                    (200, json!({ "id": id, "url": url }))
                }
                None => refuse(400, "BAD_REQUEST"),
            },
            ("DELETE", Some(id)) => {
                let before = self.subscriptions.len();
                self.subscriptions.retain(|one| one.id != id || one.generation != generation);
                if self.subscriptions.len() < before { (200, json!({})) } else { refuse(404, "NOT_FOUND") }
            }
            _ => refuse(404, "NOT_FOUND"),
        }
    }
}
