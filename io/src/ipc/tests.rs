//! Frames there and back, and what damage does.

use polars::prelude::*;
use polars_arrow::io::ipc::read::FlightConsumer;
use polars_arrow::io::ipc::write::EncodedData;
use polars_buffer::Buffer;
use proptest::prelude::*;

use super::{Message, decode, encode};

fn round(frame: &DataFrame) -> DataFrame {
    decode(&encode(frame).unwrap().expect("no dictionaries")).unwrap()
}

fn sample() -> DataFrame {
    let long = "a text of more than twelve bytes";
    let frame = df!(
        "i" => [Some(1i64), None, Some(i64::MIN)], "f" => [f64::NAN, -0.0, 1.5], "b" => [Some(true), None, Some(false)],
        "s" => [Some(long), None, Some("short")], "small" => [1i8, 2, 3]
    );
    let mut frame = frame.unwrap();
    frame
        .with_column(Column::new(
            "list".into(),
            [Some(Series::from_iter([1i64, 2])), None, Some(Series::new_empty("".into(), &DataType::Int64))],
        ))
        .unwrap();
    frame
        .with_column(frame.column("i").unwrap().cast(&DataType::Datetime(TimeUnit::Microseconds, None)).unwrap().with_name("t".into()))
        .unwrap();
    let pair = StructChunked::from_columns("pair".into(), 3, &[frame.column("i").unwrap().clone(), frame.column("s").unwrap().clone()]);
    frame.with_column(pair.unwrap().into_series().into()).unwrap();
    frame
}

#[test]
fn every_type_comes_back_bit_by_bit() {
    let frame = sample();
    assert!(round(&frame).equals_missing(&frame));
    assert_eq!(round(&frame).schema(), frame.schema());
    for (offset, length) in [(0, 0), (1, 2), (2, 1)] {
        let slice = frame.slice(offset, length);
        assert!(round(&slice).equals_missing(&slice), "rows {offset}..+{length}");
    }
    let bits = |frame: &DataFrame| frame.column("f").unwrap().f64().unwrap().get(1).unwrap().to_bits();
    assert_eq!(bits(&round(&frame)), bits(&frame));
}

#[test]
fn large_buffers_are_the_frames_own() {
    let values: Vec<i64> = (0..100_000).collect();
    let frame = DataFrame::new(values.len(), vec![Column::new("x".into(), values)]).unwrap();
    let own = frame.column("x").unwrap().i64().unwrap().cont_slice().unwrap().as_ptr() as usize;
    let messages = encode(&frame).unwrap().unwrap();
    assert!(messages[1].body.iter().any(|piece| piece.as_ptr() as usize == own), "encoding copied the values");
    let again = decode(&messages).unwrap();
    assert_eq!(again.column("x").unwrap().i64().unwrap().cont_slice().unwrap().as_ptr() as usize, own, "decoding copied the values");
}

/// The slow twin: polars' own reader, which wants each body in one piece.
fn by_polars(messages: &[Message]) -> usize {
    let data = |message: &Message| EncodedData {
        ipc_message: message.header.clone(),
        arrow_data: message.body.iter().flat_map(|piece| piece.iter().copied()).collect(),
    };
    let mut consumer = FlightConsumer::new(data(&messages[0])).unwrap();
    messages[1..].iter().map(|message| consumer.consume(data(message)).unwrap().unwrap().len()).sum()
}

#[test]
fn polars_own_reader_understands_the_messages() {
    let frame = sample();
    assert_eq!(by_polars(&encode(&frame).unwrap().unwrap()), frame.height());
}

#[test]
fn categories_go_another_way() {
    let frame =
        df!("c" => ["a", "b"]).unwrap().lazy().select([col("c").cast(DataType::from_categories(Categories::global()))]).collect().unwrap();
    assert!(encode(&frame).unwrap().is_none());
    let text = super::text_for_categories(&frame).unwrap();
    assert!(round(&text).equals(&df!("c" => ["a", "b"]).unwrap()));
}

#[test]
fn invalid_text_is_refused() {
    // Buffers of ASCII, and one that is checked text by text.
    for texts in
        [["a text of more than twelve bytes", "another text of many"], ["a text of more than twelve bytes", "ein längerer Text, größer"]]
    {
        let frame = df!("s" => texts).unwrap();
        assert!(round(&frame).equals(&frame));
        let mut messages = encode(&frame).unwrap().unwrap();
        let mut bytes: Vec<u8> = messages[1].body.iter().flat_map(|piece| piece.iter().copied()).collect();
        let at = bytes.windows(4).position(|window| window == b"than").unwrap();
        bytes[at] = 0xff;
        messages[1].body = vec![Buffer::from(bytes)];
        assert!(decode(&messages).is_err());
    }
}

proptest! {
    #[test]
    fn no_damage_makes_it_panic(at in any::<prop::sample::Index>(), with in any::<u8>(), header in any::<bool>(), cut in 0usize..64) {
        let mut messages = encode(&sample()).unwrap().unwrap();
        let message = &mut messages[1];
        if header {
            let at = at.index(message.header.len());
            message.header[at] = with;
        } else {
            let mut bytes: Vec<u8> = message.body.iter().flat_map(|piece| piece.iter().copied()).collect();
            let at = at.index(bytes.len());
            bytes[at] = with;
            bytes.truncate(bytes.len() - cut);
            message.body = vec![bytes.into()];
        }
        // Whether damage is found depends on where it is; reading what comes back must be safe.
        if let Ok(frame) = decode(&messages) {
            let text = frame.column("s").unwrap().str().unwrap();
            prop_assert!(text.iter().flatten().map(|text| text.chars().count()).sum::<usize>() < 1 << 20);
        }
    }
}
