//! The README's example: two small files, the main job, its result.

use partita::prelude::*;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let data = tempfile::tempdir()?;
    std::fs::write(data.path().join("january.csv"), "origin,dep_delay\nEWR,2\nLGA,4\nJFK,2\nLGA,-6\n")?;
    std::fs::write(data.path().join("february.csv"), "origin,dep_delay\nEWR,-4\nJFK,\nJFK,8\n")?;
    std::env::set_current_dir(data.path())?;

    let flights = DFrame::read_csv("*.csv")?;
    let means = flights.groupby(["origin"]).mean().compute()?;
    println!("{means}");

    let late =
        flights.filter(col("dep_delay").gt(lit(0))).group_by(["origin"]).agg([len().alias("late"), col("dep_delay").max().alias("worst")]);
    println!("{}", late.compute()?);

    assert_eq!(means, df!("origin" => ["EWR", "JFK", "LGA"], "dep_delay" => [-1.0, 5.0, -1.0])?);
    assert_eq!(late.compute()?.height(), 3);
    Ok(())
}
