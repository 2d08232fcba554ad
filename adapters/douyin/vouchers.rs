// SPDX-License-Identifier: Apache-2.0

//! Tickets as Douyin wants them: dealt to copies, checked by its rules. Nothing leaves that Douyin would not take.

use std::collections::{BTreeMap, HashSet};

use serde_json::{Map, Value, json};
use ticketbridge_core::limits::{CODE_CHARS_MAX, QR_CHARS_MAX, TICKETS_MAX};
use ticketbridge_core::order::{Booking, Order, Ticket, TicketKind, TicketRequest, TicketingState};
use ticketbridge_core::personal::{Document, DocumentType, Person};
use ticketbridge_core::port::EncodeError;

/// Characters of a code in the second generation (D-15).
const SECOND_CODE_CHARS_MAX: usize = 64;
/// Characters of the booking's own short number.
const SHORT_NUMBER_CHARS: usize = 12;

/// One thing that admits.
#[derive(Clone, Debug)]
struct Item {
    kind: TicketKind,
    value: String,
    /// Douyin's number for the kind of document; 0 for what is none.
    credential_type: i64,
    project: Option<String>,
    name: Option<String>,
}

/// One entrance or one project of a copy.
#[derive(Clone, Debug)]
struct Entry {
    project_id: String,
    /// `None` is the entrance.
    name: Option<String>,
    items: Vec<Item>,
}

/// One copy.
#[derive(Clone, Debug)]
pub(super) struct Voucher {
    /// Douyin's name for the copy, in the second generation.
    certificate: Option<String>,
    entries: Vec<Entry>,
}

/// Which of the second generation's names for lists hold: its answer and its callback differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ListNames {
    /// `certificate`, `credential`.
    Answer,
    /// `certificate_list`, `credential_list`.
    Callback,
}

/// Douyin's number for a kind of document (A.2).
fn credential_type(kind: Option<DocumentType>) -> i64 {
    match kind {
        None => 0,
        Some(DocumentType::ResidentId) => 1,
        Some(DocumentType::HkMacauPermit) => 2,
        Some(DocumentType::TaiwanPermit) => 3,
        Some(DocumentType::HomeReturnPermit) => 4,
        Some(DocumentType::TaiwanCompatriotPermit) => 5,
        Some(DocumentType::Passport) => 6,
        Some(DocumentType::PermanentResidenceCard) => 8,
    }
}

/// What a copy needs, from the demand when there was one.
struct Demand<'a> {
    copies: usize,
    per_copy: usize,
    kinds: &'a [TicketKind],
    certificates: &'a [String],
    second_generation: bool,
    documents: Vec<&'a Document>,
}

impl<'a> Demand<'a> {
    fn new(order: &'a Order, booking: &'a Booking, request: Option<&'a TicketRequest>) -> Self {
        let count = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
        let clear = |people: &'a [Person]| -> Vec<&'a Document> {
            people.iter().filter_map(|p| p.document.as_ref()).filter(|d| !d.number.is_remote_cipher()).collect()
        };
        let told = request.map(|r| clear(&r.visitors)).unwrap_or_default();
        Self {
            copies: count(request.map(|r| r.copies).filter(|copies| *copies > 0).unwrap_or(order.quantity)),
            per_copy: count(request.map_or(order.rules.booking.visitors_per_unit, |r| r.per_copy).max(1)),
            kinds: request.map(|r| r.kinds.as_slice()).unwrap_or_default(),
            certificates: request.map(|r| r.certificates.as_slice()).unwrap_or_default(),
            second_generation: request.is_some_and(|r| r.second_generation),
            // Only documents that the demand named may be returned (7.4, rule 6).
            documents: if told.is_empty() { clear(&booking.visitors) } else { told },
        }
    }

    fn allows(&self, kind: TicketKind) -> bool {
        self.kinds.is_empty() || self.kinds.contains(&kind)
    }
}

/// The booking's own number, short enough to read out.
fn short_number(booking: &Booking) -> String {
    let id: Vec<char> = booking.id.as_str().chars().filter(char::is_ascii_alphanumeric).collect();
    id[id.len().saturating_sub(SHORT_NUMBER_CHARS)..].iter().collect::<String>().to_uppercase()
}

/// Deals in order: as many as copies, one each; a multiple, that many each; one alone, the same on every copy.
fn share(items: Vec<Item>, copies: usize) -> Option<Vec<Vec<Item>>> {
    if copies == 0 || items.is_empty() {
        return None;
    }
    if items.len() == 1 {
        return Some(vec![items; copies]);
    }
    if !items.len().is_multiple_of(copies) {
        return None;
    }
    Some(items.chunks(items.len() / copies).map(<[Item]>::to_vec).collect())
}

fn item_of(ticket: &Ticket, demand: &Demand<'_>) -> Result<Item, EncodeError> {
    let value = ticket.code.reveal().to_owned();
    let credential_type = if ticket.kind == TicketKind::Document {
        let known = demand.documents.iter().find(|d| d.number == ticket.code);
        let known =
            known.ok_or_else(|| EncodeError::Invalid("a ticket is a document of none of the visitors".into()))?;
        credential_type(known.kind)
    } else {
        0
    };
    let name = ticket.name.as_ref().map(|name| name.reveal().to_owned());
    let project = ticket.project_id.as_ref().map(|project| project.reveal().to_owned());
    Ok(Item { kind: ticket.kind, value, credential_type, project, name })
}

/// Without tickets the visitors' documents admit where Douyin allows them, otherwise the booking's number.
fn without_tickets(booking: &Booking, demand: &Demand<'_>) -> Result<Vec<Vec<Item>>, EncodeError> {
    let plain = |kind, value, credential_type| Item { kind, value, credential_type, project: None, name: None };
    if demand.allows(TicketKind::Document) {
        let documents = demand
            .documents
            .iter()
            .map(|d| plain(TicketKind::Document, d.number.reveal().to_owned(), credential_type(d.kind)));
        let dealt = share(documents.collect(), demand.copies);
        if let Some(dealt) = dealt.filter(|dealt| dealt.iter().all(|copy| copy.len() <= demand.per_copy)) {
            return Ok(dealt);
        }
    }
    let kind = [TicketKind::Code, TicketKind::Qr].into_iter().find(|kind| demand.allows(*kind));
    let kind =
        kind.ok_or_else(|| EncodeError::Invalid("the product admits by a kind of ticket that nobody makes".into()))?;
    let number = plain(kind, short_number(booking), 0);
    share(vec![number], demand.copies).ok_or(EncodeError::Missing("copies"))
}

/// The vouchers of a booking. `request` is the demand that they answer; without one they are dealt by the order.
///
/// # Errors
/// There are no tickets, or they cannot be dealt, or Douyin would not take them.
pub(super) fn deal(
    order: &Order,
    booking: &Booking,
    request: Option<&TicketRequest>,
) -> Result<Vec<Voucher>, EncodeError> {
    let demand = Demand::new(order, booking, request);
    if demand.copies > TICKETS_MAX {
        return Err(EncodeError::Invalid(format!("more than {TICKETS_MAX} copies")));
    }
    let dealt = match booking.ticketing.state {
        TicketingState::NotNeeded => without_tickets(booking, &demand)?,
        _ if booking.ticketing.tickets.is_empty() => return Err(EncodeError::Missing("tickets")),
        _ => {
            let tickets = &booking.ticketing.tickets;
            let items = tickets.iter().map(|t| item_of(t, &demand)).collect::<Result<Vec<_>, _>>()?;
            let found = items.len();
            share(items, demand.copies).ok_or_else(|| {
                EncodeError::Invalid(format!("{found} tickets cannot be dealt to {} copies", demand.copies))
            })?
        }
    };
    let mut vouchers: Vec<Voucher> =
        dealt.into_iter().map(|items| copy_of(items, &demand, booking, &order.rules.booking.name)).collect();
    name_projects(&mut vouchers);
    if demand.second_generation {
        if demand.certificates.len() != vouchers.len() {
            return Err(EncodeError::Invalid("the demand names another number of copies".into()));
        }
        // A certificate has the same code each time (7.6), in whatever order the list comes.
        let mut certificates: Vec<&String> = demand.certificates.iter().collect();
        certificates.sort();
        for (voucher, certificate) in vouchers.iter_mut().zip(certificates) {
            voucher.certificate = Some(certificate.clone());
        }
    }
    check(&vouchers, &demand)?;
    Ok(vouchers)
}

/// Sorts the items of one copy into its entrance and its projects. A list that would be longer than Douyin takes
/// goes on in a further project (7.4, rule 5).
fn copy_of(items: Vec<Item>, demand: &Demand<'_>, booking: &Booking, product_name: &str) -> Voucher {
    let mut entries: Vec<Entry> = Vec::new();
    let mut counts: BTreeMap<(Option<String>, u8), usize> = BTreeMap::new();
    let mut places: BTreeMap<(Option<String>, usize), usize> = BTreeMap::new();
    for item in items {
        let nth = counts.entry((item.project.clone(), item.kind as u8)).or_default();
        let part = *nth / demand.per_copy;
        *nth += 1;
        let place = *places.entry((item.project.clone(), part)).or_insert_with(|| {
            let project_id = item.project.clone().unwrap_or_else(|| short_number(booking));
            let is_entrance = item.project.is_none() && item.name.is_none() && part == 0;
            let name = item.name.clone().unwrap_or_else(|| product_name.to_owned());
            entries.push(Entry { project_id, name: (!is_entrance).then_some(name), items: Vec::new() });
            entries.len() - 1
        });
        entries[place].items.push(item);
    }
    Voucher { certificate: None, entries }
}

/// Makes project ids unique in the order: the back-end's own where they are, otherwise with the number of the copy and of
/// the entry behind them. The same tickets always get the same ids (15).
fn name_projects(vouchers: &mut [Voucher]) {
    let mut seen = HashSet::new();
    let unique = vouchers.iter().flat_map(|v| &v.entries).all(|entry| seen.insert(entry.project_id.clone()));
    if unique {
        return;
    }
    for (copy, voucher) in vouchers.iter_mut().enumerate() {
        for (place, entry) in voucher.entries.iter_mut().enumerate() {
            entry.project_id = format!("{}-{}-{}", entry.project_id, copy + 1, place + 1);
        }
    }
}

/// The rules of 7.4, before anything is returned.
fn check(vouchers: &[Voucher], demand: &Demand<'_>) -> Result<(), EncodeError> {
    let invalid = |what: &str| Err(EncodeError::Invalid(what.to_owned()));
    if vouchers.len() != demand.copies {
        return invalid("the number of vouchers is not the number of copies");
    }
    let mut project_ids = HashSet::new();
    for entry in vouchers.iter().flat_map(|voucher| &voucher.entries) {
        if !project_ids.insert(entry.project_id.as_str()) {
            return invalid("a project id stands twice in the order");
        }
        for item in &entry.items {
            if !demand.allows(item.kind) {
                return invalid("a ticket is of a kind that the product does not allow");
            }
            let limit = match item.kind {
                _ if demand.second_generation => SECOND_CODE_CHARS_MAX,
                TicketKind::Code | TicketKind::Document => CODE_CHARS_MAX,
                TicketKind::Qr | TicketKind::Url => QR_CHARS_MAX,
            };
            let length = item.value.chars().count();
            if length == 0 || length > limit {
                return invalid("a ticket's code is empty or longer than the channel takes");
            }
        }
    }
    if vouchers.iter().any(|voucher| voucher.entries.is_empty()) {
        return invalid("a copy has nothing that admits");
    }
    Ok(())
}

impl Entry {
    fn values(&self, kind: TicketKind) -> Vec<&str> {
        self.items.iter().filter(|item| item.kind == kind).map(|item| item.value.as_str()).collect()
    }

    fn credentials(&self) -> Vec<Value> {
        let documents = self.items.iter().filter(|item| item.kind == TicketKind::Document);
        documents.map(|d| json!({ "credential_type": d.credential_type, "credential_no": d.value })).collect()
    }

    fn first_generation(&self) -> Value {
        let mut entry = Map::new();
        entry.insert("project_id".into(), json!(self.project_id));
        if let Some(name) = &self.name {
            entry.insert("name".into(), json!(name));
        }
        for (list, kind) in
            [("certificate_nos", TicketKind::Code), ("qrcodes", TicketKind::Qr), ("urls", TicketKind::Url)]
        {
            let values = self.values(kind);
            if !values.is_empty() {
                entry.insert(list.into(), json!(values));
            }
        }
        let credentials = self.credentials();
        if !credentials.is_empty() {
            entry.insert("credentials".into(), Value::Array(credentials));
        }
        Value::Object(entry)
    }

    fn second_generation(&self, product_name: &str, names: ListNames) -> Value {
        let certificates: Vec<Value> = self
            .items
            .iter()
            .filter_map(|item| {
                let number = match item.kind {
                    TicketKind::Qr => 1,
                    TicketKind::Url => 2,
                    TicketKind::Code => 3,
                    TicketKind::Document => return None,
                };
                Some(json!({ "certificate_no": item.value, "certificate_type": number }))
            })
            .collect();
        let (certificate, credential) = match names {
            ListNames::Answer => ("certificate", "credential"),
            ListNames::Callback => ("certificate_list", "credential_list"),
        };
        let name = self.name.as_deref().unwrap_or(product_name);
        json!({ "project_id": self.project_id, "name": name, certificate: certificates, credential: self.credentials() })
    }
}

fn entrance_and_projects(voucher: &Voucher, write: impl Fn(&Entry) -> Value) -> Value {
    let mut copy = Map::new();
    if let Some(entrance) = voucher.entries.iter().find(|entry| entry.name.is_none()) {
        copy.insert("entrance".into(), write(entrance));
    }
    let projects: Vec<Value> = voucher.entries.iter().filter(|entry| entry.name.is_some()).map(write).collect();
    if !projects.is_empty() {
        copy.insert("projects".into(), Value::Array(projects));
    }
    Value::Object(copy)
}

/// The `vouchers` of 7.3.
pub(super) fn first_generation(vouchers: &[Voucher]) -> Value {
    vouchers.iter().map(|voucher| entrance_and_projects(voucher, Entry::first_generation)).collect()
}

/// The `certificate_info` of 7.6 and 8.2.
pub(super) fn second_generation(vouchers: &[Voucher], product_name: &str, names: ListNames) -> Value {
    let write = |voucher: &Voucher| {
        let projects: Vec<Value> =
            voucher.entries.iter().map(|entry| entry.second_generation(product_name, names)).collect();
        json!({ "certificate_id": voucher.certificate, "project_list": projects })
    };
    vouchers.iter().map(write).collect()
}

/// The `vouchers` of the order query (15): 0 unused, 1 used.
pub(super) fn statuses(vouchers: &[Voucher], used: bool) -> Value {
    let status = i64::from(used);
    let write = |entry: &Entry| json!({ "project_id": entry.project_id, "status": status });
    vouchers.iter().map(|voucher| entrance_and_projects(voucher, write)).collect()
}
