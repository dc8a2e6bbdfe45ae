//! Values inside events: attribute values, canonical doubles, currencies.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A double with one bit pattern per value, so that state made of it is canonical: `-0.0` is
/// `0.0`, and NaN is not a value.
///
/// Ordered by [`f64::total_cmp`].
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Double(u64);

impl Double {
    /// Returns the canonical double of a value; `None` for NaN.
    pub fn new(value: f64) -> Option<Self> {
        // Adding positive zero turns -0.0 into 0.0 and leaves every other value alone.
        (!value.is_nan()).then(|| Self((value + 0.0).to_bits()))
    }

    /// The value.
    pub fn get(self) -> f64 {
        f64::from_bits(self.0)
    }

    /// The canonical bits.
    pub const fn to_bits(self) -> u64 {
        self.0
    }
}

impl PartialOrd for Double {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Double {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.get().total_cmp(&other.get())
    }
}

impl fmt::Debug for Double {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.get().fmt(f)
    }
}

impl Serialize for Double {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.get())
    }
}

impl<'de> Deserialize<'de> for Double {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(f64::deserialize(deserializer)?)
            .ok_or_else(|| serde::de::Error::custom("NaN is not a value"))
    }
}

/// The value of an attribute or a property. In JSON: `null`, `true`, `3`, `2.5`, `"text"`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(untagged)]
pub enum AttributeValue {
    /// Known to be without a value (different from an attribute never set).
    Null,
    /// True or false.
    Boolean(bool),
    /// A whole number.
    Long(i64),
    /// Any other number.
    Double(Double),
    /// Text.
    String(Arc<str>),
}

/// Attributes or properties by name.
pub type AttributeMap = BTreeMap<Arc<str>, AttributeValue>;

impl<'de> Deserialize<'de> for AttributeValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AttributeVisitor)
    }
}

/// Reads the value by the format's own type; serde's untagged form would copy it first.
struct AttributeVisitor;

impl serde::de::Visitor<'_> for AttributeVisitor {
    type Value = AttributeValue;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("null, true, false, a number or text")
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<AttributeValue, E> {
        Ok(AttributeValue::Null)
    }

    fn visit_none<E: serde::de::Error>(self) -> Result<AttributeValue, E> {
        Ok(AttributeValue::Null)
    }

    fn visit_bool<E: serde::de::Error>(self, value: bool) -> Result<AttributeValue, E> {
        Ok(AttributeValue::Boolean(value))
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<AttributeValue, E> {
        Ok(AttributeValue::Long(value))
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<AttributeValue, E> {
        i64::try_from(value)
            .map(AttributeValue::Long)
            .map_err(E::custom)
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<AttributeValue, E> {
        let double = Double::new(value).ok_or_else(|| E::custom("NaN is not a value"))?;
        Ok(AttributeValue::Double(double))
    }

    fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<AttributeValue, E> {
        Ok(AttributeValue::String(value.into()))
    }
}

/// A currency by its ISO 4217 code, for example `EUR`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Currency([u8; 3]);

impl Currency {
    /// Returns the currency of an ISO 4217 code; `None` for any other text.
    pub fn new(code: &str) -> Option<Self> {
        let letters: [u8; 3] = code.as_bytes().try_into().ok()?;
        iso4217::minor_digits(letters).map(|_| Self(letters))
    }

    /// Returns whether the currency is not in use any more.
    pub fn is_retired(self) -> bool {
        iso4217::is_retired(self.0)
    }

    /// Returns the reason why a text is no currency, with the code that was meant if it is one in other
    /// letters.
    pub fn refusal(text: &str) -> String {
        let meant = Self::new(&text.trim().to_ascii_uppercase());
        let hint = meant.map_or_else(String::new, |code| format!("; write {code}"));
        format!("{text:?} is not an ISO 4217 currency{hint}")
    }

    /// Returns the three letters.
    pub fn code(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("XXX")
    }

    /// Returns the number of digits of the minor unit: 2 for EUR, 0 for JPY, 3 for KWD.
    pub fn minor_digits(self) -> u8 {
        iso4217::minor_digits(self.0).unwrap_or(2)
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl Serialize for Currency {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.code())
    }
}

impl<'de> Deserialize<'de> for Currency {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let code = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        Self::new(&code).ok_or_else(|| serde::de::Error::custom(Self::refusal(&code)))
    }
}

mod iso4217 {
    /// The currencies in use with a minor unit other than a hundredth.
    const OTHER_DIGITS: &[(&[u8; 3], u8)] = &[
        (b"BHD", 3),
        (b"BIF", 0),
        (b"CLF", 4),
        (b"CLP", 0),
        (b"DJF", 0),
        (b"GNF", 0),
        (b"IQD", 3),
        (b"ISK", 0),
        (b"JOD", 3),
        (b"JPY", 0),
        (b"KMF", 0),
        (b"KRW", 0),
        (b"KWD", 3),
        (b"LYD", 3),
        (b"OMR", 3),
        (b"PYG", 0),
        (b"RWF", 0),
        (b"TND", 3),
        (b"UGX", 0),
        (b"UYI", 0),
        (b"UYW", 4),
        (b"VND", 0),
        (b"VUV", 0),
        (b"XAF", 0),
        (b"XOF", 0),
        (b"XPF", 0),
    ];

    const HUNDREDTHS: &[u8] = b"AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND \
        BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE CHF CHW CNY COP COU CRC CUP CVE CZK DKK DOP \
        DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR \
        JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR \
        MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR \
        SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS \
        UAH USD USN UYU UZS VED VES WST XCD XCG YER ZAR ZMW ZWG";

    /// The retired currencies with hundredths, and those without a minor unit: amounts of the past have them.
    const RETIRED: &[u8] = b"AFA ATS AYM AZM BGL CSD CUC CYP DEM EEK FIM FRF GHC GWP HRK IEP LTL LVL MRO \
        MTL MXP MZM NLG PLZ ROL RUR SDD SIT SKK SLL SRG STD TMM UAK VEB VEF YUM ZMK ZWD ZWL ZWN ZWR";
    const RETIRED_WHOLE: &[u8] = b"ADP BEF BYB BYR ESP GRD ITL LUF MGF PTE TPE TRL";

    /// The length of a code in a list, with the space behind it.
    const ENTRY: usize = 4;
    const LETTERS: usize = 26;
    const UNKNOWN: u8 = u8::MAX;

    /// Digits by code: every order carries a currency, so finding one must cost nothing.
    static DIGITS: [u8; LETTERS * LETTERS * LETTERS] = digits();

    const fn index(code: [u8; 3]) -> Option<usize> {
        let mut index = 0;
        let mut at = 0;
        while at < code.len() {
            if !code[at].is_ascii_uppercase() {
                return None;
            }
            index = index * LETTERS + (code[at] - b'A') as usize;
            at += 1;
        }
        Some(index)
    }

    #[expect(clippy::large_stack_arrays, reason = "runs at compile time")]
    const fn digits() -> [u8; LETTERS * LETTERS * LETTERS] {
        let mut digits = [UNKNOWN; LETTERS * LETTERS * LETTERS];
        let lists = [(HUNDREDTHS, 2), (RETIRED, 2), (RETIRED_WHOLE, 0)];
        let mut list = 0;
        while list < lists.len() {
            let ((codes, minor), mut at) = (lists[list], 0);
            while at < codes.len() {
                if let Some(index) = index([codes[at], codes[at + 1], codes[at + 2]]) {
                    digits[index] = minor;
                }
                at += ENTRY;
            }
            list += 1;
        }
        let mut other = 0;
        while other < OTHER_DIGITS.len() {
            if let Some(index) = index(*OTHER_DIGITS[other].0) {
                digits[index] = OTHER_DIGITS[other].1;
            }
            other += 1;
        }
        digits
    }

    pub(super) fn is_retired(code: [u8; 3]) -> bool {
        let lists = [RETIRED, RETIRED_WHOLE];
        let mut entries = lists.iter().flat_map(|codes| codes.chunks(ENTRY));
        entries.any(|entry| entry.starts_with(&code))
    }

    pub(super) fn minor_digits(code: [u8; 3]) -> Option<u8> {
        let digits = DIGITS[index(code)?];
        (digits != UNKNOWN).then_some(digits)
    }
}
