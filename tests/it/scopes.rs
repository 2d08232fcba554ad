//! Scopes: what one tenant is answered tells nothing of another.
