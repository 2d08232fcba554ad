// SPDX-License-Identifier: Apache-2.0

//! The way out while something is recorded: each call, and what comes back, belongs to the course of what makes it.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use ticketbridge_core::Millis;
use ticketbridge_core::port::{Call, HttpResponse};

use super::course;
use super::tape::{Back, Recorder, Went};
use crate::clock::Clock;
use crate::transport::{AddressPolicy, CallLimits, Transport, TransportError};

/// A way out of which everything is recorded.
pub struct Recording {
    inner: Arc<dyn Transport>,
    recorder: Recorder,
    clock: Arc<dyn Clock>,
}

impl Recording {
    /// Records what goes through `inner`.
    pub fn new(inner: Arc<dyn Transport>, recorder: Recorder, clock: Arc<dyn Clock>) -> Self {
        Self { inner, recorder, clock }
    }
}

impl Transport for Recording {
    fn send<'a>(&'a self, call: &'a Call, limits: CallLimits) -> BoxFuture<'a, Result<HttpResponse, TransportError>> {
        if !self.recorder.is_on() {
            return self.inner.send(call, limits);
        }
        Box::pin(async move {
            let started = (self.clock.now(), self.clock.monotonic());
            let answer = self.inner.send(call, limits).await;
            let took = Millis::from_std(self.clock.monotonic().saturating_sub(started.1));
            course::made(&self.recorder, started.0, went(call, &answer, took));
            answer
        })
    }

    fn allow(&self, policy: AddressPolicy) {
        self.inner.allow(policy);
    }
}

fn header_of(response: &HttpResponse, name: &http::HeaderName) -> Option<String> {
    response.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
}

fn went(call: &Call, answer: &Result<HttpResponse, TransportError>, took: Millis) -> Went {
    let back = match answer {
        Ok(response) => Back::Answered {
            status: response.status.as_u16(),
            retry_after: header_of(response, &http::header::RETRY_AFTER),
            date: header_of(response, &http::header::DATE),
            body: String::from_utf8_lossy(&response.body).into_owned(),
        },
        Err(TransportError::NotSent { .. }) => Back::NotSent,
        Err(TransportError::Interrupted { .. }) => Back::Interrupted,
    };
    let body = String::from_utf8_lossy(&call.body).into_owned();
    Went {
        method: call.method.to_string(),
        url: call.url.clone(),
        body,
        back,
        took,
        order: None,
        decided: None,
        of: None,
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;
    use ticketbridge_core::{OrderId, UnixMillis};

    use super::super::course::{Begun, doing, heard_of_calls};
    use super::super::tape::{Piece, Ran, Work};
    use super::*;

    #[tokio::test]
    async fn of_the_calls_before_a_change_the_last_one_has_its_turn() {
        let (recorder, mut pieces) = Recorder::in_hand();
        let order = OrderId("ord_1".to_owned());
        let what = Work::Delivery {
            id: "dlv_1".to_owned(),
            order: order.clone(),
            destination: "backend:gate".to_owned(),
            call: "issue".to_owned(),
        };
        let begun = Begun { recorder: Some(recorder.clone()), at: UnixMillis(1), turn: 1_000, what: what.clone() };
        let clock: Arc<dyn Clock> = Arc::new(crate::clock::TestClock::at(UnixMillis(1)));
        let inner: Arc<dyn Transport> = Arc::new(Nobody);
        let recording = Recording::new(inner, recorder, clock);
        let (method, headers) = (http::Method::POST, HeaderMap::new());
        let url = "http://nobody.example/".to_owned();
        let call = Call { method, url, headers, body: bytes::Bytes::new(), timeout: None, key: None };
        let limits = CallLimits { timeout: Millis(1), at_most: Millis(1) };
        let work = async {
            assert!(recording.send(&call, limits).await.is_err());
            assert!(recording.send(&call, limits).await.is_err());
            heard_of_calls().note(2_000);
            heard_of_calls().note(3_000);
            assert!(recording.send(&call, limits).await.is_err());
        };
        doing(begun, Box::pin(work)).await;
        let mut turns = Vec::new();
        let mut ran = None;
        while let Ok((_, piece)) = pieces.try_recv() {
            match piece {
                Piece::Out(went) => {
                    assert_eq!((went.order.as_ref(), went.of), (Some(&order), Some(1_000)));
                    turns.push(went.decided);
                }
                Piece::Ran(it) => ran = Some(it),
                Piece::In(_) | Piece::Task { .. } | Piece::Moved(_) => panic!("{piece:?}"),
            }
        }
        assert_eq!(turns, [None, Some(2_000), None]);
        assert_eq!(ran, Some(Box::new(Ran { what, began: 1_000, seeds: Vec::new(), points: Vec::new() })));
    }

    /// A way out to nobody.
    struct Nobody;

    impl Transport for Nobody {
        fn send<'a>(&'a self, _: &'a Call, _: CallLimits) -> BoxFuture<'a, Result<HttpResponse, TransportError>> {
            Box::pin(async { Err(TransportError::NotSent { why: "nobody is there".to_owned() }) })
        }
    }
}
