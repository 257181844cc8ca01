//! Known answers on real data: NYC flights 2013. Says that it skips where the data is absent.

use partita::prelude::*;

fn flights() -> Option<DFrame> {
    let folder = std::env::var("PARTITA_FLIGHTS").unwrap_or_else(|_| concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/data/flights").into());
    if !std::path::Path::new(&folder).is_dir() {
        eprintln!("skipped: no flights data in {folder}");
        return None;
    }
    Some(DFrame::read_csv(format!("{folder}/flights-*.csv")).expect("the flights open"))
}

#[test]
fn mean_delay_by_origin() {
    let Some(flights) = flights() else { return };
    let means = flights.groupby(["origin"]).mean().select(["origin", "dep_delay"]).compute().unwrap();
    let origins: Vec<_> = means
        .column("origin")
        .unwrap()
        .str()
        .unwrap()
        .iter()
        .flatten()
        .zip(means.column("dep_delay").unwrap().f64().unwrap().iter().flatten())
        .collect();
    for (origin, mean) in [("EWR", 15.107954), ("JFK", 12.112159), ("LGA", 10.346876)] {
        let found = origins.iter().find(|(name, _)| *name == origin).expect("the origin is there").1;
        assert!((found - mean).abs() < 5e-7, "{origin}: {found}");
    }
    assert_eq!(origins.len(), 3);
}

#[test]
fn whole_table() {
    let Some(flights) = flights() else { return };
    assert_eq!(flights.len().unwrap(), 336_776);
    let totals = flights.agg([col("dep_delay").mean(), col("arr_delay").sum(), col("distance").sum()]).compute().unwrap();
    let mean = totals.column("dep_delay").unwrap().f64().unwrap().get(0).unwrap();
    assert!((mean - 12.639070257304708).abs() < 1e-11, "{mean}");
    assert_eq!(totals.column("arr_delay").unwrap().cast(&DataType::Int64).unwrap().i64().unwrap().get(0), Some(2_257_174));
    assert_eq!(totals.column("distance").unwrap().f64().unwrap().get(0), Some(350_217_607.0));
    for (key, groups) in [("tailnum", 4043 + 1), ("dest", 105), ("carrier", 16)] {
        assert_eq!(flights.group_by(key).len().compute().unwrap().height(), groups, "{key}");
    }
    let counts = flights.group_by("origin").select(["dep_delay"]).count().compute().unwrap();
    let mut counts: Vec<u32> = counts.column("dep_delay").unwrap().u32().unwrap().iter().flatten().collect();
    counts.sort_unstable();
    assert_eq!(counts, [101_509, 109_416, 117_596]);
}
