// SPDX-License-Identifier: Apache-2.0

use super::*;
use http::Method;

const BODY: &[u8] = "{\"name\":\"王\",\n \"k\": 1}\r\n".as_bytes();

fn plain() -> Vec<u8> {
    let head = format!(
        "POST /channels/d/can-buy?a=1 HTTP/1.1\r\nHost: x\r\nx-life-sign: ab\r\nContent-Length: {}\r\n\r\n",
        BODY.len()
    );
    [head.as_bytes(), BODY].concat()
}

/// As `curl --trace` writes it.
fn trace() -> Vec<u8> {
    let dump = |kind: &str, bytes: &[u8]| {
        let mut text = format!("=> Send {kind}, {} bytes ({:#x})\n", bytes.len(), bytes.len());
        for (index, line) in bytes.chunks(16).enumerate() {
            let hex: String = line.iter().map(|byte| format!("{byte:02x} ")).collect();
            let shown: String = line.iter().map(|&b| if (32..127).contains(&b) { b as char } else { '.' }).collect();
            text += &format!("{:04x}: {hex:<48}{shown}\n", index * 16);
        }
        text
    };
    let message = plain();
    let (head, body) = message.split_at(message.len() - BODY.len());
    let text = format!(
        "== Info:   Trying 127.0.0.1:8080...\n{}{}{}== Info: upload completely sent off\n<= Recv header, 17 bytes (0x11)\n0000: 48 54 54 50 HTTP\n",
        dump("header", head),
        dump("data", &body[..5]),
        dump("data", &body[5..]),
    );
    text.into_bytes()
}

fn har() -> Vec<u8> {
    let entry = serde_json::json!({ "request": {
        "method": "POST", "url": "https://bridge.example/channels/d/can-buy?a=1", "httpVersion": "h2",
        "headers": [{ "name": ":authority", "value": "bridge.example" }, { "name": "x-life-sign", "value": "ab" }],
        "queryString": [{ "name": "a", "value": "1" }],
        "postData": { "mimeType": "application/json", "text": String::from_utf8_lossy(BODY) },
    } });
    serde_json::json!({ "log": { "version": "1.2", "creator": {}, "entries": [entry] } }).to_string().into_bytes()
}

fn tagged(payload: &[u8], tag: u8) -> Vec<u8> {
    [payload.len().to_string().as_bytes(), b":", payload, &[tag]].concat()
}

/// As `mitmdump -w` writes it.
fn flow() -> Vec<u8> {
    let text = |text: &str| tagged(text.as_bytes(), b';');
    let bytes = |bytes: &[u8]| tagged(bytes, b',');
    let header = |name: &[u8], value: &[u8]| tagged(&[bytes(name), bytes(value)].concat(), b']');
    let headers = tagged(&[header(b"Host", b"x"), header(b"x-life-sign", b"ab")].concat(), b']');
    let request = [
        text("method"),
        bytes(b"POST"),
        text("path"),
        bytes(b"/channels/d/can-buy?a=1"),
        text("headers"),
        headers,
        text("content"),
        bytes(BODY),
        text("timestamp_start"),
        tagged(b"1.5", b'^'),
    ];
    let request = tagged(&request.concat(), b'}');
    tagged(
        &[text("version"), tagged(b"18", b'#'), text("request"), request, text("error"), tagged(b"", b'~')].concat(),
        b'}',
    )
}

#[test]
fn the_same_request_is_read_out_of_every_form() {
    for (form, capture) in [("plain", plain()), ("trace", trace()), ("har", har()), ("mitmproxy", flow())] {
        let [captured] = Captured::parse(&capture).unwrap_or_else(|e| panic!("{form}: {e}")).try_into().expect("one");
        let raw = captured.raw();
        assert_eq!((raw.endpoint, raw.query, raw.method), ("can-buy", "a=1", &Method::POST), "{form}");
        assert_eq!(raw.headers["x-life-sign"], "ab", "{form}");
        assert_eq!(String::from_utf8_lossy(raw.body), String::from_utf8_lossy(BODY), "{form}");
        assert!(captured.is_for("d") && !captured.is_for("e") && captured.bytes_missing() == 0, "{form}");
    }
}

#[test]
fn curl_v_is_read_with_what_stands_around_it_and_its_body_is_missed() {
    let shown = b"*   Trying 127.0.0.1:8080...\n* Connected to x\n> POST /channels/d/can-buy?a=1 HTTP/1.1\r\n> Host: x\r\n> x-life-sign: ab\r\n> Content-Length: 7\r\n>\r\n* upload completely sent off: 7 bytes\n< HTTP/1.1 200 OK\r\n<\r\n{\"ok\":1}";
    let [captured] = Captured::parse(shown).expect("it can be read").try_into().expect("one");
    assert_eq!((captured.raw().headers["x-life-sign"].as_bytes(), captured.bytes_missing()), (&b"ab"[..], 7));
    let whole = captured.with_body(b"{\"k\":1}".to_vec());
    assert_eq!((whole.raw().body, whole.bytes_missing()), (&b"{\"k\":1}"[..], 0));
    // Whoever puts the body below the head, as is natural, is understood.
    let below = b"> POST /channels/d/can-buy?a=1 HTTP/1.1\n> Host: x\n>\n{\"k\":1}\n";
    assert_eq!(Captured::parse(below).expect("it can be read")[0].raw().body, b"{\"k\":1}");
}

#[test]
fn pieces_of_a_body_are_put_together() {
    let message =
        b"POST /channels/d/c HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n{\"k\"\r\n3;x=y\r\n:1}\r\n0\r\n\r\n";
    assert_eq!(Captured::parse(message).expect("it can be read")[0].raw().body, b"{\"k\":1}");
}

#[test]
fn what_is_no_capture_says_so() {
    let cut = &flow()[..40];
    let ascii = b"=> Send header, 5 bytes (0x5)\n0000: POST / HTTP/1.1\n";
    let cases: [(&[u8], &str); 6] = [
        (b"POST / HTTP/1.1\nHost: x\n", "no empty line"),
        (b"{\"log\":{}}", "HAR"),
        (b"{\"log\":{\"entries\":[]}}", "no request"),
        (cut, "mitmproxy"),
        (ascii, "--trace-ascii"),
        (b"P\xffST / HTTP/1.1\r\n\r\n", "UTF-8"),
    ];
    for (capture, expected) in cases {
        let error = Captured::parse(capture).expect_err("it is none");
        assert!(error.contains(expected), "{error}");
    }
}
