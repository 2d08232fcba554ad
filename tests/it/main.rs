// SPDX-License-Identifier: Apache-2.0

//! The integration tests, in one program.

#[cfg(test)]
mod absences;
#[cfg(test)]
mod accounts;
#[cfg(test)]
mod alerts;
#[cfg(test)]
mod archive;
#[cfg(test)]
mod around;
#[cfg(test)]
mod availability;
#[cfg(test)]
mod backup;
#[cfg(test)]
mod bad_requests;
#[cfg(test)]
mod budgets;
#[cfg(test)]
mod bulk;
#[cfg(test)]
mod canary;
#[cfg(test)]
mod changing_secrets;
#[cfg(test)]
mod citations;
#[cfg(test)]
mod cli;
#[cfg(test)]
mod clocks;
#[cfg(test)]
mod config;
#[cfg(test)]
mod console;
#[cfg(test)]
mod console_acts;
mod console_words;
#[cfg(test)]
mod cost;
#[cfg(test)]
mod crash;
#[cfg(test)]
mod crash_octo;
#[cfg(test)]
mod credit;
#[cfg(test)]
mod cuts;
#[cfg(test)]
mod databases;
#[cfg(test)]
mod dead_letters;
#[cfg(test)]
mod deadlines;
#[cfg(test)]
mod deliveries;
#[cfg(test)]
mod examples;
#[cfg(test)]
mod failed_returns;
#[cfg(test)]
mod failover;
#[cfg(test)]
mod forgery;
#[cfg(test)]
mod guests;
#[cfg(test)]
mod held_codes;
#[cfg(test)]
mod idempotency;
#[cfg(test)]
mod idle;
#[cfg(test)]
mod imports;
#[cfg(test)]
mod init;
#[cfg(test)]
mod instances;
#[cfg(test)]
mod kakao;
mod korea_answers;
mod korea_edges;
mod korea_flags;
mod korea_messages;
mod korea_money;
mod korea_orders;
mod korea_twice;
#[cfg(test)]
mod licences;
mod limits;
#[cfg(test)]
mod manager;
#[cfg(test)]
mod octo;
#[cfg(test)]
mod octo_reseller;
#[cfg(test)]
mod offers;
#[cfg(test)]
mod oidc;
#[cfg(test)]
mod ops;
#[cfg(test)]
mod ops_cli;
#[cfg(test)]
mod organisation;
mod outside;
#[cfg(test)]
mod packaging;
#[cfg(test)]
mod parsers;
#[cfg(test)]
mod passkeys;
#[cfg(test)]
mod privacy;
#[cfg(test)]
mod races;
#[cfg(test)]
mod readme;
#[cfg(test)]
mod real;
#[cfg(test)]
mod reconcile;
#[cfg(test)]
mod redemption;
#[cfg(test)]
mod refunds;
#[cfg(test)]
mod repeats;
#[cfg(test)]
mod replay;
#[cfg(test)]
mod sandbox;
#[cfg(test)]
mod schemas;
#[cfg(test)]
mod scopes;
#[cfg(test)]
mod second_generation;
#[cfg(test)]
mod shutdown;
#[cfg(test)]
mod sick_orders;
#[cfg(test)]
mod snapshot;
#[cfg(test)]
mod statements;
#[cfg(test)]
mod stopped_database;
#[cfg(test)]
mod stream;
#[cfg(test)]
mod support;
#[cfg(test)]
mod time_limits;
#[cfg(test)]
mod tokens;
#[cfg(test)]
mod traces;
#[cfg(test)]
mod trip_returns;
#[cfg(test)]
mod tripstore;
#[cfg(test)]
mod waits;
#[cfg(test)]
mod wording;
