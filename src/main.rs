// SPDX-License-Identifier: Apache-2.0

//! The command line. Everything it does is in the library; here are only the words.

use std::process::ExitCode;

use clap::Parser as _;

/// A message is hundreds of small texts, and a fifth of its time went into making and freeing them.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // The allocator asks for huge pages where the kernel gives them: nothing became faster by that, and an idle service was 14 MiB larger. It
    // is no harm where the kernel does not know the word.
    #[cfg(target_os = "linux")]
    rustix::thread::disable_transparent_huge_pages(true).ok();
    let arguments = match ticketbridge::cli::Cli::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // clap prints help and version to standard output, errors to standard error.
            let code = if error.use_stderr() { 2 } else { 0 };
            if error.print().is_err() {
                return ExitCode::from(1);
            }
            return ExitCode::from(code);
        }
    };
    ticketbridge::cli::run(arguments)
}
