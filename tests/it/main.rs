//! The integration tests, in one program.

#[cfg(test)]
mod config;
#[cfg(test)]
mod credit;
#[cfg(test)]
mod kakao;
#[cfg(test)]
mod ops;
#[cfg(test)]
mod statements;
#[cfg(test)]
mod support;
