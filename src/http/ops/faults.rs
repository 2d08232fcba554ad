// SPDX-License-Identifier: Apache-2.0

//! What is wrong with a body: all of it in one answer, so that whoever wrote it mends it in one round.

use http::StatusCode;
use ticketbridge_core::port::FieldError;
use ticketbridge_core::quoted::without_persons;

use crate::http::problem::Problem;

/// Faults that are told at most: a body of nothing but faults is no reason for an answer that is longer than the body.
const TOLD_MAX: usize = 50;

/// Where something is wrong: as people read it, and as a JSON pointer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Place {
    field: String,
    pointer: String,
}

impl Place {
    /// The body as a whole.
    pub(crate) fn body() -> Self {
        Self { field: "body".to_owned(), pointer: String::new() }
    }
    /// A field of the body.
    pub(crate) fn of(name: &str) -> Self {
        Self::default().part(name)
    }
    /// A field of what stands here.
    pub(crate) fn part(&self, name: &str) -> Self {
        let joint = if self.field.is_empty() { "" } else { "." };
        let step = name.replace('~', "~0").replace('/', "~1");
        Self { field: format!("{}{joint}{name}", self.field), pointer: format!("{}/{step}", self.pointer) }
    }
    /// An entry of the list that stands here.
    pub(crate) fn entry(&self, index: usize) -> Self {
        Self { field: format!("{}[{index}]", self.field), pointer: format!("{}/{index}", self.pointer) }
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.field)
    }
}

/// What was found wrong so far, in the order in which it was found.
#[derive(Debug, Default)]
pub(crate) struct Faults(Vec<(Place, String)>);

impl Faults {
    /// Notes one. Of a place the first is told: what follows from it is none of its own.
    pub(crate) fn add(&mut self, place: Place, sentence: impl Into<String>) {
        if self.0.len() < TOLD_MAX && self.0.iter().all(|(known, _)| *known != place) {
            self.0.push((place, sentence.into()));
        }
    }

    /// 422 with all of them, if there are any; its sentence and its `field` are those of the first.
    ///
    /// # Errors
    /// There are.
    pub(crate) fn end(self) -> Result<(), Problem> {
        let Some((first, sentence)) = self.0.first() else { return Ok(()) };
        let told = |(place, sentence): &(Place, String)| FieldError {
            pointer: place.pointer.clone(),
            // A sentence may repeat what was asked.
            detail: without_persons(sentence),
        };
        let problem = Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", sentence.clone());
        Err(problem.at(first.field.clone()).with_errors(&self.0.iter().map(told).collect::<Vec<_>>()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_is_told_once_and_by_its_pointer() {
        let mut faults = Faults::default();
        let tickets = Place::of("tickets");
        faults.add(tickets.entry(1).part("code"), "one");
        faults.add(tickets.entry(1).part("code"), "what follows from it");
        faults.add(Place::of("a/b~c"), "two");
        faults.add(Place::body(), "three");
        let problem = faults.end().unwrap_err();
        assert_eq!((problem.field.as_deref(), problem.detail.as_str()), (Some("tickets[1].code"), "one"));
        let expected = serde_json::json!([
            { "pointer": "/tickets/1/code", "detail": "one" },
            { "pointer": "/a~1b~0c", "detail": "two" },
            { "pointer": "", "detail": "three" },
        ]);
        assert_eq!(problem.errors.as_deref(), Some(&expected));
        assert!(Faults::default().end().is_ok());
    }
}
