//! The integration tests, in one program.

#[cfg(test)]
mod cli;
#[cfg(test)]
mod config;
#[cfg(test)]
mod crash;
#[cfg(test)]
mod ops;
#[cfg(test)]
mod real;
#[cfg(test)]
mod shutdown;
#[cfg(test)]
mod support;
