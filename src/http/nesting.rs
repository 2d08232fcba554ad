// SPDX-License-Identifier: Apache-2.0

//! How deep a JSON body goes. Unknown fields are skipped without a limit by the parser, and are kept; here they have one.

use ticketbridge_core::limits::NESTING_MAX;

/// What is said of a body that goes deeper than [`NESTING_MAX`]; `None` of one that does not, or that is no JSON: its reader says so.
pub(crate) fn too_deep(body: &[u8]) -> Option<String> {
    let (mut depth, mut in_text, mut escaped) = (0_usize, false, false);
    for byte in body {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            _ if in_text => {}
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > NESTING_MAX {
            return Some(format!("lists and objects are nested more than {NESTING_MAX} deep"));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_as_deep_as_its_deepest_value() {
        let nested = |depth: usize| format!("{}{}", "[{\"a\":".repeat(depth / 2), "}]".repeat(depth / 2));
        assert_eq!(too_deep(nested(NESTING_MAX).as_bytes()), None);
        assert!(too_deep(nested(NESTING_MAX + 2).as_bytes()).is_some_and(|said| said.contains("64")));
        let just = format!("{}{}", "[".repeat(NESTING_MAX + 1), "]".repeat(NESTING_MAX + 1));
        assert!(too_deep(just.as_bytes()).is_some());
        let side_by_side = "[[],{}],".repeat(10_000);
        assert_eq!(too_deep(side_by_side.as_bytes()), None);
        let text = format!(r#"{{"a":"{}\"{}\\"}}"#, "[".repeat(1_000), "{".repeat(1_000));
        assert_eq!(too_deep(text.as_bytes()), None, "brackets in a text are text");
        assert_eq!(too_deep(b"]]]]\"\\"), None);
    }
}
