//! Partners: one folder each, translators without IO.
