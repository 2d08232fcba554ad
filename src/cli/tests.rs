// SPDX-License-Identifier: Apache-2.0

use std::collections::BTreeMap;

use clap::CommandFactory as _;

use super::*;
use crate::http::ops::{CALLS, Who};

/// The command that reaches each call of the ops interface; `-` for what only a browser does.
const REACHED_BY: &str = include_str!("tests/reached.txt");

#[test]
fn every_call_of_the_ops_interface_has_its_command() {
    let reached: BTreeMap<&str, &str> = REACHED_BY.lines().filter_map(|line| line.split_once(" = ")).collect();
    let root = Cli::command();
    for call in CALLS {
        let name = format!("{} {}", call.verb.word(), call.path);
        let command = reached.get(name.as_str()).unwrap_or_else(|| panic!("no command reaches `{name}`"));
        if *command == "-" {
            assert!(
                matches!(call.who, Who::Anybody | Who::Person) || matches!(call.path, "/openapi.json" | "/stream"),
                "{name} is for tokens, too"
            );
            continue;
        }
        let mut at = &root;
        for word in command.split(' ') {
            at = at.find_subcommand(word).unwrap_or_else(|| panic!("{name}: there is no command `{command}`"));
        }
    }
    assert_eq!(reached.len(), CALLS.len(), "a line for each call, and none besides");
}

fn walk(command: &clap::Command, path: &str, look: &mut impl FnMut(&str, &clap::Command)) {
    look(path, command);
    for inner in command.get_subcommands() {
        walk(inner, &format!("{path} {}", inner.get_name()), look);
    }
}

#[test]
fn every_command_and_every_option_says_what_it_is() {
    let mut silent = Vec::new();
    walk(&Cli::command(), "ticketbridge", &mut |path, command| {
        if command.get_about().is_none() {
            silent.push(path.to_owned());
        }
        for argument in command.get_arguments().filter(|argument| !argument.is_hide_set()) {
            if argument.get_help().is_none() {
                silent.push(format!("{path} {}", argument.get_id()));
            }
        }
    });
    assert!(silent.is_empty(), "{silent:#?}");
}

#[test]
fn every_shell_gets_completions_that_know_commands_and_values() {
    for shell in [
        clap_complete::Shell::Bash,
        clap_complete::Shell::Zsh,
        clap_complete::Shell::Fish,
        clap_complete::Shell::PowerShell,
        clap_complete::Shell::Elvish,
    ] {
        let mut script = Vec::new();
        clap_complete::generate(shell, &mut Cli::command(), "ticketbridge", &mut script);
        let script = String::from_utf8(script).expect("text");
        assert!(script.contains("healthcheck") && script.contains("payment-links"), "{shell}");
        if !matches!(shell, clap_complete::Shell::PowerShell | clap_complete::Shell::Elvish) {
            assert!(script.contains("awaiting_booking"), "{shell} completes the values of filters");
        }
    }
}
