// SPDX-License-Identifier: Apache-2.0

//! The terminal: what is said to it, and the runtime under a command.

use std::io::Write as _;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether something that was to be said could not be written.
static LOST: AtomicBool = AtomicBool::new(false);

/// A line to standard output. Whoever reads may stop reading (`| head`): then there is nobody left to tell, and no reason to stop.
pub(crate) fn say(line: impl std::fmt::Display) {
    note(&writeln!(std::io::stdout(), "{line}"));
}

/// Notes what was not written although somebody reads.
fn note(written: &std::io::Result<()>) {
    if let Err(error) = written
        && error.kind() != std::io::ErrorKind::BrokenPipe
    {
        LOST.store(true, Ordering::Relaxed);
    }
}

/// The exit code of a command, once all is said: success only where it could be said.
pub(super) fn all_said(code: ExitCode) -> ExitCode {
    note(&std::io::stdout().flush());
    crate::telemetry::log_lines::finish();
    if LOST.load(Ordering::Relaxed) && code == ExitCode::SUCCESS {
        return fail("what this command says could not be written to standard output; is the disk full?");
    }
    code
}

/// One sentence to standard error, and exit code 1.
pub(crate) fn fail(sentence: impl std::fmt::Display) -> ExitCode {
    warn(format_args!("ticketbridge: {sentence}"));
    ExitCode::from(1)
}

/// A line to standard error.
pub(crate) fn warn(line: impl std::fmt::Display) {
    let _nobody_reads = writeln!(std::io::stderr(), "{line}");
}

/// Time for what is left of a command's tasks when the command has ended.
const LEAVE_WITHIN: std::time::Duration = std::time::Duration::from_millis(500);

/// A limit on the size of files (`ulimit -f`, `LimitFSIZE=`) ends a process without a word, unless somebody listens for its signal. Once
/// somebody does, the write fails like one to a full disk, which is said and survived.
#[cfg(unix)]
async fn outlive_file_limits() {
    use tokio::signal::unix::{SignalKind, signal};
    let kind = SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw());
    // Listened for as long as the process lives, also when nobody waits for it any more. Who cannot listen lives as before.
    drop(signal(kind));
}

/// Runs `work` on a runtime of its own.
pub(super) fn in_runtime(work: impl Future<Output = ExitCode>) -> ExitCode {
    run_on(tokio::runtime::Builder::new_multi_thread(), work)
}

/// Runs `work` on a runtime with one thread, where what was told is heard before the next turn.
pub(super) fn in_one_thread(work: impl Future<Output = ExitCode>) -> ExitCode {
    run_on(tokio::runtime::Builder::new_current_thread(), work)
}

fn run_on(mut runtime: tokio::runtime::Builder, work: impl Future<Output = ExitCode>) -> ExitCode {
    match runtime.enable_all().build() {
        Ok(runtime) => {
            #[cfg(unix)]
            runtime.block_on(outlive_file_limits());
            let code = runtime.block_on(work);
            // What still hangs, in a look-up of a name perhaps, keeps nobody from leaving.
            runtime.shutdown_timeout(LEAVE_WITHIN);
            code
        }
        Err(error) => fail(format!("the asynchronous runtime cannot start: {error}")),
    }
}
