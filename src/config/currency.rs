// SPDX-License-Identifier: Apache-2.0

//! The currencies that exist (ISO 4217, the active codes of states and unions).

use ticketbridge_core::product::Currency;

use super::read::Value;

const CODES: &str = "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD CAD \
CDF CHF CLP CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HTG HUF \
IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP \
MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK \
SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD UYU UZS VED VES VND VUV WST XAF XCD \
XCG XOF XPF YER ZAR ZMW ZWG";

/// Reads a currency's code.
pub(super) fn read(value: Value<'_>) -> Option<Currency> {
    let text = value.clone().text()?;
    if CODES.split(' ').any(|code| code == text) {
        return Some(Currency(text));
    }
    let upper = text.to_uppercase();
    let mend = match upper.as_str() {
        "RMB" | "CNH" | "YUAN" => "did you mean `CNY`?".to_owned(),
        _ if CODES.split(' ').any(|code| code == upper) => format!("write it in capitals: \"{upper}\""),
        _ => "write an ISO 4217 code such as CNY, KRW or USD".to_owned(),
    };
    value.wrong(format_args!("is \"{text}\", which is not a currency"), mend)
}
