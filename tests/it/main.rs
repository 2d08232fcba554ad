//! The integration tests, in one program.

#[cfg(test)]
mod config;
#[cfg(test)]
mod crash;
#[cfg(test)]
mod ops;
#[cfg(test)]
mod real;
#[cfg(test)]
mod support;
