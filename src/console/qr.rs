// SPDX-License-Identifier: Apache-2.0

//! A text as squares that a telephone reads.

use maud::{Markup, html};
use qrcodegen::{QrCode, QrCodeEcc};

/// Empty squares around it, without which readers do not find it.
const MARGIN: i32 = 4;

/// The drawing, black on white in every colour scheme; `None` for a text that is too long for one.
pub(crate) fn drawn(text: &str, label: &str) -> Option<Markup> {
    let code = QrCode::encode_text(text, QrCodeEcc::Medium).ok()?;
    let size = code.size() + 2 * MARGIN;
    let path = path(&code);
    Some(html! {
        svg.qr role="img" aria-label=(label) viewBox=(format!("0 0 {size} {size}")) shape-rendering="crispEdges" {
            rect width=(size) height=(size) fill="#fff" {}
            path d=(path) fill="#000" {}
        }
    })
}

/// Each dark square as one of side 1.
fn path(code: &QrCode) -> String {
    let places = (0..code.size()).flat_map(|y| (0..code.size()).map(move |x| (x, y)));
    places
        .filter(|(x, y)| code.get_module(*x, *y))
        .map(|(x, y)| format!("M{},{}h1v1h-1z", x + MARGIN, y + MARGIN))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_three_corners_are_where_readers_look_for_them() {
        let text = "otpauth://totp/ticketbridge:ann%40desk.example?secret=JBSWY3DPEHPK3PXP&issuer=ticketbridge";
        let code = QrCode::encode_text(text, QrCodeEcc::Medium).expect("it fits");
        let drawn = drawn(text, "the secret").expect("it fits").into_string();
        assert!(drawn.contains(r#"aria-label="the secret""#), "{drawn}");
        for (x, y) in [(0, 0), (code.size() - 1, 0), (0, code.size() - 1)] {
            assert!(drawn.contains(&format!("M{},{}h1v1h-1z", x + MARGIN, y + MARGIN)), "{x},{y}");
        }
        assert!(drawn.matches("h1v1h-1z").count() < (code.size() * code.size()) as usize, "not all of them are dark");
    }

    /// A rule of the stylesheet is stronger than what the drawing says of itself: none may colour it as it colours charts.
    #[test]
    fn the_stylesheet_leaves_it_black_on_white_with_its_margin() {
        let sheet = include_str!("assets/console.css");
        assert!(sheet.contains(".qr rect { fill: #fff; } .qr path { fill: #000; }"), "the last word on its colours");
        for rule in ["svg rect {", "svg path {"] {
            assert!(!sheet.contains(rule), "{rule} colours every drawing");
        }
        let drawn = drawn("otpauth://totp/a", "").expect("it fits").into_string();
        let size = QrCode::encode_text("otpauth://totp/a", QrCodeEcc::Medium).expect("it fits").size() + 2 * MARGIN;
        assert!(drawn.contains(&format!(r#"viewBox="0 0 {size} {size}""#)), "{drawn}");
        assert!(drawn.contains(&format!(r#"rect width="{size}" height="{size}""#)), "the margin is white too: {drawn}");
        const { assert!(MARGIN >= 4, "readers want four empty squares around it") };
    }

    #[test]
    fn what_is_too_long_has_no_drawing() {
        assert!(drawn(&"x".repeat(5_000), "").is_none());
    }
}
