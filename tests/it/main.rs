//! The integration tests, in one program.

#[cfg(test)]
mod config;
#[cfg(test)]
mod ops;
#[cfg(test)]
mod support;
