// SPDX-License-Identifier: Apache-2.0

//! `code_pool`: tickets are codes of ours, loaded beforehand. No network: the shell draws them from the store, each once.

use ticketbridge_core::message::{NewTicket, TicketFacts, TicketOp};
use ticketbridge_core::order::{Booking, Order, Ticket, TicketKind, TicketingState};
use ticketbridge_core::port::{
    self, Backend, BackendKind, BackendSpec, BackendTable, Built, CodeMaker, Operations, PoolStep, RedemptionNews,
};

use crate::settings::Settings;

/// How it is registered.
pub const KIND: BackendKind = BackendKind {
    name: "code_pool",
    settings: &["kind", "low_water"],
    secrets: &[],
    addresses: &[],
    terms: &[],
    build: CodePool::build,
};

/// Codes left below which ops are warned, when the settings do not say.
const LOW_WATER_DEFAULT: u32 = 50;

/// One pool.
struct CodePool {
    id: String,
    kind: TicketKind,
    spec: BackendSpec,
}

impl CodePool {
    fn build(id: &str, settings: &serde_json::Value) -> Built<dyn Backend> {
        let mut settings = Settings::new(settings);
        let word = settings.word("kind", &["code", "qr"]);
        let low_water = settings.count("low_water", LOW_WATER_DEFAULT);
        let word = settings.finish(word)?;
        let table = BackendTable {
            hold: false,
            async_issue: false,
            code_maker: CodeMaker::Pool,
            partial_cancel: false,
            audited_cancel: false,
            cancel_after_use: true,
            resend: false,
            lookup_by_reference: true,
            redemption: RedemptionNews::Manual,
            price_check: false,
        };
        let spec = BackendSpec {
            issue_is_idempotent: true,
            can_query: true,
            table,
            watch: None,
            capabilities: table.shown(serde_json::json!({
                "issue": true, "query": true, "cancel": true, "push": false, "availability": false,
                "kind": word, "low_water": low_water,
            })),
        };
        let kind = if word == "qr" { TicketKind::Qr } else { TicketKind::Code };
        Ok(Box::new(Self { id: id.to_owned(), kind, spec }))
    }

    /// One code for each unit that is not cancelled. Drawing again for the same booking gives the same codes, so an unknown outcome needs no other care.
    fn draw(&self, order: &Order) -> PoolStep {
        PoolStep::Draw { pool: self.id.clone(), count: order.units_to_ticket(), kind: self.kind }
    }
}

impl Backend for CodePool {
    fn spec(&self) -> &BackendSpec {
        &self.spec
    }

    fn operations(&self) -> Operations<'_> {
        Operations::Pool(self)
    }
}

impl port::CodePool for CodePool {
    fn step(&self, op: TicketOp, order: &Order, booking: &Booking) -> PoolStep {
        match op {
            TicketOp::Issue => self.draw(order),
            TicketOp::Query if is_void(booking.ticketing.state) => PoolStep::Already(TicketFacts::Cancelled),
            TicketOp::Query if booking.ticketing.tickets.is_empty() && booking.is_visit_over() => {
                let reason = "no code was drawn, and the visit is over".into();
                PoolStep::Already(TicketFacts::Refused { reason })
            }
            TicketOp::Query if booking.ticketing.tickets.is_empty() => self.draw(order),
            TicketOp::Query => {
                let tickets = booking.ticketing.tickets.iter().map(handed_out).collect();
                PoolStep::Already(TicketFacts::Issued { backend_ref: None, tickets })
            }
            // A code that was handed out never returns to the pool: nobody knows who has seen it.
            TicketOp::Cancel => PoolStep::Already(TicketFacts::Cancelled),
        }
    }
}

/// Whether the tickets are void, or about to be: cancelling is never refused here.
fn is_void(state: TicketingState) -> bool {
    match state {
        TicketingState::Cancelling | TicketingState::Cancelled => true,
        TicketingState::NotNeeded
        | TicketingState::Queued
        | TicketingState::Requested
        | TicketingState::Issued
        | TicketingState::Unknown
        | TicketingState::Failed
        | TicketingState::CancelRefused => false,
    }
}

fn handed_out(ticket: &Ticket) -> NewTicket {
    NewTicket {
        code: ticket.code.clone(),
        kind: ticket.kind,
        project_id: ticket.project_id.clone(),
        name: ticket.name.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;
    use serde_json::json;
    use ticketbridge_core::TicketId;

    fn pool(settings: serde_json::Value) -> Box<dyn Backend> {
        (KIND.build)("lp-2026", &settings).ok().unwrap()
    }

    fn step(op: TicketOp, order: &Order) -> PoolStep {
        let pool = pool(json!({ "kind": "qr" }));
        let Operations::Pool(codes) = pool.operations() else { panic!("a pool") };
        codes.step(op, order, order.booking.as_ref().unwrap())
    }

    #[test]
    fn a_code_is_drawn_for_each_unit() {
        let drawn = PoolStep::Draw { pool: "lp-2026".into(), count: 2, kind: TicketKind::Qr };
        let order = fixture::order();
        assert_eq!(step(TicketOp::Issue, &order), drawn);
        // Nothing is known of an earlier draw: the same draw again is the question.
        assert_eq!(step(TicketOp::Query, &order), drawn);
    }

    #[test]
    fn codes_that_were_handed_out_are_told_again() {
        let mut order = fixture::order();
        let ticket = NewTicket { code: fixture::code("A-1"), kind: TicketKind::Qr, project_id: None, name: None };
        order.booking.as_mut().unwrap().ticketing.tickets = vec![Ticket {
            id: TicketId::new("tkt_1"),
            code: ticket.code.clone(),
            kind: ticket.kind,
            project_id: None,
            name: None,
        }];
        let told = TicketFacts::Issued { backend_ref: None, tickets: vec![ticket] };
        assert_eq!(step(TicketOp::Query, &order), PoolStep::Already(told));
    }

    #[test]
    fn cancelled_codes_stay_cancelled() {
        let mut order = fixture::order();
        assert_eq!(step(TicketOp::Cancel, &order), PoolStep::Already(TicketFacts::Cancelled));
        for state in [TicketingState::Cancelling, TicketingState::Cancelled] {
            order.booking.as_mut().unwrap().ticketing.state = state;
            assert_eq!(step(TicketOp::Query, &order), PoolStep::Already(TicketFacts::Cancelled));
        }
    }

    #[test]
    fn settings_are_checked() {
        assert_eq!(pool(json!({ "kind": "code" })).spec().capabilities["low_water"], LOW_WATER_DEFAULT);
        assert_eq!(pool(json!({ "kind": "code", "low_water": 0 })).spec().capabilities["low_water"], 0);
        let problems = (KIND.build)("lp-2026", &json!({ "low_water": "many" })).err().unwrap();
        assert_eq!(problems.iter().map(|p| p.key.as_str()).collect::<Vec<_>>(), ["kind", "low_water"]);
    }
}
