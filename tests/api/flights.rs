//! Known answers on real data: NYC flights 2013. Says that it skips where the data is absent.

use partita::polars::prelude::{DatetimeArgs, TimeUnit, datetime};
use partita::prelude::*;

fn folder() -> String {
    std::env::var("PARTITA_FLIGHTS").unwrap_or_else(|_| concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/data/flights").into())
}

fn flights() -> Option<DFrame> {
    let folder = folder();
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

/// By visibility in miles: flights that arrived, those that were late by more than a quarter of an hour, the mean delay on arrival in minutes.
/// What pandas 3.1.1 gives for `flights.merge(weather, on=["origin", "time_hour"]).dropna(subset=["arr_delay"]).groupby("visib")`.
const BY_VISIBILITY: [(f64, u32, u32, f64); 20] = [
    (0.0, 74, 5, -8.405405405405405),
    (0.06, 74, 32, 23.83783783783784),
    (0.12, 373, 157, 33.27345844504021),
    (0.25, 1275, 456, 18.629019607843137),
    (0.5, 1349, 685, 35.10971089696071),
    (0.75, 368, 172, 26.054347826086957),
    (1.0, 1330, 686, 34.7984962406015),
    (1.25, 151, 85, 49.211920529801326),
    (1.5, 1455, 701, 30.586254295532648),
    (1.75, 131, 58, 34.18320610687023),
    (2.0, 2757, 1220, 24.110627493652522),
    (2.5, 2137, 812, 18.405240992044924),
    (3.0, 3297, 1261, 20.841977555353353),
    (4.0, 2070, 724, 18.380676328502414),
    (5.0, 4415, 1447, 16.76987542468856),
    (6.0, 5712, 1780, 14.80217086834734),
    (7.0, 6898, 1993, 13.89895621919397),
    (8.0, 7123, 2039, 14.663484486873509),
    (9.0, 10946, 3335, 16.58861684633656),
    (10.0, 273851, 59510, 4.693866372589474),
];

/// The hour as a time, local as both tables have it; null where a flight was cancelled. Hour 24 of a day is hour 0 of the next.
fn time_hour() -> Expr {
    let whole = |name: &str| col(name).cast(DataType::Int32);
    let day = datetime(DatetimeArgs::new(whole("year"), whole("month"), whole("day")));
    let hours = (col("hour").cast(DataType::Int64) * lit(3_600_000_000i64)).cast(DataType::Duration(TimeUnit::Microseconds));
    (day + hours).alias("time_hour")
}

#[test]
fn late_arrivals_by_visibility() {
    let Some(flights) = flights() else { return };
    let flights = flights.with_columns([time_hour()]);
    let options = CsvOptions::new().null_values(["NA"]);
    let weather = DFrame::read_csv_with(format!("{}/weather.csv", folder()), options).unwrap();
    let weather = weather.with_columns([time_hour()]).select(["origin", "time_hour", "visib", "wind_speed", "precip"]);
    for broadcast in [true, false] {
        let keys = ["origin", "time_hour"];
        let joined = flights.join(&weather, Join::inner(keys).broadcast(broadcast));
        assert_eq!(joined.len().unwrap(), 326_960, "three hours of the weather are there twice");
        let arrived = joined.filter(col("arr_delay").is_not_null());
        let totals = arrived.agg([col("wind_speed").sum(), col("precip").sum()]).compute().unwrap();
        let total = |name: &str| totals.column(name).unwrap().f64().unwrap().get(0).unwrap();
        assert!((total("wind_speed") - 3_577_594.347_539_999_5).abs() < 1e-3 && (total("precip") - 1_263.94).abs() < 1e-8, "{totals}");
        let late = col("arr_delay").gt(lit(15.0)).sum().alias("late");
        let found =
            arrived.group_by(["visib"]).agg([len().alias("flights"), late, col("arr_delay").mean()]).sort(["visib"]).compute().unwrap();
        assert_eq!(found.height(), BY_VISIBILITY.len(), "{found}");
        let column = |name: &str| {
            let values = found.column(name).unwrap().cast(&DataType::Float64).unwrap();
            values.f64().unwrap().into_no_null_iter().collect::<Vec<_>>()
        };
        let (miles, all, late, mean) = (column("visib"), column("flights"), column("late"), column("arr_delay"));
        for (row, expected) in BY_VISIBILITY.iter().enumerate() {
            assert_eq!(
                (miles[row], all[row], late[row]),
                (expected.0, f64::from(expected.1), f64::from(expected.2)),
                "broadcast {broadcast}"
            );
            assert!((mean[row] - expected.3).abs() < 1e-9, "{} miles: {} instead of {}", expected.0, mean[row], expected.3);
        }
        let left = flights.join(&weather, Join::left(keys).broadcast(broadcast));
        let unknown = left.filter(col("visib").is_null()).len().unwrap();
        assert_eq!((left.len().unwrap(), unknown), (336_776, 9_816), "broadcast {broadcast}");
    }
}
