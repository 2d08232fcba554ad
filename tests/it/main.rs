//! The integration tests, in one program.

#[cfg(test)]
mod config;
#[cfg(test)]
mod credit;
#[cfg(test)]
mod guests;
#[cfg(test)]
mod init;
#[cfg(test)]
mod ops;
#[cfg(test)]
mod ops_cli;
#[cfg(test)]
mod reconcile;
#[cfg(test)]
mod snapshot;
#[cfg(test)]
mod statements;
#[cfg(test)]
mod support;
