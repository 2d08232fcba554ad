//! What the benchmark says on the wire, by code of its own: the bridge's adapters check it, so they may not make it.

pub(crate) mod douyin;
pub(crate) mod http;
pub(crate) mod kakao;
pub(crate) mod webhook;
