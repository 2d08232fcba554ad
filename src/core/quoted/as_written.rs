// SPDX-License-Identifier: Apache-2.0

//! When free text is serialised as it was written.

use std::cell::Cell;

thread_local! {
    static AS_WRITTEN: Cell<bool> = const { Cell::new(false) };
}

/// Runs `write` with free text serialised as it was written. Only for `Guests::show`, which masks all of it at once.
pub(super) fn as_written<T>(write: impl FnOnce() -> T) -> T {
    struct Restore(bool);
    impl Drop for Restore {
        fn drop(&mut self) {
            AS_WRITTEN.set(self.0);
        }
    }
    let _restore = Restore(AS_WRITTEN.replace(true));
    write()
}

/// Whether that is so at this moment.
pub(super) fn is_as_written() -> bool {
    AS_WRITTEN.get()
}
