// SPDX-License-Identifier: Apache-2.0

//! What each metric means: its HELP. A test reads the sources and finds a metric that is not in the list.

/// What kind of number a metric is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Counter,
    Gauge,
    Histogram,
}

/// Every metric.
const METRICS: &[(Kind, &str, &str)] = &[
    (
        Kind::Counter,
        "ticketbridge_answers_astray_total",
        "Answers that spoke of another order than was asked about, by partner",
    ),
    (Kind::Counter, "ticketbridge_attention_total", "How often an order began to need a person, by kind"),
    (
        Kind::Counter,
        "ticketbridge_availability_failed_total",
        "Questions for a back-end's availability that brought no answer, by back-end",
    ),
    (
        Kind::Gauge,
        "ticketbridge_backend_attempts",
        "Bookings with a delivery to the back-end under way, by back-end and by where their tickets stand",
    ),
    (
        Kind::Gauge,
        "ticketbridge_backend_breaker",
        "Whether the back-end is called: 0 closed, it is; 1 half open, it is being tried; 2 open, it is left alone",
    ),
    (Kind::Counter, "ticketbridge_backend_events_total", "Back-ends' events, by back-end and outcome"),
    (
        Kind::Gauge,
        "ticketbridge_backend_holds",
        "Bookings for which the back-end may keep a place until their tickets are made",
    ),
    (
        Kind::Gauge,
        "ticketbridge_backend_watch_list",
        "Bookings that are over and for which the back-end may still make tickets, which are then cancelled",
    ),
    (Kind::Histogram, "ticketbridge_batch_seconds", "Time of one transaction that carries out what waited together"),
    (Kind::Histogram, "ticketbridge_batch_works", "Changes in one transaction"),
    (
        Kind::Counter,
        "ticketbridge_batches_repeated_total",
        "Transactions that were begun anew, because the database asked for it",
    ),
    (Kind::Counter, "ticketbridge_call_records_lost_total", "Records of calls that could not be kept"),
    (Kind::Gauge, "ticketbridge_code_pool_available", "Codes left, by pool"),
    (Kind::Gauge, "ticketbridge_code_pool_low_water", "Codes of which a pool should not have fewer, by pool"),
    (
        Kind::Counter,
        "ticketbridge_commits_failed_total",
        "Transactions that could not be begun or committed; their senders were asked to come again",
    ),
    (
        Kind::Counter,
        "ticketbridge_connections_discarded_total",
        "Database connections closed after an end that was not fully known",
    ),
    (
        Kind::Counter,
        "ticketbridge_connections_refused_total",
        "Connections of callers that were refused, because there were too many",
    ),
    (
        Kind::Gauge,
        "ticketbridge_credit_accounts_wrong",
        "Credit accounts whose balance is not the sum of their entries",
    ),
    (
        Kind::Gauge,
        "ticketbridge_database_answers",
        "Whether the database answered when the metrics were read last, takes commits, and is whole as far as is known",
    ),
    (
        Kind::Gauge,
        "ticketbridge_deadline_nearest_seconds",
        "Time until the nearest armed deadline, by kind; negative when it has passed, NaN when there is none",
    ),
    (Kind::Counter, "ticketbridge_deadline_warnings_total", "Warnings of deadlines, by kind"),
    (
        Kind::Counter,
        "ticketbridge_late_calls_total",
        "Channels' calls that were sent long before they arrived, by channel and call",
    ),
    (Kind::Gauge, "ticketbridge_deadlines", "Deadlines by kind and state"),
    (Kind::Counter, "ticketbridge_deadlines_passed_total", "Deadlines that passed, by kind"),
    (Kind::Gauge, "ticketbridge_deliveries", "Deliveries by destination and state"),
    (Kind::Counter, "ticketbridge_deliveries_delivered_total", "Deliveries made, by destination"),
    (
        Kind::Counter,
        "ticketbridge_deliveries_handed_over_total",
        "Deliveries begun as soon as they were committed, without being looked for",
    ),
    (Kind::Gauge, "ticketbridge_delivery_oldest_age_seconds", "Age of the oldest delivery, by destination and state"),
    (Kind::Counter, "ticketbridge_hints_in_vain_total", "Hints of back-ends after which nothing was new"),
    (Kind::Counter, "ticketbridge_hints_total", "Hints of back-ends that something has changed"),
    (
        Kind::Counter,
        "ticketbridge_holds_not_given_back_total",
        "Places that a back-end may have kept for nobody until they ran out, by back-end",
    ),
    (Kind::Histogram, "ticketbridge_inbound_call_duration_seconds", "Time until a channel was answered"),
    (Kind::Counter, "ticketbridge_inbound_calls_total", "Channels' calls, by channel, call and outcome"),
    (Kind::Gauge, "ticketbridge_job_last_run_timestamp_seconds", "When a housekeeping job has ended last, by job"),
    (
        Kind::Counter,
        "ticketbridge_log_lines_lost_total",
        "Lines of the log that could not be written: standard error is full, closed, or not read",
    ),
    (Kind::Counter, "ticketbridge_looks_without_news_total", "Looks at a back-end that told nothing new"),
    (
        Kind::Gauge,
        "ticketbridge_oldest_transaction_seconds",
        "Age of the oldest transaction that somebody leaves open in the database",
    ),
    (Kind::Counter, "ticketbridge_ops_calls_total", "Calls of the ops interface, by call and status"),
    (Kind::Gauge, "ticketbridge_orders", "Orders by state"),
    (Kind::Gauge, "ticketbridge_orders_attention", "Orders that need a person, by the kind of what began last"),
    (
        Kind::Gauge,
        "ticketbridge_partner_paused",
        "Whether deliveries to a channel or a back-end are held back, by destination",
    ),
    (
        Kind::Gauge,
        "ticketbridge_reconciliation_differences",
        "Differences that the last comparison of books found and could not repair",
    ),
    (Kind::Counter, "ticketbridge_recorder_lost_total", "Pieces of the recording that could not be kept"),
    (Kind::Gauge, "ticketbridge_refund_cases_waiting", "Refund cases under review"),
    (Kind::Gauge, "ticketbridge_refund_review_nearest_seconds", "Time until the nearest review limit"),
    (Kind::Gauge, "ticketbridge_sqlite_wal_bytes", "Size of the log beside the SQLite file"),
    (Kind::Counter, "ticketbridge_statements_total", "Statements sent to the database"),
    (Kind::Histogram, "ticketbridge_transaction_seconds", "Time of one transaction, by name"),
    (Kind::Counter, "ticketbridge_transactions_total", "Transactions, by name and outcome"),
    (
        Kind::Counter,
        "ticketbridge_unfinished_total",
        "Requests answered before their work had ended, by work and reason",
    ),
    (Kind::Counter, "ticketbridge_unknown_calls_total", "Calls to a name that the channel does not have, by channel"),
    (
        Kind::Counter,
        "ticketbridge_unrouted_messages_total",
        "Messages of a kind that nobody knows, by channel; they are kept",
    ),
    (
        Kind::Counter,
        "ticketbridge_unsold_messages_total",
        "Bookings refused since their product is not configured, by channel; they are kept",
    ),
    (
        Kind::Counter,
        "ticketbridge_works_again_total",
        "Changes that came once more with the next ones, because somebody held their order",
    ),
    (
        Kind::Counter,
        "ticketbridge_works_set_aside_total",
        "Changes that went on alone, because somebody held a lock that they need",
    ),
    (Kind::Gauge, "ticketbridge_writer_broken", "1 while what was committed cannot be confirmed by the database"),
];

/// Tells the recorder what they mean.
pub(super) fn describe() {
    for &(kind, name, help) in METRICS {
        match kind {
            Kind::Counter => metrics::describe_counter!(name, help),
            Kind::Gauge => metrics::describe_gauge!(name, help),
            Kind::Histogram => metrics::describe_histogram!(name, help),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::path::Path;

    /// The names in `counter!(…)` and the like, with the macro.
    fn used(folder: &Path, into: &mut BTreeSet<(String, String)>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                used(&path, into);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                for part in text.split("metrics::").skip(1) {
                    let Some((name, rest)) = part.split_once("!(") else { continue };
                    let literal = rest.trim_start().strip_prefix('"').and_then(|rest| rest.split('"').next());
                    if let (true, Some(literal)) = (name.chars().all(char::is_alphanumeric), literal) {
                        into.insert((name.to_owned(), literal.to_owned()));
                    }
                }
            }
        }
    }

    #[test]
    fn every_metric_of_the_sources_is_described_and_no_other() {
        let mut found = BTreeSet::new();
        used(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
        let named = |kind| match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        let described: BTreeSet<(String, String)> =
            METRICS.iter().map(|&(kind, name, _)| (named(kind).to_owned(), name.to_owned())).collect();
        assert_eq!(found, described);
    }
}
