//! Files that import as their authors meant them, or say where they do not.

use proptest::prelude::*;

use super::*;

const COLUMNS: &str = "id,at,amount";

/// Returns the customers and amounts of a file's rows, or their errors.
fn outcomes(mapping: &Mapping, file: &str) -> Vec<Result<(String, i64), String>> {
    let rows = read(mapping, file).into_iter();
    rows.map(|row| row.map(|event| (event.customer_id.to_string(), amount(&event))))
        .collect()
}

fn refusal(mapping: Result<Mapping, InvalidMapping>, file: &str) -> String {
    match mapping {
        Ok(mapping) => events(&mapping, file.as_bytes()).err().unwrap().0,
        Err(error) => error.0,
    }
}

fn money_mapping(separators: &str) -> Result<Mapping, InvalidMapping> {
    let payload = format!(
        "amount_minor = {{ column = 'amount', as = 'money', {separators} }}\ncurrency = 'EUR'"
    );
    let text = format!(
        "[input]\ndelimiter = ';'\n[event]\ntenant_id = 'acme'\ncustomer_id = '{{id}}'\nsource = 'shop'\n\
         type = 'order_placed'\n{AT}\n[payload]\norder_id = '{{@event_id}}'\n{payload}"
    );
    Mapping::parse(&text)
}

#[test]
fn number_that_is_grouped_otherwise_than_by_thousands_is_refused() {
    #[track_caller]
    fn check(separators: &str, text: &str, expected: Option<i64>) {
        let mapping = money_mapping(separators).unwrap();
        let file = format!("id;at;amount\n1;2026-01-01T00:00:00Z;{text}\n");
        match (outcomes(&mapping, &file).remove(0), expected) {
            (Ok((_, amount)), Some(expected)) => assert_eq!(amount, expected, "{text}"),
            (Err(error), None) => assert!(
                error.contains(text) && error.starts_with("line 2: payload.amount_minor: "),
                "{error}"
            ),
            (found, expected) => panic!("{text}: {found:?} instead of {expected:?}"),
        }
    }
    let english = "thousands_separator = ','";
    for (text, expected) in [
        ("13,75", None),
        ("1,3,75", None),
        ("1,375", Some(137_500)),
        ("12,34,567.8", Some(123_456_780)),
        ("1234,567", None),
        (",375", None),
        ("1.5,000", None),
    ] {
        check(english, text, expected);
    }
    let german = "decimal_separator = ',', thousands_separator = '.'";
    check(german, "1.234,5", Some(123_450));
    check(german, "13.75", None);
    check(german, "1,234.5", None);
    check("decimal_separator = ','", "13.75", None);
    check("decimal_separator = ','", "13,75", Some(1_375));
    let french = "decimal_separator = ',', thousands_separator = ' '";
    check(french, "1\u{202f}234,5", Some(123_450));
    check(french, "1\u{a0}234", Some(123_400));
}

#[test]
fn separators_that_cannot_be_told_apart_are_refused() {
    let file = "id;at;amount\n";
    let both = refusal(money_mapping("thousands_separator = '.'"), file);
    assert!(both.contains("payload.amount_minor: `.` is both"), "{both}");
    let digit = refusal(money_mapping("thousands_separator = '0'"), file);
    assert!(
        digit.contains("`thousands_separator` cannot be `0`"),
        "{digit}"
    );
    let text = "[input]\ndelimiter = '|'\nquote = '|'\n[event]\ntenant_id = 'a'\ncustomer_id = '{id}'\n\
                source = 's'\ntype = 'order_placed'\noccurred_at = { column = 'at' }\n[payload]";
    let same = refusal(Mapping::parse(text), file);
    assert_eq!(
        same,
        "input: `delimiter` and `quote` are the same character"
    );
}

#[test]
fn second_column_of_a_name_is_refused_with_the_way_to_name_them() {
    let mapping = orders("", AT, AMOUNT);
    let error = refusal(Ok(mapping), "id,at,amount,id\n");
    assert_eq!(
        error,
        "the header names two columns `id`, the 1. and the 4.: name all columns in `columns` of [input]"
    );
    let named = orders("columns = ['id', 'at', 'amount', 'other_id']", AT, AMOUNT);
    let rows = outcomes(&named, "id,at,amount,id\n1,2026-01-01T00:00:00Z,5,2\n");
    assert_eq!(rows, [Ok(("1".to_owned(), 500))]);
    // Columns without a name cannot be meant.
    let unnamed = orders("", AT, AMOUNT);
    let rows = outcomes(&unnamed, "id,at,amount,,\n1,2026-01-01T00:00:00Z,5,,\n");
    assert_eq!(rows, [Ok(("1".to_owned(), 500))]);
}

#[test]
fn open_quote_costs_its_own_row_alone() {
    let mapping = orders("", AT, AMOUNT);
    let good = |id: u32| format!("{id},2026-01-01T00:00:00Z,5\n");
    let expected = |id: u32| Ok((id.to_string(), 500));
    // Never closed: the rest of the file follows.
    let file = format!(
        "{COLUMNS}\n{}\"2,2026-01-01T00:00:00Z,5\n{}",
        good(1),
        good(3)
    );
    let open = Err("line 3: a quote is not closed".to_owned());
    assert_eq!(
        outcomes(&mapping, &file),
        [expected(1), open.clone(), expected(3)]
    );
    // Closed by chance, by the quote that opens a later field.
    let quoted = "\"4\",2026-01-01T00:00:00Z,5\n";
    let file = format!(
        "{COLUMNS}\n{}\"2,2026-01-01T00:00:00Z,5\n{}{quoted}",
        good(1),
        good(3)
    );
    let taken = Err(
        "line 3: `4` follows a closing quote in line 5: is one opened that is not meant?"
            .to_owned(),
    );
    assert_eq!(
        outcomes(&mapping, &file),
        [expected(1), taken, expected(3), expected(4)]
    );
    // Within a field, a quote is a character like any other.
    let inches = "5\" pipe,2026-01-01T00:00:00Z,5\n";
    let file = format!("{COLUMNS}\n{inches}{}", good(3));
    assert_eq!(
        outcomes(&mapping, &file),
        [Ok(("5\" pipe".to_owned(), 500)), expected(3)]
    );
}

#[test]
fn row_over_several_lines_with_other_columns_names_its_lines() {
    let mapping = orders("", AT, AMOUNT);
    let rows = outcomes(&mapping, &format!("{COLUMNS}\n\"1\n\n\",5\n"));
    assert_eq!(
        rows,
        [Err(
            "line 2: 2 columns, not 3 (the row ends in line 4: a quoted field holds line ends, or a quote is not \
             closed)"
                .to_owned()
        )]
    );
}

#[test]
fn lines_are_numbered_whatever_ends_them() {
    for (input, delimiter) in [("", ","), ("format = 'whitespace'", " ")] {
        let mapping = orders(input, AT, AMOUNT);
        for end in ["\n", "\r\n", "\r"] {
            let lines = [
                "id,at,amount",
                "1,2026-01-01T00:00:00Z,5",
                "",
                "2,x,5",
                "3,2026,5",
            ];
            let file = lines.join(end).replace(',', delimiter);
            let rows = outcomes(&mapping, &file);
            assert_eq!(rows[0], Ok(("1".to_owned(), 500)), "{end:?}");
            let starts = |row: usize, text: &str| rows[row].as_ref().unwrap_err().starts_with(text);
            assert!(starts(1, "line 4: ") && starts(2, "line 5: "), "{rows:?}");
        }
    }
}

#[test]
fn spaces_around_fields_are_not_part_of_them() {
    let mapping = orders("", AT, AMOUNT);
    let file = format!(
        "{COLUMNS}\n  42 ,2026-01-01T00:00:00Z , 5\n\" 42\" , \"2026-01-01T00:00:00Z\",5\n"
    );
    let expected = Ok(("42".to_owned(), 500));
    assert_eq!(outcomes(&mapping, &file), [expected.clone(), expected]);
}

#[test]
fn row_with_spaces_keeps_the_id_that_earlier_versions_gave_its_event() {
    let mapping = orders("", AT, AMOUNT);
    let file = format!("{COLUMNS}\n  42 ,2026-01-01T00:00:00Z , 5\n");
    let event = read(&mapping, &file).remove(0).unwrap();
    assert_eq!(
        event.event_id.to_string(),
        "0bb5a321-2500-52e2-afc9-6f0d6b03fda4"
    );
}

#[test]
fn file_in_another_encoding_says_so() {
    let mapping = orders("", AT, AMOUNT);
    let utf16: Vec<u8> = "\u{feff}id,at"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    let error = events(&mapping, &utf16[..]).err().unwrap();
    assert_eq!(error.0, "the file is in UTF-16: save it in UTF-8");
}

proptest! {
    /// Rows that a library writes, with whatever quotes, delimiters and line ends in their fields, read back as
    /// they were, each with the line on which it begins.
    #[test]
    fn written_rows_read_back(
        rows in proptest::collection::vec(
            proptest::collection::vec("[a-c\"',;\r\n \u{e9}]{0,6}", 2..4), 1..8),
        end in prop_oneof![Just(csv::Terminator::CRLF), Just(csv::Terminator::Any(b'\n')),
                           Just(csv::Terminator::Any(b'\r'))],
    ) {
        let mut writer = csv::WriterBuilder::new()
            .terminator(end)
            .flexible(true)
            .quote_style(csv::QuoteStyle::Always)
            .from_writer(Vec::new());
        let mut begins = Vec::new();
        for row in &rows {
            writer.flush().unwrap();
            let before = String::from_utf8(writer.get_ref().clone()).unwrap();
            begins.push(1 + before.replace("\r\n", "\n").matches(['\r', '\n']).count());
            writer.write_record(row).unwrap();
        }
        let file = writer.into_inner().unwrap();
        let mut lines = lines::Lines::new(std::io::BufReader::with_capacity(3, &file[..]));
        let quoting = quoting::Quoting { delimiter: b',', quote: b'"' };
        for (row, begin) in rows.iter().zip(begins) {
            let read = quoting.read(&mut lines).unwrap().unwrap();
            prop_assert_eq!(read.first_line, begin as u64);
            let texts: Vec<String> = read.fields.into_iter().map(|it| String::from_utf8(it).unwrap()).collect();
            prop_assert_eq!(&texts, row);
        }
        prop_assert!(quoting.read(&mut lines).is_none());
    }
}
