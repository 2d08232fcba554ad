//! The runner of recorded partner cases.
