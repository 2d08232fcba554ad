// SPDX-License-Identifier: Apache-2.0

//! What Douyin checks in the codes that it is given (`adapters/douyin/README.md`). Pure.

use serde_json::Value;
use std::collections::BTreeSet;

/// Characters of a plain code, at most.
const CODE_CHARS_MAX: usize = 100;
/// Characters of a QR code's content, at most.
const QR_CHARS_MAX: usize = 512;
/// Characters of a code of the second generation, at most (D-15).
const CERTIFICATE_CHARS_MAX: usize = 64;

/// What was asked for, against which the codes are checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Copies: the length of the list.
    pub copies: u32,
    /// Visitors a copy: the most that any list may hold.
    pub per_copy: u32,
    /// Kinds that may be shown: 1 ID card, 2 code, 3 QR, 6 URL.
    pub kinds: Vec<i64>,
    /// Documents of the visitors that were named.
    pub documents: Vec<String>,
    /// Certificates of the second generation, one a copy.
    pub certificates: Vec<String>,
}

/// Checks `vouchers` of the first generation. The error is a sentence that names the rule.
pub fn check_vouchers(vouchers: &Value, terms: &Terms) -> Result<(), String> {
    let list = vouchers.as_array().ok_or("vouchers is not a list")?;
    if list.len() != terms.copies as usize {
        return Err(format!("rule 1: {} vouchers for {} copies", list.len(), terms.copies));
    }
    let mut project_ids = BTreeSet::new();
    for voucher in list {
        let entrance = voucher.get("entrance").filter(|e| !e.is_null());
        let projects = voucher.get("projects").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        if entrance.is_none() && projects.is_empty() {
            return Err("rule 2: neither entrance nor projects".to_owned());
        }
        if let Some(unnamed) = projects.iter().find(|p| text(p, "name").is_none_or(str::is_empty)) {
            return Err(format!("a project without a name: {}", text(unnamed, "project_id").unwrap_or("?")));
        }
        for entry in entrance.into_iter().chain(projects) {
            check_entry(entry, terms)?;
            let id = text(entry, "project_id").filter(|id| !id.is_empty()).ok_or("rule 7: project_id is missing")?;
            if !project_ids.insert(id.to_owned()) {
                return Err(format!("rule 7: project_id {id} appears twice in the order"));
            }
        }
    }
    Ok(())
}

fn check_entry(entry: &Value, terms: &Terms) -> Result<(), String> {
    let mut kinds_shown = 0;
    for (field, kind) in
        [("certificate_nos", 2), ("qrcodes", 3), ("urls", 6), ("gmcode_imgs", 3), ("credentials", 1), ("id_cards", 1)]
    {
        let list = list(entry, field);
        if list.is_empty() {
            continue;
        }
        kinds_shown += 1;
        if !terms.kinds.contains(&kind) {
            return Err(format!("rule 4: {field} is of kind {kind}, which this product does not show"));
        }
        if list.len() > terms.per_copy as usize {
            return Err(format!("rule 5: {} elements in {field} for {} visitors", list.len(), terms.per_copy));
        }
        list.iter().try_for_each(|element| check_element(field, element, terms))?;
    }
    if kinds_shown == 0 {
        return Err("rule 3: no credential of any kind".to_owned());
    }
    if !list(entry, "gmcode_imgs").is_empty() && !list(entry, "qrcodes").is_empty() {
        return Err("gmcode_imgs excludes qrcodes".to_owned());
    }
    Ok(())
}

fn check_element(field: &str, element: &Value, terms: &Terms) -> Result<(), String> {
    let known = |number: &str| terms.documents.iter().any(|d| d == number);
    match field {
        "credentials" => {
            element.get("credential_type").and_then(Value::as_i64).ok_or("credential_type is not a number")?;
            let number = text(element, "credential_no").ok_or("credential_no is missing")?;
            if known(number) { Ok(()) } else { Err("rule 6: a document of nobody among the visitors".to_owned()) }
        }
        "id_cards" => match element.as_str() {
            Some(number) if known(number) => Ok(()),
            _ => Err("rule 6: a document of nobody among the visitors".to_owned()),
        },
        _ => {
            let code = element.as_str().ok_or_else(|| format!("{field} holds something else than text"))?;
            let most = if field == "qrcodes" { QR_CHARS_MAX } else { CODE_CHARS_MAX };
            let limited = matches!(field, "qrcodes" | "certificate_nos");
            if code.is_empty() || (limited && code.chars().count() > most) {
                return Err(format!("{field} holds a code that is empty or longer than {most} characters"));
            }
            Ok(())
        }
    }
}

/// The names of the two lists inside a project of the second generation; they differ between answer and callback.
#[derive(Clone, Copy, Debug)]
pub struct CertificateNames {
    /// The list of certificates in the body or answer.
    pub outer: &'static str,
    /// The list of codes.
    pub codes: &'static str,
    /// The list of documents.
    pub documents: &'static str,
}

/// Names in the answer to `promissory_gen_code`.
pub const IN_ANSWER: CertificateNames =
    CertificateNames { outer: "certificate_info", codes: "certificate", documents: "credential" };
/// Names in the callback.
pub const IN_CALLBACK: CertificateNames =
    CertificateNames { outer: "certificate_info_list", codes: "certificate_list", documents: "credential_list" };

/// Checks the certificates of the second generation.
pub fn check_certificates(list: &Value, names: CertificateNames, terms: &Terms) -> Result<(), String> {
    let list = list.as_array().ok_or_else(|| format!("{} is not a list", names.outer))?;
    let given: BTreeSet<&str> = list.iter().filter_map(|c| text(c, "certificate_id")).collect();
    let asked: BTreeSet<&str> = terms.certificates.iter().map(String::as_str).collect();
    if given != asked || list.len() != asked.len() {
        return Err("the certificates are not the ones that were asked for".to_owned());
    }
    let mut project_ids = BTreeSet::new();
    for project in list.iter().flat_map(|c| self::list(c, "project_list")) {
        let id = text(project, "project_id").filter(|id| !id.is_empty()).ok_or("project_id is missing")?;
        if !project_ids.insert(id) {
            return Err(format!("project_id {id} appears twice in the order"));
        }
        let (codes, documents) = (self::list(project, names.codes), self::list(project, names.documents));
        if codes.is_empty() && documents.is_empty() {
            return Err(format!("project {id} has no {} and no {}", names.codes, names.documents));
        }
        for code in codes {
            let number = text(code, "certificate_no").ok_or("certificate_no is missing")?;
            let kind = code.get("certificate_type").and_then(Value::as_i64).unwrap_or(0);
            if number.is_empty() || number.chars().count() > CERTIFICATE_CHARS_MAX || !(1..=3).contains(&kind) {
                return Err("a certificate_no of the wrong length or type".to_owned());
            }
        }
    }
    if project_ids.is_empty() { Err("no project in any certificate".to_owned()) } else { Ok(()) }
}

/// Every code and document in `vouchers` or certificates, sorted: what must be the same on every repeat.
pub fn codes_in(value: &Value) -> Vec<String> {
    let mut codes = Vec::new();
    collect(value, "", &mut codes);
    codes.sort();
    codes
}

fn collect(value: &Value, field: &str, codes: &mut Vec<String>) {
    const LISTS: [&str; 5] = ["certificate_nos", "qrcodes", "urls", "gmcode_imgs", "id_cards"];
    match value {
        Value::Object(fields) => fields.iter().for_each(|(name, inner)| collect(inner, name, codes)),
        Value::Array(elements) => elements.iter().for_each(|inner| collect(inner, field, codes)),
        Value::String(code) if LISTS.contains(&field) || matches!(field, "certificate_no" | "credential_no") => {
            codes.push(code.clone());
        }
        _ => {}
    }
}

fn text<'v>(value: &'v Value, field: &str) -> Option<&'v str> {
    value.get(field).and_then(Value::as_str)
}

fn list<'v>(value: &'v Value, field: &str) -> &'v [Value] {
    value.get(field).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn terms() -> Terms {
        Terms {
            copies: 2,
            per_copy: 2,
            kinds: vec![1, 2],
            documents: vec!["D1".into()],
            certificates: vec!["C1".into(), "C2".into()],
        }
    }

    fn copy(id: &str, codes: &[&str]) -> Value {
        json!({"entrance": {"project_id": id, "certificate_nos": codes}})
    }

    #[test]
    fn good_vouchers_pass() {
        assert_eq!(check_vouchers(&json!([copy("1", &["a"]), copy("2", &["b", "c"])]), &terms()), Ok(()));
    }

    #[test]
    fn each_rule_of_7_4_is_enforced() {
        let second = copy("2", &["b"]);
        let cases = [
            ("rule 1", json!([copy("1", &["a"])])),
            ("rule 2", json!([{"projects": []}, second])),
            ("rule 3", json!([{"entrance": {"project_id": "1"}}, second])),
            ("rule 4", json!([{"entrance": {"project_id": "1", "qrcodes": ["q"]}}, second])),
            ("rule 5", json!([copy("1", &["a", "b", "c"]), second])),
            (
                "rule 6",
                json!([{"entrance": {"project_id": "1",
                "credentials": [{"credential_type": 1, "credential_no": "D2"}]}}, second]),
            ),
            ("rule 7", json!([copy("2", &["a"]), second])),
            ("without a name", json!([{"projects": [{"project_id": "1", "certificate_nos": ["a"]}]}, second])),
        ];
        for (rule, vouchers) in cases {
            let refused = check_vouchers(&vouchers, &terms()).unwrap_err();
            assert!(refused.contains(rule), "{rule}: {refused}");
        }
    }

    #[test]
    fn certificates_have_other_names_in_answer_and_callback() {
        let certificate = |id: &str, list: &str| {
            json!({"certificate_id": id, "project_list": [{"project_id": id, "name": "gate",
                list: [{"certificate_no": "x", "certificate_type": 3}]}]})
        };
        let answer = json!([certificate("C1", "certificate"), certificate("C2", "certificate")]);
        assert_eq!(check_certificates(&answer, IN_ANSWER, &terms()), Ok(()));
        assert!(check_certificates(&answer, IN_CALLBACK, &terms()).is_err());
        let one = json!([certificate("C1", "certificate")]);
        assert!(check_certificates(&one, IN_ANSWER, &terms()).is_err());
    }

    #[test]
    fn the_same_codes_are_found_in_both_spellings() {
        let answer = json!([{"project_list": [{"certificate": [{"certificate_no": "b"}, {"certificate_no": "a"}]}]}]);
        let callback =
            json!([{"project_list": [{"certificate_list": [{"certificate_no": "a"}, {"certificate_no": "b"}]}]}]);
        assert_eq!(codes_in(&answer), codes_in(&callback));
    }
}
