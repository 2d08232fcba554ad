// SPDX-License-Identifier: Apache-2.0

use super::guests::CHARS_MAX;
use super::*;
use crate::message::{Command, NewTicket, TicketFacts};
use crate::order::channel_state::Stage;
use crate::order::{Order, TicketKind};
use crate::personal::{Document, DocumentNumber, Person, PersonName, Phone, in_clear};
use crate::port::CallResult;
use crate::rules::samples;

fn person(name: &str, phone: &str, document: &str) -> Person {
    let number = DocumentNumber::new(document);
    Person {
        name: Some(PersonName::new(name)),
        phone: Some(Phone::new(phone)),
        document: Some(Document { kind: None, number }),
    }
}

fn guests(people: &[Person]) -> Guests {
    let mut guests = Guests::nobody();
    guests.learn(people);
    guests
}

#[test]
fn a_word_is_masked_wherever_it_stands_alone() {
    let li = guests(&[person("Li", "", "")]);
    assert_eq!(li.text("Li asked; the Limit of Li, not of Ali").as_str(), "L* asked; the Limit of L*, not of Ali");
    assert_eq!(li.text("票Li已用").as_str(), "票L*已用");
    let wang = guests(&[person("王小明", "", "")]);
    assert_eq!(wang.text("因王小明的证件无效").as_str(), "因王**的证件无效");
    assert_eq!(wang.text("因证件无效").as_str(), "因证件无效");
}

/// Whoever is known is found in every writing, also where only identifiers are expected.
#[test]
fn a_known_guest_is_found_in_every_writing() {
    let known = guests(&[
        person("홍길동", "+82 10-1234-5678", "M12345678"),
        person("Zebediah Plainview", "13912345098", "QX9081726"),
    ]);
    for text in [
        "홍길동",
        "홍 길동",
        "A-홍길동-1",
        "홍·길·동님",
        "01012345678",
        "010-1234-5678",
        "+82 10 1234 5678",
        "821012345678",
        "０１０－１２３４－５６７８",
        "R01012345678",
        "m12345678",
        "M 1234-5678",
        "Zebediah Plainview",
        "zebediah  plainview",
        "PLAINVIEW, Zebediah",
        "ZEBEDIAH-PLAINVIEW",
        "x.Zebediah_Plainview.y",
        "13912345098",
        "+86 139 1234 5098",
        "8613912345098",
        "１３９１２３４５０９８",
        "ref139-1234-5098/2",
        "qx 9081726",
    ] {
        let shown = known.id(text);
        let left = writing::compared(shown.as_str()).into_iter().collect::<String>();
        for secret in
            ["홍길동", "1012345678", "12345678", "zebediahplainview", "plainviewzebediah", "13912345098", "9081726"]
        {
            assert!(!left.contains(secret), "{text}: {shown}");
        }
        assert_ne!(shown.as_str(), text);
    }
    assert_eq!(
        known.id("agency 010-1234-5678").as_str(),
        format!("agency {}", Phone::new("+82 10-1234-5678").masked())
    );
}

#[test]
fn a_stranger_is_masked_by_the_looks_of_his_numbers() {
    for text in [
        "13800000001",
        "138 0000 0001",
        "138-0000-0001",
        "+8613800000001",
        "+86 (138) 0000-0001",
        "8613800000001",
        "１３８０００００００１",
        "01012345678",
        "010-1234-5678",
        "+82-10-1234-5678",
        "+82 10 1234 5678",
        "82 10 1234 5678",
        "02-123-4567",
        "KB-20261201-01012345678",
        "110101199003071234",
        "11010119900307123X",
        "110101 19900307 1234",
        "900101-1234567",
        "guest@example.com",
        "a.b+c＠example．com",
        "x13800000001y",
    ] {
        for shown in [Quoted::text(text), Guests::nobody().id(text)] {
            assert!(shown.as_str().contains("***"), "{text}: {shown}");
            assert!(writing::digits(shown.as_str()).len() <= 8, "{text}: {shown}");
        }
    }
}

#[test]
fn identifiers_times_and_amounts_stay_what_they_are() {
    for text in [
        "V100",
        "1045678901234567890",
        "4200001234202611218888888888",
        "ord_0194f5a0138123456780aaaabbbbcccc",
        "2026-12-01",
        "2026-12-01T10:00:00+08:00",
        "2026.12.01 10:00",
        "1795226400000",
        "1795226400",
        "CNY 39800",
        "76,000",
        "LP-V2|LP-B2",
        "550e8400-e29b-41d4-a716-446655440000",
        "evt-1",
        "K-20261121-0001",
        "202611210001",
        "R100",
        "***",
        "138****0001",
        "1101**********1234",
        "dlv_00000000000000000000000000000001",
        "https://pay.example/l/1",
        "A-1381-22",
    ] {
        assert_eq!(Guests::nobody().id(text).as_str(), text);
    }
    let sentence = "closed on 2026-12-01 (gate 123456), 76,000 due at 10:00, 未出票";
    assert_eq!(Quoted::text(sentence).as_str(), sentence);
    assert_eq!(Quoted::text("order 1045678901234567890 is gone").as_str(), "order *** is gone");
}

#[test]
fn a_code_is_a_word_for_machines_or_it_is_not_shown() {
    for (text, shown) in [
        ("SOLD_OUT", "SOLD_OUT"),
        ("booking.cancelled/v2", "booking.cancelled/v2"),
        ("evt-홍길동-1", "evt-***-1"),
        ("sold out", "***"),
        ("E:13800000001", "E:***"),
        ("", ""),
    ] {
        assert_eq!(Quoted::code(text).as_str(), shown, "{text}");
        assert_eq!(Quoted::code(shown).as_str(), shown, "what is masked stays so");
    }
}

/// Passports and permits of people whom nobody knows.
#[test]
fn a_word_like_a_documents_number_is_masked_where_people_write() {
    for text in [
        "여권 M98765432",
        "passport: E12345678, thanks",
        "（Ｍ９８７６５４３２） 님",
        "M123A4567 lost",
        "HA1234567 회향증",
    ] {
        for shown in [Quoted::text(text), Guests::nobody().id(text)] {
            assert!(shown.as_str().contains("***"), "{text}: {shown}");
            assert!(writing::digits(shown.as_str()).len() <= 1, "{text}: {shown}");
        }
    }
    for number in ["A12345678", "K20261121", "YB2512-0031"] {
        assert_eq!(Guests::nobody().id(number).as_str(), number, "alone, it is a number of an order");
    }
    let mut shown = serde_json::json!({
        "reason": "M98765432", "backend_ref": "zq001 M98765432", "partner_number": "A12345678",
        "notes": { "reported_outstanding": "2880000", "said": "M98765432", "phone": "01012345678" },
    });
    let mut forgotten = shown.clone();
    Guests::nobody().json(&mut shown);
    assert_eq!(
        shown,
        serde_json::json!({
            "reason": "***", "backend_ref": "zq001 ***", "partner_number": "A12345678",
            "notes": { "reported_outstanding": "2880000", "said": "***", "phone": "***" },
        })
    );
    Guests::nobody().forget(&mut forgotten);
    assert_eq!(
        (&forgotten["reason"], &forgotten["backend_ref"]),
        (&serde_json::json!("***"), &serde_json::json!("zq001 ***"))
    );
}

/// Fields that nobody has thought of are masked too; what is ours is not.
#[test]
fn every_text_of_a_document_is_masked_whatever_it_is_called() {
    let known = guests(&[person("홍길동", "01012345678", "M12345678")]);
    let mut document = serde_json::json!({
        "id": "ord_0194f5a0000000000000138123456780", "anything": ["홍길동"], "deep": { "why": "call 1234567", "ref": "1234567" },
        "tickets": [{ "code": "13800000001", "kind": "code", "name": "홍길동" }], "rules": { "name": "홍길동" }, "n": 13_800_000_001_i64,
    });
    known.json(&mut document);
    assert_eq!(
        document,
        serde_json::json!({
            "id": "ord_0194f5a0000000000000138123456780", "anything": ["홍**"], "deep": { "why": "call ***", "ref": "1234567" },
            "tickets": [{ "code": "13800000001", "kind": "code", "name": "홍**" }], "rules": { "name": "홍길동" }, "n": 13_800_000_001_i64,
        })
    );
}

#[test]
fn nothing_shown_is_longer_than_it_may_be() {
    assert_eq!(Quoted::text(&"x".repeat(CHARS_MAX + 1)).as_str().len(), CHARS_MAX);
}

/// A channel that numbers its orders as states number passports.
#[test]
fn the_orders_own_number_said_alone_is_nobodys_document() {
    let guests = Guests { own: vec!["K20261121".to_owned()], ..guests(&[person("", "01012345678", "")]) };
    assert_eq!(guests.text("K20261121").as_str(), "K20261121");
    assert_eq!(guests.text("M12345678").as_str(), "***", "any other number alone is somebody's");
    let mut shown = serde_json::json!({ "reason": "K20261121", "why": "M12345678", "note": "K20261121" });
    guests.json(&mut shown);
    assert_eq!(shown, serde_json::json!({ "reason": "K20261121", "why": "***", "note": "K20261121" }));
    let phone = Guests { own: vec!["01012345678".to_owned()], ..Guests::nobody() };
    assert_eq!(phone.text("01012345678").as_str(), "***", "a phone is one, whatever an order is called");
}

/// A number with letters in which eleven digits happen to look like a phone: whoever looks for the order must find it by that.
#[test]
fn the_orders_own_number_with_letters_in_it_is_nobodys_phone() {
    let number = "S1a22b01b18200000109";
    let guests = Guests { own: vec![number.to_owned()], ..guests(&[person("홍길동", "01012345678", "")]) };
    assert_eq!(guests.id(number).as_str(), number);
    assert_eq!(guests.text(number).as_str(), number);
    let mut shown = serde_json::json!({ "channel_order_id": number, "backend_ref": "B13800000001", "why": number });
    guests.json(&mut shown);
    assert_eq!(shown, serde_json::json!({ "channel_order_id": number, "backend_ref": "B***", "why": number }));
    let of_a_guest = Guests { own: vec!["R01012345678".to_owned()], ..guests };
    assert!(!of_a_guest.id("R01012345678").as_str().contains("12345678"), "this phone is known");
}

/// What a partner has just said names guests whom nobody has looked up yet: what looks like theirs is masked however it is written down.
#[test]
fn free_text_cannot_be_shown_unmasked() {
    let said = "call 13800000001 or guest@example.com";
    let result: CallResult<()> = CallResult::Refused { code: said.to_owned().into(), why: said.to_owned().into() };
    let facts = TicketFacts::Refused { reason: FreeText::new(said) };
    let ticket = NewTicket {
        code: DocumentNumber::new("A-1"),
        kind: TicketKind::Code,
        project_id: Some(ForeignNumber::new("13800000001")),
        name: Some(ForeignName::new(said)),
    };
    let command = Command::SupplyTickets { tickets: vec![ticket] };
    for shown in [
        format!("{result:?}"),
        format!("{facts:?} {command:?}"),
        serde_json::to_string(&facts).unwrap(),
        serde_json::to_string(&command).unwrap(),
        FreeText::new(said).to_string(),
        ForeignCode::new(said).to_string(),
    ] {
        assert!(!shown.contains("13800000001") && !shown.contains("guest@"), "{shown}");
    }
    let sealed = in_clear(|| serde_json::to_string(&facts).unwrap());
    assert!(sealed.contains(said), "{sealed}");
    assert_eq!(serde_json::from_str::<TicketFacts>(&sealed).unwrap(), facts, "what was kept reads as it was written");
}

/// Once it is known whom it is about, that holds for good, and in every text of a command.
#[test]
fn free_text_is_masked_for_an_orders_guests() {
    let known = guests(&[person("홍길동", "01012345678", "")]);
    let said = FreeText::new("홍길동 called from 010-1234-5678");
    let masked = said.for_guests(&known);
    assert_eq!(masked.reveal(), format!("홍** called from {}", Phone::new("01012345678").masked()));
    assert_eq!(in_clear(|| serde_json::to_string(&masked).unwrap()), format!("{:?}", masked.reveal()));
    let ours = FreeText::from("no room");
    assert_eq!((ours.for_guests(&known).ours(), said.ours()), (Some("no room"), None));
    let order = Order {
        buyer: person("홍길동", "", ""),
        ..samples::told(1, samples::snapshot(Stage::Confirmed, false, false), None)
    };
    for command in [
        Command::CancelOrder { reason: said.clone() },
        Command::RecordDoubt { sentence: said.clone(), unread: false },
        Command::RecordTicketFacts { booking: "bkg_1".into(), facts: TicketFacts::GivenUp { why: said.clone() } },
        Command::AskCancellation { fee: None, reason: "ours".into(), parts: Vec::new(), notify_text: Some(said) },
    ] {
        let clear = in_clear(|| serde_json::to_string(&*command.without_guests(&order)).unwrap());
        assert!(!clear.contains("홍길동") && clear.contains("홍**"), "{clear}");
    }
}
